#include "sim/reasons.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/edns.h"
#include "sim/bricks.h"

enum { REPEATS = 3, APART_US = 1000000, FAR = 6, UTF8_MAX = 4 };

/* ---- the form -------------------------------------------------------------------------------- */

void reasons_note(const struct message *m, struct stub *c)
{
	struct record_iter it = record_iter_of(m);
	struct record r;
	c->ede = EDE_NONE;
	c->reason[0] = '\0';
	size_t most = MIN(MAX(c->edns_size, EDNS_SIZE_MIN), EDNS_SIZE_OURS);
	c->reason_cut = c->transport == TRANSPORT_UDP && m->wire.len + UTF8_MAX > most;
	while (record_next(&it, &r)) {
		struct reader in = reader_of(span_of(m->wire.at + r.rdata_offset, r.rdata_len));
		while (r.type == TYPE_OPT && reader_left(&in) > 0) {
			uint16_t code = reader_u16(&in), len = reader_u16(&in);
			struct span option = reader_bytes(&in, len);
			if (code != EDNS_OPTION_EDE || option.len < 2 || c->ede != EDE_NONE)
				continue;
			c->ede = (uint16_t)(option.at[0] << 8 | option.at[1]);
			(void)snprintf(c->reason, sizeof(c->reason), "%.*s", (int)option.len - 2,
				       (const char *)option.at + 2);
		}
	}
}

static bool is_of_dnssec(uint16_t ede)
{
	return ede == EDE_UNSUPPORTED_DNSKEY_ALGORITHM || ede == EDE_UNSUPPORTED_DS_DIGEST ||
	       (ede >= EDE_DNSSEC_INDETERMINATE && ede <= EDE_NSEC_MISSING) ||
	       ede == EDE_SIGNATURE_EXPIRED_BEFORE_VALID || ede == EDE_UNSUPPORTED_NSEC3_ITERATIONS;
}

/* Skip one word and the space behind it. */
static const char *skip_word(const char *at)
{
	at += strcspn(at, " ");
	return *at ? at + 1 : at;
}

const char *reasons_check(const struct stub *c)
{
	uint16_t type;
	char word[TYPE_TEXT_SIZE];
	if (!is_of_dnssec(c->ede) || c->reason_cut) /* RFC 8914 §3: data go before words */
		return NULL;
	if (c->reason[0] == '\0') /* stale answers tell of their age instead */
		return c->rcode == RCODE_NOERROR ? NULL : "has no text";
	const char *at = skip_word(c->reason);
	(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(at, " "), at);
	if (!type_parse(word, &type))
		return "names no record";
	at = skip_word(at);
	if (strncmp(at, "from ", 5) != 0)
		return "names no server";
	at += 5;
	bool is_server = strncmp(at, "198.51.", 7) == 0 || at[0] == '[';
	if (!is_server && strncmp(at, "the cache:", 10) != 0 && strncmp(at, "nobody:", 7) != 0)
		return "names no server of this world";
	const char *zone = strstr(at, " (zone ");
	if (!zone || zone[strlen(zone) - 1] != ')')
		return "names no zone";
	return NULL;
}

/* ---- a zone for each reason ------------------------------------------------------------------ */

static const struct reason {
	const char *why;
	enum flaw flaw;
	uint8_t algorithm; /* 0: 15 */
	bool unknown_digest;
	uint16_t iterations;
	const char *label; /* asked for, below the zone */
	uint8_t rcode;
	uint16_t ede;
	const char *record; /* named, below the zone; "" its apex */
	const char *from;   /* NULL: a server. Referrals bring DS, which is judged later */
} reasons[] = {
	{"RFC 8914 §4.2", FLAW_NONE, 5, false, 0, "www", 0, 1, " DS", "the cache"},
	{"RFC 8914 §4.3", FLAW_NONE, 0, true, 0, "www", 0, 2, " DS", "the cache"},
	{"RFC 8914 §4.7: bogus", FLAW_SIGNATURE, 0, false, 0, "www", 2, 6, "www A", NULL},
	{"RFC 8914 §4.7: a stranger signed", FLAW_STRANGER, 0, false, 0, "www", 2, 6, "www A",
	 NULL},
	{"RFC 8914 §4.7: keys that DS does not name sign them", FLAW_DNSKEY_SIGS, 0, false, 0,
	 "www", 2, 6, " DNSKEY", NULL},
	{"RFC 8914 §4.7: records that prove something else", FLAW_OTHER_PROOF, 0, false, 0, "no", 2,
	 6, "no A", NULL},
	{"RFC 8914 §4.8: expired", FLAW_EXPIRED, 0, false, 0, "www", 2, 7, "www A", NULL},
	{"RFC 8914 §4.9: not yet valid", FLAW_FUTURE, 0, false, 0, "www", 2, 8, "www A", NULL},
	{"RFC 8914 §4.10: DS without DNSKEY", FLAW_DS, 0, false, 0, "www", 2, 9, " DNSKEY", NULL},
	{"RFC 8914 §4.11: no signatures", FLAW_STRIPPED, 0, false, 0, "www", 2, 10, "www A", NULL},
	{"RFC 8914 §4.12: DS names no zone key", FLAW_KSK_BIT, 0, false, 0, "www", 2, 11, " DNSKEY",
	 NULL},
	{"RFC 8914 §4.12: a signature names no zone key", FLAW_ZSK_BIT, 0, false, 0, "www", 2, 11,
	 "www A", NULL},
	{"RFC 8914 §4.13: no proof", FLAW_NO_PROOF, 0, false, 0, "no", 2, 12, "no A", NULL},
	{"RFC 9276 §3.2: iterations", FLAW_NONE, 0, false, 2500, "no", 3, 27, "no A", NULL},
};

