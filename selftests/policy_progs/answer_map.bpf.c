// SPDX-License-Identifier: GPL-2.0-only
/* Decides MAP alone and answers what its parameters say. */
#include "answer.bpf.h"

ANSWER_POLICY(answer_map, MEMGATE_CLASS(MEMGATE_MAP));
