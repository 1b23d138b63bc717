/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel modules that are built for tests (selftests/modules). */
#ifndef MODULE_UTIL_H
#define MODULE_UTIL_H

/*
 * Loads NAME.ko from the folder "modules" beside the test program, or from
 * $MEMGATE_MODULES.  0 or -errno, which may be the module's own answer.
 */
int mg_module_load(const char *name, const char *params);
int mg_module_remove(const char *name);

#endif /* MODULE_UTIL_H */
