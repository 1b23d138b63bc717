// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events of user space (user_events): the kernel sets and clears a bit in the
 * memory of a process that has registered an event, when somebody else switches
 * the event on and off.  Whoever does that pins the page, and where that fails a
 * kernel thread tries again, up to ten times.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "memgate_util.h"

/* What the kernel headers of Debian 12 lack. */
#ifndef DIAG_IOCSREG
struct user_reg {
	__u32 size;
	__u8 enable_bit;
	__u8 enable_size;
	__u16 flags;
	__u64 enable_addr;
	__u64 name_args;
	__u32 write_index;
} __attribute__((packed));

#define DIAG_IOCSREG	_IOWR('*', 0, struct user_reg *)
#endif

#define EVENTS		"/sys/kernel/tracing/user_events_data"
#define NAME		"memgate_test"
#define SWITCH		"/sys/kernel/tracing/events/user_events/" NAME "/enable"
#define AT		0x3000
#define BIT		3

FIXTURE(user_event) {
	struct mg_peer peer;
	struct mg_policy answer;
	int fd, events, link;
	char *map;
	volatile __u32 *word;
};

MG_MEM_VARIANTS(user_event);

#define SELF	struct __test_metadata *const _metadata,		\
		FIXTURE_DATA(user_event) *self

FIXTURE_SETUP(user_event)
{
	/* First, so that it has no part in the memory. */
	ASSERT_EQ(0, mg_peer_start(&self->peer));
	ASSERT_EQ(0, mg_policy_load(&self->answer, "answer"));
	self->link = -1;
	self->fd = mg_memfd(variant->mem, MG_HUGE_SIZE);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(variant->mem, self->fd, MG_HUGE_SIZE,
			   PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	memset(self->map, 0, MG_HUGE_SIZE);
	self->word = (__u32 *)(self->map + AT);
	self->events = open(EVENTS, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->events) {
		TH_LOG("%s: %s", EVENTS, strerror(errno));
	}
}

/* The event goes with the last who has registered it. */
FIXTURE_TEARDOWN(user_event)
{
	close(self->link);
	munmap(self->map, MG_HUGE_SIZE);
	close(self->fd);
	close(self->events);
	mg_policy_free(&self->answer);
	mg_peer_stop(&self->peer);
}

/* The bit of the word at @offset is the event's from here on. */
static int use_event(FIXTURE_DATA(user_event) *self, size_t offset)
{
	struct user_reg reg = {
		.size = sizeof(reg), .enable_bit = BIT,
		.enable_size = sizeof(__u32),
		.enable_addr = (uintptr_t)self->map + offset,
		.name_args = (uintptr_t)NAME,
	};

	return ioctl(self->events, DIAG_IOCSREG, &reg) ? -errno : 0;
}

static long turn(int fd, long on)
{
	return mg_write_file(SWITCH, on ? "1" : "0");
}

static bool is_set(FIXTURE_DATA(user_event) *self)
{
	return *self->word & 1U << BIT;
}

/* What becomes of the bit within two seconds. */
static bool becomes(FIXTURE_DATA(user_event) *self, bool on)
{
	int i;

	for (i = 0; i < 200 && is_set(self) != on; i++)
		usleep(10000);
	return is_set(self) == on;
}

/*
 * The bit does not follow the switch.  It is watched for as long as the kernel
 * might try: it knows of no time-out, but is done in less than this.
 */
static void expect_stuck(SELF)
{
	bool was = is_set(self);

	EXPECT_EQ(0, mg_peer_call(&self->peer, turn, -1, !was));
	EXPECT_FALSE(becomes(self, !was)) {
		TH_LOG("the bit has been written");
	}
	EXPECT_EQ(0, mg_peer_call(&self->peer, turn, -1, was));
	EXPECT_TRUE(becomes(self, was));
}

static void expect_follows(SELF)
{
	bool was = is_set(self);

	EXPECT_EQ(0, mg_peer_call(&self->peer, turn, -1, !was));
	EXPECT_TRUE(becomes(self, !was)) {
		TH_LOG("the bit has not been written");
	}
	EXPECT_EQ(0, mg_peer_call(&self->peer, turn, -1, was));
	EXPECT_TRUE(becomes(self, was));
}

static void allow(SELF, enum memgate_class class)
{
	ASSERT_EQ(0, mg_param(&self->answer, "allow_classes",
			      MEMGATE_CLASS(class)));
	self->link = mg_install(&self->answer, self->fd);
	ASSERT_LE(0, self->link) {
		TH_LOG("install: %s", strerror(errno));
	}
}

/* Switched by another process: who pins is not who has it mapped. */
TEST_F(user_event, ungated)
{
	ASSERT_EQ(0, use_event(self, AT));
	expect_follows(_metadata, self);
}

TEST_F(user_event, sealed)
{
	ASSERT_EQ(0, use_event(self, AT));
	ASSERT_EQ(0, mg_seal(self->fd));
	expect_stuck(_metadata, self);
}

TEST_F(user_event, remote)
{
	ASSERT_EQ(0, use_event(self, AT));
	allow(_metadata, self, MEMGATE_REMOTE);
	expect_follows(_metadata, self);
}

/* Refused to the one who switches, allowed to the thread that tries again. */
TEST_F(user_event, kernel_thread)
{
	ASSERT_EQ(0, use_event(self, AT));
	allow(_metadata, self, MEMGATE_OTHER);
	expect_follows(_metadata, self);
}

TEST_F(user_event, own_pin_is_not_enough)
{
	ASSERT_EQ(0, use_event(self, AT));
	allow(_metadata, self, MEMGATE_OWN_PIN);
	expect_stuck(_metadata, self);
}

/*
 * To register an event is to have the bit written, by the process itself.
 * user_events says ENOMEM of any page that it cannot have.
 */
TEST_F(user_event, registered_after_seal)
{
	ASSERT_EQ(0, use_event(self, AT));
	ASSERT_EQ(0, mg_seal(self->fd));
	EXPECT_EQ(-ENOMEM, use_event(self, AT + 64));
}

TEST_F(user_event, registered_as_own_pin)
{
	allow(_metadata, self, MEMGATE_OWN_PIN);
	EXPECT_EQ(0, use_event(self, AT));
	/* It also is when the process switches it. */
	EXPECT_FALSE(is_set(self));
	EXPECT_EQ(0, turn(-1, 1));
	EXPECT_TRUE(becomes(self, true));
	EXPECT_EQ(0, turn(-1, 0));
	EXPECT_TRUE(becomes(self, false));
}

TEST_F(user_event, registered_as_remote)
{
	allow(_metadata, self, MEMGATE_REMOTE);
	EXPECT_EQ(-ENOMEM, use_event(self, AT));
}

TEST_HARNESS_MAIN
