/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One way in which a device and memory come together, tried on memory that
 *
 *	no gate stands before		succeeds
 *	a gate closes			refused
 *	a policy opens to the devices	succeeds
 *	... but to one of them		refused
 *
 * Success means that the device has copied bytes from one place of the memory
 * to another.  Refused means also that nothing is left behind: no pin, no
 * attachment, no byte that the device could read or has written.
 *
 * Include after kselftest_harness.h.
 */
#ifndef EDU_WORLD_H
#define EDU_WORLD_H

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu_util.h"
#include "memgate_util.h"
#include "policy_progs/policy_progs.h"

/* The memory under test, and where the device finds it. */
#define EDU_LEN		(2 * MG_HUGE_SIZE)
#define EDU_IOVA	0x1000000UL
/* From where a DMA takes bytes, and to where it brings them. */
#define EDU_FROM	0x3000
#define EDU_TO		(MG_HUGE_SIZE + 0x5000)
/* A page of the test's own, which every device may have. */
#define EDU_SCRATCH	0x100000UL
#define EDU_PAGE	4096

#define EDU_RW		(MEMGATE_READ | MEMGATE_WRITE)

struct edu_world {
	enum mg_mem mem;
	int fd;
	char *map, *scratch;
	off_t secret;		/* which bytes are at EDU_FROM now */
	int link;		/* a policy that is installed, or -1 */
	struct edu edu[EDU_DEVICES];
	/* type1; groups are those of the first device in them */
	int container[2], group[EDU_DEVICES];
	bool compat;		/* iommufd plays the container */
	int iommufd, ioas[2], hwpt[2];
};

struct edu_way {
	/* What must succeed in every state, and what is tried then. */
	int (*set_up)(struct edu_world *w);
	int (*attempt)(struct edu_world *w);
	/* Devices that reach the memory in the end, whole groups of them. */
	unsigned int devices;
	/* The one that the policy refuses, and the one that does the DMA. */
	enum edu_nr refused, user;
	/* The memory was granted in the set-up, and now another device comes. */
	bool late;
	/* What a refusal by the policy looks like. */
	int error;
	/* After a refusal: 0 if all is as it was and can be used. */
	int (*after)(struct edu_world *w);
};

static __attribute__((constructor)) void edu_preload(void)
{
	mg_policy_preload("answer");
	mg_policy_preload("answer_dev");
}

/* The world *****************************************************************/

/* Without any device. */
static inline void edu_world_memory(struct __test_metadata *const _metadata,
				    struct edu_world *w, enum mg_mem mem)
{
	int i;

	memset(w, 0, sizeof(*w));
	w->mem = mem;
	for (i = 0; i < EDU_DEVICES; i++)
		w->edu[i].fd = w->group[i] = -1;
	w->container[0] = w->container[1] = w->iommufd = w->link = -1;
	w->fd = mg_memfd(mem, EDU_LEN);
	ASSERT_LE(0, w->fd);
	w->map = mg_map(mem, w->fd, EDU_LEN, PROT_READ | PROT_WRITE,
			MAP_SHARED, 0);
	ASSERT_NE(MAP_FAILED, w->map);
	w->secret = EDU_FROM;
	w->scratch = mmap(NULL, EDU_PAGE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, w->scratch);
}

static inline void edu_world_up(struct __test_metadata *const _metadata,
				struct edu_world *w, enum mg_mem mem)
{
	int err = edu_ready();

	ASSERT_EQ(0, err) {
		TH_LOG("the VM has not the devices: %s", strerror(-err));
	}
	edu_world_memory(_metadata, w, mem);
}

static inline void edu_world_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Lets go of the devices and all that has mappings for them. */
static inline void edu_world_leave(struct edu_world *w)
{
	int i;

	for (i = 0; i < EDU_DEVICES; i++)
		edu_close(&w->edu[i]);
	for (i = 0; i < EDU_DEVICES; i++)
		edu_world_close(&w->group[i]);
	edu_world_close(&w->container[0]);
	edu_world_close(&w->container[1]);
	edu_world_close(&w->iommufd);
}

static inline void edu_world_down(struct edu_world *w)
{
	if (!w->scratch)
		return;
	edu_world_leave(w);
	munmap(w->map, EDU_LEN);
	munmap(w->scratch, EDU_PAGE);
	edu_world_close(&w->link);
	edu_world_close(&w->fd);
	w->scratch = NULL;
}

/* A fixture that is a world, in each kind of memory. */
#define EDU_WORLD_FIXTURE(name)						\
	FIXTURE(name) { struct edu_world w; };				\
	MG_MEM_VARIANTS(name);						\
	FIXTURE_SETUP(name)						\
	{								\
		edu_world_up(_metadata, &self->w, variant->mem);	\
	}								\
	FIXTURE_TEARDOWN(name)						\
	{								\
		edu_world_down(&self->w);				\
	}

