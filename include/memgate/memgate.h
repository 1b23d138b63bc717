/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * libmemgate - load policies, install them on memfds, see what is gated
 *
 * Functions that return int answer 0 (or a value >= 0 where it says so) or
 * a negative errno; functions that return a pointer answer NULL and set
 * errno.  What went wrong in words is kept for each thread: see
 * memgate_error_text().  The library prints nothing.
 *
 * What may change without a new soname, and what a program must be ready for:
 * - Functions are added, never removed or given other arguments.  Each is
 *   listed in libmemgate.map under the version that brought it.
 * - Objects without a definition here (struct memgate_policy) are the
 *   library's.  So are all structs that it hands out (struct *_info, struct
 *   memgate_field): members are appended, so take no sizeof() of them, make
 *   none, and step from one to the next only where an array is handed out
 *   with its number: of those no member is ever appended.
 * - Structs that a program fills (struct *_opts) begin with sz, to be set to
 *   their sizeof(): members are appended, zero means as before, and a library
 *   that does not know a member refuses it unless it is zero (E2BIG).
 * - Enums gain values.  Take a value that you do not know for what it is:
 *   unknown.  Numbers of classes are the kernel's and are never given anew.
 * - Error texts and hints are for people.  Kinds and errnos are for programs.
 */
#ifndef _MEMGATE_MEMGATE_H
#define _MEMGATE_MEMGATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/memgate.h>
#include <memgate/successor.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef MEMGATE_API
#define MEMGATE_API __attribute__((visibility("default")))
#endif

/** Where policies are pinned unless memgate_set_pin_dir() says otherwise. */
#define MEMGATE_PIN_DIR "/sys/fs/bpf/memgate"

struct memgate_policy;
struct memgate_params;

/* ---- what went wrong ---------------------------------------------------- */

/**
 * @brief whose doing an error is
 */
enum memgate_error_kind {
	MEMGATE_ERR_NONE = 0,
	/** the caller's input: a wrong name, value or file */
	MEMGATE_ERR_INPUT = 1,
	/** the kernel refused a system call */
	MEMGATE_ERR_REFUSED = 2,
	/** the kernel has no memgate */
	MEMGATE_ERR_NO_MEMGATE = 3,
};

/**
 * @brief what was refused and why, for the last failed call of this thread
 * @return a sentence without a full stop; empty if nothing failed yet
 */
MEMGATE_API const char *memgate_error_text(void);

/**
 * @brief what to do about it
 * @return a sentence, or an empty string when there is no advice
 */
MEMGATE_API const char *memgate_error_hint(void);

/** @brief the kind of the last failed call of this thread */
MEMGATE_API enum memgate_error_kind memgate_error_kind(void);

/**
 * @brief receive libbpf's messages, the verifier's log among them
 * @param fn called with each message; NULL for silence (the default)
 */
MEMGATE_API void memgate_set_log(void (*fn)(const char *msg));

/** @brief the version of the library, "0.1.0" */
MEMGATE_API const char *memgate_version(void);

/* ---- the kernel --------------------------------------------------------- */

/**
 * @brief does this kernel know F_SEAL_ACCESS?
 * @return 0, or -EOPNOTSUPP (kind MEMGATE_ERR_NO_MEMGATE) if it does not
 */
MEMGATE_API int memgate_probe(void);

/**
 * @brief does the kernel's BTF have struct memgate_ops?
 * @return 0; -EOPNOTSUPP if it has not; -ENOENT if the kernel shows no BTF
 */
MEMGATE_API int memgate_probe_btf(void);

/**
 * @brief the name of a class of access, "kvm" for MEMGATE_KVM
 * @return NULL for a class that this library does not know
 */
MEMGATE_API const char *memgate_class_name(unsigned int class_nr);

/* ---- policies ----------------------------------------------------------- */

/**
 * @brief use another directory of a BPF file system for pins
 * @return -EINVAL if the path is not absolute or too long
 */
MEMGATE_API int memgate_set_pin_dir(const char *dir);

/** @brief the directory in use */
MEMGATE_API const char *memgate_pin_dir(void);

/**
 * @brief load the one policy of an object file into the kernel
 * @param path an ELF object with one struct memgate_ops in .struct_ops.link
 * @return the policy; it stays loaded while the returned object lives, a
 * pin exists or a gate has it installed
 *
 * Needs CAP_BPF and CAP_PERFMON.  The link that is made installs the policy
 * nowhere; it is what `bpftool struct_ops register` makes.
 */
