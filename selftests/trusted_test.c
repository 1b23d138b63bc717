// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy trusted_devices: which rules fit which devices.  Real ones take
 * the memory: two of QEMU's PCI devices by VFIO, network interfaces by AF_XDP,
 * and an RDMA device.
 */
#include <libgen.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "kselftest_harness.h"
#include "edu_util.h"
#include "kvm_util.h"
#include "memgate_util.h"
#include "param_util.h"
#include "probe.h"
#include "rdma_util.h"
#include "see_util.h"
#include "take.h"

#define LEN		TAKE_LEN
#define RULES		4

/* Who could take the memory. */
enum {
	A = 1,
	B = 2,
	NET0 = 4,
	NET1 = 8,
	RXE = 16,
	EVERY = 31,
};

/* The ways of the devices ****************************************************/

/* A socket with a umem, not bound; *err says how that failed. */
static int xdp_socket(char *map, int *err)
{
	struct xdp_umem_reg reg = {
		.addr = (unsigned long)map, .len = LEN, .chunk_size = 4096,
	};
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), size = 64;

	*err = 0;
	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &size,
		       sizeof(size)) ||
	    setsockopt(fd, SOL_XDP, XDP_TX_RING, &size, sizeof(size)))
		*err = -errno;
	return fd;
}

static int try_xdp(char *map, const char *netdev)
{
	struct sockaddr_xdp to = {
		.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY,
		.sxdp_ifindex = if_nametoindex(netdev),
	};
	int err, fd = xdp_socket(map, &err);

	if (!err && bind(fd, (struct sockaddr *)&to, sizeof(to)))
		err = -errno;
	close(fd);
	return err;
}

static int try_umem(char *map)
{
	int err;

	close(xdp_socket(map, &err));
	return err;
}

static int try_rdma(char *map)
{
	struct ibv_mr *mr;
	struct rdma r;
	int err;

	if (rdma_open(&r, "rxe0"))
		return -EIO;
	mr = ibv_reg_mr(r.pd, map, LEN, IBV_ACCESS_LOCAL_WRITE);
	err = mr ? 0 : -errno;
	if (mr)
		ibv_dereg_mr(mr);
	rdma_close(&r);
	return err;
}

/* A bit for each; -EPROTO if one failed for another reason than a refusal. */
static int who_may(char *map, int refusal)
{
	int ret[] = {
		take_by_vfio(map, EDU_A), take_by_vfio(map, EDU_B),
		try_xdp(map, "mgt0"), try_xdp(map, "mgt1"), try_rdma(map),
	};
	int may = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ret); i++) {
		if (!ret[i])
			may |= 1 << i;
		else if (ret[i] != -EACCES && ret[i] != refusal)
			return -EPROTO;
	}
	return may;
}

/* The fixtures ***************************************************************/

static int dummy_netdev(const char *name)
{
	char cmd[64];

	if (if_nametoindex(name))
		return 0;
	snprintf(cmd, sizeof(cmd), "ip link add %s type dummy", name);
	return system(cmd) ? -EIO : 0;
}

struct memory {
	int fd;
	char *map;
	struct mg_policy policy;
};

