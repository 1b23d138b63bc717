// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Data goes to stdout, diagnostics to stderr; -j makes both JSON. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

bool json_output;
bool json_pretty;

static char context[128];
static char usage[640] = "see 'memgate help'";

/* Colours only for people: a terminal, and NO_COLOR is not set. */
static bool colours(FILE *to)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(to)) && !(no && *no) &&
	       term && strcmp(term, "dumb");
}

static const char *paint_on(FILE *to, enum paint p)
{
	static const char * const codes[] = {
		[PAINT_END] = "\033[0m",
		[PAINT_HEAD] = "\033[1m",
		[PAINT_GOOD] = "\033[32m",
		[PAINT_BAD] = "\033[31m",
	};

	return colours(to) ? codes[p] : "";
}

/* To be printed on stdout before and (PAINT_END) after a word. */
const char *paint(enum paint p)
{
	return json_output ? "" : paint_on(stdout, p);
}

/* What the hint of a usage error says from now on. */
void usage_hint(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(usage, sizeof(usage), fmt, args);
	va_end(args);
}

/* Put before the next library error: which target the user named. */
void error_context(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(context, sizeof(context), fmt, args);
	va_end(args);
}

/* What helps against an errno for which nobody knows better. */
static const char *remedy(int err)
{
	switch (err) {
	case EPERM:
	case EACCES:
		return "ask whoever owns it, or do it as root; 'memgate "
		       "feature' shows what this process may do";
	case ENOENT:
		return "check the name; 'memgate policy list' and 'memgate "
		       "gate list' show what there is";
	case EROFS:
		return "that file system is read-only: mount -o remount,rw it";
	case ENOMEM:
		return "free some memory, or raise the limit of this cgroup";
	case ENOSPC:
		return "make one policy of several, or gate another memfd";
	case EMFILE:
	case ENFILE:
		return "close files, or raise the limit with 'ulimit -n'";
	case EISDIR:
	case ENOTDIR:
		return "check the path: a part of it is not what it should be";
	case ENOLINK:
		return "install the policy on a new memfd with 'memgate gate "
		       "attach'";
	case ERANGE:
		return "'memgate policy show NAME' has the types of the "
		       "parameters";
	case EINVAL:
	case E2BIG:
	case ENAMETOOLONG:
		return "see memgate(8) for what is possible";
	case ENOEXEC:
		return "give a program, or a script that begins with #!";
	}
	return NULL;
}

static void print_error(const char *text, int err, const char *hint)
{
	const char *name = err ? strerrorname_np(err) : NULL;
	struct json_object *obj;
	char whole[4352];

	if (!hint || !*hint)
		hint = remedy(err);
	snprintf(whole, sizeof(whole), "%s%s", context, text);
	if (!json_output) {
		fflush(stdout);
		fprintf(stderr, "%sError:%s %s\n", paint_on(stderr, PAINT_BAD),
			paint_on(stderr, PAINT_END), whole);
		if (hint && *hint)
			fprintf(stderr, "Hint: %s\n", hint);
		return;
	}
	obj = json_object_new_object();
	add_str(obj, "error", whole);
	if (name)
		add_str(obj, "errno", name);
	if (hint && *hint)
		add_str(obj, "hint", hint);
	print_json(obj);
}

/*
 * What was printed has to arrive.  Returns the exit code: a full disk or a
 * closed pipe must not look like success.
 */
int finish_output(int code)
{
	int err = 0;

	if (fflush(stdout))
		err = errno;
	else if (ferror(stdout))
		err = EIO;
	if (!err)
		return code;
	/* Not to where nothing arrives. */
	json_output = false;
	*context = '\0';
	report_errno(EXIT_REFUSED, err, code ? NULL :
		     "the command itself succeeded; 'memgate policy list' and "
		     "'memgate gate list' show what there is now",
		     "cannot write to standard output");
	return code ? code : EXIT_REFUSED;
}

