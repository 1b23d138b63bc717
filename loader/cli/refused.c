// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A refusal in words: "12 s ago, 3 times: VM 7 of pid 812 qemu (uid 0) wanted
 * rw- at 0x0+0x1000; exclusive_kvm answered EACCES".
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "refused.h"

uint64_t seconds_since(uint64_t boottime)
{
	struct timespec t;
	uint64_t now;

	clock_gettime(CLOCK_BOOTTIME, &t);
	now = t.tv_sec * 1000000000ULL + t.tv_nsec;
	return now > boottime ? (now - boottime) / 1000000000 : 0;
}

const char *ago_text(uint64_t boottime, char *buf, size_t size)
{
	unsigned long long s = seconds_since(boottime);

	if (s < 120)
		snprintf(buf, size, "%llu s", s);
	else if (s < 2 * 3600)
		snprintf(buf, size, "%llu min", s / 60);
	else if (s < 2 * 86400)
		snprintf(buf, size, "%llu h", s / 3600);
	else
		snprintf(buf, size, "%llu days", s / 86400);
	return buf;
}

/* What people call a consumer of this kind. */
const char *consumer_word(uint32_t kind)
{
	static const char * const words[] = {
		[MEMGATE_KVM] = "VM",
		[MEMGATE_VFIO] = "VFIO container",
		[MEMGATE_IOMMUFD] = "iommufd object",
		[MEMGATE_RDMA] = "RDMA region",
		[MEMGATE_VDPA] = "vDPA device",
		[MEMGATE_VHOST] = "vhost device",
		[MEMGATE_IO_URING] = "io_uring",
		[MEMGATE_XDP] = "AF_XDP umem",
		[MEMGATE_DMABUF] = "udmabuf",
	};

	return kind < ARRAY_SIZE(words) && words[kind] ? words[kind] :
						       "consumer";
}

static const char *op_text(uint32_t op)
{
	static const char * const text[] = {
		[MEMGATE_OP_MMAP] = "mmap",
		[MEMGATE_OP_MPROTECT] = "mprotect",
		[MEMGATE_OP_MREMAP] = "mremap",
		[MEMGATE_OP_FORK] = "fork",
	};

	return op < ARRAY_SIZE(text) ? text[op] : "a new way";
}

/* Is the process of that time still there, or another with its number? */
static enum { HERE, GONE, UNKNOWN } party_is(const struct memgate_refusal *r)
{
	uint64_t tick = 1000000000 / sysconf(_SC_CLK_TCK), start;

	/* The numbers are those of the initial pid namespace. */
	if (!in_init_pid_ns())
		return UNKNOWN;
	if (memgate_process_start(r->pid, &start))
		return GONE;
	return start == r->pid_start / tick ? HERE : GONE;
}

bool is_by_pid(const struct memgate_refusal *r, int pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return r->pid == pid && (party_is(r) != GONE || access(path, F_OK));
}

static void print_party(const struct memgate_refusal *r)
{
	if (r->consumer)
		printf("%s %llu of ", consumer_word(r->class_nr),
		       (unsigned long long)r->consumer);
	printf("pid %d %s (%suid %u", r->pid, r->comm,
	       party_is(r) == GONE ? "gone, " : "", r->uid);
	if (*r->exe && strncmp(r->exe, r->comm, 15))
		printf(", executing %s", r->exe);
	putchar(')');
}

static const char *errno_text(int err)
{
	return strerrorname_np(err) ?: "an unknown error";
}

/* One line. */
void print_refusal(const struct memgate_refusal *r)
{
	bool way = r->class_nr == MEMGATE_REFUSAL_WAY;
	char ago[32], buf[16];

	printf("%s refused %s ago, %llu %s: ", way ? r->way :
	       class_text(r->class_nr, buf, sizeof(buf)),
	       ago_text(r->time, ago, sizeof(ago)),
	       (unsigned long long)r->nr, r->nr == 1 ? "time" : "times");
	print_party(r);
	if (way) {
		puts("; no policy is asked about this way");
		return;
	}
	printf(" wanted %s at 0x%llx+0x%llx", rights_text(r->rights),
	       (unsigned long long)r->start, (unsigned long long)r->len);
	if (r->class_nr == MEMGATE_MAP)
		printf(" by %s", op_text(r->op));
	if (*r->device)
		printf(" for device %s", r->device);
	if (*r->policy)
		printf("; %s answered %s\n", r->policy, errno_text(r->err));
	else
		printf("; closed, %s\n", errno_text(r->err));
}

struct json_object *refusal_json(const struct memgate_refusal *r)
{
	struct json_object *obj = json_object_new_object();
	char buf[16];

	add_u64(obj, "gate", r->gate);
	add_u64(obj, "seconds", seconds_since(r->time));
	add_u64(obj, "times", r->nr);
	if (r->class_nr == MEMGATE_REFUSAL_WAY) {
		add_str(obj, "way", r->way);
	} else {
		add_str(obj, "class",
			class_text(r->class_nr, buf, sizeof(buf)));
		if (r->class_nr == MEMGATE_MAP)
			add_str(obj, "op", op_text(r->op));
		add_str(obj, "rights", rights_text(r->rights));
		add_u64(obj, "start", r->start);
		add_u64(obj, "len", r->len);
		add_str(obj, "policy", r->policy);
	}
	if (r->consumer)
		add_u64(obj, "consumer", r->consumer);
	if (*r->device)
		add_str(obj, "device", r->device);
	add_str(obj, "errno", errno_text(r->err));
	add_u64(obj, "pid", r->pid);
	add_str(obj, "comm", r->comm);
	add_u64(obj, "uid", r->uid);
	add_str(obj, "exe", r->exe);
	add_u64(obj, "exe_ino", r->exe_ino);
	add_u64(obj, "exe_dev", r->exe_dev);
	return obj;
}