MEMGATE_API struct memgate_policy *memgate_policy__load(const char *path);

/**
 * @brief the same from memory, for programs that bring their policy along
 * @param data the object file's content
 * @param name what errors call it
 */
MEMGATE_API struct memgate_policy *
memgate_policy__load_mem(const void *data, size_t size, const char *name);

/**
 * @brief pin a policy that memgate_policy__load() returned
 * @param name file name in the pin directory; NULL for the name that
 * bpftool would choose
 * @param mode permission bits of the pins that installing needs (only the
 * read bits count); 0 leaves them to the owner alone
 *
 * Three pins: DIR/NAME is the link, as bpftool leaves it; DIR/maps/NAME is
 * the map, which is all that an install needs; DIR/types/NAME holds the BTF
 * that names the parameters.  On failure none of them is left.
 */
MEMGATE_API int memgate_policy__pin(struct memgate_policy *policy,
				    const char *name, mode_t mode);

/**
 * @brief pin a policy and give the pins that installing needs to a group
 * @param gid whose; (gid_t)-1 leaves the caller's. CAP_CHOWN is needed for a
 * group that the caller is no member of.
 * @return as memgate_policy__pin(); -EPERM if the group may not be given
 *
 * The link stays the owner's alone: who may install a policy cannot unload
 * it.
 */
MEMGATE_API int memgate_policy__pin_group(struct memgate_policy *policy,
					  const char *name, mode_t mode,
					  gid_t gid);

/**
 * @brief open a loaded policy
 * @param name its pin's name, the name it gives itself, or (with a slash)
 * the path of a pinned link or map
 *
 * A policy of which only the link is pinned needs CAP_SYS_ADMIN.
 */
MEMGATE_API struct memgate_policy *memgate_policy__open(const char *name);

/**
 * @brief a policy from a struct_ops map's file descriptor
 * @param map_fd stays the caller's
 */
MEMGATE_API struct memgate_policy *memgate_policy__from_map_fd(int map_fd);

/**
 * @brief open a loaded policy by its map's id, as in memgate_install_info
 *
 * One that 'memgate policy load' pinned takes the right to read its pins; any
 * other CAP_SYS_ADMIN.
 */
MEMGATE_API struct memgate_policy *memgate_policy__open_id(uint32_t map_id);

/** @brief close what the object holds; pins and installs stay */
MEMGATE_API void memgate_policy__free(struct memgate_policy *policy);

/**
 * @brief remove the pins of a policy; gates that have it keep it
 * @param name the pin's name
 */
MEMGATE_API int memgate_policy__unload(const char *name);

/**
 * @brief call fn for each pinned policy
 * @param fn gets a policy that lives during the call; non-zero ends the walk
 * @return what fn returned last, or a negative errno.  A pin that cannot be
 * opened is passed as NULL with its name, and memgate_error_text() says why.
 */
MEMGATE_API int memgate_policy__list(int (*fn)(struct memgate_policy *policy,
					       const char *name, void *ctx),
				     void *ctx);

/** @brief the pin's name; the map's name if it is not pinned */
MEMGATE_API const char *memgate_policy__name(const struct memgate_policy *p);
/** @brief the name that the policy gives itself (memgate_ops.name) */
MEMGATE_API const char *memgate_policy__title(const struct memgate_policy *p);
MEMGATE_API int memgate_policy__map_fd(const struct memgate_policy *p);
MEMGATE_API uint32_t memgate_policy__map_id(const struct memgate_policy *p);
/** @brief id of the link that keeps it loaded, 0 if not known */
MEMGATE_API uint32_t memgate_policy__link_id(const struct memgate_policy *p);
/** @brief MEMGATE_CLASS() of every class that it decides */
MEMGATE_API uint64_t memgate_policy__decides(const struct memgate_policy *p);
MEMGATE_API uint32_t
memgate_policy__params_size(const struct memgate_policy *p);

/** @brief a parameter that a policy declares; lives during the callback */
struct memgate_field {
	/** dotted for a nested one; [0..N] where an array of structs needs an
	 * index
	 */
	const char *name;
	/** in words: "u32", "bool", "char[8]", "enum colour", "classes" */
	const char *type;
	/** of an enum "RED, BLUE", of flags "READ|WRITE"; else NULL */
	const char *values;
	/** what the policy says of it (MEMGATE_DOC()), or NULL */
	const char *doc;
};