static int memory_up(struct memory *m)
{
	int err = edu_ready();

	err = err ?: dummy_netdev("mgt0");
	err = err ?: dummy_netdev("mgt1");
	err = err ?: rdma_device(0);
	err = err ?: mg_policy_load(&m->policy, "trusted_devices");
	if (err)
		return err;
	m->fd = mg_memfd(MG_4K, LEN);
	m->map = mmap(NULL, LEN, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	return m->map == MAP_FAILED || mg_add_seals(m->fd, F_SEAL_SHRINK) ?
	       -errno : 0;
}

static void memory_down(struct memory *m)
{
	mg_policy_free(&m->policy);
	munmap(m->map, LEN);
	close(m->fd);
}

/* A umem goes a moment after its socket. */
static int install(struct memory *m)
{
	int link, i;

	for (i = 0; i < 100; i++) {
		link = mg_install(&m->policy, m->fd);
		if (link >= 0 || errno != EBUSY)
			break;
		usleep(50000);
	}
	return link;
}

static int trust(struct memory *m, int nr, const char *rule)
{
	return mg_param_text(&m->policy, "trust", nr, rule);
}

static __attribute__((constructor)) void preload(void)
{
	mg_policy_preload("trusted_devices");
	see_watch_preload();
}

/* Which rule fits whom *******************************************************/

FIXTURE(rule) { struct memory m; };

FIXTURE_VARIANT(rule)
{
	const char *rule[RULES];
	int may;
};

#define RULE(name, who, rules...)					\
	FIXTURE_VARIANT_ADD(rule, name) { .rule = { rules }, .may = who }

RULE(address, A, "pci:0000:00:10.0");
RULE(address_of_nobody, 0, "pci:0000:00:1f.7");
RULE(one_character, A | B, "pci:0000:00:1?.0");
RULE(too_few, 0, "pci:0000:00:?.0");
RULE(too_many, 0, "pci:?0000:00:10.0");
RULE(no_end, 0, "pci:0000:00:10");
RULE(no_begin, 0, "pci:00:10.0");
RULE(rest, A, "pci:0000:00:10*");
RULE(rest_is_empty, A, "pci:0000:00:10.0*");
RULE(any, A | B, "pci:*");
RULE(any_begin, A, "pci:*:10.0");
RULE(any_middle, A | B, "pci:0000:*.0");
RULE(several_stars, B, "pci:*0**:*?11.*");
RULE(star_goes_back, A, "pci:*0:*10.0");
RULE(upper_case, 0, "id:1234:11E8");
RULE(id, A | B, "id:1234:11e8");
RULE(vendor, A | B, "id:1234:*");
RULE(product, A | B, "id:*:11e8");
RULE(other_product, 0, "id:1234:11e9");
RULE(class, A | B, "class:00ff00");
RULE(subclass, A | B, "class:00ff*");
RULE(class_usb, 0, "class:0c03*");
RULE(group, B, "group:B");
RULE(driver, A | B, "driver:vfio-pci");
RULE(driver_begin, A | B, "driver:vfio*");
RULE(driver_other, 0, "driver:pcieport");
RULE(net, NET0, "net:mgt0");
RULE(nets, NET0 | NET1, "net:mgt*");
RULE(rdma, RXE, "rdma:rxe0");
RULE(rdma_any, RXE, "rdma:*");
RULE(kinds_are_apart, 0, "net:rxe0", "rdma:mgt0", "net:0000:00:10.0");
RULE(many, B | NET1 | RXE, "pci:0000:00:11.0", "rdma:rxe?", "net:mgt1");
RULE(gaps, A | NET0, NULL, "net:mgt0", NULL, "pci:*:10.0");
RULE(twice, A, "pci:*:10.0", "id:1234:0000", "pci:0000:00:10.0");
RULE(longest, 0, "net:3456789012345678901234567890123456789012345");

FIXTURE_SETUP(rule)
{
	ASSERT_EQ(0, memory_up(&self->m));
	ASSERT_EQ(EVERY, who_may(self->m.map, 0));
}

FIXTURE_TEARDOWN(rule)
{
	memory_down(&self->m);
}

TEST_F_TIMEOUT(rule, fits, 60)
{
	char group[32];
	int i;

	snprintf(group, sizeof(group), "group:%d", edu_group_nr(EDU_B));
	for (i = 0; i < RULES; i++)
		if (variant->rule[i])
			ASSERT_EQ(0, trust(&self->m, i,
					   strcmp(variant->rule[i], "group:B") ?
					   variant->rule[i] : group));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(variant->may, who_may(self->m.map, 0));
	/* No device has it yet. */
	EXPECT_EQ(0, try_umem(self->m.map));
	EXPECT_EQ(0, take_by_udmabuf(self->m.fd));
}

/* Rules that are none ********************************************************/

FIXTURE(malformed) { struct memory m; };
FIXTURE_VARIANT(malformed) { const char *rule; };

#define MALFORMED(name, text)						\
	FIXTURE_VARIANT_ADD(malformed, name) { .rule = (text) }

MALFORMED(no_colon, "pci");
MALFORMED(no_pattern, "pci:");
MALFORMED(no_kind, ":0000:00:10.0");
MALFORMED(only_pattern, "0000:00:10.0");
MALFORMED(star, "*");
MALFORMED(unknown_kind, "usb:1");
MALFORMED(longer_kind, "pcix:*");
MALFORMED(upper_case_kind, "PCI:*");
MALFORMED(blank, " pci:*");
MALFORMED(no_end, "net:34567890123456789012345678901234567890123456");

FIXTURE_SETUP(malformed)
{
	ASSERT_EQ(0, memory_up(&self->m));
	ASSERT_EQ(0, try_umem(self->m.map));
	ASSERT_EQ(0, take_by_udmabuf(self->m.fd));
}

FIXTURE_TEARDOWN(malformed)
{
	memory_down(&self->m);
}

/* The last rule, and all else would be allowed by others. */
TEST_F_TIMEOUT(malformed, refuses_all, 60)
{
	ASSERT_EQ(0, trust(&self->m, 0, "pci:*"));
	ASSERT_EQ(0, trust(&self->m, 1, "net:*"));
	ASSERT_EQ(0, trust(&self->m, 2, "rdma:*"));
	ASSERT_EQ(0, trust(&self->m, 63, variant->rule));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(0, who_may(self->m.map, -EINVAL));
	EXPECT_NE(0, try_umem(self->m.map));
	EXPECT_NE(0, take_by_udmabuf(self->m.fd));
}

FIXTURE(device) { struct memory m; };

FIXTURE_SETUP(device)
{
	ASSERT_EQ(0, memory_up(&self->m));
}

FIXTURE_TEARDOWN(device)
{
	memory_down(&self->m);
}

TEST_F_TIMEOUT(device, no_rules, 60)
{
	ASSERT_EQ(EVERY, who_may(self->m.map, 0));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(0, who_may(self->m.map, -EINVAL));
	EXPECT_NE(0, try_umem(self->m.map));
	EXPECT_NE(0, take_by_udmabuf(self->m.fd));
}

/* GUP makes EACCES of everything; the tracepoint has what was answered. */
TEST_F(device, malformed_says_einval)
{
	struct see_watch watch;
	int i, seen = 0;

	ASSERT_EQ(0, trust(&self->m, 5, "pci"));
	ASSERT_LE(0, install(&self->m));
	ASSERT_EQ(0, see_watch_begin(&watch));
	EXPECT_EQ(-EACCES, try_umem(self->m.map));
	ASSERT_EQ(0, see_watch_collect(&watch));
	for (i = 0; i < watch.bpf.nr; i++)
		if (!strcmp(watch.bpf.event[i].policy, "trusted_devices"))
			seen = watch.bpf.event[i].ret;
	EXPECT_EQ(-EINVAL, seen);
	see_watch_end(&watch);
}

/* What a name means **********************************************************/

/* Whoever makes a network namespace chooses the names there. */
TEST_F(device, same_name_elsewhere)
{
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	ASSERT_EQ(0, dummy_netdev("mgt0"));
	ASSERT_EQ(0, try_xdp(self->m.map, "mgt0"));
	ASSERT_EQ(0, trust(&self->m, 0, "net:mgt0"));
	ASSERT_EQ(0, trust(&self->m, 1, "net:*"));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(-EACCES, try_xdp(self->m.map, "mgt0"));
}

/* Groups *********************************************************************/

TEST_F(device, all_of_a_group)
{
	char rule[32];

	ASSERT_EQ(0, take_by_vfio(self->m.map, EDU_PAIR));
	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_PAIR));
	ASSERT_EQ(0, trust(&self->m, 0, rule));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(-EACCES, take_by_vfio(self->m.map, EDU_PAIR));
}

