// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Memory that this process may map, one virtual machine may use, and nobody
 * else: what a virtual machine monitor does before it makes its VM.
 */
#include <memgate/memgate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int check(int result)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "vmm: %s\n", memgate_error_text());
	exit(1);
}

int main(void)
{
	struct memgate_memfd_opts opts = {
		.sz = sizeof(opts), .name = "guest", .size = 64 << 20,
		.seal_size = true,
	};
	struct memgate_policy *kvm = memgate_policy__open("exclusive_kvm");
	struct memgate_policy *owner = memgate_policy__open("owner");
	struct memgate_params *params = owner ? memgate_params__new(owner) :
						NULL;
	char tgid[16], *memory;
	int memfd;

	if (!kvm || !params)
		check(-1);
	snprintf(tgid, sizeof(tgid), "%d", getpid());
	memfd = check(memgate_memfd__create(&opts));
	check(memgate_params__set(params, "tgid", tgid));
	check(memgate_gate__install(memfd, owner, params));
	check(memgate_gate__install(memfd, kvm, NULL));
	check(memgate_gate__freeze(memfd));

	memory = mmap(NULL, opts.size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      memfd, 0);
	if (memory == MAP_FAILED)
		return perror("vmm: mmap"), 1;
	strcpy(memory, "the guest");
	/* KVM_CREATE_VM, KVM_SET_USER_MEMORY_REGION, KVM_RUN ... */
	printf("%s: pid %s, fd %d\n", memory, tgid, memfd);
	fflush(stdout);
	return getchar() == EOF ? 0 : 1;
}
