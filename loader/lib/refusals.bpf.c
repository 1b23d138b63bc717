// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * A flight recorder: the last refusal of each kind on each gate, and of each
 * party, with how many there were.  Its links and maps are pinned, so that it
 * goes on when the command that started it is gone.
 *
 * Both maps have all their memory from the beginning and forget what was
 * refused least recently.  Of the two one knows no parties: a party that comes
 * as a thousand processes cannot make it forget another gate so soon.
 *
 * Tracepoints run with preemption off, so what is per processor is ours, but
 * for NMIs, in which memgate_closed may be hit: maps take locks, so nothing is
 * kept there, and it is counted.
 */
#include "kernel.bpf.h"
#include "refusals.h"

char _license[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MG_REFUSALS_MAX);
	__type(key, struct mg_refusal_key);
	__type(value, struct mg_refusal);
} mg_last SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MG_REFUSALS_MAX);
	__type(key, struct mg_refusal_key);
	__type(value, struct mg_refusal);
} mg_parties SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mg_recorder_state);
} mg_state SEC(".maps");

/* What is being recorded, and an element without anything in it. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct mg_refusal_facts);
} mg_facts SEC(".maps");

struct mg_refusal mg_nothing;

#pragma clang attribute push(__attribute__((preserve_access_index)), \
			     apply_to = record)

struct pcpu_hot {
	int preempt_count;
};

#pragma clang attribute pop

/* Where the number is depends on the kernel's age. */
extern struct pcpu_hot pcpu_hot __ksym __weak;
extern int __preempt_count __ksym __weak;

#define NMI_MASK	0x00f00000

static __always_inline bool may_lock(void)
{
	int count = NMI_MASK;

	if (bpf_ksym_exists(&pcpu_hot))
		count = ((struct pcpu_hot *)
			 bpf_this_cpu_ptr(&pcpu_hot))->preempt_count;
	else if (bpf_ksym_exists(&__preempt_count))
		count = *(int *)bpf_this_cpu_ptr(&__preempt_count);
	return !(count & NMI_MASK);
}

static __always_inline void count_missed(void)
{
	__u32 zero = 0;
	struct mg_recorder_state *state;

	state = bpf_map_lookup_elem(&mg_state, &zero);
	if (state)
		__sync_fetch_and_add(&state->missed, 1);
}

static __always_inline void set_exe(struct mg_refusal_facts *f,
				    struct mm_struct *mm)
{
	struct file *exe = mm ? BPF_CORE_READ(mm, exe_file) : NULL;

	f->exe_ino = 0;
	f->exe_dev = 0;
	f->exe[0] = '\0';
	if (!exe)
		return;
	f->exe_ino = BPF_CORE_READ(exe, f_inode, i_ino);
	f->exe_dev = BPF_CORE_READ(exe, f_inode, i_sb, s_dev);
	bpf_probe_read_kernel_str(f->exe, sizeof(f->exe),
				  BPF_CORE_READ(exe, f_path.dentry,
						d_name.name));
}

/* The process, as its first thread is called. */
static __always_inline void set_task(struct mg_refusal_facts *f, void *task)
{
	struct task_struct___more *t = task;
	struct task_struct___more *leader = BPF_CORE_READ(t, group_leader);

	f->pid = BPF_CORE_READ(t, tgid);
	f->uid = BPF_CORE_READ(t, cred, euid.val);
	f->task_start = BPF_CORE_READ(leader, start_boottime);
	bpf_core_read(f->comm, sizeof(f->comm), &leader->comm);
	set_exe(f, BPF_CORE_READ(t, mm));
}

static __always_inline void set_device(struct mg_refusal_facts *f,
				       struct device *dev)
{
	f->dev[0] = '\0';
	if (dev)
		bpf_probe_read_kernel_str(f->dev, sizeof(f->dev),
					  dev_name(dev));
}

static __always_inline void note(void *map, const struct mg_refusal_key *key,
				 const struct mg_refusal_facts *facts)
{
	struct mg_refusal *r = bpf_map_lookup_elem(map, key);

	if (!r) {
		bpf_map_update_elem(map, key, &mg_nothing, BPF_NOEXIST);
		r = bpf_map_lookup_elem(map, key);
	}
	if (!r) {
		count_missed();
		return;
	}
	__sync_fetch_and_add(&r->nr, 1);
	if (__sync_val_compare_and_swap(&r->busy, 0, 1))
		return;
	__sync_fetch_and_add(&r->begun, 1);
	__builtin_memcpy(&r->key, key, sizeof(r->key));
	__builtin_memcpy(&r->facts, facts, sizeof(r->facts));
	__sync_fetch_and_add(&r->done, 1);
	__sync_lock_test_and_set(&r->busy, 0);
}

SEC("tp_btf/memgate_decision")
int BPF_PROG(decision, struct memgate *gate, struct memgate_question *q,
	     const char *policy, int ret)
{
	struct mg_refusal_key key = {};
	struct memgate_consumer *consumer;
	struct mg_refusal_facts *f;
	__u32 zero = 0;

	if (!ret)
		return 0;
	f = bpf_map_lookup_elem(&mg_facts, &zero);
	if (!f || !may_lock()) {
		count_missed();
		return 0;
	}
	consumer = BPF_CORE_READ(q, consumer);
	f->time = bpf_ktime_get_boot_ns();
	f->start = BPF_CORE_READ(q, start);
	f->len = BPF_CORE_READ(q, len);
	f->rights = BPF_CORE_READ(q, rights);
	f->ret = ret;
	f->consumer = consumer ? BPF_CORE_READ(consumer, id) : 0;
	set_task(f, consumer ? (void *)BPF_CORE_READ(consumer, task) :
			       (void *)bpf_get_current_task());
	set_device(f, BPF_CORE_READ(q, dev));
	f->policy[0] = '\0';
	bpf_probe_read_kernel_str(f->policy, sizeof(f->policy), policy);

	key.gate = BPF_CORE_READ(gate, id);
	key.class = BPF_CORE_READ(q, class);
	if (key.class == MEMGATE_MAP)
		key.op = BPF_CORE_READ(q, op);
	note(&mg_last, &key, f);
	key.consumer = f->consumer;
	key.pid = f->pid;
	bpf_probe_read_kernel_str(key.what, sizeof(key.what), f->dev);
	note(&mg_parties, &key, f);
	return 0;
}

SEC("tp_btf/memgate_closed")
int BPF_PROG(closed, __u64 gate, const char *way)
{
	struct mg_refusal_key key = {
		.gate = gate,
		.class = MG_REFUSAL_WAY,
	};
	struct mg_refusal_facts *f;
	__u32 zero = 0;

	f = bpf_map_lookup_elem(&mg_facts, &zero);
	if (!f || !may_lock()) {
		count_missed();
		return 0;
	}
	__builtin_memset(f, 0, sizeof(*f));
	f->time = bpf_ktime_get_boot_ns();
	set_task(f, (void *)bpf_get_current_task());
	bpf_probe_read_kernel_str(key.what, sizeof(key.what), way);
	note(&mg_last, &key, f);
	key.pid = f->pid;
	note(&mg_parties, &key, f);
	return 0;
}
