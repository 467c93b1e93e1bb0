/* Root key sentinel: which names withhold which answers, from the cache and fresh. */
#include "resolve/sentinel.h"

#include "unit/resolve_unit.h"

#define DIGEST "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
#define IS "root-key-sentinel-is-ta-"
#define NOT "root-key-sentinel-not-ta-"

static struct rig *anchored_rig(struct anchor *root)
{
	struct rig *g = rig_new();
	memset(root, 0, sizeof(*root));
	REQUIRE(anchor_add_text(root, "20326 8 2 " DIGEST) == OK);
	REQUIRE(anchor_add_text(root, "00042 8 2 " DIGEST) == OK);
	g->settings.dnssec = true;
	g->settings.anchors = root;
	g->settings.anchor_count = 1;
	return g;
}

/* ---- names ----------------------------------------------------------------------------------- */

static const struct {
	const char *why, *name;
	uint16_t type;
	bool withheld;
} names[] = {
	{"RFC 8509 §2.2: is, and is", IS "20326.example.", TYPE_A, false},
	{"RFC 8509 §2.2: is, and is not", IS "20327.example.", TYPE_A, true},
	{"RFC 8509 §2.2: not, and is", NOT "20326.example.", TYPE_A, true},
	{"RFC 8509 §2.2: not, and is not", NOT "20327.example.", TYPE_A, false},
	{"RFC 8509 §2.1: AAAA", IS "20327.example.", TYPE_AAAA, true},
	{"RFC 8509 §2.1: no other type", IS "20327.example.", TYPE_TXT, false},
	{"RFC 8509 §2.1: nor HTTPS", NOT "20326.example.", TYPE_HTTPS, false},
	{"RFC 8509 §2: zeros in front", IS "00042.example.", TYPE_A, false},
	{"RFC 8509 §2: zeros in front", NOT "00042.example.", TYPE_A, true},
	{"RFC 8509 §2: five digits, not two", NOT "42.example.", TYPE_A, false},
	{"RFC 8509 §2: five digits, not six", IS "020327.example.", TYPE_A, false},
	{"RFC 4343: in any case", "rOOt-Key-SENTINEL-is-TA-20327.example.", TYPE_A, true},
	{"RFC 4343: in any case", "ROOT-KEY-SENTINEL-NOT-TA-20326.EXAMPLE.", TYPE_A, true},
	{"RFC 8509 §2: anywhere below any zone", IS "20327.a.b.c.example.", TYPE_A, true},
	{"RFC 8509 §2: a top-level name", IS "20327.", TYPE_A, true},
	{"RFC 8509 §2.1: the leftmost label only", "www." IS "20327.example.", TYPE_A, false},
	{"RFC 8509 §2: no tag is above 65535", IS "65536.example.", TYPE_A, false},
	{"RFC 8509 §2: the highest tag", IS "65535.example.", TYPE_A, true},
	{"RFC 8509 §2: digits", IS "2032x.example.", TYPE_A, false},
	{"RFC 8509 §2: digits", IS "-0327.example.", TYPE_A, false},
	{"another label of that length", "root-key-sentinel-is-tb-20327.example.", TYPE_A, false},
	{"another label of that length", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.", TYPE_A, false},
};

static void test_names(void **state)
{
	(void)state;
	struct anchor root;
	struct rig *g = anchored_rig(&root);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct unit_name name = unit_name(names[i].name);
		bool withheld = sentinel_is_possible(name.wire) &&
				sentinel_withholds(&g->settings, name.wire, names[i].type);
		if (withheld != names[i].withheld)
			fail_msg("%s: %s", names[i].why, names[i].name);
	}
	rig_free(g);
}

static void test_without_anchor(void **state)
{
	(void)state;
	struct anchor root;
	struct rig *g = anchored_rig(&root);
	struct unit_name name = unit_name(IS "20327.example.");
	g->settings.dnssec = false;
	CHECK("RFC 8509 §2.1: only who validates",
	      !sentinel_withholds(&g->settings, name.wire, TYPE_A));
	g->settings.dnssec = true;
	g->settings.anchor_count = 0;
	CHECK("no anchor of the root", !sentinel_withholds(&g->settings, name.wire, TYPE_A));
	g->settings.anchor_count = 1;
	root.keys[0].state = ANCHOR_ADD_PEND;
	name = unit_name(IS "20326.example.");
	CHECK("RFC 8509 §2.2: a key that waits is no anchor",
	      sentinel_withholds(&g->settings, name.wire, TYPE_A));
	root.keys[0].state = ANCHOR_MISSING;
	CHECK("RFC 5011 §4.2: a missing key is one",
	      !sentinel_withholds(&g->settings, name.wire, TYPE_A));
	rig_free(g);
}

