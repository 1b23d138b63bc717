// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Events as events.bpf.c writes them. */
#include <stddef.h>

#include "../lib/events.h"
#include "../lib/internal.h"
#include "tap.h"

static const struct mg_event_record decision = {
	.kind = MG_EVENT_DECISION, .class_nr = MEMGATE_VFIO, .time = 77,
	.gate = 5, .start = 4096, .len = 8192, .consumer = 9,
	.rights = MEMGATE_READ, .ret = -EACCES, .others = 2,
	.task = {
		.pid = 3, .tgid = 103, .tid = 104, .euid = 1000, .egid = 50,
		.exe_dev = 21, .exe_ino = 4711, .cgroup = 66,
		.start = 1234567890123ULL, .comm = "qe\033mu",
	},
	.by = "trusted_devices", .name = "memfd:ra\nm",
	.dev = {
		.name = "0000:00:1\033.0", .pci = "0000:00:10.0",
		.driver = "vfio-pci", .group = 7, .pci_class = 0x00ff00,
		.vendor = 0x1234, .device = 0x11e8, .bridge = 1,
	},
};

#define WITHOUT_DEVICE	offsetof(struct mg_event_record, dev)

static void with_device(void)
{
	struct memgate_event e;

	EXPECT_NUM(mg_event_parse(&decision, sizeof(decision), &e), 0);
	EXPECT_NUM(e.kind, MEMGATE_EVENT_DECISION);
	EXPECT_NUM(e.class_nr, MEMGATE_VFIO);
	EXPECT_NUM(e.time, 77);
	EXPECT_NUM(e.gate, 5);
	EXPECT_NUM(e.start, 4096);
	EXPECT_NUM(e.len, 8192);
	EXPECT_NUM(e.consumer, 9);
	EXPECT_NUM(e.others, 2);
	EXPECT_NUM(e.rights, MEMGATE_READ);
	EXPECT_NUM(e.ret, -EACCES);
	EXPECT_STR(e.policy, "trusted_devices");
	EXPECT_STR(e.way, "");
	EXPECT_STR(e.name, "ra?m");
	EXPECT_STR(e.device.name, "0000:00:1?.0");
	EXPECT_STR(e.device.pci, "0000:00:10.0");
	EXPECT_STR(e.device.driver, "vfio-pci");
	EXPECT_NUM(e.device.group, 7);
	EXPECT_NUM(e.device.vendor, 0x1234);
	EXPECT_NUM(e.device.device, 0x11e8);
	EXPECT_NUM(e.device.pci_class, 0x00ff00);
	EXPECT_NUM(e.device.bridge, 1);
}

static void the_task(void)
{
	struct memgate_event e;

	EXPECT_NUM(mg_event_parse(&decision, sizeof(decision), &e), 0);
	EXPECT_NUM(e.task.pid, 3);
	EXPECT_NUM(e.task.tgid, 103);
	EXPECT_NUM(e.task.tid, 104);
	EXPECT_NUM(e.task.euid, 1000);
	EXPECT_NUM(e.task.egid, 50);
	EXPECT_NUM(e.task.exe_ino, 4711);
	EXPECT_NUM(e.task.exe_dev, 21);
	EXPECT_NUM(e.task.cgroup, 66);
	/* ticks of /proc */
	EXPECT_NUM(e.task.start, 123456);
	EXPECT_STR(e.task.comm, "qe?mu");
}

static void without_device(void)
{
	struct memgate_event e;

	EXPECT_NUM(mg_event_parse(&decision, WITHOUT_DEVICE, &e), 0);
	EXPECT_STR(e.device.name, "");
	EXPECT_NUM(e.device.group, -1);
	EXPECT_STR(e.policy, "trusted_devices");
}

static void outright(void)
{
	struct mg_event_record closed = decision;
	struct memgate_event e;

	closed.kind = MG_EVENT_CLOSED;
	memset(closed.by, 'w', sizeof(closed.by));
	EXPECT_NUM(mg_event_parse(&closed, WITHOUT_DEVICE, &e), 0);
	EXPECT_NUM(e.kind, MEMGATE_EVENT_CLOSED);
	EXPECT_NUM(e.ret, -EACCES);
	EXPECT_STR(e.policy, "");
	/* No byte was left for the end. */
	EXPECT_NUM(strlen(e.way), MEMGATE_NAME_LEN - 1);
}

static void none_of_ours(void)
{
	struct mg_event_record odd = decision;
	struct memgate_event e;

	EXPECT_NUM(mg_event_parse(&odd, WITHOUT_DEVICE - 1, &e), -EPROTO);
	EXPECT_NUM(mg_event_parse(&odd, 0, &e), -EPROTO);
	odd.kind = 0;
	EXPECT_NUM(mg_event_parse(&odd, sizeof(odd), &e), -EPROTO);
	odd.kind = MG_EVENT_CLOSED + 1;
	EXPECT_NUM(mg_event_parse(&odd, sizeof(odd), &e), -EPROTO);
}

static void long_texts(void)
{
	struct mg_event_record full = decision;
	struct memgate_event e;

	memset(full.name, 'n', sizeof(full.name));
	memset(full.by, 'p', sizeof(full.by));
	memset(full.task.comm, 'c', sizeof(full.task.comm));
	memset(full.dev.name, 'd', sizeof(full.dev.name));
	EXPECT_NUM(mg_event_parse(&full, sizeof(full), &e), 0);
	EXPECT_NUM(strlen(e.name), 255);
	EXPECT_NUM(strlen(e.policy), MEMGATE_NAME_LEN - 1);
	EXPECT_NUM(strlen(e.task.comm), 16);
	EXPECT_NUM(strlen(e.device.name), 63);
}

static void bad_options(void)
{
	struct memgate_events_opts opts = { .size = 1 };

	/* Found before the kernel is asked for anything. */
	EXPECT(!memgate_events__open(&opts));
	EXPECT_NUM(errno, EINVAL);
	EXPECT_HAS(memgate_error_text(), "have no size");
	opts.size = sizeof(opts);
	opts.policy = "a_policy_whose_name_is_too_long_";
	EXPECT(!memgate_events__open(&opts));
	EXPECT_NUM(errno, EINVAL);
	EXPECT_HAS(memgate_error_text(), "more than 31 characters");
	opts.policy = NULL;
	opts.ring_bytes = (1UL << 30) + 1;
	EXPECT(!memgate_events__open(&opts));
	EXPECT_NUM(errno, EINVAL);
	/* Members that an older caller does not have are not read. */
	opts.size = offsetof(struct memgate_events_opts, ring_bytes);
	EXPECT(!memgate_events__open(&opts) || geteuid() == 0);
	EXPECT(!strstr(memgate_error_text(), "room for events"));
}

const struct tap_test events_tests[] = {
	{ "events: a decision about a device", with_device },
	{ "events: who it is", the_task },
	{ "events: a decision without a device", without_device },
	{ "events: closed outright", outright },
	{ "events: of no known kind, or cut short", none_of_ours },
	{ "events: texts without an end", long_texts },
	{ "events: options that are none", bad_options },
	{ 0 }
};
