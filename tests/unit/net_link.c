#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/inet_diag.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/base_unit.h"

#include "net/link.h"
#include "net/listeners.h"
#include "net/socket.h"

enum { INDEX = 7 };

static struct endpoint at(const char *text)
{
	struct endpoint e;

	REQUIRE(endpoint_parse(text, 53, &e) == OK);
	return e;
}

/* ---- what the kernel says ---- */

struct told {
	const char *address; /* NULL: none */
	uint8_t family;	     /* 0: of ADDRESS */
	uint32_t index;	     /* 0: INDEX */
	uint8_t protocol;    /* 0: none */
	uint16_t type;	     /* 0: RTM_NEWADDR */
	size_t cut;	     /* bytes missing at the end */
	bool as_peer;	     /* in IFA_ADDRESS, with no IFA_LOCAL */
};

static struct nlmsghdr *write_told(const struct told *t, uint8_t *room)
{
	struct nlmsghdr *m = mnl_nlmsg_put_header(room);
	struct ifaddrmsg *head = mnl_nlmsg_put_extra_header(m, sizeof(*head));
	struct endpoint e = t->address ? at(t->address) : (struct endpoint){.family = 4};

	m->nlmsg_type = t->type ? t->type : RTM_NEWADDR;
	head->ifa_index = t->index ? t->index : INDEX;
	head->ifa_family = t->family ? t->family : e.family == 4 ? AF_INET : AF_INET6;
	if (t->address)
		mnl_attr_put(m, t->as_peer ? IFA_ADDRESS : IFA_LOCAL, e.family == 4 ? 4 : 16,
			     e.addr);
	if (t->protocol)
		mnl_attr_put_u8(m, 11 /* IFA_PROTO */, t->protocol);
	m->nlmsg_len -= (uint32_t)t->cut;
	return m;
}

static const struct {
	const char *why;
	struct told told;
	uint32_t there, ours;
	unsigned others;
} messages[] = {
	{"the first", {.address = "169.254.20.10"}, 1, 0, 0},
	{"the second, with our mark", {.address = "fd00::10", .protocol = 53}, 2, 2, 0},
	{"somebody else's mark", {.address = "169.254.20.10", .protocol = 3}, 1, 0, 0},
	{"IPv6 has no IFA_LOCAL", {.address = "fd00::10", .as_peer = true}, 2, 0, 0},
	{"another link's", {.address = "169.254.20.10", .index = INDEX + 1}, 0, 0, 0},
	{"another address", {.address = "10.0.0.1"}, 0, 0, 1},
	{"what the kernel makes", {.address = "fe80::1"}, 0, 0, 0},
	{"no address", {.address = NULL}, 0, 0, 0},
	{"not of its family", {.address = "169.254.20.10", .family = AF_INET6}, 0, 0, 0},
	{"of no family of ours", {.address = "169.254.20.10", .family = AF_PACKET}, 0, 0, 0},
	{"gone", {.address = "169.254.20.10", .type = RTM_DELADDR}, 0, 0, 0},
	{"cut in the address", {.address = "169.254.20.10", .cut = 2}, 0, 0, 0},
	{"cut in the head", {.address = "169.254.20.10", .cut = 10}, 0, 0, 0},
};

static void test_addresses(void **state)
{
	(void)state;
	const struct endpoint wanted[] = {at("169.254.20.10"), at("fd00::10")};

	for (size_t i = 0; i < ARRAY_LEN(messages); i++) {
		_Alignas(struct nlmsghdr) uint8_t room[NETLINK_REQUEST_MAX];
		struct link_addresses a = {.wanted = wanted, .count = ARRAY_LEN(wanted)};
		link_take_address(&a, INDEX, write_told(&messages[i].told, room));
		if (a.there != messages[i].there || a.ours != messages[i].ours ||
		    a.others != messages[i].others)
			fail_msg("%s: %x %x %u", messages[i].why, a.there, a.ours, a.others);
	}
}

