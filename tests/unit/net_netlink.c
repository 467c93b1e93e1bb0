#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "unit/base_unit.h"

#include "net/netlink.h"

enum { SEQUENCE = 7, ROOM = 4096 };

static unsigned taken;
static uint16_t last_type;

static void take(void *context, const struct nlmsghdr *m)
{
	(void)context;
	taken++;
	last_type = m->nlmsg_type;
}

/* A message of TYPE whose payload is PAYLOAD, at AT; its padded length. */
static size_t put(uint8_t *at, uint16_t type, uint16_t flags, struct span payload)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(at);

	m->nlmsg_type = type;
	m->nlmsg_flags = flags;
	m->nlmsg_seq = SEQUENCE;
	if (payload.len > 0)
		memcpy(mnl_nlmsg_put_extra_header(m, payload.len), payload.at, payload.len);
	return MNL_ALIGN(m->nlmsg_len);
}

static size_t put_int(uint8_t *at, uint16_t type, uint16_t flags, int value)
{
	return put(at, type, flags, span_of(&value, sizeof(value)));
}

static struct netlink_reply reply_of(unsigned left)
{
	taken = 0;
	return (struct netlink_reply){.sequence = SEQUENCE, .left = left, .fn = take};
}

static void test_ends(void **state)
{
	static const struct {
		const char *why;
		uint16_t type, flags;
		int value;
		enum netlink_more want;
		int error;
	} ends[] = {
		{"a list's end", NLMSG_DONE, NLM_F_MULTI, 0, NETLINK_DONE, 0},
		{"a list's end with an error", NLMSG_DONE, NLM_F_MULTI, -EIO, NETLINK_REFUSED, EIO},
		{"changed while it was told", NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 0,
		 NETLINK_CHANGED, 0},
		{"consent", NLMSG_ERROR, 0, 0, NETLINK_DONE, 0},
		{"refusal", NLMSG_ERROR, 0, -EPERM, NETLINK_REFUSED, EPERM},
		{"no error number", NLMSG_ERROR, 0, 1, NETLINK_REFUSED, EPROTO},
		{"no error number", NLMSG_ERROR, 0, INT_MIN, NETLINK_REFUSED, EPROTO},
		{"no error number", NLMSG_DONE, NLM_F_MULTI, INT_MIN, NETLINK_REFUSED, EPROTO},
		{"the kernel lost something", NLMSG_OVERRUN, 0, 0, NETLINK_REFUSED, ENOBUFS},
		{"nothing to say", NLMSG_NOOP, 0, 0, NETLINK_MORE, 0},
		{"data", RTM_NEWADDR, NLM_F_MULTI, 0, NETLINK_MORE, 0},
	};
	_Alignas(struct nlmsghdr) uint8_t bytes[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct netlink_reply r = reply_of(10);
		size_t len = put_int(bytes, ends[i].type, ends[i].flags, ends[i].value);
		errno = 0;
		CHECK(ends[i].why, netlink_take(&r, span_of(bytes, len)) == ends[i].want);
		CHECK(ends[i].why, errno == ends[i].error);
	}
}

static void test_several(void **state)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[ROOM];
	size_t len = 0;

	(void)state;
	len += put_int(bytes + len, RTM_NEWADDR, NLM_F_MULTI, 1);
	size_t second = len;
	len += put_int(bytes + len, RTM_NEWADDR, NLM_F_MULTI | NLM_F_DUMP_INTR, 2);
	len += put_int(bytes + len, RTM_NEWLINK, NLM_F_MULTI, 3);
	len += put_int(bytes + len, NLMSG_DONE, NLM_F_MULTI, 0);

	struct netlink_reply r = reply_of(10);
	assert_int_equal(netlink_take(&r, span_of(bytes, len)), NETLINK_CHANGED);
	assert_int_equal(taken, 3);
	assert_int_equal(last_type, RTM_NEWLINK);
	assert_int_equal(r.malformed, 0);

	r = reply_of(2);
	assert_int_equal(netlink_take(&r, span_of(bytes, len)), NETLINK_TOO_MANY);
	assert_int_equal(taken, 2);

	/* What answers an earlier question is passed over. */
	((struct nlmsghdr *)(void *)(bytes + second))->nlmsg_seq = SEQUENCE - 1;
	r = reply_of(10);
	assert_int_equal(netlink_take(&r, span_of(bytes, len)), NETLINK_DONE);
	assert_int_equal(taken, 2);
}