/* type1: a container, the first of whose groups brings the scratch page ****/

static inline enum edu_nr edu_first_of_group(enum edu_nr nr)
{
	return nr == EDU_PAIR_2 ? EDU_PAIR :
	       nr == EDU_BRIDGED_2 ? EDU_BRIDGED : nr;
}

static inline int *edu_group(struct edu_world *w, enum edu_nr nr)
{
	int *group = &w->group[edu_first_of_group(nr)];

	if (*group < 0)
		*group = vfio_group(nr);
	return group;
}

/* The group of @nr joins container @c. */
static inline int type1_join(struct edu_world *w, int c, enum edu_nr nr)
{
	int *group = edu_group(w, nr);
	bool first = w->container[c] < 0;
	int err;

	if (*group < 0)
		return *group;
	if (first)
		w->container[c] = w->compat ? iommufd_open() : vfio_container();
	if (w->container[c] < 0)
		return w->container[c];
	err = vfio_join(*group, w->container[c]);
	if (err || !first)
		return err;
	err = vfio_set_iommu(w->container[c]);
	return err ?: vfio_map(w->container[c], w->scratch, EDU_SCRATCH,
			       EDU_PAGE, EDU_RW);
}

static inline int type1_open(struct edu_world *w, enum edu_nr nr)
{
	return edu_open_group(&w->edu[nr], nr, *edu_group(w, nr));
}

static inline int type1_use(struct edu_world *w, int c, enum edu_nr nr)
{
	return type1_join(w, c, nr) ?: type1_open(w, nr);
}

static inline int type1_map(struct edu_world *w, int c)
{
	return vfio_map(w->container[c], w->map, EDU_IOVA, EDU_LEN, EDU_RW);
}

/* iommufd: two IOAS, each with the scratch page *****************************/

static inline int cdev_up(struct edu_world *w)
{
	int i, err = 0;

	if (w->iommufd >= 0)
		return 0;
	w->iommufd = iommufd_open();
	for (i = 0; i < 2 && !err; i++) {
		w->ioas[i] = iommufd_ioas(w->iommufd);
		err = w->ioas[i] < 0 ? w->ioas[i] :
		      iommufd_map(w->iommufd, w->ioas[i], w->scratch,
				  EDU_SCRATCH, EDU_PAGE, EDU_RW);
	}
	return err;
}

static inline int cdev_open(struct edu_world *w, enum edu_nr nr)
{
	return cdev_up(w) ?: edu_open_cdev(&w->edu[nr], nr, w->iommufd);
}

/* @nr is attached to IOAS @i. */
static inline int cdev_use(struct edu_world *w, int i, enum edu_nr nr)
{
	return cdev_open(w, nr) ?: edu_attach(&w->edu[nr], w->ioas[i]);
}

static inline int cdev_map(struct edu_world *w, int i)
{
	return iommufd_map(w->iommufd, w->ioas[i], w->map, EDU_IOVA, EDU_LEN,
			   EDU_RW);
}

/* DMA ***********************************************************************/

/*
 * New bytes, which no buffer has from before, nor from another test: each is
 * a process of its own, and the devices are the same.
 */
static inline void edu_new_secret(struct edu_world *w)
{
	static off_t last;

	last += 0x100000;
	w->secret = EDU_FROM + last + ((off_t)getpid() << 40);
	mg_fill(w->map + EDU_FROM, w->secret, EDU_BYTES);
}

/* The device copies from one place of the memory to another. */
static inline bool edu_copies(struct edu_world *w, enum edu_nr nr)
{
	bool copied;

	edu_new_secret(w);
	if (edu_load(&w->edu[nr], EDU_IOVA + EDU_FROM) ||
	    edu_store(&w->edu[nr], EDU_IOVA + EDU_TO))
		return false;
	copied = mg_matches(w->map + EDU_TO, w->secret, EDU_BYTES);
	mg_fill(w->map + EDU_TO, EDU_TO, EDU_BYTES);
	return copied;
}

/* The device has just read this in the memory; needs the scratch page. */
static inline bool edu_knows(struct edu_world *w, enum edu_nr nr)
{
	memset(w->scratch, 0, EDU_PAGE);
	return edu_store(&w->edu[nr], EDU_SCRATCH) ||
	       mg_matches(w->scratch, w->secret, EDU_BYTES);
}

