// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What went wrong, in words, for each thread. */
#include <stdarg.h>

#include "internal.h"

static __thread struct {
	enum memgate_error_kind kind;
	char text[4096];
	char hint[512];
} last;

int mg_fail(enum memgate_error_kind kind, int err, const char *hint,
	    const char *fmt, ...)
{
	va_list args;

	last.kind = kind;
	snprintf(last.hint, sizeof(last.hint), "%s", hint ? hint : "");
	va_start(args, fmt);
	vsnprintf(last.text, sizeof(last.text), fmt, args);
	va_end(args);
	return -err;
}

void mg_error_append(const char *fmt, ...)
{
	size_t len = strlen(last.text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(last.text + len, sizeof(last.text) - len, fmt, args);
	va_end(args);
}

/* Say what the words that are there are about. */
void mg_error_prepend(const char *fmt, ...)
{
	char text[sizeof(last.text)];
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(text))
		return;
	snprintf(text + len, sizeof(text) - len, "%s", last.text);
	memcpy(last.text, text, sizeof(text));
}

const char *memgate_error_text(void)
{
	return last.text;
}

const char *memgate_error_hint(void)
{
	return last.hint;
}

enum memgate_error_kind memgate_error_kind(void)
{
	return last.kind;
}

/* "EPERM", because that is what people search for. */
const char *mg_errno_name(int err)
{
	const char *name = strerrorname_np(err < 0 ? -err : err);

	return name ? name : "unknown error";
}
