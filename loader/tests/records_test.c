// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What the kernel's iterator over gates says, as gates.bpf.c writes it. */
#include "../lib/gates.h"
#include "../lib/internal.h"
#include "tap.h"

static const struct mg_gate_record gate = {
	.record = MG_RECORD_GATE, .gate = 5, .openable = 0x47, .size = 4096,
	.ino = 1057, .premapped = 2, .frozen = 1, .name = "memfd:ra\033m",
};
static const struct mg_install_record owner = {
	.record = MG_RECORD_INSTALL, .gate = 5, .classes = 0x83, .map = 12,
	.link = 7, .name = "owner",
};
static const struct mg_install_record lost = {
	.record = MG_RECORD_INSTALL, .gate = 5, .classes = 0x40, .closed = 1,
	.name = "exclusive_kvm",
};
static const struct mg_install_record kept = {
	.record = MG_RECORD_INSTALL, .gate = 5, .classes = 0x4, .map = 13,
	.name = "0123456789012345678901234567890",
};
static const struct mg_consumer_record vm = {
	.record = MG_RECORD_CONSUMER, .gate = 5, .id = 9, .kind = MEMGATE_KVM,
	.rights = 3, .pid = 1234,
};

static const struct mg_device_record nic = {
	.record = MG_RECORD_DEVICE, .gate = 5, .consumer = 9,
	.name = "0000:00:1\033.0",
};

static _Alignas(8) char stream[16384];
static size_t used;

static void begin(void)
{
	used = 0;
}

static void put(const void *record, size_t size)
{
	memcpy(stream + used, record, size);
	used += size;
}

#define PUT(record)	put(&(record), sizeof(record))

static int parse(size_t len, struct memgate_gate_info ***gates, size_t *nr)
{
	*gates = NULL;
	*nr = 0;
	return mg_records_parse(stream, len, gates, nr);
}

static void whole(void)
{
	struct mg_gate_record next = { .record = MG_RECORD_GATE, .gate = 6 };
	struct memgate_gate_info **gates, *g;
	size_t nr;

	begin();
	PUT(gate);
	PUT(owner);
	PUT(lost);
	PUT(kept);
	PUT(vm);
	PUT(nic);
	PUT(next);
	EXPECT_NUM(parse(used, &gates, &nr), 0);
	EXPECT_NUM(nr, 2);
	g = gates[0];
	EXPECT_NUM(g->id, 5);
	EXPECT_STR(g->name, "ra?m");
	EXPECT_NUM(g->size, 4096);
	EXPECT_NUM(g->ino, 1057);
	EXPECT_NUM(g->premapped, 2);
	EXPECT_NUM(g->frozen, 1);
	/* decided, and openable */
	EXPECT_NUM(g->classes, 0x47);
	EXPECT_NUM(g->nr_installs, 3);
	EXPECT_STR(g->installs[0].name, "owner");
	EXPECT_NUM(g->installs[0].map_id, 12);
	EXPECT_NUM(g->installs[0].link_id, 7);
	EXPECT_NUM(g->installs[0].classes, 0x83);
	EXPECT_NUM(g->installs[0].state, MEMGATE_INSTALL_LIVE);
	EXPECT_NUM(g->installs[1].state, MEMGATE_INSTALL_CLOSED);
	EXPECT_NUM(g->installs[2].state, MEMGATE_INSTALL_KEPT);
	EXPECT_NUM(g->nr_consumers, 1);
	EXPECT_NUM(g->consumers[0].kind, MEMGATE_KVM);
	EXPECT_NUM(g->consumers[0].id, 9);
	EXPECT_NUM(g->consumers[0].rights, MEMGATE_READ | MEMGATE_WRITE);
	EXPECT_NUM(g->consumers[0].pid, 1234);
	EXPECT_NUM(g->consumers[0].nr_devices, 1);
	EXPECT_STR(g->consumers[0].devices[0].name, "0000:00:1?.0");
	EXPECT_NUM(gates[1]->id, 6);
	EXPECT_STR(gates[1]->name, "");
	EXPECT_NUM(gates[1]->nr_installs, 0);
	memgate_gate__free_list(gates, nr);
}

static void dying(void)
{
	struct mg_install_record of_dead = owner;
	struct memgate_gate_info **gates;
	size_t nr;

	/* The gate in front of it was left out. */
	of_dead.gate = 4;
	begin();
	PUT(of_dead);
	PUT(gate);
	PUT(vm);
	PUT(of_dead);
	EXPECT_NUM(parse(used, &gates, &nr), 0);
	EXPECT_NUM(nr, 1);
	EXPECT_NUM(gates[0]->nr_installs, 0);
	EXPECT_NUM(gates[0]->nr_consumers, 1);
	memgate_gate__free_list(gates, nr);
}

static void cut_short(void)
{
	struct memgate_gate_info **gates;
	size_t nr, len;

	begin();
	PUT(gate);
	PUT(owner);
	for (len = 1; len < used; len++) {
		if (len == sizeof(gate))
			continue;
		EXPECT_NUM(parse(len, &gates, &nr), -EPROTO);
		memgate_gate__free_list(gates, nr);
	}
}

