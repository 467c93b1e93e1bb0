/*
 * Any bytes as a message. What the view accepts must walk to its end, expand, gather into RRsets,
 * and come back the same after the builder has written it anew.
 */
#include "dns/message.h"
#include "base/arena.h"
#include "dns/builder.h"
#include "dns/edns.h"
#include "dns/rdata.h"
#include "dns/rrset.h"

static uint8_t rebuilt[MESSAGE_MAX];

/* Write every record of M again; false if the builder ran out of room. */
static bool rebuild(const struct message *m, struct builder *b)
{
	static uint8_t rdata[UINT16_MAX];
	uint8_t name[DNAME_MAX];
	struct record_iter it = record_iter_of(m);
	struct record r;
	size_t len;

	builder_init(b, rebuilt, sizeof(rebuilt), m->id, m->flags);
	if (m->question_count) {
		message_name(m, m->qname_offset, name);
		if (!builder_question(b, name, m->qtype, m->qclass))
			return false;
	}
	while (record_next(&it, &r)) {
		if (message_rdata(m, &r, rdata, sizeof(rdata), &len) != OK)
			return false;
		REQUIRE(len == message_rdata_len(m, &r));
		REQUIRE(rdata_is_valid(r.type, span_of(rdata, len)));
		REQUIRE(message_name(m, r.owner_offset, name) == dname_len(name));
		if (!builder_record(b, (enum section)r.section, name, r.type, r.rclass, r.ttl_s,
				    span_of(rdata, len)))
			return false;
	}
	return true;
}

/* A and B hold the same records but for names' letter case. */
static void require_same(const struct message *a, const struct message *b)
{
	static uint8_t a_rdata[UINT16_MAX], b_rdata[UINT16_MAX];
	struct record_iter a_it = record_iter_of(a), b_it = record_iter_of(b);
	struct record a_r, b_r;
	uint8_t name[DNAME_MAX];
	size_t a_len, b_len;

	while (record_next(&a_it, &a_r)) {
		REQUIRE(record_next(&b_it, &b_r));
		REQUIRE(a_r.type == b_r.type && a_r.rclass == b_r.rclass);
		REQUIRE(a_r.ttl_s == b_r.ttl_s && a_r.section == b_r.section);
		message_name(a, a_r.owner_offset, name);
		REQUIRE(message_name_equal(b, b_r.owner_offset, name));
		REQUIRE(message_name_equal_case(a, a_r.owner_offset, name));
		REQUIRE(message_rdata(a, &a_r, a_rdata, sizeof(a_rdata), &a_len) == OK);
		REQUIRE(message_rdata(b, &b_r, b_rdata, sizeof(b_rdata), &b_len) == OK);
		REQUIRE(rdata_compare(a_r.type, span_of(a_rdata, a_len), span_of(b_rdata, b_len)) ==
			0);
	}
	REQUIRE(!record_next(&b_it, &b_r));
}

static void gather_some(const struct message *m)
{
	enum { ASKED_MAX = 32, ARENA_CAP = 1 << 20 };
	struct record_iter it = record_iter_of(m);
	struct record r;

	for (unsigned i = 0; i < ASKED_MAX && record_next(&it, &r); i++) {
		uint8_t name[DNAME_MAX];
		struct arena arena;
		struct rrset set;
		arena_init(&arena, ARENA_CAP);
		message_name(m, r.owner_offset, name);
		enum err err = rrset_gather(m, (enum section)r.section, name, r.type, &arena, &set);
		if (err == OK) {
			REQUIRE(rrset_is_valid(&set));
			REQUIRE(dname_equal(set.owner, name));
			REQUIRE(rrset_same_data(&set, &set));
		}
		REQUIRE(err != ERR_NOT_FOUND || r.rclass != CLASS_IN);
		arena_deinit(&arena);
	}
}

/* Everything that may be done with a message that passed. */
static void check_message(const struct message *m)
{
	struct message again;
	struct builder b;
	struct edns edns;

	(void)edns_view(m, &edns);
	gather_some(m);
	if (!rebuild(m, &b))
		return;
	REQUIRE(message_view(builder_finish(&b), &again) == OK);
	require_same(m, &again);
}

/* Long messages are checked in another way: the same one with a long record added at its end must
 * pass if it passed, and if it passes, must be fit to walk. */
static void check_padded(struct span input, bool passed)
{
	enum { PADDING = 5000 };
	static uint8_t wire[MESSAGE_MAX];
	struct writer w = writer_of(wire, sizeof(wire));
	struct message m;

	if (input.len < MESSAGE_HEADER_SIZE)
		return;
	writer_bytes(&w, input);
	writer_u8(&w, 0);
	writer_u16(&w, TYPE_NULL);
	writer_u16(&w, CLASS_IN);
	writer_u32(&w, 0);
	writer_u16(&w, PADDING);
	writer_reserve(&w, PADDING);
	if (w.failed || ++wire[11] == 0)
		return;
	enum err err = message_view(writer_span(&w), &m);
	REQUIRE(err == OK || !passed);
	if (!err)
		check_message(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct message question, m;
	enum err question_err = message_view_question(span_of(data, size), &question);
	bool passed = message_view(span_of(data, size), &m) == OK;

	check_padded(span_of(data, size), passed);
	if (!passed)
		return 0;
	REQUIRE(question_err == OK);
	REQUIRE(question.qtype == m.qtype && question.records_offset == m.records_offset);
	check_message(&m);
	return 0;
}