/**
 * @brief call fn for each parameter that the policy declares
 * @param fn non-zero ends the walk
 * @return what fn returned last, or a negative errno: -EPERM if the types
 * may not be read
 */
MEMGATE_API int
memgate_policy__fields(struct memgate_policy *policy,
		       int (*fn)(const struct memgate_field *field, void *ctx),
		       void *ctx);

/**
 * @brief what the policy says of a class: whom it allows (MEMGATE_RULE())
 * @param class_nr enum memgate_class
 * @return a sentence without a full stop that lives while the policy does;
 * NULL if it says nothing, or if its types may not be read (errno EPERM)
 */
MEMGATE_API const char *memgate_policy__rule(struct memgate_policy *policy,
					     unsigned int class_nr);

/* ---- a policy that is not loaded ---------------------------------------- */

/** @brief a program of a policy, in the order of struct memgate_ops */
struct memgate_program_info {
	/** what it is asked: "may_attach" */
	const char *member;
	/** its own name */
	const char *name;
};

/** @brief a map that a policy brings */
struct memgate_map_info {
	const char *name;
	/** enum bpf_map_type */
	uint32_t type;
	uint32_t max_entries;
};

/** @brief a function of the kernel that a policy calls */
struct memgate_kfunc_info {
	const char *name;
	/** the policy does without it */
	bool optional;
	/** this kernel has it */
	bool found;
};

/** @brief what an object file holds; made and freed by the library */
struct memgate_policy_info {
	/** not loaded; for memgate_policy__title(), __fields() and the like */
	struct memgate_policy *policy;
	/** the name of its map, and so of its pin, which holds 15 bytes */
	const char *name;
	const char *license;
	size_t nr_programs;
	struct memgate_program_info *programs;
	size_t nr_maps;
	struct memgate_map_info *maps;
	size_t nr_kfuncs;
	struct memgate_kfunc_info *kfuncs;
	/** why any kernel, or this one, would refuse it; none: it would not, as
	 * far as one can know who has not asked the verifier
	 */
	size_t nr_faults;
	char **faults;
	/** 0, or what memgate_probe_btf() answers: whether it could judge */
	int no_memgate;
	/** capabilities that loading takes and this process lacks, or NULL */
	const char *lacks;
};

/**
 * @brief look at an object file without loading anything
 * @return NULL if it cannot be read or has no policy.  Any file may be given.
 *
 * Needs no privilege.  On a kernel without memgate what depends on the kernel
 * is not judged, and no_memgate says so.
 */
MEMGATE_API struct memgate_policy_info *
memgate_policy__inspect(const char *path);

MEMGATE_API void memgate_policy_info__free(struct memgate_policy_info *info);

/* ---- parameters of one install ------------------------------------------ */

/**
 * @brief parameters for an install of this policy, all zero
 *
 * The policy must live as long as they do.
 */
MEMGATE_API struct memgate_params *
memgate_params__new(struct memgate_policy *policy);

/**
 * @brief set one parameter
 * @param key the field's name; a.b and a[1] reach into structs and arrays
 * @param value by the field's type:
 * - an integer or a bitfield: a number (decimal, 0x, negative, suffix K M G T)
 * - bool: true or false, yes or no, on or off, 1 or 0
 * - an enum: the name of an enumerator, or without the prefix ending in _ that
 *   all have in common, in any case; or a number
 * - flags (an enum whose values are single bits): such names, or numbers, with
 *   | between them
 * - an array of char: text
 * - memgate_classes_t: names of classes as memgate_class_name() gives them,
 *   with | between them, or a number
 * - memgate_pci_addr_t: 0000:03:00.0; the domain 0000 may be left out
 * - memgate_pci_id_t: 8086:1572
 * - an array of any of these: one or more with commas between them, which are
 *   put after the last element that was set before
 * @return -ENOENT no such field, -EINVAL not a value of its type, -ERANGE
 * does not fit; on an error nothing is set
 */
MEMGATE_API int memgate_params__set(struct memgate_params *params,
				    const char *key, const char *value);

/**
 * @brief a parameter as text, as memgate_params__set() takes it
 * @param buf gets the text, cut if it has no room
 * @return length of the whole text, as snprintf(3); or a negative errno:
 * -ENOENT no such field, -EINVAL it is a struct or cannot be set
 */
