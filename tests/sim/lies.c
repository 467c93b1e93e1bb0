#include "sim/lies.h"

#include <stdlib.h>

enum { LIES_A_SECTION = 3 };

static const uint8_t evil_ns[] = "\x02ns\x04"
				 "evil";

/* A name that is not the liar's: any name of the world will do; the checker knows what is whose. */
static const uint8_t *victim(const struct world *w, struct prng *dice)
{
	if (prng_percent(dice, 40))
		return w->zones[prng_below(dice, w->zone_count)]->apex;
	if (w->name_count && prng_percent(dice, 60))
		return w->names[prng_below(dice, w->name_count)];
	return w->hosts[prng_below(dice, w->host_count)]->name;
}

/* One lie: an address, a delegation to the poison, an alias, a denial. Not fitting is no matter. */
static void lies_add_one(const struct world *w, struct prng *dice, struct builder *b,
			 enum section section)
{
	const uint8_t *name = victim(w, dice), *other = victim(w, dice);
	struct span poison = span_of(world_poison, sizeof(world_poison));
	uint32_t ttl_s = 86400;
	bool fits = true;
	switch (prng_below(dice, 4)) {
	case 0:
		fits = builder_record(b, section, name, TYPE_A, CLASS_IN, ttl_s, poison);
		break;
	case 1:
		fits = builder_record(b, section, name, TYPE_NS, CLASS_IN, ttl_s,
				      span_of(evil_ns, sizeof(evil_ns)));
		if (section != SECTION_ANSWER && fits)
			fits = builder_record(b, SECTION_ADDITIONAL, evil_ns, TYPE_A, CLASS_IN,
					      ttl_s, poison);
		break;
	case 2: /* an honest server's name with the liar's address */
		fits = builder_record(b, section, name, TYPE_NS, CLASS_IN, ttl_s,
				      span_of(other, dname_len(other)));
		if (section != SECTION_ANSWER && fits)
			fits = builder_record(b, SECTION_ADDITIONAL, other, TYPE_A, CLASS_IN, ttl_s,
					      poison);
		break;
	case 3:
		fits = builder_record(b, section, name,
				      prng_percent(dice, 30) ? TYPE_DNAME : TYPE_CNAME, CLASS_IN,
				      ttl_s, span_of(evil_ns, sizeof(evil_ns)));
		break;
	}
	(void)fits;
}

void lies_add(const struct world *w, struct prng *dice, struct builder *b, enum section section)
{
	if (b->counts[1 + SECTION_ADDITIONAL] > 0)
		section = SECTION_ADDITIONAL; /* sections must not go backwards */
	for (unsigned n = prng_below(dice, LIES_A_SECTION + 1); n > 0; n--) {
		lies_add_one(w, dice, b, section);
		if (b->counts[1 + SECTION_ADDITIONAL] > 0)
			section = SECTION_ADDITIONAL;
	}
}

static void set_copy(struct server_reply *out, struct span bytes)
{
	*out = (struct server_reply){.wire = malloc(bytes.len + 1), .len = bytes.len};
	REQUIRE(out->wire);
	if (bytes.len)
		memcpy(out->wire, bytes.at, bytes.len);
}

/* A whole reply with the poison for QNAME, under the given id. */
static void set_poison(struct prng *dice, const struct message *query, const uint8_t *qname,
		       uint16_t id, struct server_reply *out)
{
	uint8_t wire[512 + DNAME_MAX];
	struct builder b;
	builder_init(&b, wire, sizeof(wire), id, FLAG_QR | FLAG_AA);
	REQUIRE(builder_question(&b, qname, query->qtype, query->qclass));
	struct span poison = span_of(world_poison, sizeof(world_poison));
	bool fits = true;
	switch (prng_below(dice, 4)) {
	case 0: /* the answer */
		fits = builder_record(&b, SECTION_ANSWER, qname, TYPE_A, CLASS_IN, 86400, poison);
		break;
	case 1: /* Kaminsky: a referral for the parent */
		fits = builder_record(&b, SECTION_AUTHORITY,
				      dname_label_count(qname) ? dname_skip(qname, 1) : qname,
				      TYPE_NS, CLASS_IN, 86400,
				      span_of(evil_ns, sizeof(evil_ns))) &&
		       builder_record(&b, SECTION_ADDITIONAL, evil_ns, TYPE_A, CLASS_IN, 86400,
				      poison);
		break;
	case 2: /* EDNS downgrade */
		builder_set_flags(&b, FLAG_QR | RCODE_FORMERR);
		break;
	case 3:
		builder_set_flags(&b, FLAG_QR | FLAG_AA | RCODE_NXDOMAIN);
		break;
	}
	REQUIRE(fits);
	set_copy(out, builder_finish(&b));
}

