// SPDX-License-Identifier: GPL-2.0-only
/* Decides every class and refuses with EROFS. */
#include "refuse.bpf.h"

REFUSE_POLICY(refuse_rofs, EROFS);
