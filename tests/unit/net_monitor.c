#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "unit/net_unit.h"

#include "net/monitor.h"

enum { ROOM = 256, INDEX = 5 };

static const uint8_t v4[4] = {192, 0, 2, 1}, other4[4] = {192, 0, 2, 2};
static const uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
static const uint8_t link6[16] = {0xfe, 0x80, [15] = 1};

struct made {
	const char *why;
	uint8_t family, flags;
	uint32_t more_flags; /* 0: no attribute */
	const uint8_t *address, *local;
	uint16_t address_len, local_len;
	bool want, usable;
	const char *text;
};

/* A message as the kernel makes them, at AT; its length. */
static size_t make(uint8_t *at, const struct made *c)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(at);
	m->nlmsg_type = RTM_NEWADDR;
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	head->ifa_family = c->family;
	head->ifa_flags = c->flags;
	head->ifa_index = INDEX;
	if (c->address)
		mnl_attr_put(m, IFA_ADDRESS, c->address_len, c->address);
	if (c->local)
		mnl_attr_put(m, IFA_LOCAL, c->local_len, c->local);
	mnl_attr_put_strz(m, IFA_LABEL, "eth0");
	if (c->more_flags)
		mnl_attr_put_u32(m, IFA_FLAGS, c->more_flags);
	return m->nlmsg_len;
}

static const struct made cases[] = {
	{"IPv4", AF_INET, 0, 0, v4, v4, 4, 4, true, true, "192.0.2.1:0"},
	{"point to point: ours is the local one", AF_INET, 0, 0, other4, v4, 4, 4, true, true,
	 "192.0.2.1:0"},
	{"IPv6", AF_INET6, 0, 0, v6, NULL, 16, 0, true, true, "[2001:db8::1]:0"},
	{"RFC 4007 §11: link-local with its zone", AF_INET6, 0, 0, link6, NULL, 16, 0, true, true,
	 "[fe80::1%5]:0"},
	{"RFC 4862 §5.4: tentative", AF_INET6, IFA_F_TENTATIVE, 0, v6, NULL, 16, 0, true, false,
	 "[2001:db8::1]:0"},
	{"RFC 4429 §3.3: optimistic", AF_INET6, 0, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, v6, NULL, 16,
	 0, true, true, "[2001:db8::1]:0"},
	{"RFC 4862 §5.4.5: a duplicate", AF_INET6, IFA_F_DADFAILED, 0, v6, NULL, 16, 0, true, false,
	 "[2001:db8::1]:0"},
	{"flags behind the header win", AF_INET6, IFA_F_TENTATIVE, IFA_F_PERMANENT, v6, NULL, 16, 0,
	 true, true, "[2001:db8::1]:0"},
	{"no address at all", AF_INET, 0, 0, NULL, NULL, 0, 0, false, false, NULL},
	{"four bytes for IPv6", AF_INET6, 0, 0, v4, NULL, 4, 0, false, false, NULL},
	{"sixteen bytes for IPv4", AF_INET, 0, 0, v6, NULL, 16, 0, false, false, NULL},
	{"another family", AF_PACKET, 0, 0, v6, NULL, 16, 0, false, false, NULL},
};

static void test_read(void **state)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[ROOM];
	char text[ENDPOINT_TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct monitor_address out;
		(void)make(bytes, &cases[i]);
		CHECK(cases[i].why, monitor_read_address((void *)bytes, &out) == cases[i].want);
		if (!cases[i].want)
			continue;
		CHECK(cases[i].why, strcmp(endpoint_text(&out.address, text), cases[i].text) == 0);
		CHECK(cases[i].why, out.usable == cases[i].usable && out.interface == INDEX);
	}
	struct monitor_address out;
	(void)make(bytes, &cases[0]);
	((struct nlmsghdr *)(void *)bytes)->nlmsg_type = RTM_DELADDR;
	assert_false(monitor_read_address((void *)bytes, &out));
}

/* Shortened to every length, with and without its header knowing: nothing behind the end is read. */
static void test_truncated(void **state)
{
	_Alignas(struct nlmsghdr) uint8_t bytes[ROOM];
	struct unit_guard guard = unit_guard_new(ROOM);
	struct monitor_address out;

	(void)state;
	size_t len = make(bytes, &cases[2]);
	for (size_t cut = sizeof(struct nlmsghdr); cut < len; cut += 4) {
		((struct nlmsghdr *)(void *)bytes)->nlmsg_len = (uint32_t)cut;
		struct span s = unit_guard_put(&guard, span_of(bytes, cut));
		bool whole = monitor_read_address((const void *)s.at, &out);
		/* Once the address is there, the rest is only more to know. */
		assert_int_equal(whole, cut >= sizeof(struct nlmsghdr) + sizeof(struct ifaddrmsg) +
							4 + 16);
	}
	/* An attribute that claims more than there is. */
	len = make(bytes, &cases[2]);
	struct nlattr *first = (void *)(bytes + sizeof(struct nlmsghdr) + sizeof(struct ifaddrmsg));
	first->nla_len = UINT16_MAX;
	struct span s = unit_guard_put(&guard, span_of(bytes, MNL_ALIGN(len)));
	assert_false(monitor_read_address((const void *)s.at, &out));
	unit_guard_free(&guard);
}

/* ---- the kernel itself ---- */

static unsigned loopbacks, begun, looks;

static void begin(void *context)
{
	(void)context;
	begun++;
	loopbacks = 0;
}

static void count_loopback(void *context, const struct monitor_address *a)
{
	(void)context;
	loopbacks += endpoint_is_loopback(&a->address);
}

static void look(void *context)
{
	(void)context;
	looks++;
}

static void test_kernel(void **state)
{
	struct loop loop;
	struct monitor m;

	(void)state;
	assert_int_equal(loop_init(&loop, loop_epoch_read()), OK);
	if (monitor_open(&m, &loop, look, NULL) != OK) {
		monitor_close(&m);
		loop_deinit(&loop);
		print_message("no netlink here\n");
		skip();
	}
	enum err err = monitor_addresses(&m, begin, count_loopback, NULL);
	assert_true(err == OK || err == ERR_BUSY);
	assert_true(begun >= 1 && m.netlink.malformed == 0);
	/* Nothing has happened, or something that is none of ours: no more than a look then. */
	(void)UNTIL_MS(&loop, looks > 0, 20);
	assert_true(looks <= 1);
	monitor_close(&m);
	loop_deinit(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_kernel),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