TEST_F(device, whole_group)
{
	char rule[32];

	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_PAIR));
	ASSERT_EQ(0, trust(&self->m, 0, rule));
	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_PAIR_2));
	ASSERT_EQ(0, trust(&self->m, 1, rule));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(0, take_by_vfio(self->m.map, EDU_PAIR));
	EXPECT_EQ(-EACCES, take_by_vfio(self->m.map, EDU_A));
}

TEST_F(device, bridge_comes_along)
{
	char rule[32];

	ASSERT_EQ(0, take_by_vfio(self->m.map, EDU_BRIDGED));
	ASSERT_EQ(0, take_by_iommufd(self->m.map, EDU_BRIDGED));
	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_BRIDGED));
	ASSERT_EQ(0, trust(&self->m, 0, rule));
	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_BRIDGED_2));
	ASSERT_EQ(0, trust(&self->m, 1, rule));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(0, take_by_vfio(self->m.map, EDU_BRIDGED));
	EXPECT_EQ(0, take_by_iommufd(self->m.map, EDU_BRIDGED));
}

TEST_F(device, bridge_brings_nobody)
{
	char rule[32];

	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_BRIDGED));
	ASSERT_EQ(0, trust(&self->m, 0, rule));
	snprintf(rule, sizeof(rule), "pci:%s", edu_name(EDU_BRIDGE));
	ASSERT_EQ(0, trust(&self->m, 1, rule));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(-EACCES, take_by_vfio(self->m.map, EDU_BRIDGED));
}