/* The scratch page can be used: there and back. */
static inline bool edu_scratches(struct edu_world *w, enum edu_nr nr)
{
	mg_fill(w->scratch, EDU_TO, EDU_BYTES);
	if (edu_load(&w->edu[nr], EDU_SCRATCH))
		return false;
	memset(w->scratch, 0, EDU_PAGE);
	return !edu_store(&w->edu[nr], EDU_SCRATCH) &&
	       mg_matches(w->scratch, EDU_TO, EDU_BYTES);
}

/*
 * It does what it can and reaches nothing.  A device that nobody was given is
 * driven by sysfs; what it has read shows when it is given out: edu_knows().
 */
static inline bool edu_excluded(struct edu_world *w, enum edu_nr nr)
{
	bool raw = !w->edu[nr].bar;
	int err = raw ? edu_open_raw(&w->edu[nr], nr) : 0;

	edu_new_secret(w);
	if (!err)
		err = edu_load(&w->edu[nr], EDU_IOVA + EDU_FROM);
	if (!err)
		err = edu_store(&w->edu[nr], EDU_IOVA + EDU_TO);
	if (raw)
		edu_close(&w->edu[nr]);
	return !err && mg_matches(w->map + EDU_TO, EDU_TO, EDU_BYTES) &&
	       mg_matches(w->map + EDU_FROM, w->secret, EDU_BYTES);
}

/* After a refusal **********************************************************/

/* Nothing is in the range of the memory, at both ends of it. */
static inline int type1_range_is_free(struct edu_world *w, enum edu_nr nr)
{
	int err;

	if (edu_knows(w, nr))
		return -EBADMSG;
	err = vfio_map(w->container[0], w->scratch, EDU_IOVA, EDU_PAGE, EDU_RW);
	if (err)
		return err;
	if (!edu_scratches(w, nr))
		return -EIO;
	return vfio_unmap(w->container[0], EDU_IOVA, EDU_PAGE) ?:
	       vfio_map(w->container[0], w->scratch,
			EDU_IOVA + EDU_LEN - EDU_PAGE, EDU_PAGE, EDU_RW);
}

/*
 * A goes on, and @nr, which could not join it, can go to another container
 * and knows nothing.
 */
static inline int type1_elsewhere(struct edu_world *w, enum edu_nr nr)
{
	int err = edu_load(&w->edu[EDU_A], EDU_IOVA + EDU_FROM);

	if (err || !edu_knows(w, EDU_A))
		return -EIO;
	/* In the compatibility layer it is in, but without a device. */
	if (w->compat)
		err = vfio_leave(*edu_group(w, nr));
	if (!err)
		err = type1_use(w, 1, nr);
	if (err)
		return err;
	if (edu_knows(w, nr))
		return -EBADMSG;
	return edu_scratches(w, nr) && edu_excluded(w, nr) ? 0 : -EIO;
}

/* What is held ***************************************************************/

/* Long-term and other pins in the whole system. */
static inline long edu_pins(void)
{
	long acquired = 0, released = 0;
	char line[128];
	FILE *f;

	/* Each processor counts by itself for a while. */
	mg_write_file("/proc/sys/vm/stat_refresh", "1");
	f = fopen("/proc/vmstat", "re");
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "nr_foll_pin_acquired %ld", &acquired);
		sscanf(line, "nr_foll_pin_released %ld", &released);
	}
	if (f)
		fclose(f);
	return acquired - released;
}

/* No more than there were; for a moment there may be some of others. */
static inline bool edu_no_more_pins(long pins)
{
	int i;

	for (i = 0; i < 50; i++) {
		if (edu_pins() <= pins)
			return true;
		usleep(20000);
	}
	return false;
}

/* Lines of fdinfo that begin so, and end so; -1 if it cannot be read. */
static inline int edu_lines(const struct edu_world *w, const char *start,
			    const char *end)
{
	char path[64], line[512];
	size_t len;
	int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", w->fd);
	f = fopen(path, "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f)) {
		len = strcspn(line, "\n");
		line[len] = '\0';
		if (!strncmp(line, start, strlen(start)) &&
		    len >= strlen(end) &&
		    !strcmp(line + len - strlen(end), end))
			nr++;
	}
	fclose(f);
	return nr;
}

static inline int edu_attachments(const struct edu_world *w)
{
	return edu_lines(w, "memgate-consumer:", "");
}

/* Attachments of consumers that have this device, or have any. */
static inline int edu_shown(const struct edu_world *w, enum edu_nr nr)
{
	return edu_lines(w, "memgate-device:", edu_name(nr));
}

static inline int edu_shown_all(const struct edu_world *w)
{
	return edu_lines(w, "memgate-device:", "");
}

/* Policies ******************************************************************/

