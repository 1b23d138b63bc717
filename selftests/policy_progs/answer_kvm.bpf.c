// SPDX-License-Identifier: GPL-2.0-only
/* Decides KVM alone and answers what its parameters say. */
#include "answer.bpf.h"

ANSWER_POLICY(answer_kvm, MEMGATE_CLASS(MEMGATE_KVM));