/* The memory is there before the device. */
TEST_F(device, joins_later)
{
	ASSERT_EQ(0, take_by_iommufd(self->m.map, EDU_A));
	ASSERT_EQ(0, take_by_iommufd(self->m.map, EDU_B));
	ASSERT_EQ(0, trust(&self->m, 0, "pci:0000:00:10.0"));
	ASSERT_LE(0, install(&self->m));
	EXPECT_EQ(0, take_by_iommufd(self->m.map, EDU_A));
	EXPECT_EQ(-EACCES, take_by_iommufd(self->m.map, EDU_B));
}

/* How the command shows them ************************************************/

/* What a command of the build folder prints, a line of it after another. */
static FILE *run_command(const char *before, const char *words)
{
	char exe[4096], command[8400];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	exe[n < 0 ? 0 : n] = '\0';
	dirname(exe);
	snprintf(command, sizeof(command),
		 "PATH=%s/../loader:%s/../loader/tests:$PATH; %s %s",
		 exe, exe, before, words);
	return popen(command, "re");
}

/* Lines that end so. */
static int lines_with(const char *before, const char *words, const char *end)
{
	FILE *f = run_command(before, words);
	char line[512];
	int n = 0;

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		n += strlen(line) >= strlen(end) &&
		     !strcmp(line + strlen(line) - strlen(end), end);
	}
	return f && !pclose(f) ? n : -1;
}

#define INCAPABLE "setpriv --bounding-set=-bpf,-perfmon,-sys_admin --inh-caps=-all"
#define PAIR	"devices 0000:00:13.0, 0000:00:13.1"

