#include "console/commands_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/text.h"
#include "resolve/answer.h"
#include "resolve/prefetch_plan.h"

enum {
	RDATA_TEXT_MAX = 4096, /* of one record; what is longer is cut, with dots */
	/* An entry unpacked: 128 kB, twice for names and tables. */
	ARENA_BYTES = 4 * ENTRY_MAX,
};

/* ---- small things ---- */

json_t *words_text(const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return NULL;
	for (size_t i = 0; i < len; i++)
		copy[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	json_t *out = json_stringn(copy, len);
	free(copy);
	return out;
}

json_t *words_name(const uint8_t *name)
{
	char text[DNAME_TEXT_MAX];

	return json_string(dname_text(name, text));
}

json_t *words_type(uint16_t type)
{
	char text[TYPE_TEXT_SIZE];

	return json_string(type ? type_text(type, text) : "");
}

json_t *words_endpoint(const struct endpoint *e)
{
	char text[ENDPOINT_TEXT_SIZE];

	return json_string(endpoint_text(e, text));
}

void words_append(json_t **array, json_t *value)
{
	if (*array && json_array_append_new(*array, value) == 0)
		return;
	if (!*array)
		json_decref(value);
	json_decref(*array);
	*array = NULL;
}

const char *words_verdict(unsigned verdict)
{
	static const char *const words[] = {
		[VERDICT_UNCHECKED] = "unchecked", [VERDICT_INDETERMINATE] = "indeterminate",
		[VERDICT_INSECURE] = "insecure",   [VERDICT_SECURE] = "secure",
		[VERDICT_BOGUS] = "bogus",
	};

	return verdict < ARRAY_LEN(words) ? words[verdict] : "unknown";
}

static const char *kind_word(uint8_t kind)
{
	static const char *const words[] = {
		[ENTRY_RRSET] = "rrset",
		[ENTRY_ANSWER] = "answer",
		[ENTRY_ANSWER_DO] = "answer-dnssec",
		[ENTRY_DELEGATION] = "delegation",
		[ENTRY_FAILURE] = "failure",
	};
	static_assert(ARRAY_LEN(words) == ENTRY_KIND_COUNT, "each kind has a word");

	return kind < ARRAY_LEN(words) ? words[kind] : "unknown";
}

static const char *rank_word(uint8_t rank)
{
	static const char *const words[] = {
		"none",
		[RANK_GLUE] = "glue",
		[RANK_REFERRAL] = "referral",
		[RANK_FORWARDED] = "forwarded",
		[RANK_ANSWER] = "answer",
		[RANK_SECURE] = "secure",
	};

	return rank < ARRAY_LEN(words) ? words[rank] : "unknown";
}

const char *words_time(int64_t ms, char out[static WORDS_TIME_SIZE])
{
	if (ms < 1000)
		(void)snprintf(out, WORDS_TIME_SIZE, "%" PRId64 " ms", ms);
	else if (ms < 10000)
		(void)snprintf(out, WORDS_TIME_SIZE, "%.1f s", (double)ms / 1000);
	else if (ms < 120 * 1000)
		(void)snprintf(out, WORDS_TIME_SIZE, "%" PRId64 " s", ms / 1000);
	else if (ms < 120 * 60 * 1000)
		(void)snprintf(out, WORDS_TIME_SIZE, "%" PRId64 " min", ms / 60000);
	else
		(void)snprintf(out, WORDS_TIME_SIZE, "%" PRId64 " h", ms / 3600000);
	return out;
}

bool words_read_name(struct call *call, uint8_t out[static DNAME_MAX])
{
	const char *text = call_string(call, "name");
	size_t len;

	if (!text || !*text || dname_parse(text, out, &len) != OK) {
		call_invalid(call, "name");
		return false;
	}
	(void)dname_lower(out, out);
	return true;
}

bool words_read_type(struct call *call, uint16_t *type)
{
	const char *text = call_string(call, "type");

	if (!text || (type_parse(text, type) && *type != 0 && !type_is_meta(*type)))
		return true;
	call_invalid(call, "type");
	return false;
}

bool words_begin_stream(struct call *call, uint8_t name[static DNAME_MAX])
{
	name[0] = 0;
	if (call_string(call, "name") && !words_read_name(call, name))
		return false;
	if (call_wants_more(call))
		return true;
	call_expects_more(call);
	return false;
}

/* ---- entries ---- */

static json_t *record(const char *section, const struct rrset *set, struct span rdata)
{
	char text[RDATA_TEXT_MAX];

	text_rdata(set->type, rdata, text, sizeof(text));
	return json_pack("{s:s, s:o, s:I, s:o, s:o}", "section", section, "name",
			 words_name(set->owner), "ttl_s", (json_int_t)set->ttl_s, "type",
			 words_type(set->type), "data", words_text(text, strlen(text)));
}

static void add_set(json_t **records, const char *section, const struct rrset *set)
{
	struct rrset_iter it = rrset_records(set);
	struct span rdata;

	while (rrset_next(&it, &rdata))
		words_append(records, record(section, set, rdata));
}

static void add_answer(json_t **records, const struct entry *e, struct now now)
{
	struct arena arena;
	struct answer *a;

	arena_init(&arena, ARENA_BYTES);
	a = arena_alloc(&arena, sizeof(*a));
	if (a && answer_from_entry(e, entry_name(e), e->type, now, &arena, a) == OK) {
		for (uint32_t i = 0; i < a->answer_count; i++)
			add_set(records, "answer", &a->answer[i]);
		for (uint32_t i = 0; i < a->authority_count; i++)
			add_set(records, "authority", &a->authority[i]);
	}
	arena_deinit(&arena);
}

/* A delegation as the records from which it was made. */
static json_t *delegation_record(const struct entry *e, const struct delegation_server *server,
				 const struct endpoint *address, struct now now)
{
	char text[DNAME_TEXT_MAX], plain[ENDPOINT_TEXT_SIZE];
	json_int_t ttl_s = entry_ttl_left_s(e, now);

	if (!address)
		return json_pack("{s:s, s:o, s:I, s:s, s:s}", "section", "authority", "name",
				 words_name(entry_name(e)), "ttl_s", ttl_s, "type", "NS", "data",
				 dname_text(server->name, text));
	text_rdata(address->family == 4 ? TYPE_A : TYPE_AAAA,
		   span_of(address->addr, address->family == 4 ? 4 : 16), plain, sizeof(plain));
	return json_pack("{s:s, s:o, s:I, s:s, s:s}", "section", "additional", "name",
			 words_name(server->name), "ttl_s", ttl_s, "type",
			 address->family == 4 ? "A" : "AAAA", "data", plain);
}

static void add_delegation(json_t **records, const struct entry *e, struct now now)
{
	struct delegation d;

	if (delegation_unpack(entry_payload(e), &d) != OK)
		return;
	for (size_t i = 0; i < d.count; i++)
		words_append(records, delegation_record(e, &d.servers[i], NULL, now));
	for (size_t i = 0; i < d.count; i++)
		for (size_t k = 0; k < d.servers[i].address_count; k++)
			words_append(records, delegation_record(e, &d.servers[i],
								&d.servers[i].addresses[k], now));
}

static json_t *records_of(const struct entry *e, struct now now)
{
	json_t *records = json_array();

	switch ((enum entry_kind)e->kind) {
	case ENTRY_RRSET:
	case ENTRY_ANSWER:
	case ENTRY_ANSWER_DO:
		add_answer(&records, e, now);
		break;
	case ENTRY_DELEGATION:
		add_delegation(&records, e, now);
		break;
	case ENTRY_FAILURE:
	case ENTRY_KIND_COUNT:
		break;
	}
	return records;
}

json_t *words_entry(const struct entry *e, struct now now)
{
	char rcode[TYPE_TEXT_SIZE];
	struct span text = entry_text(e);
	bool extended = e->ede != EDE_NONE;
	struct popularity popularity = popularity_read(e);

	return json_pack(
		"{s:o, s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:b, s:b, s:i, s:I, "
		"s:I, s:I, s:o}",
		"name", words_name(entry_name(e)), "type", words_type(e->type), "kind",
		kind_word(e->kind), "rcode", rcode_text(e->rcode, rcode), "rank",
		rank_word(e->rank), "verdict", words_verdict(e->verdict), "ttl_s",
		(json_int_t)e->ttl_s, "age_s",
		(json_int_t)((now.cache_ms - entry_fetched_ms(e)) / 1000), "left_s",
		(json_int_t)((e->expires_ms - now.cache_ms) / 1000), "ede",
		extended ? json_integer(e->ede) : json_null(), "ede_name",
		extended ? json_string(ede_text(e->ede)) : json_null(), "text",
		text.len > 0 ? words_text((const char *)text.at, text.len) : json_null(),
		"wildcard", (e->flags & ENTRY_WILDCARD) != 0, "synthesised",
		(e->flags & ENTRY_SYNTHESISED) != 0, "signatures", (int)e->sig_count, "size_bytes",
		(json_int_t)e->size_bytes, "hits", (json_int_t)popularity.hits, "gap_ms",
		(json_int_t)popularity.gap_ms, "records", records_of(e, now));
}

/* ---- figures ---- */

static json_t *words_disk(struct disk *disk)
{
	struct disk_status s;
	json_t *counters = json_object();

	disk_read_status(disk, &s);
#define COUNTER(name, help) json_object_set_new(counters, #name, json_integer((json_int_t)s.name));
	DISK_COUNTER_LIST(COUNTER)
#undef COUNTER
	return json_pack(
		"{s:s, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "state",
		disk_state_text(s.state), "reason", words_text(s.reason, strlen(s.reason)),
		"checking", s.checking, "used_bytes", (json_int_t)s.used_bytes, "map_bytes",
		(json_int_t)s.map_bytes, "limit_bytes", (json_int_t)s.limit_bytes, "entries",
		(json_int_t)s.entries, "pending_entries", (json_int_t)s.pending_entries,
		"pending_bytes", (json_int_t)s.pending_bytes, "last_commit_unix_s",
		(json_int_t)s.last_commit_unix_s, "commit_us_last", (json_int_t)s.commit_us_last,
		"commit_us_max", (json_int_t)s.commit_us_max, "counters", counters);
}

json_t *words_cache(const struct commands *c)
{
	struct cache_stats s;

	cache_read_stats(c->cache, &s);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "used_bytes",
			 (json_int_t)s.used_bytes, "limit_bytes", (json_int_t)s.limit_bytes,
			 "entries", (json_int_t)s.entries, "inserts", (json_int_t)s.inserts,
			 "replacements", (json_int_t)s.replacements, "evictions",
			 (json_int_t)s.evictions, "expired_evictions",
			 (json_int_t)s.expired_evictions, "rejected", (json_int_t)s.rejected,
			 "denial_bytes", (json_int_t)ranges_used_bytes(c->ranges), "disk",
			 words_disk(c->disk));
}

