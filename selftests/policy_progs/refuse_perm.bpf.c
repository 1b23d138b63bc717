// SPDX-License-Identifier: GPL-2.0-only
/* Decides every class and refuses with EPERM. */
#include "refuse.bpf.h"

REFUSE_POLICY(refuse_perm, EPERM);
