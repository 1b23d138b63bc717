/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM memgate

#if !defined(_TRACE_MEMGATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MEMGATE_H

#include <linux/tracepoint.h>

struct memgate;
struct memgate_question;

/* The values of enum memgate_class, memgate_map_op and memgate_rights. */
#define memgate_class_name(class)					\
	__print_symbolic(class, { 0, "MAP" }, { 1, "FILE" },		\
			 { 2, "OWN_PIN" }, { 3, "OWN_LONGTERM" },	\
			 { 4, "REMOTE" }, { 5, "OTHER" }, { 6, "KVM" },	\
			 { 7, "VFIO" }, { 8, "IOMMUFD" }, { 9, "RDMA" }, \
			 { 10, "VDPA" }, { 11, "VHOST" },		\
			 { 12, "IO_URING" }, { 13, "XDP" }, { 14, "DMABUF" })

#define memgate_op_name(op)						\
	__print_symbolic(op, { 0, "mmap" }, { 1, "mprotect" },		\
			 { 2, "mremap" }, { 3, "fork" })

#define memgate_rights_names(rights)					\
	__print_flags(rights, "|", { 1, "READ" }, { 2, "WRITE" },	\
		      { 4, "EXEC" })

/**
 * memgate_decision - a question and its answer
 * @gate: the gate
 * @q: what was asked
 * @policy: whose answer it is: the first policy that refused, or the last
 *	that allowed; empty where no policy decides
 * @ret: 0, or the negative errno of the refusal
 */
TRACE_EVENT(memgate_decision,
	TP_PROTO(const struct memgate *gate, const struct memgate_question *q,
		 const char *policy, int ret),
	TP_ARGS(gate, q, policy, ret),

	TP_STRUCT__entry(
		__field(u64, gate)
		__field(u32, class)
		__field(u32, op)
		__field(u32, rights)
		__field(int, ret)
		__field(u64, start)
		__field(u64, len)
		__field(u64, consumer)
		__field(pid_t, pid)
		__string(dev, q->dev ? dev_name(q->dev) : "")
		__string(policy, policy)
	),

	TP_fast_assign(
		__entry->gate = gate->id;
		__entry->class = q->class;
		__entry->op = q->op;
		__entry->rights = q->rights;
		__entry->ret = ret;
		__entry->start = q->start;
		__entry->len = q->len;
		__entry->consumer = q->consumer ? q->consumer->id : 0;
		__entry->pid = task_tgid_nr(q->consumer ? q->consumer->task :
					    current);
		__assign_str(dev);
		__assign_str(policy);
	),

	TP_printk("gate=%llu class=%s op=%s rights=%s start=%#llx len=%#llx consumer=%llu pid=%d dev=%s policy=%s ret=%d",
		  __entry->gate,
		  memgate_class_name(__entry->class),
		  __entry->class ? "" : memgate_op_name(__entry->op),
		  memgate_rights_names(__entry->rights),
		  __entry->start, __entry->len, __entry->consumer,
		  __entry->pid, __get_str(dev), __get_str(policy),
		  __entry->ret)
);

/**
 * memgate_closed - refused without a question: no class covers this way
 * @gate: id of the gate
 * @way: what it is
 */
TRACE_EVENT(memgate_closed,
	TP_PROTO(u64 gate, const char *way),
	TP_ARGS(gate, way),

	TP_STRUCT__entry(
		__field(u64, gate)
		__string(way, way)
	),

	TP_fast_assign(
		__entry->gate = gate;
		__assign_str(way);
	),

	TP_printk("gate=%llu way=%s", __entry->gate, __get_str(way))
);

#endif /* _TRACE_MEMGATE_H */

#include <trace/define_trace.h>
