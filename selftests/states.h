/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of a gate for accesses that want a memfd of their own in each:
 * those that end the process, or that want the file closed for writing.  The
 * others use the table in mediated.h, which this is included after.
 */
#ifndef STATES_H
#define STATES_H

enum mg_state {
	MG_UNGATED,
	MG_SEALED,
	MG_ALLOWED,
	MG_READING,	/* policy read_only */
	MG_DENIED,
	MG_ONLY,	/* only its classes are allowed */
	MG_ALL_BUT,	/* all but its classes */
	MG_STATES
};

static const char *const mg_state_names[] = {
	"no gate", "sealed, no policy", "policy allows",
	"policy allows reading", "policy denies", "only its class allowed",
	"all but its class allowed",
};

/* Brings a fresh memfd into the state: a link, or -1 where there is none. */
static inline int mg_enter(struct __test_metadata *const _metadata, int fd,
			   enum mg_state state, uint64_t classes)
{
	static const char *const policies[] = {
		NULL, NULL, "allow", "read_only", "deny", "answer", "answer",
	};
	struct mg_policy policy;
	int link;

	if (state == MG_SEALED)
		EXPECT_EQ(0, mg_seal(fd));
	if (!policies[state])
		return -1;
	mg_load(_metadata, &policy, policies[state]);
	if (state == MG_ALL_BUT)
		classes ^= MEMGATE_CLASS(MEMGATE_NR_CLASSES) - 1;
	if (state == MG_ONLY || state == MG_ALL_BUT)
		EXPECT_EQ(0, mg_param(&policy, "allow_classes", classes));
	link = mg_install(&policy, fd);
	EXPECT_LE(0, link) {
		TH_LOG("install: %s", strerror(errno));
	}
	mg_policy_free(&policy);
	return link;
}

static inline void mg_leave(int link)
{
	if (link >= 0)
		close(link);
}

/* Must an access of these classes that only reads succeed? */
static inline bool mg_lets_read(enum mg_state state)
{
	return state == MG_UNGATED || state == MG_ALLOWED ||
	       state == MG_READING || state == MG_ONLY;
}

/* May gated memory be mapped for reading, if the access is not of MAP? */
static inline bool mg_lets_map(enum mg_state state)
{
	return state == MG_UNGATED || state == MG_ALLOWED ||
	       state == MG_READING || state == MG_ALL_BUT;
}

#endif /* STATES_H */