MEMGATE_API int memgate_params__get(struct memgate_params *params,
				    const char *key, char *buf, size_t size);

/**
 * @brief set all parameters at once, from the struct that the policy declares
 * @return -EMSGSIZE if size is not memgate_policy__params_size()
 */
MEMGATE_API int memgate_params__set_data(struct memgate_params *params,
					 const void *data, size_t size);

/**
 * @brief call fn for each parameter of an install that is not zero
 * @param params, size memgate_install_info.params and params_len
 * @param fn gets key and value as memgate_params__set() takes them, unprintable
 * bytes as ?; non-zero ends the walk
 * @return what fn returned last, or a negative errno: -EMSGSIZE if the policy
 * has parameters of another size
 */
MEMGATE_API int
memgate_policy__param_values(struct memgate_policy *policy, const void *params,
			     size_t size,
			     int (*fn)(const char *key, const char *value,
				       void *ctx), void *ctx);

/** @brief the bytes that the kernel will get */
MEMGATE_API const void *memgate_params__data(const struct memgate_params *p,
					     size_t *size);

MEMGATE_API void memgate_params__free(struct memgate_params *params);

/* ---- memory ------------------------------------------------------------- */

/** @brief what memory memgate_memfd__create() makes */
struct memgate_memfd_opts {
	/** sizeof(struct memgate_memfd_opts) */
	size_t sz;
	/** as /proc shows it; NULL for "memgate" */
	const char *name;
	/** bytes, a multiple of the page size */
	uint64_t size;
	/** size of its huge pages, 2M or 1G in bytes; 0 for ordinary ones */
	uint64_t hugetlb;
	/** nobody shrinks or grows it (F_SEAL_SHRINK, F_SEAL_GROW) */
	bool seal_size;
};

/**
 * @brief make a memfd that can be gated, of its final size
 * @return its file descriptor (close-on-exec); -EINVAL a wrong option,
 * -E2BIG an option that this library does not know, -EOPNOTSUPP no huge pages
 * of that size, -ENOMEM too few of them are free
 *
 * It is not sealed: memgate_gate__seal() or an install does that.  What is put
 * in by a mapping or by write(2) is best put in before.
 */
MEMGATE_API int memgate_memfd__create(const struct memgate_memfd_opts *opts);

/* ---- gates -------------------------------------------------------------- */

/**
 * @brief close the memory of a memfd to every new access
 * @return 1 if it is sealed already, -EBUSY if somebody has pinned pages
 */
MEMGATE_API int memgate_gate__seal(int memfd);

/** @brief nobody changes the policies of this memfd from now on */
MEMGATE_API int memgate_gate__freeze(int memfd);

/**
 * @brief install a policy on a memfd, sealing it if it is not
 * @param memfd open for writing
 * @param params NULL for all zero
 * @return the link's file descriptor (close-on-exec).  When the last
 * descriptor and pin of the link go before the gate is frozen, the classes
 * that the policy decided are refused for good.
 */
MEMGATE_API int memgate_gate__install(int memfd, struct memgate_policy *policy,
				      const struct memgate_params *params);

/** @brief put another policy in the place of the one a link installed */
MEMGATE_API int memgate_link__update(int link_fd,
				     struct memgate_policy *policy);

/** @brief keep a link by a pin, which must be in a BPF file system */
MEMGATE_API int memgate_link__pin(int link_fd, const char *path);

/** @brief open a pinned link; returns its file descriptor */
MEMGATE_API int memgate_link__open(const char *path);

/** @brief open a link by its id (CAP_SYS_ADMIN) */
MEMGATE_API int memgate_link__open_id(uint32_t id);

/* ---- handover ----------------------------------------------------------- */

/**
 * @brief when a process started, which with its id names it for good
 * @param pid 0: the calling process, in whatever pid namespace
 * @param ticks field 22 of /proc/PID/stat
 * @return -ESRCH if there is no such process
 */
MEMGATE_API int memgate_process_start(pid_t pid, uint64_t *ticks);

/**
 * @brief name the process whose VM may use the memory next
 * @param memfd of the gate; the descriptor keeps it while this goes on
 * @param pid a process; may be one that will execute a VMM later
 * @param map_pin pin of the policy's map "successors", which must be
 * writable; NULL to find it by the gate (CAP_SYS_ADMIN)
 * @return -EEXIST if a process that lives is named already; -EOPNOTSUPP if no
 * policy of the gate takes part; -ESRCH; -EPERM
 *
 * What it means is the policy's matter: see exclusive_kvm.  A process that
 * is named and has ended makes way for another.
 */
