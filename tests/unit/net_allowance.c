#include "unit/base_unit.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>

#include "net/allowance.h"

/* The system's part (if_nameindex(), ioctl()) is played here: what a program defines itself goes
 * before what the C library has. */

/* ---- cards ---- */

static struct card {
	const char *name;
	unsigned index;
	const char *strings[8]; /* NULL ends */
	uint64_t values[8];
	uint32_t told; /* how many there are said to be; 0: as many as there are */
	bool no_strings, no_values;
} cards[4];

struct if_nameindex *if_nameindex(void)
{
	static struct if_nameindex list[ARRAY_LEN(cards) + 1];
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(cards); i++)
		if (cards[i].name)
			list[count++] = (struct if_nameindex){cards[i].index,
							      (char *)(uintptr_t)cards[i].name};
	list[count] = (struct if_nameindex){0};
	return list;
}

void if_freenameindex(struct if_nameindex *list)
{
	assert_non_null(list);
}

static uint32_t statistics_of(const struct card *c)
{
	uint32_t count = 0;

	while (count < ARRAY_LEN(c->strings) && c->strings[count])
		count++;
	return count;
}

static int answer(const struct card *c, void *request)
{
	uint32_t command, count = statistics_of(c), told = c->told ? c->told : count;
	struct ethtool_sset_info *info = request;
	struct ethtool_gstrings *strings = request;
	struct ethtool_stats *stats = request;

	memcpy(&command, request, sizeof(command));
	switch (command) {
	case ETHTOOL_GSSET_INFO:
		assert_int_equal(info->sset_mask, 1 << ETH_SS_STATS);
		if (count == 0)
			return -1;
		memcpy(info->data, &told, sizeof(told));
		return 0;
	case ETHTOOL_GSTRINGS:
		assert_int_equal(strings->string_set, ETH_SS_STATS);
		for (uint32_t i = 0; i < count; i++)
			strncpy((char *)strings->data + (size_t)i * ETH_GSTRING_LEN, c->strings[i],
				ETH_GSTRING_LEN);
		strings->len = count;
		return c->no_strings ? -1 : 0;
	case ETHTOOL_GSTATS:
		memcpy(stats->data, c->values, count * sizeof(uint64_t));
		stats->n_stats = count;
		return c->no_values ? -1 : 0;
	default:
		fail_msg("command %u", command);
		return -1;
	}
}

int ioctl(int fd, unsigned long what, ...)
{
	va_list arguments;

	va_start(arguments, what);
	struct ifreq *wanted = va_arg(arguments, struct ifreq *);
	va_end(arguments);
	assert_true(fd >= 0);
	assert_int_equal(what, SIOCETHTOOL);
	for (size_t i = 0; i < ARRAY_LEN(cards); i++)
		if (cards[i].name && strcmp(cards[i].name, wanted->ifr_name) == 0)
			return answer(&cards[i], wanted->ifr_data);
	return -1;
}

/* ---- tests ---- */

#define S(text) text "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static const struct {
	const char *why;
	const char *strings[4]; /* the first ALLOWANCE_STATISTIC_NAME bytes of each */
	size_t cut;		/* bytes missing at the end */
	bool found;
	uint16_t at[ALLOWANCE_COUNT]; /* one more than the place; 0: absent */
} lists[] = {
	{"an ENA",
	 {S("tx_timeout"), S("bw_in_allowance_exceeded"), S("conntrack_allowance_exceeded"),
	  S("linklocal_allowance_exceeded")},
	 0,
	 true,
	 {[ALLOWANCE_bw_in] = 2, [ALLOWANCE_conntrack] = 3, [ALLOWANCE_linklocal] = 4}},
	{"another card", {S("rx_packets"), S("tx_packets")}, 0, false, {0}},
	{"no statistics", {NULL}, 0, false, {0}},
	{"what is left, not what was used up", {S("conntrack_allowance_available")}, 0, false, {0}},
	{"twice: the first",
	 {S("pps_allowance_exceeded"), S("pps_allowance_exceeded")},
	 0,
	 true,
	 {[ALLOWANCE_pps] = 1}},
	{"longer than ours", {S("pps_allowance_exceeded_x")}, 0, false, {0}},
	{"no end within its bytes", {"pps_allowance_exceededXXXXXXXXXXXXX"}, 0, false, {0}},
	{"an empty one", {S(""), S("pps_allowance_exceeded")}, 0, true, {[ALLOWANCE_pps] = 2}},
	{"the last one is cut off",
	 {S("bw_out_allowance_exceeded"), S("pps_allowance_exceeded")},
	 1,
	 true,
	 {[ALLOWANCE_bw_out] = 1}},
};

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		size_t count = 0;
		while (count < ARRAY_LEN(lists[i].strings) && lists[i].strings[count])
			count++;
		/* As long as it may be, and not a byte longer: a sanitizer would see the rest. */
		size_t len = count * ALLOWANCE_STATISTIC_NAME - lists[i].cut;
		uint8_t *bytes = malloc(MAX(len, (size_t)1));
		for (size_t k = 0; k < count; k++)
			memcpy(bytes + k * ALLOWANCE_STATISTIC_NAME, lists[i].strings[k],
			       MIN((size_t)ALLOWANCE_STATISTIC_NAME,
				   len - k * ALLOWANCE_STATISTIC_NAME));
		struct allowance_places places;
		bool found = allowance_find(span_of(bytes, len), &places);
		for (size_t k = 0; k < ALLOWANCE_COUNT; k++) {
			uint16_t at =
				lists[i].at[k] ? (uint16_t)(lists[i].at[k] - 1) : ALLOWANCE_ABSENT;
			if (found != lists[i].found || places.at[k] != at)
				fail_msg("%s: %s at %u", lists[i].why,
					 allowance_name((enum allowance)k), places.at[k]);
		}
		free(bytes);
	}
}

