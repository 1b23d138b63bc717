/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the commands of memgate share. */
#ifndef _MEMGATE_CMD_H
#define _MEMGATE_CMD_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>
#include <memgate/memgate.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __printf(f, a)	__attribute__((format(printf, f, a)))

/* Exit codes; memgate(8) lists them. */
enum {
	EXIT_OK = 0,
	EXIT_USAGE = 1,
	EXIT_REFUSED = 2,
	EXIT_NO_MEMGATE = 3,
	EXIT_RUN_FAILED = 125,
	EXIT_RUN_CANNOT_EXEC = 126,
	EXIT_RUN_NOT_FOUND = 127,
};

extern bool json_output;
extern bool json_pretty;

/* words.c: the rest of the command line */
struct words {
	int nr;
	char **word;
	/* of the command: its keywords are in lower case here */
	char grammar[512];
};

const char *next_word(struct words *w);
bool take_word(struct words *w, const char *word);
bool at_keyword(const struct words *w);
int no_more_words(const struct words *w);
int wrong_word(const struct words *w, const char *fmt, ...) __printf(2, 3);

/* words.c: what may be meant by a word that is shortened or misspelt */
struct guess {
	const char *word;
	bool exact;
	int nr_starts;		/* words that begin so ... */
	char starts[256];	/* ... with commas between them */
	const char *found;	/* the last of them */
	size_t len;
	int distance;
	char near[32];
};

void guess_begin(struct guess *g, const char *word);
void guess_word(struct guess *g, const char *s, size_t len);
const char *guess_found(const struct guess *g);

/* grammar.c: the table of commands, which is in main.c */
struct command {
	const char *object;
	const char *action;		/* NULL: the object is the command */
	int (*run)(struct words *w);
	const char *usage;
	const char *summary;
};

struct term {
	const char *name;
	const char *grammar;
};

struct syntax {
	const struct command *commands;
	size_t nr;
	const struct term *terms;
	size_t nr_terms;
};

int print_help(const struct syntax *s, const char *object, const char *action);
int run_command(const struct syntax *s, struct words *w);

/* output.c */
enum paint {
	PAINT_END,
	PAINT_HEAD,
	PAINT_GOOD,
	PAINT_BAD,
};

const char *paint(enum paint p);
void usage_hint(const char *fmt, ...) __printf(1, 2);
void error_context(const char *fmt, ...) __printf(1, 2);
int report(void);
int report_usage(const char *fmt, ...) __printf(1, 2);
int report_errno(int code, int err, const char *hint, const char *fmt, ...)
	__printf(4, 5);
int finish_output(int code);
void print_json(struct json_object *obj);
void print_json_item(struct json_object *item, bool first);
void add_str(struct json_object *obj, const char *key, const char *value);
void add_u64(struct json_object *obj, const char *key, uint64_t value);
void add_bool(struct json_object *obj, const char *key, bool value);
void add_item(struct json_object *list, const char *value);
struct json_object *classes_json(uint64_t classes);
const char *class_text(unsigned int class_nr, char *buf, size_t size);
void print_classes(uint64_t classes);
const char *size_text(uint64_t size, char *buf, size_t len);
const char *rights_text(uint32_t rights);
void make_printable(char *s);

/* use.c: "policy NAME [param K=V]..." */
#define MAX_PARAMS	64

struct use {
	const char *policy;
	const char *param[MAX_PARAMS];
	int nr_params;
	int nr_expanded;	/* the first of them that are ours to free */
};

struct ready {
	struct memgate_policy *policy;
	struct memgate_params *params;
};

int parse_use(struct words *w, struct use *use);
int expand_use(struct use *use, const char * const *names,
	       const char * const *values, int nr);
void free_use(struct use *use);
int prepare_use(const struct use *use, struct ready *r);
int install_ready(int memfd, const struct ready *r);
void drop_use(struct ready *r);
int install_use(int memfd, const struct use *use, char *name, size_t size);

/* show_gate.c */
const char *state_text(enum memgate_install_state state);
uint64_t shut_classes(const struct memgate_gate_info *g);
uint64_t all_classes(const struct memgate_gate_info *g);
struct json_object *gate_json(const struct memgate_gate_info *g);
struct json_object *consumer_json(const struct memgate_consumer_info *c);
void print_header(const struct memgate_gate_info *g);

/* find_gate.c */
int parse_id(const char *s, uint64_t *id);
int parse_gate(struct words *w, uint64_t *id, struct memgate_gate_info **g);

/* brought.c: what an install brought, as "param K=V" */
bool print_brought(const struct memgate_install_info *in, const char *before);
void add_brought(struct json_object *obj,
		 const struct memgate_install_info *in);
void forget_policies(void);

/* target.c: "fd N" and "pid PID [fd N]" */
int parse_int(const char *s, int *value);
int parse_size(const char *s, uint64_t *size);
int parse_target(struct words *w, int *fd);
int target_pid(const struct words *w);

/* cmd_handover.c */
void print_successor(int memfd);
void add_successor(struct json_object *obj, int memfd);

/* self.c: what names this process for a policy */
bool in_init_pid_ns(void);
char *expand(const char *s, const char * const *names,
	     const char * const *values, int nr);

/* cmd_policy.c: what a policy says of itself; @ctx: a JSON list, or NULL */
int show_policy_field(const struct memgate_field *field, void *ctx);
void print_policy_rules(struct memgate_policy *p);
struct json_object *policy_rules_json(struct memgate_policy *p);

/* cmd_run.c */
int run_command_on_memory(struct words *w, int (*ready)(int fd, void *ctx),
			  void *ctx);

int cmd_policy_load(struct words *w);
int cmd_policy_check(struct words *w);
int cmd_policy_list(struct words *w);
int cmd_policy_show(struct words *w);
int cmd_policy_unload(struct words *w);
int cmd_gate_attach(struct words *w);
int cmd_gate_update(struct words *w);
int cmd_gate_list(struct words *w);
int cmd_gate_show(struct words *w);
int cmd_gate_seal(struct words *w);
int cmd_gate_freeze(struct words *w);
int cmd_gate_handover(struct words *w);
int cmd_run(struct words *w);
int cmd_feature_probe(struct words *w);
int cmd_monitor(struct words *w);
int cmd_learn(struct words *w);
int cmd_explain(struct words *w);
int cmd_graph(struct words *w);
int cmd_recorder_on(struct words *w);
int cmd_recorder_off(struct words *w);
int cmd_recorder_show(struct words *w);

#endif /* _MEMGATE_CMD_H */