MEMGATE_API int memgate_gate__name_successor(int memfd, pid_t pid,
					     const char *map_pin);

/**
 * @brief take the name back
 * @return 1 if nobody was named (any more)
 */
MEMGATE_API int memgate_gate__cancel_successor(int memfd,
					       const char *map_pin);

/**
 * @brief who is named
 * @return -ENOENT if nobody is
 */
MEMGATE_API int memgate_gate__successor(int memfd, const char *map_pin,
					struct memgate_successor *who);

/* ---- seeing it ---------------------------------------------------------- */

/** @brief what became of an install */
enum memgate_install_state {
	/** its link is open */
	MEMGATE_INSTALL_LIVE,
	/** link gone, the gate was frozen before: it goes on deciding */
	MEMGATE_INSTALL_KEPT,
	/** link gone: its classes are refused for good */
	MEMGATE_INSTALL_CLOSED,
	/** a state that this library does not know */
	MEMGATE_INSTALL_UNKNOWN,
};

struct memgate_install_info {
	char name[MEMGATE_NAME_LEN];
	uint32_t map_id;
	uint32_t link_id;
	enum memgate_install_state state;
	uint64_t classes;
	/** what the install brought; memgate_policy__param_values() names it */
	void *params;
	uint32_t params_len;
	/** false if the caller may not see them; see
	 * memgate_gate_info__read_params()
	 */
	bool params_known;
};

/** @brief a device through which a consumer reaches the memory */
struct memgate_device_info {
	/** as in sysfs, unprintable bytes as ?: "0000:00:10.0", "eth0" */
	char name[64];
};

struct memgate_consumer_info {
	/** enum memgate_class, or a later one */
	uint32_t kind;
	uint64_t id;
	/** enum memgate_rights */
	uint32_t rights;
	pid_t pid;
	size_t nr_devices;
	struct memgate_device_info *devices;
};

/** @brief somebody through whom the gate was found */
struct memgate_holder_info {
	pid_t pid;
	/** its descriptor, -1 if it has a mapping only */
	int fd;
	char comm[17];
};

/** @brief a gate as the kernel shows it; made and freed by the library */
struct memgate_gate_info {
	uint64_t id;
	uint32_t premapped;
	bool frozen;
	/** decided by some install; all other classes are closed */
	uint64_t classes;
	/** of the memfd, unprintable bytes as ?; empty and 0 if not known */
	char name[256];
	uint64_t size;
	uint64_t ino;
	/** st_dev of its file system */
	uint64_t dev;
	size_t nr_installs;
	struct memgate_install_info *installs;
	size_t nr_consumers;
	struct memgate_consumer_info *consumers;
	size_t nr_holders;
	struct memgate_holder_info *holders;
};

/**
 * @brief the gate of a memfd
 * @return NULL with errno ENODATA if it has none
 */
MEMGATE_API struct memgate_gate_info *memgate_gate__info(int memfd);

/**
 * @brief all gates, and who holds them by a descriptor or a mapping
 * @param gates an array of *nr, ordered by id; memgate_gate__free_list()
 *
 * Holders are sought among the processes that the caller may inspect.  With
 * CAP_BPF and CAP_PERFMON, on a kernel that can iterate over gates, those
 * without any such holder are listed too; otherwise they are left out.
 */
MEMGATE_API int memgate_gate__list(struct memgate_gate_info ***gates,
				   size_t *nr);

/**
 * @brief read the parameters of a gate's installs, and the installs anew
 * @return -EPERM without CAP_BPF and CAP_PERFMON, after which the gate is as
 * it was; -ENOENT if it is gone
 *
 * memgate_gate__list() has read them, for whoever may.  They are not in /proc.
 */
MEMGATE_API int memgate_gate_info__read_params(struct memgate_gate_info *info);

MEMGATE_API void memgate_gate_info__free(struct memgate_gate_info *info);
MEMGATE_API void memgate_gate__free_list(struct memgate_gate_info **gates,
					 size_t nr);

/* ---- events ------------------------------------------------------------- */

struct memgate_events;

/** @brief which event it is */
enum memgate_event_kind {
	/** a question was asked and answered */
	MEMGATE_EVENT_DECISION = 1,
	/** refused without a question: no class covers this way */
	MEMGATE_EVENT_CLOSED = 2,
};

