// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every form of GUP, by the kernel's own test driver for it: what drivers
 * that no subsystem speaks for get of a task's gated mapping.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "own_map.h"
#include "../../../mm/gup_test.h"

#define FOLL_WRITE	0x01
#define PAGES		4

static char buf[PAGES * 4096] __attribute__((aligned(4096)));
static int dev = -1;

static long map_for_driver(int fd, long arg)
{
	if (dev < 0)
		dev = open("/sys/kernel/debug/gup_test", O_RDWR | O_CLOEXEC);
	return dev < 0 ? -errno : map_it(fd, arg);
}

static char *touched_place_of(long arg)
{
	char *p = place_of(arg);

	/* The fast way takes only what is mapped, here for writing too. */
	*(volatile char *)p = *(volatile char *)p;
	return mg_matches(p, MG_AT, sizeof(buf)) ? p : NULL;
}

/* The driver says how much it got, and lets go of it. */
static long take(unsigned long how, long arg, unsigned int flags)
{
	struct gup_test gup = {
		.addr = (uintptr_t)touched_place_of(arg), .size = sizeof(buf),
		.nr_pages_per_call = PAGES, .gup_flags = flags,
	};

	if (!gup.addr)
		return -EBADMSG;
	if (ioctl(dev, how, &gup))
		return -errno;
	return gup.size == sizeof(buf) ? 0 : gup.size ? -EIO : -EACCES;
}

#define TAKE(name, how)							\
static long try_##name(int fd, long arg)				\
{									\
	return take(how, arg, 0);					\
}									\
									\
static long try_##name##_write(int fd, long arg)			\
{									\
	return take(how, arg, FOLL_WRITE);				\
}

TAKE(get_fast, GUP_FAST_BENCHMARK)
TAKE(get, GUP_BASIC_TEST)
TAKE(pin_fast, PIN_FAST_BENCHMARK)
TAKE(pin, PIN_BASIC_TEST)

/* Long-term pins: the driver keeps them, and reads by them when told. */
static long keep(long arg, unsigned int flags)
{
	struct pin_longterm_test pin = {
		.addr = (uintptr_t)touched_place_of(arg), .size = sizeof(buf),
		.flags = flags,
	};
	__u64 to = (uintptr_t)buf;
	long ret = 0;

	if (!pin.addr)
		return -EBADMSG;
	memset(buf, 0, sizeof(buf));
	if (ioctl(dev, PIN_LONGTERM_TEST_START, &pin))
		ret = -errno;
	/* Nothing is there to be read after a refusal. */
	if (!ioctl(dev, PIN_LONGTERM_TEST_READ, &to) && ret)
		ret = -ENOTRECOVERABLE;
	ioctl(dev, PIN_LONGTERM_TEST_STOP);
	if (!ret && !mg_matches(buf, MG_AT, sizeof(buf)))
		ret = -EBADMSG;
	return ret;
}

#define KEEP(name, flags)						\
static long try_##name(int fd, long arg)				\
{									\
	return keep(arg, flags);					\
}									\
									\
static long try_##name##_write(int fd, long arg)			\
{									\
	return keep(arg, (flags) | PIN_LONGTERM_TEST_FLAG_USE_WRITE);	\
}

KEEP(longterm, 0)
KEEP(longterm_fast, PIN_LONGTERM_TEST_FLAG_USE_FAST)

FIXTURE(gup) {
	struct mg_scene scene;
};

MG_MEM_VARIANTS(gup);

FIXTURE_SETUP(gup)
{
	mg_scene_up(_metadata, &self->scene, variant->mem);
}

FIXTURE_TEARDOWN(gup)
{
	mg_scene_down(&self->scene);
	mg_peer_stop(&self->scene.peer);
}

#define GUP_TEST(name, its_class, ...)					\
	TEST_F_TIMEOUT(gup, name, 60)					\
	{								\
		static const struct mg_access access = {		\
			.class = MEMGATE_##its_class,			\
			.prepare = map_for_driver,			\
			.attempt = try_##name,				\
			.refused = EACCES,				\
			__VA_ARGS__					\
		};							\
									\
		mg_mediated(_metadata, &self->scene, &access);		\
	}

#define GUP_TESTS(name, its_class)					\
	GUP_TEST(name, its_class)					\
	GUP_TEST(name##_write, its_class, .rights = MEMGATE_WRITE)

GUP_TESTS(get_fast, OWN_PIN)
GUP_TESTS(get, OWN_PIN)
GUP_TESTS(pin_fast, OWN_PIN)
GUP_TESTS(pin, OWN_PIN)
GUP_TESTS(longterm, OWN_LONGTERM)
GUP_TESTS(longterm_fast, OWN_LONGTERM)

TEST_HARNESS_MAIN
