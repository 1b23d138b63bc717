/* SPDX-License-Identifier: GPL-2.0-only */
/* The header of the kernel under test: Debian 12 has none. */
#include <include/uapi/linux/iommufd.h>
