/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What the files of libmemgate share with each other and with its tests. */
#ifndef _MEMGATE_INTERNAL_H
#define _MEMGATE_INTERNAL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <memgate/memgate.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(f, a)	__attribute__((format(printf, f, a)))

struct bpf_object;
struct btf;
struct btf_member;

#define MG_MAX_CLASSES	64		/* bits of memgate_ops.decides */

/* A parameter that has a value of its own, and its bytes: readback.c. */
struct mg_key {
	char *name;
	uint32_t first;
	uint32_t end;			/* the byte after the last */
	bool texts;
};

struct memgate_policy {
	char name[64];
	char title[MEMGATE_NAME_LEN];
	uint64_t decides;
	uint32_t params_size;
	uint32_t map_id;
	uint32_t link_id;
	int map_fd;
	int link_fd;			/* -1 if not held */
	struct bpf_object *obj;		/* only if we loaded it */
	struct btf *types;		/* read when first needed */
	uint32_t params_type;		/* in types; 0: it declares no struct */
	bool params_checked;		/* that type, and its size */
	struct mg_key *keys;		/* found when first needed */
	size_t nr_keys;
	char types_pin[128];		/* empty: there is none */
	char *rules[MG_MAX_CLASSES];	/* read when first asked for */
};

struct memgate_params {
	const struct memgate_policy *policy;
	size_t size;
	unsigned char data[];		/* then as much: struct mg_bytes */
};

static inline void mg_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

#define __autoclose	__attribute__((cleanup(mg_close)))

static inline int mg_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* error.c */

/* Note an error in words; returns -err, so callers return it at once. */
int mg_fail(enum memgate_error_kind kind, int err, const char *hint,
	    const char *fmt, ...) __printf(4, 5);
/* The same for functions that return pointers: sets errno, returns NULL. */
#define mg_fail_ptr(...)	(errno = -mg_fail(__VA_ARGS__), NULL)
void mg_error_append(const char *fmt, ...) __printf(1, 2);
void mg_error_prepend(const char *fmt, ...) __printf(1, 2);
const char *mg_errno_name(int err);

/* log.c */
void mg_log_begin(void);
char *mg_log_end(void);
void mg_log_verdict(const char *log, char *buf, size_t size);
void mg_log_complaint(const char *log, char *buf, size_t size);

/* bpf.c */
#define MG_CAP_SYS_ADMIN	21
#define MG_CAP_PERFMON		38
#define MG_CAP_BPF		39

int mg_have_cap(int cap);
int mg_link_create(int map_fd, int target_fd, uint32_t flags,
		   const void *params, uint32_t params_len);
bool mg_is_bpffs(const char *path);
int mg_map_id(int map_fd, uint32_t *id, char *name, size_t size);
int mg_link_map_id(int link_fd, uint32_t *link_id, uint32_t *map_id);

/* ops.c */
struct mg_ops_data {
	const void *data;
	size_t size;
};

struct btf *mg_vmlinux_btf(void);
const struct btf_member *mg_ops_member(const struct btf *btf, uint32_t type_id,
				       const char *name);
int mg_ops_read(const struct btf *btf, uint32_t type_id,
		const struct mg_ops_data *data, struct memgate_policy *p);
int mg_ops_missing(const struct btf *btf, uint32_t type_id,
		   const struct mg_ops_data *data, uint64_t decides);
int mg_ops_read_map(struct memgate_policy *p);
int mg_ops_program(int map_fd, const char *name, uint32_t *id);

/* core.c */
struct btf *mg_core_part(const struct btf *kernel, const struct btf *program);
struct bpf_object *mg_core_open(const void *data, size_t size, int *file);

/* field.c */
int mg_params_type(const struct btf *btf, uint32_t *type_id);
int mg_params_check(const struct btf *btf, const char *policy, size_t size,
		    uint32_t *type_id);
int mg_params_fields(const struct btf *btf, uint32_t type_id,
		     int (*fn)(const struct memgate_field *, void *),
		     void *ctx);

/* docs.c */
const char *mg_doc_of_member(const struct btf *btf, uint32_t struct_id,
			     int member);
bool mg_is_tagged_flags(const struct btf *btf, uint32_t struct_id, int member);
const char *mg_rule_of(const struct btf *btf, unsigned int class_nr);

/* number.c */
struct mg_number {
	bool negative;
	uint64_t abs;
};

int mg_parse_number(const char *s, struct mg_number *n);

/* policy.c */
struct memgate_policy *mg_policy_new(void);
void mg_keys_free(struct memgate_policy *policy);
bool mg_is_memgate_ops(const struct btf *btf, uint32_t type_id);
const char *mg_lacks_caps(void);

/* inspect.c */
struct memgate_policy_info *mg_inspect(const void *data, size_t size,
				       const char *path);

/* judge.c */
void mg_judge(struct memgate_policy_info *info, uint32_t ops_id,
	      const struct mg_ops_data *ops);
void mg_add_fault(struct memgate_policy_info *info, const char *fmt, ...)
	__printf(2, 3);

/* pin.c */
int mg_make_pin_dirs(void);

/* types.c */
struct btf *mg_btf_new(const void *data, size_t size);
int mg_types_of_map(struct memgate_policy *p);
int mg_types_pin(struct memgate_policy *p, const char *path);

/* gate.c */
int mg_check_memfd(int fd, const char *what);

/* list.c */
int mg_gates_add(struct memgate_gate_info ***gates, size_t *nr,
		 struct memgate_gate_info *g);

/* iterate.c */
int mg_iterate_gates(struct memgate_gate_info ***gates, size_t *nr);
int mg_records_parse(const void *data, size_t len,
		     struct memgate_gate_info ***gates, size_t *nr);

/* events.c */
int mg_event_parse(const void *data, size_t len, struct memgate_event *e);

/* fdinfo.c */
struct memgate_gate_info *mg_fdinfo_parse(FILE *f);
int mg_add_device(struct memgate_gate_info *g, uint64_t consumer,
		  const char *name, size_t len);
void mg_printable(char *s);

#endif /* _MEMGATE_INTERNAL_H */