void build_reasons(struct sim *s)
{
	struct world *w = &s->world;
	s->settings.dnssec = true;
	struct zone *top[2] = {brick_zone(s, ".", NULL)};
	top[1] = brick_zone(s, "com.", top[0]);
	for (unsigned i = 0; i < ARRAY_LEN(top); i++) {
		struct secure_options o = {
			.algorithm = 15, .with_ds = true, .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, top[i], &o);
	}
	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++) {
		const struct reason *r = &reasons[i];
		char apex[24];
		snprintf(apex, sizeof(apex), "reason%u.com.", i);
		struct zone *z = brick_zone(s, apex, top[1]);
		struct secure_options o = {.algorithm = r->algorithm ? r->algorithm : 15,
					   .with_ds = true,
					   .unknown_digest = r->unknown_digest,
					   .nsec3 = r->iterations > 0,
					   .flaw = r->flaw,
					   .unix_s = sim_now(s).unix_s};
		secure_zone(w, s->keyring, z, &o);
		z->security->iterations = r->iterations;
		z->tainted = r->iterations > 0; /* too many: the oracle does not know of that */
		brick_a(s, z, world_label(w, z->apex, "www"), 300);
		/* Again from the cache, by a client whose EDNS size is the smallest, and with DO. */
		for (unsigned k = 0; k < REPEATS; k++) {
			struct stub *c = stub_plan(s, 1000 + k * APART_US,
						   world_label(w, z->apex, "%s", r->label), TYPE_A);
			c->has_edns = true;
			c->edns_size = k == 1 ? 512 : 1232;
			c->dnssec_ok = k == 2;
		}
	}
	/* What is told of the first name of a chain outlives what goes wrong with the next. */
	struct zone *far = brick_zone(s, "far.com.", top[1]);
	far->hosts[0]->quirks.loss_percent = 50;
	w->mood = MOOD_ROUGH;
	for (unsigned i = 0; i < FAR; i++) {
		const uint8_t *target = world_label(w, far->apex, "t%u", i);
		const uint8_t *alias = world_name(w, "www.reason0.com.");
		brick_a(s, far, target, 300);
		alias = world_label(w, dname_skip(alias, 1), "far%u", i);
		zone_add_name(w, w->zones[2], alias, TYPE_CNAME, 300, target);
		stub_plan(s, 2000 + i * APART_US, alias, TYPE_A)->has_edns = true;
	}
	brick_finish(s, 3600, 3600);
}

/* What C was told is what reason number INDEX has to say. */
static void check_reason(struct sim *s, const struct stub *c, unsigned index)
{
	const struct reason *r = &reasons[index];
	char record[80], zone[40];
	const char *below = r->record + strcspn(r->record, " ");
	snprintf(record, sizeof(record), "%.*s%sreason%u.com.%s from %s", (int)(below - r->record),
		 r->record, below == r->record ? "" : ".", index, below,
		 r->from ? r->from : "198.51.");
	snprintf(zone, sizeof(zone), " (zone reason%u.com.)", index);
	if (c->rcode != r->rcode || c->ede != r->ede ||
	    strncmp(c->reason, record, strlen(record)) != 0 || !strstr(c->reason, zone))
		sim_fail(s, r->why, "client %llu: rcode %u, EDE %u: \"%s\", wanted %u, %u: \"%s\"",
			 (unsigned long long)c->token, c->rcode, c->ede, c->reason, r->rcode,
			 r->ede, record);
}

void finish_reasons(struct sim *s)
{
	for (unsigned i = 0; i < ARRAY_LEN(reasons) * REPEATS; i++)
		check_reason(s, s->stubs.list[i], i / REPEATS);
}