static void play(void)
{
	memset(cards, 0, sizeof(cards));
	cards[0] = (struct card){.name = "lo", .index = 1};
	cards[1] = (struct card){
		.name = "eth0",
		.index = 2,
		.strings = {"tx_timeout", "pps_allowance_exceeded", "linklocal_allowance_exceeded"},
		.values = {5, 70, 1000}};
	cards[2] = (struct card){
		.name = "veth1", .index = 3, .strings = {"peer_ifindex"}, .values = {4}};
}

static void test_rise(void **state)
{
	(void)state;
	struct allowance_reader r;

	play();
	assert_int_equal(allowance_open(&r), OK);
	allowance_scan(&r);
	assert_int_equal(r.link_count, 1);
	assert_string_equal(r.links[0].name, "eth0");
	allowance_read(&r);
	assert_int_equal(r.links[0].risen[ALLOWANCE_linklocal], 0);
	assert_int_equal(r.links[0].counter[ALLOWANCE_linklocal], 1000);
	cards[1].values[2] = 1007;
	allowance_read(&r);
	assert_int_equal(r.links[0].risen[ALLOWANCE_linklocal], 7);
	assert_int_equal(r.links[0].risen[ALLOWANCE_pps], 0);
	cards[1].values[2] = 3; /* the driver was loaded again */
	allowance_read(&r);
	assert_int_equal(r.links[0].risen[ALLOWANCE_linklocal], 3);
	assert_int_equal(r.links[0].dropped[ALLOWANCE_linklocal], 10);
	allowance_close(&r);
}

static void test_come_and_go(void **state)
{
	(void)state;
	struct allowance_reader r;

	play();
	assert_int_equal(allowance_open(&r), OK);
	allowance_scan(&r);
	cards[1].values[1] += 4;
	allowance_read(&r);
	cards[1].name = NULL;
	cards[3] = (struct card){.name = "eth1",
				 .index = 9,
				 .strings = {"bw_in_allowance_exceeded"},
				 .values = {11}};
	allowance_scan(&r);
	allowance_read(&r);
	assert_int_equal(r.link_count, 1);
	assert_string_equal(r.links[0].name, "eth1");
	assert_int_equal(r.gone[ALLOWANCE_pps], 4);
	assert_int_equal(r.links[0].risen[ALLOWANCE_bw_in], 0);
	/* The same name with another index is another card. */
	cards[3].index = 10;
	cards[3].values[0] = 2;
	allowance_scan(&r);
	assert_int_equal(r.link_count, 1);
	assert_int_equal(r.links[0].index, 10);
	assert_int_equal(r.links[0].risen[ALLOWANCE_bw_in], 0);
	allowance_close(&r);
}

/* What a driver may say that is not so. */
static void test_nonsense(void **state)
{
	(void)state;
	static const struct {
		const char *why;
		uint32_t told;
		bool no_strings, no_values;
	} cases[] = {
		{"more strings than it said", .told = 1},
		{"fewer strings than it said", .told = 100},
		{"too many to be true", .told = UINT32_MAX},
		{"no strings", .no_strings = true},
		{"no values", .no_values = true},
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct allowance_reader r;
		play();
		cards[1].told = cases[i].told;
		cards[1].no_strings = cases[i].no_strings;
		cards[1].no_values = cases[i].no_values;
		assert_int_equal(allowance_open(&r), OK);
		allowance_scan(&r);
		if (r.link_count != 0)
			fail_msg("%s", cases[i].why);
		allowance_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_rise),
		cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_nonsense),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
