/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM memgate

#if !defined(_TRACE_MEMGATE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_MEMGATE_H

#include <linux/tracepoint.h>
#include <uapi/linux/memgate.h>

struct memgate;
struct memgate_question;

#define MEMGATE_CLASSES			\
	EM(MEMGATE_MAP, "MAP")			\
	EM(MEMGATE_FILE, "FILE")		\
	EM(MEMGATE_OWN_PIN, "OWN_PIN")		\
	EM(MEMGATE_OWN_LONGTERM, "OWN_LONGTERM") \
	EM(MEMGATE_REMOTE, "REMOTE")		\
	EM(MEMGATE_OTHER, "OTHER")		\
	EM(MEMGATE_KVM, "KVM")			\
	EM(MEMGATE_VFIO, "VFIO")		\
	EM(MEMGATE_IOMMUFD, "IOMMUFD")		\
	EM(MEMGATE_RDMA, "RDMA")		\
	EM(MEMGATE_VDPA, "VDPA")		\
	EM(MEMGATE_VHOST, "VHOST")		\
	EM(MEMGATE_IO_URING, "IO_URING")	\
	EM(MEMGATE_XDP, "XDP")			\
	EMe(MEMGATE_DMABUF, "DMABUF")

#define MEMGATE_OPS			\
	EM(MEMGATE_OP_MMAP, "mmap")		\
	EM(MEMGATE_OP_MPROTECT, "mprotect")	\
	EM(MEMGATE_OP_MREMAP, "mremap")		\
	EMe(MEMGATE_OP_FORK, "fork")

#undef EM
#undef EMe
#define EM(a, b) TRACE_DEFINE_ENUM(a);
#define EMe(a, b) TRACE_DEFINE_ENUM(a);
MEMGATE_CLASSES
MEMGATE_OPS
#undef EM
#undef EMe
#define EM(a, b) { a, b },
#define EMe(a, b) { a, b }

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
		  __print_symbolic(__entry->class, MEMGATE_CLASSES),
		  __entry->class == MEMGATE_MAP ?
		  __print_symbolic(__entry->op, MEMGATE_OPS) : "",
		  __print_flags(__entry->rights, "|",
				{ 1, "READ" }, { 2, "WRITE" }, { 4, "EXEC" }),
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

#undef EM
#undef EMe

#endif /* _TRACE_MEMGATE_H */

#include <trace/define_trace.h>