/* ---- answers --------------------------------------------------------------------------------- */

static const struct {
	const char *why, *name;
	enum verdict verdict;
	const char *how, *want; /* less the data */
} answers[] = {
	{"RFC 8509 §2.2: original answer", IS "20326.example.", VERDICT_SECURE, "ad",
	 "NOERROR rd ad"},
	{"RFC 8509 §2.2: SERVFAIL, without AD", IS "20327.example.", VERDICT_SECURE, "ad",
	 "SERVFAIL rd"},
	{"RFC 8509 §2.2: SERVFAIL for DO too", NOT "20326.example.", VERDICT_SECURE, "do",
	 "SERVFAIL rd [opt do]"},
	{"RFC 8509 §2.2: SERVFAIL over TCP", NOT "20326.example.", VERDICT_SECURE, "tcp",
	 "SERVFAIL rd"},
	{"RFC 8509 §2.1: CD=1 gets the answer", IS "20327.example.", VERDICT_SECURE, "cd",
	 "NOERROR rd cd"},
	{"RFC 8509 §2.1: only what is secure", IS "20327.example.", VERDICT_INSECURE, "ad",
	 "NOERROR rd"},
	{"RFC 8509 §2.1: only what is secure", NOT "20326.example.", VERDICT_INSECURE, "",
	 "NOERROR rd"},
};

static struct answer *make_answer(struct rig *g, const char *name, enum verdict verdict)
{
	char sig[512], lines[1024];
	struct answer *a = rig_answer(g, name, TYPE_A);
	snprintf(lines, sizeof(lines), "%s 300 A 192.0.2.2\n%s", name,
		 verdict == VERDICT_SECURE ? rig_sig(sig, name, "A") : "");
	rig_add(g, a, lines);
	a->verdict = verdict;
	a->rank = verdict == VERDICT_SECURE ? RANK_SECURE : RANK_ANSWER;
	return a;
}

static void check_reply(size_t i, const char *where, const char *got)
{
	size_t len = strlen(answers[i].want);
	bool is_data = strncmp(answers[i].want, "NOERROR", 7) == 0;
	if (strncmp(got, answers[i].want, len) != 0 ||
	    (is_data && strncmp(got + len, " = ", 3) != 0) || (!is_data && got[len]))
		fail_msg("%s, %s: %s %s: %s", answers[i].why, where, answers[i].name,
			 answers[i].how, got);
}

static void test_hits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct anchor root;
		struct rig *g = anchored_rig(&root);
		rig_store(g, make_answer(g, answers[i].name, answers[i].verdict));
		check_reply(i, "cached", rig_ask(g, answers[i].name, TYPE_A, answers[i].how));
		rig_free(g);
	}
}

static void test_misses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct anchor root;
		struct rig *g = anchored_rig(&root);
		rig_ask(g, answers[i].name, TYPE_A, answers[i].how);
		assert_int_equal(g->reply_len, 0);
		struct answer *a = make_answer(g, answers[i].name, answers[i].verdict);
		g->reply_len = (ptrdiff_t)client_reply_answer(&g->context, &g->client, a, g->reply,
							      sizeof(g->reply));
		check_reply(i, "fresh", rig_reply_text(g));
		rig_free(g);
	}
}

/* RFC 8509 §2.2 speaks of the answer, not of data: a denial is one. */
static void test_denials(void **state)
{
	(void)state;
	struct anchor root;
	struct rig *g = anchored_rig(&root);
	for (int is = 0; is < 2; is++) {
		const char *name = is ? IS "20326.example." : NOT "20326.example.";
		struct answer *a = rig_answer(g, name, TYPE_A);
		a->rcode = RCODE_NXDOMAIN;
		a->verdict = VERDICT_SECURE;
		a->rank = RANK_SECURE;
		rig_add_authority(g, a, "example. 60 SOA ns.example. host.example. 1 2 3 4 60");
		rig_store(g, a);
	}
	check_text("trusted", rig_ask(g, NOT "20326.example.", TYPE_A, "ad"), "SERVFAIL rd");
	check_text("trusted", rig_ask(g, IS "20326.example.", TYPE_A, "ad"),
		   "NXDOMAIN rd ad ? example. 60 SOA ns.example. host.example. 1 2 3 4 60");
	rig_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),	cmocka_unit_test(test_without_anchor),
		cmocka_unit_test(test_hits),	cmocka_unit_test(test_misses),
		cmocka_unit_test(test_denials),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
