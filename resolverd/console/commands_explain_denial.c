#include "console/commands_explain.h"

#include <stdio.h>

#include "dns/rdata.h"
#include "dns/text.h"
#include "resolve/synthesise.h"

enum {
	ARENA_MAX = 256 * 1024, /* of a handful of records */
	RDATA_MAX = 400,	/* what is told of one; its list of types may be cut */
};

static void tell_proof(struct explain *x, const struct rrset *set)
{
	char owner[DNAME_TEXT_MAX], word[TYPE_TEXT_SIZE], data[RDATA_MAX], left[WORDS_TIME_SIZE];
	struct rrset_iter it = rrset_records(set);
	struct span rdata;

	if (set->type == TYPE_SOA || !rrset_next(&it, &rdata))
		return;
	explain_say(x, "Proven: %s %s %s, for another %s.", dname_text(set->owner, owner),
		    type_text(set->type, word), text_rdata(set->type, rdata, data, sizeof(data)),
		    words_time((int64_t)set->ttl_s * 1000, left));
}

/* The zone whose denials they are: the owner of the SOA, or of a wildcard's proof. */
static void zone_of(const struct explain *x, const struct answer *a,
		    char out[static DNAME_TEXT_MAX])
{
	uint8_t zone[DNAME_MAX];
	uint16_t type;

	if (a->authority_count > 0 && a->authority[0].type == TYPE_SOA)
		(void)dname_text(a->authority[0].owner, out);
	else if (ranges_zone(x->c->ranges, x->name, x->now, zone, &type) > 0)
		(void)dname_text(zone, out);
	else
		(void)snprintf(out, DNAME_TEXT_MAX, "its zone"); /* it has ended just now */
}

bool explain_denial(struct explain *x)
{
	const struct synthesise_view view = {.ranges = x->c->ranges,
					     .reader = x->c->reader,
					     .settings = x->settings,
					     .now = x->now};
	char question[EXPLAIN_QUESTION_MAX], zone[DNAME_TEXT_MAX], left[WORDS_TIME_SIZE];
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	const struct answer *a = synthesise_look(&view, x->name, x->type, &arena);
	if (!a)
		goto free_arena;
	zone_of(x, a, zone);
	explain_sum_up(x,
		       "%s %s: the zone %s has proven so when others were asked for (RFC 8198), "
		       "for another %s, and nobody is asked.",
		       explain_question(x->name, x->type, question),
		       a->answer_count > 0	    ? "is answered from a wildcard"
		       : a->rcode == RCODE_NXDOMAIN ? "does not exist (NXDOMAIN, secure)"
						    : "has no such records (NODATA, secure)",
		       zone, words_time((int64_t)a->ttl_s * 1000, left));
	for (uint32_t i = 0; i < a->authority_count; i++)
		tell_proof(x, &a->authority[i]);
	x->has_fresh = true;
free_arena:
	arena_deinit(&arena);
	return a != NULL;
}
