/*
 * The words of a line: a table of statements, each with a function. core/README tells them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cursor.h"
#include "dns/edns.h"
#include "dns/text.h"
#include "scenario/scene.h"

struct words {
	unsigned count;
	char *at[SCENE_WORDS_MAX];
	const char *line; /* whole, after the first word */
};

/* "key=VALUE" → VALUE, or NULL. */
static const char *value_of(const char *word, const char *key)
{
	size_t len = strlen(key);
	return strncmp(word, key, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static unsigned number(struct scene *s, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);
	if (!*text || *end)
		scene_fail(s, "%s is no number", text);
	return (unsigned)n;
}

static struct endpoint address(struct scene *s, const char *text)
{
	struct endpoint e = {0};
	if (endpoint_parse(text, 53, &e) != OK)
		scene_fail(s, "%s is no address", text);
	return e;
}

static void name_into(struct scene *s, const char *text, uint8_t out[static DNAME_MAX])
{
	size_t len;
	out[0] = 0;
	if (dname_parse(text, out, &len) != OK)
		scene_fail(s, "%s is no name", text);
}

static uint16_t type(struct scene *s, const char *text)
{
	uint16_t out = 0;
	if (!type_parse(text, &out))
		scene_fail(s, "%s is no type", text);
	return out;
}

static const char *keep(struct scene *s, const char *text)
{
	struct span copy = arena_copy(&s->arena, span_of(text, strlen(text) + 1));
	REQUIRE(copy.at);
	return (const char *)copy.at;
}

static const uint8_t *keep_name(struct scene *s, const char *text)
{
	uint8_t wire[DNAME_MAX];
	name_into(s, text, wire);
	struct span copy = arena_copy(&s->arena, span_of(wire, dname_len(wire)));
	REQUIRE(copy.at);
	return copy.at;
}

static bool rcode_of(const char *word, uint16_t *out)
{
	char text[TYPE_TEXT_SIZE];
	for (uint16_t rcode = 0; rcode <= RCODE_BADCOOKIE; rcode++) {
		*out = rcode;
		if (strcasecmp(rcode_text(rcode, text), word) == 0)
			return true;
	}
	return false;
}

/* ---- settings -------------------------------------------------------------------------------- */

static void set_ask(struct scene *s, bool allow, const char *prefix)
{
	REQUIRE(s->settings.ask_count < SCENE_ASK_MAX);
	struct access_rule *rule = &s->ask[s->settings.ask_count++];
	rule->allow = allow;
	s->settings.ask = s->ask;
	if (endpoint_prefix_parse(prefix, &rule->prefix) != OK)
		scene_fail(s, "%s is no network", prefix);
}

/* A network, or else a zone. */
static void set_no_case(struct scene *s, const char *value)
{
	struct settings *o = &s->settings;
	o->no_case_servers = &s->no_case_server;
	o->no_case_zones = &s->no_case_zone;
	if (endpoint_prefix_parse(value, &s->no_case_server) == OK) {
		o->no_case_server_count = 1;
		return;
	}
	s->no_case_zone = keep_name(s, value);
	o->no_case_zone_count = 1;
}

static void set(struct scene *s, struct words *w)
{
	static const char *const modes[] = {"off", "relaxed", "strict"};
	struct settings *o = &s->settings;
	const char *key = w->at[1], *value = w->at[2];
	if (strcmp(key, "minimize") == 0) {
		for (unsigned i = 0; i < ARRAY_LEN(modes); i++)
			if (strcmp(value, modes[i]) == 0)
				o->minimization = (enum minimization)i;
	} else if (strcmp(key, "prime") == 0) {
		o->prime = strcmp(value, "on") == 0;
	} else if (strcmp(key, "stale-after") == 0) {
		o->stale_enabled = true;
		o->stale_answer_after_ms = number(s, value);
	} else if (strcmp(key, "client-ms") == 0) {
		o->client_ms = number(s, value);
	} else if (strcmp(key, "prefetch") == 0) {
		o->prefetch.enabled = true;
		o->prefetch.all.remaining_percent = (uint8_t)number(s, value);
	} else if (strcmp(key, "max-negative") == 0) {
		o->max_negative_ttl_s = number(s, value);
	} else if (strcmp(key, "question-memory") == 0) {
		s->question_bytes = (size_t)number(s, value) * 1024;
	} else if (strcmp(key, "cache-memory") == 0) {
		s->cache_kb = number(s, value);
	} else if (strcmp(key, "disk") == 0) {
		s->with_disk = strcmp(value, "on") == 0;
	} else if (strcmp(key, "do-query") == 0 || strcmp(key, "do-not-query") == 0) {
		set_ask(s, strcmp(key, "do-query") == 0, value);
	} else if (strcmp(key, "no-0x20") == 0) {
		set_no_case(s, value);
	} else if (strcmp(key, "own") == 0) {
		struct endpoint e = address(s, value);
		own_addresses_put(&s->own, s->own.count, &e);
		own_addresses_end(&s->own, s->own.count + 1);
	} else if (strcmp(key, "min-ttl") == 0) {
		o->min_ttl_s = number(s, value);
	} else if (strcmp(key, "aggressive") == 0) {
		s->with_ranges = strcmp(value, "on") == 0;
	} else {
		scene_fail(s, "no setting is called %s", key);
	}
}

static void signed_zone(struct scene *s, struct words *w)
{
	uint8_t name[DNAME_MAX];
	name_into(s, w->at[1], name);
	const struct scene_key *key = scene_key_make(s, name);
	if (w->count > 2 && strcmp(w->at[2], "anchor") == 0)
		scene_anchor(s, key);
	else if (w->count > 2)
		scene_fail(s, "no signed zone is %s", w->at[2]);
}

static void root(struct scene *s, struct words *w)
{
	struct delegation *d = &s->settings.hints;
	REQUIRE(d->count < DELEGATION_SERVERS_MAX);
	d->servers[d->count++] = (struct delegation_server){.name = keep_name(s, w->at[1]),
							    .address_count = 1,
							    .addresses = {address(s, w->at[2])}};
}

static void zone_word(struct scene *s, struct settings_zone *z, const char *word)
{
	const char *value;
	if (strcmp(word, "fallback") == 0)
		z->fallback = true;
	else if (strcmp(word, "tcp") == 0)
		z->tcp = true;
	else if ((value = value_of(word, "rate")) != NULL)
		z->rate_limit = number(s, value);
	else if ((value = value_of(word, "only")) != NULL && z->only_count < SETTINGS_ONLY_MAX)
		z->only[z->only_count++] = keep(s, value);
	else if (z->server_count < SETTINGS_ZONE_SERVERS_MAX)
		z->servers[z->server_count++] = address(s, word);
}

static void zone(struct scene *s, struct words *w)
{
	REQUIRE(s->settings.zone_count < SCENE_ZONES_MAX);
	struct settings_zone *z = &s->zones[s->settings.zone_count++];
	s->settings.zones = s->zones;
	name_into(s, w->at[1], z->name);
	z->forward = strcmp(w->at[0], "forward") == 0;
	for (unsigned i = 2; i < w->count; i++)
		zone_word(s, z, w->at[i]);
}

/* ---- servers --------------------------------------------------------------------------------- */

/* "server" goes on with the one that is there already. */
static void server(struct scene *s, struct words *w)
{
	struct endpoint e = address(s, w->at[1]);
	struct scene_server *at = scene_server_at(s, &e);
	if (!at) {
		REQUIRE(s->server_count < SCENE_SERVERS_MAX);
		at = &s->servers[s->server_count++];
		*at = (struct scene_server){.address = e, .delay_ms = 10};
	}
	for (unsigned i = 2; i < w->count; i++) {
		const char *delay = value_of(w->at[i], "delay");
		if (delay)
			at->delay_ms = number(s, delay);
		else
			scene_fail(s, "no server is %s", w->at[i]);
	}
	s->reading = at;
}

static void silence(struct scene *s, struct words *w)
{
	struct endpoint e = address(s, w->at[1]);
	struct scene_server *at = scene_server_at(s, &e);
	if (!at)
		scene_fail(s, "no server is %s", w->at[1]);
	else
		at->silent = strcmp(w->at[0], "silence") == 0;
}

static void before_word(struct scene *s, struct scene_reply *r, const char *value)
{
	static const char *const kinds[] = {"nothing", "wrong-id", "wrong-question", "wrong-peer",
					    "garbage"};
	size_t len = strcspn(value, "*");
	r->before_count = value[len] ? number(s, value + len + 1) : 1;
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (strlen(kinds[i]) == len && strncmp(kinds[i], value, len) == 0)
			r->before = (enum before)i;
	if (r->before == BEFORE_NOTHING)
		scene_fail(s, "nothing comes before as %s", value);
}

static bool cookie_word(struct scene_reply *r, const char *value)
{
	r->cookie = strcmp(value, "good") == 0	  ? COOKIES_GOOD
		    : strcmp(value, "wrong") == 0 ? COOKIES_WRONG
						  : COOKIES_NONE;
	return true;
}

static bool with_word(const char *word, enum only_with *out)
{
	static const char *const words[] = {[WITH_EDNS] = "edns",
					    [WITHOUT_EDNS] = "plain",
					    [WITH_OPTIONS] = "options",
					    [WITHOUT_OPTIONS] = "bare"};
	for (unsigned i = WITH_EDNS; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0) {
			*out = (enum only_with)i;
			return true;
		}
	return false;
}

static bool class_of(const char *word, uint16_t *out)
{
	static const struct {
		const char *word;
		uint16_t value;
	} classes[] = {{"CH", 3}, {"HS", 4}, {"NONE", 254}, {"ANY", 255}};
	for (size_t i = 0; i < ARRAY_LEN(classes); i++)
		if (strcmp(classes[i].word, word) == 0) {
			*out = classes[i].value;
			return true;
		}
	return false;
}

/* What is wrong with a reply; false: WORD says nothing of that. */
static bool spoils_word(struct scene_spoils *out, const char *word)
{
	static const char *const counts[] = {"answers", "authorities", "additionals"};
	const char *value;
	if ((value = value_of(word, "class")) != NULL)
		return class_of(value, &out->rclass);
	if ((value = value_of(word, "question-class")) != NULL)
		return class_of(value, &out->question_class);
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		if ((value = value_of(word, counts[i])) != NULL) {
			out->miscounts[i] = atoi(value);
			return out->miscounts[i] != 0;
		}
	return false;
}

static void reply_word(struct scene *s, struct scene_reply *r, const char *word)
{
	const struct {
		const char *word;
		bool *flag;
	} flags[] = {
		{"once", &r->once},
		{"silent", &r->silent},
		{"lost", &r->lost},
		{"no-room", &r->no_room},
		{"hinted", &r->hinted},
		{"fragmented", &r->fragmented},
		{"oversized", &r->oversized},
		{"lower", &r->in_lower_case},
		{"no-question", &r->no_question},
		{"no-opt", &r->no_opt},
		{"two-opts", &r->two_opts},
		{"trailing", &r->spoils.trailing},
		{"mistyped", &r->spoils.mistyped},
	};
	const char *value;
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		if (strcmp(flags[i].word, word) == 0) {
			*flags[i].flag = true;
			return;
		}
	if (strcmp(word, "tc") == 0)
		r->flags |= FLAG_TC;
	else if (strcmp(word, "ra") == 0)
		r->flags |= FLAG_RA;
	else if (strcmp(word, "no-aa") == 0)
		r->flags &= (uint16_t)~FLAG_AA;
	else if (strcmp(word, "udp") == 0 || strcmp(word, "tcp") == 0)
		r->over = word[0] == 'u' ? OVER_UDP : OVER_TCP;
	else if (with_word(word, &r->with))
		return;
	else if (strcmp(word, "mixed") == 0 || strcmp(word, "small") == 0)
		r->letters = word[0] == 'm' ? LETTERS_MIXED : LETTERS_SMALL;
	else if ((value = value_of(word, "delay")) != NULL)
		r->delay_ms = number(s, value);
	else if ((value = value_of(word, "offers")) != NULL)
		r->offers = number(s, value);
	else if ((value = value_of(word, "before")) != NULL)
		before_word(s, r, value);
	else if ((value = value_of(word, "cookie")) != NULL)
		cookie_word(r, value);
	else if (spoils_word(&r->spoils, word))
		return;
	else if (!rcode_of(word, &r->rcode))
		scene_fail(s, "no reply is %s", word);
}

static void reply(struct scene *s, struct words *w)
{
	REQUIRE(s->reply_count < SCENE_REPLIES_MAX && s->reading);
	struct scene_reply *r = &s->replies[s->reply_count++];
	*r = (struct scene_reply){.server = s->reading,
				  .name = keep(s, w->at[1]),
				  .type = type(s, w->at[2]),
				  .flags = FLAG_AA};
	for (unsigned i = 3; i < w->count; i++)
		reply_word(s, r, w->at[i]);
}

static struct scene_key *key_named(struct scene *s, const char *text)
{
	uint8_t zone[DNAME_MAX];
	name_into(s, text, zone);
	struct scene_key *key = scene_key_of(s, zone);
	if (!key)
		scene_fail(s, "zone %s has no key", text);
	return key;
}

/* A word before the record that tells how it is signed. */
static bool signature_word(struct scene *s, struct scene_signature *how, const char *word)
{
	const char *value;
	if ((value = value_of(word, "good")) != NULL) {
		how->key = key_named(s, value);
	} else if ((value = value_of(word, "forged")) != NULL) {
		how->key = key_named(s, value);
		how->is_forged = true;
	} else if ((value = value_of(word, "from")) != NULL) {
		how->from = keep_name(s, value);
	} else if ((value = value_of(word, "wire-ttl")) != NULL) {
		how->wire_ttl_s = number(s, value);
	} else if ((value = value_of(word, "until")) != NULL) {
		how->is_until = true;
		how->until_s = value[0] == '-' ? -(int)number(s, value + 1) : (int)number(s, value);
	} else {
		return false;
	}
	return true;
}

/* TEXT, a record's, with "=ZONE" at its end replaced by what the zone's key is. */
static const char *keep_record(struct scene *s, const char *text)
{
	char line[SCENE_TEXT_MAX], data[SCENE_TEXT_MAX - 100];
	const char *zone = strstr(text, " =");
	if (!zone)
		return keep(s, text);
	const struct scene_key *key = key_named(s, zone + 2);
	if (!key)
		return "";
	scene_key_text(key, memmem(text, (size_t)(zone - text), " DS", 3) != NULL, data,
		       sizeof(data));
	snprintf(line, sizeof(line), "%.*s %s", (int)(zone - text), text, data);
	return keep(s, line);
}

/* TEXT behind the word that it begins with. */
static const char *behind(const char *text, const char *word)
{
	text = strstr(text, word) + strlen(word);
	return text + strspn(text, " \t");
}

static void record(struct scene *s, struct words *w)
{
	static const char *const sections[] = {"answer", "authority", "additional"};
	const char *text = w->line;
	unsigned i = 1;
	if (!s->reply_count || s->replies[s->reply_count - 1].record_count == SCENE_RECORDS_MAX) {
		scene_fail(s, "no reply to put it into");
		return;
	}
	struct scene_reply *r = &s->replies[s->reply_count - 1];
	struct scene_record *out = &r->records[r->record_count++];
	*out = (struct scene_record){.copies = 1};
	if (w->count > 2 && strcmp(w->at[1], "each") == 0) {
		out->copies = number(s, w->at[2]);
		text = behind(text, w->at[2]);
		i = 3;
	}
	for (; i < w->count && signature_word(s, &out->signature, w->at[i]); i++)
		text = behind(text, w->at[i]);
	for (unsigned n = 0; n < ARRAY_LEN(sections); n++)
		if (strcmp(w->at[0], sections[n]) == 0)
			out->section = (enum section)n;
	out->text = keep_record(s, text);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void ask(struct scene *s, struct words *w)
{
	struct ask_how how = {0};
	uint8_t qname[DNAME_MAX];
	unsigned times = 1;
	uint16_t qtype = type(s, w->at[2]);
	name_into(s, w->at[1], qname);
	for (unsigned i = 3; i < w->count; i++) {
		const char *word = w->at[i];
		if (strcmp(word, "tcp") == 0)
			how.transport = TRANSPORT_TCP;
		else if (strcmp(word, "do") == 0)
			how.dnssec_ok = true;
		else if (strcmp(word, "cd") == 0)
			how.checking_disabled = true;
		else if (strcmp(word, "ad") == 0)
			how.wants_ad = true;
		else if (strcmp(word, "rd0") == 0)
			how.norecurse = true;
		else if (value_of(word, "times"))
			times = number(s, value_of(word, "times"));
		else
			scene_fail(s, "nobody asks with %s", word);
	}
	while (times-- > 0 && !s->failed)
		scene_ask(s, qname, qtype, &how);
}

static void wait_step(struct scene *s, struct words *w)
{
	scene_pass(s, number(s, w->at[1]), NULL);
}

/* The machine stands still, and what comes in meanwhile waits in the sockets. */
static void forget(struct scene *s, struct words *w)
{
	(void)w;
	scene_forget(s);
}

static void disk(struct scene *s, struct words *w)
{
	s->disk.hangs = strcmp(w->at[1], "hangs") == 0;
	if (!s->disk.hangs && strcmp(w->at[1], "works") != 0)
		scene_fail(s, "a disk hangs or works");
}

static void starve(struct scene *s, struct words *w)
{
	(void)w;
	scene_starve(s);
}

static void feed(struct scene *s, struct words *w)
{
	(void)w;
	scene_feed(s);
}

static void stall(struct scene *s, struct words *w)
{
	scene_begin(s);
	s->now_ms += number(s, w->at[1]);
}

static void refresh(struct scene *s, struct words *w)
{
	uint8_t qname[DNAME_MAX];
	name_into(s, w->at[1], qname);
	scene_refresh(s, qname, type(s, w->at[2]));
}

/* Until the client asked last has its answer. */
static void run(struct scene *s, struct words *w)
{
	(void)w;
	if (s->client_count)
		scene_pass(s, 30000, &s->clients[s->client_count - 1]);
}

/* The oldest client whose answer has not been looked at. */
static struct scene_client *next_client(struct scene *s)
{
	for (unsigned i = 0; i < s->client_count; i++)
		if (!s->clients[i].is_checked)
			return &s->clients[i];
	scene_fail(s, "everybody's answer has been looked at");
	return NULL;
}

static void check_word(struct scene *s, const struct scene_client *c, const struct edns *edns,
		       const char *word)
{
	const char *value;
	uint64_t took_ms = c->answered_ms - c->asked_ms;
	if ((value = value_of(word, "ede")) != NULL) {
		if (edns->ede != number(s, value))
			scene_fail(s, "extended error %u", edns->ede);
	} else if ((value = value_of(word, "says")) != NULL) { /* the words of the extended error */
		if (!memmem(c->wire, c->len, value, strlen(value)))
			scene_fail(s, "does not say %s", value);
	} else if ((value = value_of(word, "within")) != NULL) {
		if (took_ms > number(s, value))
			scene_fail(s, "took %u ms", (unsigned)took_ms);
	} else if ((value = value_of(word, "after")) != NULL) {
		if (took_ms < number(s, value))
			scene_fail(s, "took but %u ms", (unsigned)took_ms);
	} else if (strcmp(word, "hit") == 0 || strcmp(word, "miss") == 0) {
		if (c->is_hit != (word[0] == 'h'))
			scene_fail(s, "is a %s", c->is_hit ? "hit" : "miss");
	} else if (strcmp(word, "ad") == 0 || strcmp(word, "no-ad") == 0) {
		if (!(s->answer.flags & FLAG_AD) == (word[0] == 'a'))
			scene_fail(s, "is %sauthentic data", word[0] == 'a' ? "no " : "");
	} else if (strcmp(word, "tc") == 0) {
		if (!(s->answer.flags & FLAG_TC))
			scene_fail(s, "is not truncated");
	} else {
		scene_fail(s, "no answer is %s", word);
	}
}

static void check_answer(struct scene *s, struct words *w, struct scene_client *c)
{
	struct edns edns;
	uint16_t wanted, got;
	char text[TYPE_TEXT_SIZE];
	c->is_checked = true;
	s->looked_at = NULL;
	if (!c->is_answered) {
		scene_fail(s, "there is no answer yet");
		return;
	}
	REQUIRE(message_view(span_of(c->wire, c->len), &s->answer) == OK);
	REQUIRE(edns_view(&s->answer, &edns) == EDNS_OK);
	got = (uint16_t)(message_rcode(&s->answer) | edns.extended_rcode << 4);
	if (!rcode_of(w->at[1], &wanted) || got != wanted)
		scene_fail(s, "got %s, extended error %u", rcode_text(got, text), edns.ede);
	for (unsigned i = 2; i < w->count; i++)
		if (strcmp(w->at[i], "all") != 0)
			check_word(s, c, &edns, w->at[i]);
	s->looked_at = c;
	s->left = s->left_beside = record_iter_of(&s->answer);
	s->looks_beside = false;
}

static void answer_step(struct scene *s, struct words *w)
{
	bool all = w->count > 2 && strcmp(w->at[2], "all") == 0;
	struct scene_client *c = next_client(s);
	while (c && !s->failed) {
		check_answer(s, w, c);
		c = all && c < &s->clients[s->client_count - 1] ? c + 1 : NULL;
	}
}

/* The next record of SECTION; what stands before it is passed over. */
static bool next_record_of(struct record_iter *it, enum section section, struct record *r)
{
	while (record_next(it, r))
		if (r->section >= section)
			return r->section == section;
	return false;
}

static void record_words(struct scene *s, const struct record *r, char *out, size_t size)
{
	uint8_t owner[DNAME_MAX], rdata[MESSAGE_MAX];
	char name[DNAME_TEXT_MAX], type_name[TYPE_TEXT_SIZE], data[600];
	size_t len;
	message_name(&s->answer, r->owner_offset, owner);
	REQUIRE(message_rdata(&s->answer, r, rdata, sizeof(rdata), &len) == OK);
	snprintf(out, size, "%.200s %u %s %.300s", dname_text(owner, name), r->ttl_s,
		 type_text(r->type, type_name),
		 text_rdata(r->type, span_of(rdata, len), data, sizeof(data)));
}

/* GOT is what the words say; the last of them may be "..." for all that is left. */
static bool words_fit(const struct words *w, const char *got)
{
	char copy[SCENE_TEXT_MAX * 2], *rest, *word;
	unsigned i = 1;
	snprintf(copy, sizeof(copy), "%s", got);
	for (word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest), i++) {
		if (i < w->count && strcmp(w->at[i], "...") == 0)
			return true;
		if (i == w->count || (strcmp(w->at[i], "*") != 0 && strcmp(w->at[i], word) != 0))
			return false;
	}
	return i == w->count;
}

static void has_next(struct scene *s, struct words *w, struct record_iter *it, enum section section)
{
	char got[SCENE_TEXT_MAX * 2] = "nothing";
	struct record r;
	bool found = s->looked_at && next_record_of(it, section, &r);
	if (found)
		record_words(s, &r, got, sizeof(got));
	if (!words_fit(w, got))
		scene_fail(s, "there is %s", got);
}

static void has(struct scene *s, struct words *w)
{
	has_next(s, w, &s->left, SECTION_ANSWER);
}

static void beside(struct scene *s, struct words *w)
{
	s->looks_beside = true;
	has_next(s, w, &s->left_beside, SECTION_AUTHORITY);
}

/* Behind the "has" lines of an answer, and its "beside" lines if there are any, nothing else may
 * stand. */
static void end_answer(struct scene *s)
{
	char got[SCENE_TEXT_MAX * 2];
	struct record r;
	if (s->looked_at &&
	    (next_record_of(&s->left, SECTION_ANSWER, &r) ||
	     (s->looks_beside && next_record_of(&s->left_beside, SECTION_AUTHORITY, &r)))) {
		record_words(s, &r, got, sizeof(got));
		scene_fail(s, "there is also %s", got);
	}
	s->looked_at = NULL;
}

static void no_answer(struct scene *s, struct words *w)
{
	(void)w;
	const struct scene_client *c = next_client(s);
	if (c && c->is_answered)
		scene_fail(s, "there is one");
}

struct wanted_send {
	bool any_server, any_question;
	struct endpoint server;
	uint8_t qname[DNAME_MAX];
	uint16_t qtype;
	enum only_over over;
	enum only_with with;
};

static bool sent_fits(const struct scene_sent *at, enum only_with with)
{
	switch (with) {
	case WITH_ANY:
		return true;
	case WITH_EDNS:
		return at->with_edns;
	case WITHOUT_EDNS:
		return !at->with_edns;
	case WITH_OPTIONS:
		return at->with_options;
	case WITHOUT_OPTIONS:
		return at->with_edns && !at->with_options;
	}
	return false;
}

static unsigned count_sent(const struct scene *s, const struct wanted_send *x)
{
	unsigned count = 0;
	for (unsigned i = 0; i < s->sent_count; i++) {
		const struct scene_sent *at = &s->sent[i];
		bool is_tcp = at->transport == TRANSPORT_TCP;
		if (at->is_forgotten || (!x->any_server && !endpoint_equal(&at->peer, &x->server)))
			continue;
		if (!x->any_question &&
		    (at->qtype != x->qtype || !dname_equal(at->qname, x->qname)))
			continue;
		if ((x->over == OVER_BOTH || (x->over == OVER_TCP) == is_tcp) &&
		    sent_fits(at, x->with))
			count++;
	}
	return count;
}

static void tell_sent(const struct scene *s)
{
	char peer[ENDPOINT_TEXT_SIZE], name[DNAME_TEXT_MAX], type_name[TYPE_TEXT_SIZE];
	for (unsigned i = 0; i < s->sent_count && i < 100; i++)
		if (!s->sent[i].is_forgotten)
			printf("    sent at %u ms: %s %s %s%s%s\n", (unsigned)s->sent[i].at_ms,
			       endpoint_text(&s->sent[i].peer, peer),
			       dname_text(s->sent[i].qname, name),
			       type_text(s->sent[i].qtype, type_name),
			       s->sent[i].transport == TRANSPORT_TCP ? " tcp" : "",
			       !s->sent[i].with_edns	 ? " plain"
			       : s->sent[i].with_options ? ""
							 : " bare");
}

/* sent SERVER|* [NAME|* TYPE] [tcp|udp] [edns|plain|options|bare] [N|<=N]; "unsent" is "sent ... 0". */
static void sent(struct scene *s, struct words *w)
{
	struct wanted_send x = {.any_question = true};
	bool none = strcmp(w->at[0], "unsent") == 0, at_most = false;
	unsigned wanted = none ? 0 : 1, i = 2;
	x.any_server = strcmp(w->at[1], "*") == 0;
	if (!x.any_server)
		x.server = address(s, w->at[1]);
	if (w->count > 3 && strchr(w->at[2], '.')) {
		x.any_question = false;
		name_into(s, w->at[2], x.qname);
		x.qtype = type(s, w->at[3]);
		i = 4;
	}
	for (; i < w->count; i++) {
		const char *word = w->at[i];
		if (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0)
			x.over = word[0] == 't' ? OVER_TCP : OVER_UDP;
		else if (with_word(word, &x.with))
			continue;
		else if ((at_most = strncmp(word, "<=", 2) == 0))
			wanted = number(s, word + 2);
		else
			wanted = number(s, word);
	}
	unsigned count = count_sent(s, &x);
	if (at_most ? count > wanted : count != wanted) {
		scene_fail(s, "%u such packets were sent", count);
		tell_sent(s);
	}
}

/* open SERVER|* N|<=N: sends that may still be answered. */
static void open_sends(struct scene *s, struct words *w)
{
	bool any = strcmp(w->at[1], "*") == 0, at_most = strncmp(w->at[2], "<=", 2) == 0;
	unsigned wanted = number(s, at_most ? w->at[2] + 2 : w->at[2]), count = 0;
	struct endpoint server = {0};
	if (!any)
		server = address(s, w->at[1]);
	for (unsigned i = 0; i < s->sent_count; i++)
		count += s->sent[i].is_open && (any || endpoint_equal(&s->sent[i].peer, &server));
	if (at_most ? count > wanted : count != wanted)
		scene_fail(s, "%u are open", count);
}

static void clear(struct scene *s, struct words *w)
{
	(void)w;
	for (unsigned i = 0; i < s->sent_count; i++)
		s->sent[i].is_forgotten = true;
}

/* memory <=KB: the most that all questions in progress have held at a time. */
static void memory(struct scene *s, struct words *w)
{
	struct resolver_stats stats;
	scene_begin(s);
	resolver_read_stats(s->resolver, &stats);
	bool at_most = strncmp(w->at[1], "<=", 2) == 0;
	if (!at_most || stats.max_question_bytes > (size_t)number(s, w->at[1] + 2) * 1024)
		scene_fail(s, "questions have held %zu bytes", stats.max_question_bytes);
}

static void metric(struct scene *s, struct words *w)
{
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		uint64_t value = metrics_get(&s->metrics, (enum metric)i);
		if (strcmp(metrics_name((enum metric)i), w->at[1]) != 0)
			continue;
		if (value != number(s, w->at[2]))
			scene_fail(s, "%s is %u", w->at[1], (unsigned)value);
		return;
	}
	scene_fail(s, "no counter is called %s", w->at[1]);
}

