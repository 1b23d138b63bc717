// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The object file of a policy, before libbpf sees it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "elf.h"

#define MAX_FILE	(64 << 20)
#define GIVE		"give the .bpf.o that clang -target bpf made"

static int read_all(int fd, const char *path, void **data, size_t *size)
{
	size_t room = *size;
	ssize_t n;

	*data = malloc(room + 1);
	if (!*data)
		return mg_fail(MEMGATE_ERR_REFUSED, ENOMEM, NULL,
			       "no memory to read %s", path);
	for (*size = 0; *size < room; *size += n) {
		n = read(fd, (char *)*data + *size, room - *size);
		if (n < 0)
			return mg_fail(MEMGATE_ERR_INPUT, errno, NULL,
				       "cannot read policy file %s: %s", path,
				       strerror(errno));
		if (!n)
			break;
	}
	return 0;
}

/* *data is to be freed whatever the answer. */
int mg_read_object(const char *path, void **data, size_t *size)
{
	/* A FIFO or a terminal must not make it wait. */
	int __autoclose fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return mg_fail(MEMGATE_ERR_INPUT, errno, NULL,
			       "cannot open policy file %s: %s", path,
			       strerror(errno));
	if (!S_ISREG(st.st_mode))
		return mg_fail(MEMGATE_ERR_INPUT,
			       S_ISDIR(st.st_mode) ? EISDIR : EINVAL, GIVE,
			       "%s is no file", path);
	if (st.st_size > MAX_FILE)
		return mg_fail(MEMGATE_ERR_INPUT, EFBIG, GIVE,
			       "%s has more than %d MiB", path,
			       MAX_FILE >> 20);
	*size = st.st_size;
	return read_all(fd, path, data, size);
}

int mg_check_object(const void *data, size_t size, const char *path)
{
	struct mg_elf elf;
	int err;

	if (size < SELFMAG || memcmp(data, ELFMAG, SELFMAG))
		return mg_fail(MEMGATE_ERR_INPUT, ENOEXEC, GIVE,
			       "%s is no ELF object file", path);
	err = mg_elf_init(&elf, data, size);
	if (err)
		return mg_fail(MEMGATE_ERR_INPUT, ENOEXEC, GIVE,
			       "%s is no BPF object file, or a broken one",
			       path);
	mg_elf_exit(&elf);
	return 0;
}
