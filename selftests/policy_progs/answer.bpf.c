// SPDX-License-Identifier: GPL-2.0-only
/* Decides every class and answers what its parameters say. */
#include "answer.bpf.h"

ANSWER_POLICY(answer, ALL_CLASSES);
