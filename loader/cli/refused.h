/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A recorded refusal, for people and for programs. */
#ifndef _MEMGATE_REFUSED_H
#define _MEMGATE_REFUSED_H

#include "cmd.h"

uint64_t seconds_since(uint64_t boottime);
const char *ago_text(uint64_t boottime, char *buf, size_t size);
const char *consumer_word(uint32_t kind);
/* By the process that has this number now, if there is one. */
bool is_by_pid(const struct memgate_refusal *r, int pid);
void print_refusal(const struct memgate_refusal *r);
struct json_object *refusal_json(const struct memgate_refusal *r);

#endif /* _MEMGATE_REFUSED_H */
