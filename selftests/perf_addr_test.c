// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical addresses in perf samples.  perf looks for the page in an interrupt,
 * where nobody can be asked, and says 0 where that finds nothing.
 */
#include <linux/perf_event.h>
#include <sys/ioctl.h>

#include "kselftest_harness.h"
#include "mediated.h"
#include "perf_util.h"

/* A header and the two fields that are asked for. */
struct sample {
	struct perf_event_header header;
	uint64_t addr, phys_addr;
};

FIXTURE(perf_addr) {
	int fd, event;
	char *map;
	struct perf_event_mmap_page *ring;
};

MG_MEM_VARIANTS(perf_addr);

/* Each page fault of this task that needed no I/O, when it has been handled. */
static int open_faults(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
		.sample_period = 1,
		.sample_type = PERF_SAMPLE_ADDR | PERF_SAMPLE_PHYS_ADDR,
		.exclude_kernel = 1,
		.disabled = 1,
	};

	return mg_perf_open(&attr, 0);
}

FIXTURE_SETUP(perf_addr)
{
	self->fd = mg_memfd(variant->mem, MG_LEN);
	ASSERT_LE(0, self->fd);
	self->map = mg_map(variant->mem, self->fd, MG_LEN,
			   PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	self->event = open_faults();
	ASSERT_LE(0, self->event) {
		TH_LOG("perf_event_open: %s", strerror(errno));
	}
	self->ring = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->event, 0);
	ASSERT_NE(MAP_FAILED, self->ring);
}

FIXTURE_TEARDOWN(perf_addr)
{
	munmap(self->ring, 2 * 4096);
	close(self->event);
	munmap(self->map, MG_LEN);
	close(self->fd);
}

/* The sample of a fault on a page that is in the memfd and not mapped yet. */
static bool fault(FIXTURE_DATA(perf_addr) *self, struct sample *found)
{
	const char *data = (char *)self->ring + 4096;
	char *page = self->map + MG_HUGE_SIZE;
	struct sample s;
	uint64_t tail;

	if (madvise(page, MG_HUGE_SIZE, MADV_DONTNEED) ||
	    ioctl(self->event, PERF_EVENT_IOC_ENABLE, 0))
		return false;
	*(volatile char *)page;
	ioctl(self->event, PERF_EVENT_IOC_DISABLE, 0);
	/* The ring has room for more than these few. */
	for (tail = self->ring->data_tail; tail < self->ring->data_head;
	     tail += s.header.size) {
		memcpy(&s, data + tail, sizeof(s));
		if (s.header.type == PERF_RECORD_SAMPLE &&
		    s.addr == (uintptr_t)page) {
			*found = s;
			self->ring->data_tail = self->ring->data_head;
			return true;
		}
	}
	return false;
}

TEST_F(perf_addr, hidden_by_the_gate)
{
	struct mg_policy allow;
	struct sample sample;
	int link;

	ASSERT_TRUE(fault(self, &sample));
	EXPECT_NE(0, sample.phys_addr);
	ASSERT_EQ(0, mg_seal(self->fd));
	ASSERT_TRUE(fault(self, &sample));
	EXPECT_EQ(0, sample.phys_addr);
	/* Nobody is asked, so that no policy changes it. */
	mg_load(_metadata, &allow, "allow");
	link = mg_install(&allow, self->fd);
	ASSERT_LE(0, link);
	ASSERT_TRUE(fault(self, &sample));
	EXPECT_EQ(0, sample.phys_addr);
	close(link);
	mg_policy_free(&allow);
}

TEST_HARNESS_MAIN