TEST_F(device, listed)
{
	int container = vfio_container(), group = vfio_group(EDU_PAIR);
	char words[64];
	struct ibv_mr *mr;
	struct rdma r;

	ASSERT_EQ(0, trust(&self->m, 0, "pci:*:13.?"));
	ASSERT_EQ(0, trust(&self->m, 1, "rdma:rxe0"));
	ASSERT_LE(0, install(&self->m));
	snprintf(words, sizeof(words), "memgate gate show pid %d fd %d",
		 getpid(), self->m.fd);
	EXPECT_EQ(0, lines_with("", words, PAIR));
	ASSERT_EQ(0, vfio_join(group, container));
	ASSERT_EQ(0, vfio_set_iommu(container));
	ASSERT_EQ(0, vfio_map(container, self->m.map, 0, LEN, MEMGATE_READ));
	ASSERT_EQ(0, rdma_open(&r, "rxe0"));
	mr = ibv_reg_mr(r.pd, self->m.map, LEN, IBV_ACCESS_LOCAL_WRITE);
	ASSERT_NE(NULL, mr);
	EXPECT_EQ(1, lines_with("", words, PAIR));
	EXPECT_EQ(1, lines_with("", words, "devices rxe0"));
	/* by the kernel's iterator, and by /proc */
	EXPECT_EQ(1, lines_with("", "memgate gate list", PAIR));
	EXPECT_EQ(1, lines_with("", "memgate gate list", "devices rxe0"));
	EXPECT_EQ(1, lines_with(INCAPABLE, "memgate gate list", PAIR));
	EXPECT_EQ(1, lines_with(INCAPABLE, "memgate gate list",
				"devices rxe0"));
	EXPECT_EQ(1, lines_with("memgate -j gate list |",
				"cli_helper json 0 consumers 0 devices 1",
				"0000:00:13.1"));
	EXPECT_EQ(1, lines_with("memgate -j gate list |",
				"cli_helper json 0 consumers 1 devices 0",
				"rxe0"));
	ibv_dereg_mr(mr);
	rdma_close(&r);
	close(group);
	close(container);
	EXPECT_EQ(0, lines_with("", "memgate gate list", PAIR));
}

/* With others ****************************************************************/

static long peer_maps(int fd, long arg)
{
	return probe_map(fd);
}

static int install_owner(int fd)
{
	struct mg_policy owner, kvm;

	if (mg_policy_load(&owner, "owner") ||
	    mg_policy_load(&kvm, "exclusive_kvm") ||
	    mg_param(&owner, "tgid", getpid()))
		return -1;
	return mg_install(&owner, fd) < 0 || mg_install(&kvm, fd) < 0 ? -1 : 0;
}

TEST_F_TIMEOUT(device, stacked, 60)
{
	struct guest guest[2];
	struct mg_peer peer = { 0 };
	uint32_t val = 0;

	if (guest_missing())
		SKIP(return, "%s", guest_missing());
	ASSERT_EQ(0, mg_peer_start(&peer));
	ASSERT_EQ(0, trust(&self->m, 0, "pci:*:10.0"));
	ASSERT_LE(0, install(&self->m));
	ASSERT_EQ(0, install_owner(self->m.fd));
	ASSERT_EQ(0, guest_open(&guest[0], 1, 0));
	ASSERT_EQ(0, guest_open(&guest[1], 1, 0));
	EXPECT_EQ(0, guest_memslot(&guest[0], 1, GUEST_GPA, self->m.map, LEN,
				   0));
	EXPECT_EQ(0, guest_read(&guest[0], 0, GUEST_GPA, &val, NULL));
	EXPECT_TRUE(mg_matches(&val, 0, sizeof(val)));
	EXPECT_EQ(-EACCES, guest_memslot(&guest[1], 1, GUEST_GPA, self->m.map,
					 LEN, 0));
	EXPECT_EQ(A, who_may(self->m.map, 0));
	EXPECT_EQ(0, probe_map(self->m.fd));
	EXPECT_EQ(0, probe_read(self->m.fd));
	EXPECT_EQ(-EACCES, mg_peer_call(&peer, peer_maps, self->m.fd, 0));
	guest_close(&guest[0]);
	guest_close(&guest[1]);
	mg_peer_stop(&peer);
}

TEST_HARNESS_MAIN