json_t *words_upstream(const struct endpoint *address, const struct infra_server *s, struct now now)
{
	static const struct {
		enum infra_quirk quirk;
		const char *word;
	} quirk_words[] = {{INFRA_NO_EDNS, "no-edns"},
			   {INFRA_NO_CASE, "no-case"},
			   {INFRA_KEEPS_CASE, "keeps-case"},
			   {INFRA_TCP_ONLY, "tcp-only"},
			   {INFRA_COOKIE, "cookie"},
			   {INFRA_SOME_COOKIES, "some-cookies"},
			   {INFRA_NO_OPTIONS, "no-options"},
			   {INFRA_NO_EDNS_UDP, "no-edns-udp"},
			   {INFRA_SMALL_REPLIES, "small-replies"},
			   {INFRA_NO_DS, "no-ds"}};
	json_t *quirks = json_array();
	int64_t backoff_ms = MAX(s->backoff_until_ms - now.cache_ms, (int64_t)0);
	int64_t tcp_backoff_ms = MAX(s->tcp_backoff_until_ms - now.cache_ms, (int64_t)0);

	for (size_t i = 0; i < ARRAY_LEN(quirk_words); i++)
		if (s->quirks & quirk_words[i].quirk)
			words_append(&quirks, json_string(quirk_words[i].word));
	return json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:o}", "address",
			 words_endpoint(address), "known", s->known, "srtt_us",
			 (json_int_t)s->srtt_us, "rttvar_us", (json_int_t)s->rttvar_us, "high_us",
			 (json_int_t)s->high_us, "timeout_ms", (json_int_t)infra_rto_ms(s),
			 "loss_permille", (int)s->loss_permille, "losses_in_row",
			 (int)s->losses_in_row, "backoff_ms", (json_int_t)backoff_ms, "tcp_us",
			 (json_int_t)s->tcp_us, "tcp_backoff_ms", (json_int_t)tcp_backoff_ms,
			 "quirks", quirks);
}

json_t *words_negative(const struct commands *c, struct now now)
{
	const struct settings *s = &(*c->snapshot)->config->settings;
	json_t *list = json_array();

	for (size_t i = 0; i < s->negative_anchor_count; i++)
		words_append(&list, json_pack("{s:o, s:n}", "name",
					      words_name(s->negative_anchors[i]), "left_s"));
	for (size_t i = 0; i < c->negative->count; i++) {
		const struct negative_anchor *n = &c->negative->list[i];
		uint64_t left_us = n->until_us > now.mono_us ? n->until_us - now.mono_us : 0;
		words_append(&list, json_pack("{s:o, s:I}", "name", words_name(n->name), "left_s",
					      (json_int_t)(left_us / 1000000)));
	}
	return list;
}
