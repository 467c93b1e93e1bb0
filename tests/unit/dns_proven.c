/* What a signature proves of a set, and which signatures stay with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "dns/rdata.h"
#include "unit/dnssec_text.h"

enum { ARENA_BYTES = 1 << 20 };

struct signature_case {
	const char *signer;
	int labels_off;
};

static const struct {
	const char *why, *owner;
	struct signature_case sigs[4]; /* the first one is verified */
	unsigned encloser_labels;
	bool expanded;
	uint16_t left;
} proofs[] = {
	{"as it stands", "w.example.", {{"example.", 0}}, 2, false, 1},
	{"RFC 4035 §5.3.4: expanded from a wildcard",
	 "a.w.example.",
	 {{"example.", -1}},
	 2,
	 true,
	 1},
	{"... from one further above", "a.b.c.example.", {{"example.", -3}}, 1, true, 1},
	{"RFC 4034 §3.1.3: the wildcard itself", "*.example.", {{"example.", 0}}, 2, false, 1},
	{"a wildcard's name below another wildcard",
	 "*.b.example.",
	 {{"example.", -1}},
	 1,
	 true,
	 1},
	{"the root", ".", {{".", 0}}, 0, false, 1},
	{"two keys of one zone", "w.example.", {{"example.", 0}, {"EXAMPLE.", 0}}, 2, false, 2},
	{"RFC 4035 §2.2: no other zone signs it",
	 "w.example.",
	 {{"example.", 0}, {".", 0}, {"example.", 0}, {"w.example.", 0}},
	 2,
	 false,
	 2},
	{"no other labels are true",
	 "w.example.",
	 {{"example.", 0}, {"example.", -1}},
	 2,
	 false,
	 1},
	{"... of an expanded set either",
	 "w.example.",
	 {{"example.", -1}, {"example.", 0}},
	 1,
	 true,
	 1},
};

static void test_signatures(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(proofs); i++) {
		struct arena arena;
		struct span sig;
		struct rrsig_view view;
		struct proven p, again;
		arena_init(&arena, ARENA_BYTES);
		char line[100];
		snprintf(line, sizeof(line), "%s 300 A 192.0.2.1", proofs[i].owner);
		struct rrset set = parse_set(&arena, line);
		for (size_t n = 0; n < 4 && proofs[i].sigs[n].signer; n++)
			sign_in_place(&arena, &set, parse_name(&arena, proofs[i].sigs[n].signer),
				      proofs[i].sigs[n].labels_off);
		struct rrset_iter it = rrset_sigs(&set);
		REQUIRE(rrset_next(&it, &sig));
		REQUIRE(proven_by_signature(&set, sig, 60, &arena, &p) == OK);
		if (p.encloser_labels != proofs[i].encloser_labels ||
		    proven_is_expanded(&p) != proofs[i].expanded)
			fail_msg("%s: %u labels", proofs[i].why, p.encloser_labels);
		unsigned count = 0;
		for (it = rrset_sigs(&p.set); rrset_next(&it, &sig); count++)
			if (rdata_rrsig(sig, &view) != OK || !dname_equal(view.signer, p.signer))
				fail_msg("%s: a stranger's signature stays", proofs[i].why);
		if (count != proofs[i].left || p.set.sig_count != count)
			fail_msg("%s: %u signatures are left", proofs[i].why, count);
		/* What is stored says the same when it is read back. */
		if (proven_again(&p.set, &again) != OK ||
		    again.encloser_labels != p.encloser_labels ||
		    !dname_equal(again.signer, p.signer))
			fail_msg("%s: is not read back", proofs[i].why);
		arena_deinit(&arena);
	}
}

static void test_unsigned(void **state)
{
	(void)state;
	struct arena arena;
	struct proven p;
	arena_init(&arena, ARENA_BYTES);
	const struct rrset set = parse_set(&arena, "w.example. 300 A 192.0.2.1");
	assert_int_equal(proven_again(&set, &p), ERR_NOT_FOUND);
	assert_int_equal(proven_by_signature(&set, span_of("junk", 4), 60, &arena, &p),
			 ERR_MALFORMED);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures),
		cmocka_unit_test(test_unsigned),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