static void devices_of_nobody(void)
{
	struct mg_device_record other = nic, full = nic;
	struct memgate_gate_info **gates;
	size_t nr;

	other.consumer = 8;
	memset(full.name, 'd', sizeof(full.name));
	begin();
	PUT(nic);
	PUT(gate);
	PUT(nic);
	PUT(vm);
	PUT(other);
	PUT(full);
	EXPECT_NUM(parse(used, &gates, &nr), 0);
	EXPECT_NUM(gates[0]->nr_consumers, 1);
	EXPECT_NUM(gates[0]->consumers[0].nr_devices, 1);
	EXPECT_NUM(strlen(gates[0]->consumers[0].devices[0].name), 63);
	memgate_gate__free_list(gates, nr);
}

static void unknown(void)
{
	struct mg_consumer_record odd = vm;
	struct memgate_gate_info **gates;
	size_t nr;

	begin();
	odd.record = MG_RECORD_PARAMS + 1;
	PUT(gate);
	PUT(odd);
	EXPECT_NUM(parse(used, &gates, &nr), -EPROTO);
	memgate_gate__free_list(gates, nr);
	begin();
	odd.record = 0;
	PUT(odd);
	EXPECT_NUM(parse(used, &gates, &nr), -EPROTO);
	EXPECT_NUM(nr, 0);
}

static void nothing(void)
{
	struct memgate_gate_info **gates;
	size_t nr;

	EXPECT_NUM(parse(0, &gates, &nr), 0);
	EXPECT_NUM(nr, 0);
}

static void long_names(void)
{
	struct mg_install_record install = owner;
	struct mg_gate_record full = gate;
	struct memgate_gate_info **gates;
	size_t nr;

	/* No byte is left for the end. */
	memset(install.name, 'i', sizeof(install.name));
	memset(full.name, 'g', sizeof(full.name));
	begin();
	PUT(full);
	PUT(install);
	EXPECT_NUM(parse(used, &gates, &nr), 0);
	EXPECT_NUM(strlen(gates[0]->name), 255);
	EXPECT_NUM(strlen(gates[0]->installs[0].name), MEMGATE_NAME_LEN - 1);
	memgate_gate__free_list(gates, nr);
}

static struct mg_params_record piece(uint32_t offset, uint32_t len, char byte)
{
	struct mg_params_record r = {
		.record = MG_RECORD_PARAMS, .gate = 5, .offset = offset,
		.len = len,
	};

	memset(r.data, byte, sizeof(r.data));
	return r;
}

static void params(void)
{
	struct mg_params_record first = piece(0, 256, 'a');
	struct mg_params_record rest = piece(256, 44, 'b');
	struct mg_install_record brought = owner;
	struct memgate_install_info *in;
	struct memgate_gate_info **gates;
	size_t nr;

	brought.params_len = 300;
	begin();
	PUT(gate);
	PUT(brought);
	PUT(first);
	PUT(rest);
	PUT(kept);
	EXPECT_NUM(parse(used, &gates, &nr), 0);
	in = gates[0]->installs;
	EXPECT_NUM(in[0].params_known, 1);
	EXPECT_NUM(in[0].params_len, 300);
	EXPECT_NUM(((char *)in[0].params)[255], 'a');
	EXPECT_NUM(((char *)in[0].params)[256], 'b');
	EXPECT_NUM(((char *)in[0].params)[299], 'b');
	/* It brought none. */
	EXPECT_NUM(in[1].params_known, 1);
	EXPECT_NUM(in[1].params_len, 0);
	memgate_gate__free_list(gates, nr);

	/* The end is missing: nothing is known. */
	begin();
	PUT(gate);
	PUT(brought);
	PUT(first);
	EXPECT_NUM(parse(used, &gates, &nr), 0);
	EXPECT_NUM(gates[0]->installs[0].params_known, 0);
	memgate_gate__free_list(gates, nr);
}

/* Nothing is written beyond what an install says that it brought. */
static void params_beyond(void)
{
	struct mg_params_record bad[] = {
		piece(0, 257, 'x'), piece(200, 101, 'x'), piece(301, 0, 'x'),
		piece(~0U, 1, 'x'), piece(256, 44, 'x'), piece(0, 256, 'x'),
	};
	struct mg_install_record brought = owner;
	struct memgate_gate_info **gates;
	size_t nr, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		/* The last has no room for a chunk. */
		brought.params_len = i + 1 < ARRAY_SIZE(bad) ? 300 : 255;
		begin();
		PUT(gate);
		PUT(brought);
		PUT(bad[i]);
		EXPECT_NUM(parse(used, &gates, &nr), -EPROTO);
		memgate_gate__free_list(gates, nr);
	}
	begin();
	PUT(gate);
	PUT(bad[5]);
	EXPECT_NUM(parse(used, &gates, &nr), -EPROTO);
	memgate_gate__free_list(gates, nr);
}

const struct tap_test records_tests[] = {
	{ "records: gates, policies, consumers", whole },
	{ "records: a gate that is dying is left out", dying },
	{ "records: cut short", cut_short },
	{ "records: devices of nobody, a long name", devices_of_nobody },
	{ "records: parameters in pieces", params },
	{ "records: parameters beyond what there is", params_beyond },
	{ "records: of no known kind", unknown },
	{ "records: no gate at all", nothing },
	{ "records: names without an end", long_names },
	{ 0 }
};