/* ---- lines ----------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	unsigned least; /* words, this one included */
	void (*run)(struct scene *s, struct words *w);
} statements[] = {
	{"set", 3, set},	 {"root", 3, root},	    {"forward", 3, zone},
	{"stub", 3, zone},	 {"server", 2, server},	    {"reply", 3, reply},
	{"answer", 2, record},	 {"authority", 2, record},  {"additional", 2, record},
	{"silence", 2, silence}, {"wake", 2, silence},	    {"ask", 3, ask},
	{"wait", 2, wait_step},	 {"run", 1, run},	    {"expect", 2, answer_step},
	{"has", 2, has},	 {"pending", 1, no_answer}, {"sent", 2, sent},
	{"unsent", 2, sent},	 {"clear", 1, clear},	    {"metric", 3, metric},
	{"memory", 2, memory},	 {"refresh", 3, refresh},   {"stall", 2, stall},
	{"forget", 1, forget},	 {"disk", 2, disk},	    {"starve", 1, starve},
	{"feed", 1, feed},	 {"open", 3, open_sends},   {"signed", 2, signed_zone},
	{"beside", 2, beside},
};

/* A # begins a comment, but not the one of \# (RFC 3597 §5). */
static void cut_comment(char *line)
{
	char *at = line;
	while (*(at += strcspn(at, "#\n")) == '#' && at > line && at[-1] == '\\')
		at++;
	*at = '\0';
}

void scene_read(struct scene *s, char *line)
{
	struct words w = {0};
	char whole[SCENE_TEXT_MAX], *rest, *word;
	s->line++;
	cut_comment(line);
	snprintf(whole, sizeof(whole), "%s", line);
	for (word = strtok_r(line, " \t", &rest); word && w.count < SCENE_WORDS_MAX;
	     word = strtok_r(NULL, " \t", &rest))
		w.at[w.count++] = word;
	if (w.count == 0 || s->failed)
		return;
	w.line = whole + strspn(whole, " \t");
	w.line += strcspn(w.line, " \t");
	w.line += strspn(w.line, " \t");
	if (strcmp(w.at[0], "has") != 0 && strcmp(w.at[0], "beside") != 0)
		end_answer(s);
	for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
		if (strcmp(statements[i].word, w.at[0]) != 0)
			continue;
		if (w.count < statements[i].least)
			scene_fail(s, "%s needs more words", w.at[0]);
		else
			statements[i].run(s, &w);
		return;
	}
	scene_fail(s, "no statement is called %s", w.at[0]);
}

void scene_read_end(struct scene *s)
{
	end_answer(s);
}