/* The last error of the library; call it before errno changes. */
int report(void)
{
	print_error(memgate_error_text(), errno, memgate_error_hint());
	switch (memgate_error_kind()) {
	case MEMGATE_ERR_INPUT:
		return EXIT_USAGE;
	case MEMGATE_ERR_NO_MEMGATE:
		return EXIT_NO_MEMGATE;
	default:
		return EXIT_REFUSED;
	}
}

int report_usage(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	print_error(text, EINVAL, usage);
	return EXIT_USAGE;
}

int report_errno(int code, int err, const char *hint, const char *fmt, ...)
{
	const char *name = strerrorname_np(err);
	char text[512];
	va_list args;
	size_t len;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	len = strlen(text);
	snprintf(text + len, sizeof(text) - len, ": %s (%s)", strerror(err),
		 name ? name : "?");
	print_error(text, err, hint);
	return code;
}

static const char *json_text(struct json_object *obj)
{
	int how = json_pretty ? JSON_C_TO_STRING_PRETTY |
				JSON_C_TO_STRING_SPACED :
				JSON_C_TO_STRING_PLAIN;

	return json_object_to_json_string_ext(obj, how |
					      JSON_C_TO_STRING_NOSLASHESCAPE);
}

/* Prints and frees. */
void print_json(struct json_object *obj)
{
	puts(json_text(obj));
	json_object_put(obj);
}

/*
 * An array of which each item is printed as it comes, and freed: all of ten
 * thousand gates take 85 MB.  NULL ends the array; @first if nothing came yet.
 */
void print_json_item(struct json_object *item, bool first)
{
	const char *text, *end = json_pretty ? "\n" : "";

	fputs(first ? "[" : item ? "," : "", stdout);
	if (!item) {
		printf("%s]\n", first ? "" : end);
		return;
	}
	for (text = json_text(item); *text; text += strcspn(text, "\n")) {
		text += *text == '\n';
		printf("%s%s%.*s", end, json_pretty ? "  " : "",
		       (int)strcspn(text, "\n"), text);
	}
	json_object_put(item);
}

void add_str(struct json_object *obj, const char *key, const char *value)
{
	json_object_object_add(obj, key, json_object_new_string(value));
}

void add_u64(struct json_object *obj, const char *key, uint64_t value)
{
	json_object_object_add(obj, key, json_object_new_uint64(value));
}

void add_bool(struct json_object *obj, const char *key, bool value)
{
	json_object_object_add(obj, key, json_object_new_boolean(value));
}

void add_item(struct json_object *list, const char *value)
{
	json_object_array_add(list, json_object_new_string(value));
}

/* A class that is newer than this program is shown by its number. */
const char *class_text(unsigned int class_nr, char *buf, size_t size)
{
	const char *name = memgate_class_name(class_nr);

	if (name)
		return name;
	snprintf(buf, size, "class%u", class_nr);
	return buf;
}

struct json_object *classes_json(uint64_t classes)
{
	struct json_object *list = json_object_new_array();
	unsigned int i;
	char buf[16];

	for (i = 0; i < 64; i++)
		if (classes >> i & 1)
			add_item(list, class_text(i, buf, sizeof(buf)));
	return list;
}

void print_classes(uint64_t classes)
{
	const char *sep = "";
	unsigned int i;
	char buf[16];

	for (i = 0; i < 64; i++)
		if (classes >> i & 1) {
			printf("%s%s", sep, class_text(i, buf, sizeof(buf)));
			sep = " ";
		}
	if (!*sep)
		printf("none");
}

const char *size_text(uint64_t size, char *buf, size_t len)
{
	static const char units[] = "BKMGTPE";
	int u = 0;

	while (size && !(size & 1023) && units[u + 1]) {
		size >>= 10;
		u++;
	}
	snprintf(buf, len, "%llu%.*s", (unsigned long long)size, u ? 1 : 0,
		 units + u);
	return buf;
}

const char *rights_text(uint32_t rights)
{
	static const char * const text[] = {
		"---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx",
	};

	return text[rights & 7];
}

/* What others have named may hold anything. */
void make_printable(char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}
