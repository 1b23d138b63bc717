// SPDX-License-Identifier: GPL-2.0-only
/*
 * Decides the classes that leave nothing behind, except MAP, and answers
 * what its parameters say.
 */
#include "answer.bpf.h"

ANSWER_POLICY(answer_access, MEMGATE_CLASS(MEMGATE_FILE) |
			     MEMGATE_CLASS(MEMGATE_OWN_PIN) |
			     MEMGATE_CLASS(MEMGATE_OWN_LONGTERM) |
			     MEMGATE_CLASS(MEMGATE_REMOTE) |
			     MEMGATE_CLASS(MEMGATE_OTHER));
