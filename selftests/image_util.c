// SPDX-License-Identifier: GPL-2.0-only
/* A memfd that holds a program. */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image_util.h"

const unsigned char mg_build_id[MG_BUILD_ID_SIZE] = "memgate test program";

/* nop; mov $110, %eax (getppid); syscall; ret */
static const unsigned char function[] = {
	0x90, 0xb8, 110, 0, 0, 0, 0x0f, 0x05, 0xc3
};

struct image {
	Elf64_Ehdr head;
	Elf64_Phdr segment;
	Elf64_Nhdr note;
	char name[4];
	unsigned char id[MG_BUILD_ID_SIZE];
};

static void write_image(char *map)
{
	struct image image = {
		.head = {
			.e_ident = {
				ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
				ELFDATA2LSB, EV_CURRENT,
			},
			.e_type = ET_DYN,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_phoff = offsetof(struct image, segment),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1,
		},
		.segment = {
			.p_type = PT_NOTE,
			.p_flags = PF_R,
			.p_offset = offsetof(struct image, note),
			.p_filesz = sizeof(image) -
				    offsetof(struct image, note),
			.p_align = 4,
		},
		.note = {
			sizeof(image.name), sizeof(image.id), NT_GNU_BUILD_ID,
		},
		.name = ELF_NOTE_GNU,
	};

	memcpy(image.id, mg_build_id, sizeof(image.id));
	memcpy(map, &image, sizeof(image));
	memcpy(map + MG_IMAGE_FUNCTION, function, sizeof(function));
}

int mg_image(enum mg_mem mem, size_t len)
{
	int fd = mg_memfd(mem, len);
	char *map;

	if (fd < 0)
		return -1;
	map = mg_map(mem, fd, len, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	if (map == MAP_FAILED) {
		close(fd);
		return -1;
	}
	write_image(map);
	munmap(map, len);
	return fd;
}

mg_image_fn mg_image_function(void *map)
{
	return (mg_image_fn)((char *)map + MG_IMAGE_FUNCTION);
}