static inline int edu_install(struct edu_world *w,
			      const struct mg_policy *policy)
{
	w->link = mg_install(policy, w->fd);
	return w->link < 0 ? -errno : 0;
}

/* Trusts the devices of these bits. */
static inline int edu_trust(struct edu_world *w, unsigned int devices)
{
	struct mg_policy policy;
	char *name;
	int nr;

	if (mg_policy_load(&policy, "answer_dev"))
		return -ENOENT;
	name = (char *)policy.params;
	for (nr = 0; nr <= EDU_BRIDGE; nr++) {
		if (!(devices & EDU_BIT(nr)))
			continue;
		if (name + DEV_NAME_LEN >
		    (char *)policy.params + policy.params_size)
			return -E2BIG;
		strcpy(name, edu_name(nr));
		name += DEV_NAME_LEN;
	}
	return edu_install(w, &policy);
}

static inline int edu_trust_all(struct edu_world *w)
{
	struct mg_policy policy;

	if (mg_policy_load(&policy, "answer"))
		return -ENOENT;
	return edu_install(w, &policy);
}

/*
 * QEMU's AMD IOMMU takes a device behind a bridge for one in front of it, as
 * it asks for the number of the bus before the guest has given it one.
 */
#define edu_needs_bridge() do {				\
	if (!access("/sys/class/iommu/ivhd0", F_OK))			\
		SKIP(return, "QEMU's amd-iommu knows no bridges");	\
} while (0)

/* The states ****************************************************************/

static inline void edu_succeeds(struct __test_metadata *const _metadata,
				struct edu_world *w, const struct edu_way *way,
				const char *state)
{
	int err = way->attempt(w);

	EXPECT_EQ(0, err) {
		TH_LOG("%s: %s", state, strerror(-err));
	}
	EXPECT_TRUE(err || edu_copies(w, way->user)) {
		TH_LOG("%s: the device did not copy", state);
	}
}

static inline void edu_fails(struct __test_metadata *const _metadata,
			     struct edu_world *w, const struct edu_way *way,
			     int error, const char *state)
{
	int attached = edu_attachments(w), shown = edu_shown_all(w), err;
	long pins = edu_pins();

	err = way->attempt(w);
	EXPECT_EQ(-error, err) {
		TH_LOG("%s: %s, wanted %s", state, strerror(-err),
		       strerror(error));
	}
	EXPECT_EQ(attached, edu_attachments(w)) {
		TH_LOG("%s: left an attachment", state);
	}
	EXPECT_EQ(shown, edu_shown_all(w)) {
		TH_LOG("%s: left a device", state);
	}
	EXPECT_TRUE(edu_no_more_pins(pins)) {
		TH_LOG("%s: left pins", state);
	}
	EXPECT_TRUE(edu_excluded(w, way->user)) {
		TH_LOG("%s: the device has written to the memory", state);
	}
	err = way->after ? way->after(w) : 0;
	EXPECT_EQ(0, err) {
		TH_LOG("%s: after it: %s", state, strerror(-err));
	}
}

/* What the set-up was granted, and is to be granted no more. */
static inline int edu_close_gate(struct edu_world *w, const struct edu_way *way)
{
	int err;

	if (!way->late)
		return mg_seal(w->fd) ? -errno : way->set_up(w);
	err = edu_trust_all(w) ?: way->set_up(w);
	edu_world_close(&w->link);
	return err;
}

static inline void edu_try(struct __test_metadata *const _metadata,
			   struct edu_world *w, const struct edu_way *way)
{
	enum mg_mem mem = w->mem;

	ASSERT_EQ(0, way->set_up(w));
	edu_succeeds(_metadata, w, way, "no gate");
	edu_world_down(w);

	edu_world_up(_metadata, w, mem);
	ASSERT_EQ(0, edu_close_gate(w, way));
	edu_fails(_metadata, w, way, EACCES, "closed");
	edu_world_down(w);

	edu_world_up(_metadata, w, mem);
	ASSERT_EQ(0, edu_trust(w, way->devices));
	ASSERT_EQ(0, way->set_up(w));
	edu_succeeds(_metadata, w, way, "trusted");
	EXPECT_LT(0, edu_attachments(w));
	EXPECT_EQ(1, edu_shown(w, way->user));
	edu_world_leave(w);
	EXPECT_EQ(0, edu_attachments(w)) {
		TH_LOG("an attachment outlives its consumer");
	}
	edu_world_down(w);

	edu_world_up(_metadata, w, mem);
	ASSERT_EQ(0, edu_trust(w, way->devices & ~EDU_BIT(way->refused)));
	ASSERT_EQ(0, way->set_up(w));
	edu_fails(_metadata, w, way, way->error, "untrusted");
}

#endif /* EDU_WORLD_H */