/** @brief who wants the memory, as policies judge it */
struct memgate_event_task {
	/** in the reader's pid namespace, 0 if not visible there */
	pid_t pid;
	/** the process's id in the initial pid namespace */
	pid_t tgid;
	/** the thread in which it happened, in the initial pid namespace */
	pid_t tid;
	/** in the initial user namespace */
	uint32_t euid, egid;
	/** start of the process, field 22 of /proc/PID/stat */
	uint64_t start;
	/** id of the cgroup (v2): its directory's inode number */
	uint64_t cgroup;
	/** executable, as policies compare it (major << 20 | minor); or 0 */
	uint64_t exe_ino;
	uint32_t exe_dev;
	/** a kernel thread: it acts for others */
	bool kthread;
	/** what it calls itself, unprintable bytes as ? */
	char comm[17];
};

/** @brief a device, as policies judge it (memgate/device.bpf.h) */
struct memgate_event_device {
	/** as in sysfs; empty: there is none (yet) */
	char name[64];
	/** address of the nearest PCI device; empty if it is part of none */
	char pci[64];
	/** driver of the nearest part that has one, or empty */
	char driver[64];
	/** of that PCI device */
	uint16_t vendor, device;
	uint32_t pci_class;
	/** number of the iommu_group, -1 if there is none */
	int group;
	/** it is itself a PCI bridge */
	bool bridge;
	/** it is a network interface, in the initial network namespace */
	bool net;
	/** it is an RDMA device */
	bool rdma;
};

/** @brief one event; its texts have unprintable bytes as ? */
struct memgate_event {
	enum memgate_event_kind kind;
	/** enum memgate_class, or a later one; for decisions, as the rest */
	uint32_t class_nr;
	/** when, in ns of CLOCK_BOOTTIME */
	uint64_t time;
	/** id of the gate; 0 for the way "orphan", which has none */
	uint64_t gate;
	/** bytes of the memfd that the question is about */
	uint64_t start, len;
	/** id of a consumer that stays, or 0 */
	uint64_t consumer;
	/** other consumers of its class that were attached at that time */
	uint32_t others;
	/** enum memgate_map_op, for MEMGATE_MAP alone */
	uint32_t op;
	/** enum memgate_rights */
	uint32_t rights;
	/** 0, or the negative errno of the refusal */
	int ret;
	/** who set the consumer up; for all others who makes the access */
	struct memgate_event_task task;
	struct memgate_event_device device;
	/** the first that refused, or else the last of those that allowed;
	 * empty if no policy decides
	 */
	char policy[MEMGATE_NAME_LEN];
	/** for MEMGATE_EVENT_CLOSED: the way, such as "hmm" */
	char way[MEMGATE_NAME_LEN];
	/** of the memfd; empty if not known */
	char name[256];
};

/** @brief which events are wanted, decided in the kernel; zero: all */
struct memgate_events_opts {
	/** sizeof(struct memgate_events_opts): members may come */
	size_t size;
	/** ids of gates; none, and no room for more: all gates */
	const uint64_t *gates;
	size_t nr_gates;
	/** room for gates that memgate_events__add_gate() adds */
	size_t more_gates;
	/** MEMGATE_CLASS() of each, 0: all.  MEMGATE_EVENT_CLOSED has none. */
	uint64_t classes;
	/** a process, in the caller's pid namespace; 0: all */
	pid_t pid;
	/** name of a policy whose answer it is; NULL: all */
	const char *policy;
	/** leave out what was allowed, or what was refused */
	bool no_allowed, no_refused;
	/** room for events that are not read yet; 0: 4 MiB */
	size_t ring_bytes;
};

/**
 * @brief watch the decisions of all gates from now on
 * @param opts NULL for all events
 * @return NULL and errno EPERM without CAP_BPF and CAP_PERFMON, EOPNOTSUPP
 * if the kernel has no such tracepoints, EINVAL for a filter that is none,
 * ENOMEM
 *
 * Process ids are those of the pid namespace in which this is called.  An
 * object is used by one thread at a time.
 */
MEMGATE_API struct memgate_events *
memgate_events__open(const struct memgate_events_opts *opts);

/**
 * @brief watch one gate more, for whom memgate_events_opts.more_gates has room
 * @return -E2BIG if there is none, -EINVAL if all gates are watched
 *
 * Its decisions are seen from now on.  Opened with room and without gates, an
 * object sees nothing before.
 */