/* Cut at every length: nothing is read behind the end, what is whole is taken. */
static void test_truncated(void **state)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[ROOM];
	struct unit_guard guard = unit_guard_new(ROOM);
	size_t len = 0, one;

	(void)state;
	one = put_int(bytes, RTM_NEWADDR, NLM_F_MULTI, 1);
	len = one + put_int(bytes + one, NLMSG_ERROR, 0, 0);
	for (size_t cut = 0; cut < len; cut += 4) { /* the guard's end stays aligned */
		struct netlink_reply r = reply_of(10);
		struct span s = unit_guard_put(&guard, span_of(bytes, cut));
		assert_int_equal(netlink_take(&r, s), NETLINK_MORE);
		assert_int_equal(taken, cut >= one);
		assert_int_equal(r.malformed, cut != 0 && cut != one);
	}
	/* An error message too short for an error says nothing. */
	struct netlink_reply r = reply_of(10);
	len = put(bytes, NLMSG_ERROR, 0, span_of(NULL, 0));
	assert_int_equal(netlink_take(&r, span_of(bytes, len)), NETLINK_MORE);
	assert_int_equal(r.malformed, 1);
	unit_guard_free(&guard);
}

static void test_lengths(void **state)
{
	static const uint32_t lengths[] = {0, 1, 15, 17, 21, 0x7fffffff, 0x80000000, UINT32_MAX};
	_Alignas(struct nlmsghdr) uint8_t bytes[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct netlink_reply r = reply_of(10);
		size_t len = put_int(bytes, RTM_NEWADDR, 0, 1);
		((struct nlmsghdr *)(void *)bytes)->nlmsg_len = lengths[i];
		assert_int_equal(netlink_take(&r, span_of(bytes, len)), NETLINK_MORE);
		assert_true(r.malformed == 1 || lengths[i] == 17);
	}
}

/* ---- the kernel itself, as anybody may ask it ---- */

static unsigned begun;

static void begin(void *context)
{
	(void)context;
	begun++;
	taken = 0;
}

static void test_kernel(void **state)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[NETLINK_REQUEST_MAX];
	struct netlink n = {.protocol = NETLINK_ROUTE};
	struct nlmsghdr *m = mnl_nlmsg_put_header(bytes);

	(void)state;
	begun = 0;
	m->nlmsg_type = RTM_GETLINK;
	m->nlmsg_flags = NLM_F_DUMP;
	struct ifinfomsg *any = mnl_nlmsg_put_extra_header(m, sizeof(*any));
	any->ifi_family = AF_UNSPEC;
	enum err err = netlink_ask(&n, m, begin, take, NULL);
	if (err == ERR_SYSTEM && (errno == EPERM || errno == EAFNOSUPPORT || errno == EACCES)) {
		print_message("no netlink here\n");
		skip();
	}
	assert_int_equal(err, OK);
	assert_true(begun >= 1 && taken >= 1); /* there is a loopback interface everywhere */
	assert_int_equal(last_type, RTM_NEWLINK);

	/* A refusal comes with its reason: there is no interface of this number. */
	m = mnl_nlmsg_put_header(bytes);
	m->nlmsg_type = RTM_GETLINK;
	struct ifinfomsg *none = mnl_nlmsg_put_extra_header(m, sizeof(*none));
	none->ifi_index = INT32_MAX;
	assert_int_equal(netlink_ask(&n, m, NULL, take, NULL), ERR_SYSTEM);
	assert_int_equal(errno, ENODEV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),	  cmocka_unit_test(test_several),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
