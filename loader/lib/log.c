// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * What libbpf says while it loads a policy is kept, so that an error can
 * quote the verifier's last words instead of "Invalid argument".
 */
#include <pthread.h>
#include <stdarg.h>

#include <bpf/libbpf.h>

#include "internal.h"

/* From begin to end: libbpf has one print function for all threads. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void (*log_fn)(const char *msg);
static libbpf_print_fn_t previous;
static FILE *capture;
static char *captured;
static size_t captured_len;

void memgate_set_log(void (*fn)(const char *msg))
{
	log_fn = fn;
}

static int take(enum libbpf_print_level level, const char *fmt, va_list args)
{
	va_list again;
	char *msg;

	va_copy(again, args);
	if (capture && level != LIBBPF_DEBUG)
		vfprintf(capture, fmt, args);
	if (log_fn && vasprintf(&msg, fmt, again) >= 0) {
		log_fn(msg);
		free(msg);
	}
	va_end(again);
	return 0;
}

void mg_log_begin(void)
{
	pthread_mutex_lock(&lock);
	captured = NULL;
	captured_len = 0;
	capture = open_memstream(&captured, &captured_len);
	previous = libbpf_set_print(take);
}

/* Returns what was said, to be freed; NULL if there was no memory. */
char *mg_log_end(void)
{
	char *log = NULL;

	libbpf_set_print(previous);
	if (capture) {
		fclose(capture);
		capture = NULL;
		log = captured;
	}
	pthread_mutex_unlock(&lock);
	return log;
}

static bool is_noise(const char *line, size_t len)
{
	static const char * const noise[] = {
		"processed ", "verification time", "stack depth", "libbpf: ",
		"-- ", "peak_states", "0: R", "; ", "func#", "Live regs",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(noise); i++)
		if (!strncmp(line, noise[i], strlen(noise[i])))
			return true;
	return !len;
}

/*
 * The verifier's log of the program that failed ends with the reason, then
 * statistics.  Take the last line that is neither, and the one above it
 * (usually the instruction).
 */
void mg_log_verdict(const char *log, char *buf, size_t size)
{
	static const char begin[] = "-- BEGIN PROG LOAD LOG";
	const char *from, *to, *line, *end;
	const char *keep[2] = { NULL, NULL };
	size_t len[2] = { 0, 0 };

	buf[0] = '\0';
	from = strstr(log, begin);
	if (!from)
		return;
	while ((line = strstr(from + 1, begin)))
		from = line;
	to = strstr(from, "-- END PROG LOAD LOG");
	from = strchr(from, '\n');
	if (!to || !from)
		return;
	for (line = from + 1; line < to; line = end + 1) {
		end = strchr(line, '\n');
		if (!end || end > to)
			break;
		if (is_noise(line, end - line))
			continue;
		keep[0] = keep[1];
		len[0] = len[1];
		keep[1] = line;
		len[1] = end - line;
	}
	if (keep[0])
		snprintf(buf, size, "%.*s; %.*s", (int)len[0], keep[0],
			 (int)len[1], keep[1]);
	else if (keep[1])
		snprintf(buf, size, "%.*s", (int)len[1], keep[1]);
}

/* Without a verifier's log: libbpf's first complaint is the cause. */
void mg_log_complaint(const char *log, char *buf, size_t size)
{
	static const char by[] = "libbpf: ";
	const char *from = strstr(log, by);

	buf[0] = '\0';
	if (!from)
		return;
	from += strlen(by);
	snprintf(buf, size, "%.*s", (int)strcspn(from, "\n"), from);
}