MEMGATE_API int memgate_events__add_gate(struct memgate_events *events,
					 uint64_t gate);

/** @brief for poll(2): POLLIN when there may be something to read */
MEMGATE_API int memgate_events__fd(const struct memgate_events *events);

/**
 * @brief call fn for each event that is there
 * @param fn gets an event that lives during the call; non-zero ends the walk
 * @param timeout_ms how long to wait for the first one: 0 not at all, -1 for
 * ever
 * @return how many events fn was given, 1024 at most; or a negative errno:
 * -EINTR if a signal came while it waited
 */
MEMGATE_API int
memgate_events__read(struct memgate_events *events,
		     int (*fn)(const struct memgate_event *event, void *ctx),
		     void *ctx, int timeout_ms);

/**
 * @brief how many events there was no room for since the beginning
 *
 * They were wanted, and are missing in what is read.
 */
MEMGATE_API uint64_t memgate_events__lost(const struct memgate_events *events);

/** @brief watch no longer */
MEMGATE_API void memgate_events__free(struct memgate_events *events);

/* ---- what was refused --------------------------------------------------- */

/** @brief memgate_refusal.class_nr of a way that no class covers */
#define MEMGATE_REFUSAL_WAY	UINT32_MAX

/** @brief a refusal, and how many of its kind there were */
struct memgate_refusal {
	uint64_t gate;
	/** enum memgate_class, a later one, or MEMGATE_REFUSAL_WAY */
	uint32_t class_nr;
	/** enum memgate_map_op, for MEMGATE_MAP */
	uint32_t op;
	/** enum memgate_rights */
	uint32_t rights;
	/** positive errno of the answer */
	int err;
	uint64_t start;
	uint64_t len;
	/** id of a consumer that stays, or 0 */
	uint64_t consumer;
	/** of the last one, in ns of CLOCK_BOOTTIME */
	uint64_t time;
	/** refusals of this kind since the recorder knows of it */
	uint64_t nr;
	/** who set the consumer up; else who made the access: its process in
	 * the initial pid namespace, when that started (ns of CLOCK_BOOTTIME),
	 * its effective user
	 */
	pid_t pid;
	uint64_t pid_start;
	uid_t uid;
	uint64_t exe_ino;
	/** major << 20 | minor, as the parameters of the policy owner */
	uint32_t exe_dev;
	char comm[17];
	/** last part of the path of what it executes, cut at 31 bytes */
	char exe[33];
	char device[64];
	/** whose answer it is; empty if no policy decides */
	char policy[MEMGATE_NAME_LEN];
	/** the way, of MEMGATE_REFUSAL_WAY */
	char way[36];
};

enum memgate_refusals {
	/** the last one of each class (and map operation, or way) of a gate */
	MEMGATE_REFUSALS_LAST,
	/** of each consumer, process and device besides */
	MEMGATE_REFUSALS_PARTIES,
};

struct memgate_recorder_info {
	bool on;
	/** ns of CLOCK_BOOTTIME */
	uint64_t since;
	/** refusals that it could not keep */
	uint64_t missed;
};

/**
 * @brief record refusals from now on, until memgate_recorder__stop()
 * @return 1 if it is on already; -EPERM without CAP_BPF and CAP_PERFMON
 *
 * No process goes on: a BPF program is pinned in DIR/recorder.  It has a fixed
 * amount of memory and forgets what was refused least recently.
 */
MEMGATE_API int memgate_recorder__start(void);

/**
 * @brief stop recording, and forget what was recorded
 * @return 1 if it was not on
 */
MEMGATE_API int memgate_recorder__stop(void);

/**
 * @brief is it on?
 * @return -EACCES if the caller may not see that
 */
MEMGATE_API int memgate_recorder__info(struct memgate_recorder_info *info);

/**
 * @brief what was refused, the latest first
 * @param gate id of a gate, which may be gone; 0 for all
 * @param list an array of *nr, to be given to free(3)
 * @return -ENODATA if the recorder is off, -EACCES if the caller may not
 * read it
 */
MEMGATE_API int memgate_recorder__read(uint64_t gate,
				       enum memgate_refusals which,
				       struct memgate_refusal **list,
				       size_t *nr);

#ifdef __cplusplus
}
#endif

#endif /* _MEMGATE_MEMGATE_H */