static void test_bound(void **state)
{
	(void)state;
	static const struct {
		const char *why, *source;
		uint16_t port, type;
		size_t cut;
		bool want;
	} cases[] = {
		{"it", "169.254.20.10", 53, SOCK_DIAG_BY_FAMILY, 0, true},
		{"another port", "169.254.20.10", 5353, SOCK_DIAG_BY_FAMILY, 0, false},
		{"another address", "169.254.20.11", 53, SOCK_DIAG_BY_FAMILY, 0, false},
		{"all addresses", "0.0.0.0", 53, SOCK_DIAG_BY_FAMILY, 0, false},
		{"another family", "fd00::10", 53, SOCK_DIAG_BY_FAMILY, 0, false},
		{"another message", "169.254.20.10", 53, NLMSG_MIN_TYPE, 0, false},
		{"cut", "169.254.20.10", 53, SOCK_DIAG_BY_FAMILY, 1, false},
	};
	const struct endpoint local = at("169.254.20.10:53");

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		_Alignas(struct nlmsghdr) uint8_t room[NETLINK_REQUEST_MAX];
		struct nlmsghdr *m = mnl_nlmsg_put_header(room);
		struct inet_diag_msg *d = mnl_nlmsg_put_extra_header(m, sizeof(*d));
		struct endpoint e = at(cases[i].source);
		m->nlmsg_type = cases[i].type;
		m->nlmsg_len -= (uint32_t)cases[i].cut;
		d->idiag_family = e.family == 4 ? AF_INET : AF_INET6;
		d->id.idiag_sport = htons(cases[i].port);
		memcpy(d->id.idiag_src, e.addr, sizeof(e.addr));
		if (listeners_is_bound(m, &local) != cases[i].want)
			fail_msg("%s", cases[i].why);
	}
}

/* ---- the kernel itself, in a network of our own ---- */

static bool in_own_network(void)
{
	return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static void test_link(void **state)
{
	(void)state;
	struct netlink n = {.protocol = NETLINK_ROUTE};
	struct endpoint wanted[] = {at("169.254.20.10"), at("fd00::10")};
	struct link_addresses a = {.wanted = wanted, .count = ARRAY_LEN(wanted)};
	struct link l;

	if (!in_own_network())
		skip();
	assert_int_equal(link_find(&n, "mine", &l), ERR_NOT_FOUND);
	if (link_make(&n, "mine") != OK) {
		assert_int_equal(errno, EOPNOTSUPP);
		skip();
	}
	assert_int_equal(link_make(&n, "mine"), ERR_SYSTEM);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(link_find(&n, "mine", &l), OK);
	assert_true(l.up && l.ours);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(link_look(&n, l.index, &a), OK);
		assert_int_equal(a.there, (1U << i) - 1);
		assert_int_equal(link_add_address(&n, l.index, &wanted[i]), OK);
		assert_int_equal(link_add_address(&n, l.index, &wanted[i]), ERR_SYSTEM);
		assert_int_equal(errno, EEXIST);
		int fd = socket_bound(&wanted[i], SOCK_DGRAM);
		assert_true(fd >= 0); /* at once, without duplicate detection */
		close(fd);
	}
	assert_int_equal(link_look(&n, l.index, &a), OK);
	assert_int_equal(a.there, 3);
	if (a.ours != 0) /* Linux 5.18 */
		assert_int_equal(a.ours, 3);
	assert_int_equal(a.others, 0);
	a.count = 1;
	assert_int_equal(link_look(&n, l.index, &a), OK);
	assert_int_equal(a.others, 1);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(link_remove_address(&n, l.index, &wanted[i]), OK);
		assert_int_equal(link_remove_address(&n, l.index, &wanted[i]), ERR_SYSTEM);
		assert_int_equal(errno, EADDRNOTAVAIL);
	}
	assert_int_equal(link_remove(&n, l.index), OK);
	assert_int_equal(link_find(&n, "mine", &l), ERR_NOT_FOUND);
	assert_int_equal(link_find(&n, "lo", &l), OK);
	assert_false(l.ours);
}

static void test_listeners(void **state)
{
	(void)state;
	struct netlink n = {.protocol = NETLINK_SOCK_DIAG};
	const struct endpoint locals[] = {at("127.0.0.1:53535"), at("[::1]:53535")};
	struct sockaddr_storage address;
	bool found;

	for (size_t i = 0; i < ARRAY_LEN(locals); i++) {
		socklen_t len = endpoint_to_sockaddr(&locals[i], &address);
		assert_int_equal(listeners_look(&n, &locals[i], &found), OK);
		assert_false(found);
		int fd = socket_bound(&locals[i], SOCK_DGRAM);
		if (fd < 0)
			skip(); /* without IPv6 */
		assert_int_equal(listeners_look(&n, &locals[i], &found), OK);
		assert_true(found);
		/* Connected, it gets nothing new. */
		if (connect(fd, (struct sockaddr *)&address, len) != 0)
			skip(); /* the loopback is down */
		assert_int_equal(listeners_look(&n, &locals[i], &found), OK);
		assert_false(found);
		close(fd);
		fd = socket_bound(&locals[i], SOCK_STREAM);
		assert_int_equal(listeners_look(&n, &locals[i], &found), OK);
		assert_false(found); /* bound, but it does not listen */
		REQUIRE(listen(fd, 1) == 0);
		assert_int_equal(listeners_look(&n, &locals[i], &found), OK);
		assert_true(found);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_listeners), /* before the network is another */
		cmocka_unit_test(test_link),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