void lies_nuisance(struct prng *dice, enum nuisance kind, const struct message *query,
		   const struct server_reply *right, struct server_reply *out)
{
	uint8_t qname[DNAME_MAX];
	message_name(query, query->qname_offset, qname);
	switch (kind) {
	case NUISANCE_WRONG_ID:
		set_poison(dice, query, qname, (uint16_t)(query->id ^ (1u << prng_below(dice, 16))),
			   out);
		return;
	case NUISANCE_WRONG_QUESTION:
		if (qname[0])
			qname[1] ^= 1;
		else
			dname_copy(evil_ns, qname);
		set_poison(dice, query, qname, query->id, out);
		return;
	case NUISANCE_GARBAGE:
		set_copy(out, span_of(right->wire, right->len));
		for (size_t i = 2; i < out->len; i++)
			out->wire[i] = (uint8_t)prng_u64(dice);
		out->wire[2] |= 0x80;
		out->wire[4] = 1; /* 256 questions and more: cannot pass for the question */
		return;
	case NUISANCE_CUT:
		set_copy(out, span_of(right->wire, right->len));
		out->len = prng_below(dice, (unsigned)right->len);
		return;
	case NUISANCE_NO_QR:
		set_copy(out, query->wire);
		return;
	case NUISANCE_WRONG_PEER:
		set_poison(dice, query, qname, query->id, out);
		out->from_stranger = true;
		return;
	case NUISANCE_WRONG_OPCODE:
		set_copy(out, span_of(right->wire, right->len));
		out->wire[2] |= (uint8_t)(FLAG_OPCODE_MASK >> 8) & 0x28;
		return;
	}
}

/* Whoever has found port and id of one question has not found those of the next ones: each costs him 2^32
 * guesses anew, so he is not lucky twice in a row. */
static bool is_lucky(struct prng *dice, struct host *host)
{
	enum { ROW = 32 };
	if (!prng_percent(dice, 20) || (host->luck_at > 0 && host->received < host->luck_at + ROW))
		return false;
	host->luck_at = host->received;
	return true;
}

/* The resolver knows a cookie of the server, and that all of its machines send them. */
static bool has_cookie(const struct host *host, const struct message *query)
{
	struct edns edns;
	return host->quirks.cookie_percent == 100 && edns_view(query, &edns) == EDNS_OK &&
	       edns.server_cookie_len > 0;
}

/* More is asked of a reply than port and id, and it takes more than one to do without. A server that never
 * keeps letters has shown that it lacks them, be it by one reply of its own that came before the forger's,
 * unless TCP tells. */
static bool is_hard(const struct host *host, const struct message *query, const uint8_t *qname,
		    const uint8_t *folded, size_t len)
{
	bool has_letters = memcmp(qname, folded, len) != 0;
	bool keeps = !host->quirks.lowercase || host->quirks.tcp == TCP_MODE_OK;
	return (has_letters && keeps) || has_cookie(host, query);
}

bool lies_forge(struct prng *dice, struct host *host, const struct message *query,
		struct server_reply *out)
{
	uint8_t qname[DNAME_MAX], folded[DNAME_MAX];
	size_t len = message_name(query, query->qname_offset, qname);
	uint16_t id = query->id;
	dname_lower(qname, folded);
	/* A forger who is lucky with port and id (32 bits) has not guessed the letters' case (0x20) or a
	 * cookie too. Where he need not, that luck is all it takes, so he has none there. */
	if (!is_hard(host, query, qname, folded, len) || !is_lucky(dice, host))
		id = (uint16_t)(id + 1 + prng_below(dice, 65535));
	set_poison(dice, query, folded, id, out);
	out->early = true;
	return true;
}
