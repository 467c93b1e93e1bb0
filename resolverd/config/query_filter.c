#include "config/query_filter.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/require.h"
#include "config/value.h"
#include "dns/types.h"

enum { SAMPLE_MAX = 1000000, SLOWER_MS_MAX = 60000, WORD_MAX = DNAME_TEXT_MAX + 16 };

static bool read_client(const char *word, struct query_filter *f)
{
	f->has_client = true;
	return endpoint_prefix_parse(word, &f->client) == OK;
}

static bool read_name(const char *word, struct query_filter *f)
{
	f->has_name = true;
	return config_value_name(word, f->name);
}

static bool read_rcode(const char *word, struct query_filter *f)
{
	char text[TYPE_TEXT_SIZE];

	if (strcasecmp(word, "none") == 0) {
		f->rcode = QUERY_FILTER_NONE;
		return true;
	}
	for (uint16_t rcode = 0; rcode < 16; rcode++) { /* as many as a header holds */
		if (strcasecmp(word, rcode_text(rcode, text)) != 0)
			continue;
		f->rcode = rcode;
		return true;
	}
	return false;
}

static bool read_slower(const char *word, struct query_filter *f)
{
	uint64_t ms;

	if (!config_value_time(word, &ms) || ms == 0 || ms > SLOWER_MS_MAX)
		return false;
	f->slower_ms = (uint32_t)ms;
	return true;
}

static bool read_sample(const char *word, struct query_filter *f)
{
	uint64_t n;

	if (!config_value_number(word, 1, SAMPLE_MAX, &n))
		return false;
	f->sample = (uint32_t)n;
	return true;
}

static const struct {
	const char *key; /* with its sign */
	bool (*read)(const char *word, struct query_filter *f);
} words[] = {
	{"client=", read_client}, {"name=", read_name},	    {"rcode=", read_rcode},
	{"slower=", read_slower}, {"sample=", read_sample},
};

static bool read_word(const char *word, struct query_filter *f)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t len = strlen(words[i].key);
		if (strncmp(word, words[i].key, len) == 0)
			return words[i].read(word + len, f);
	}
	return false;
}

enum err query_filter_parse(const char *text, struct query_filter *out,
			    char wrong[static QUERY_FILTER_WORD_MAX])
{
	struct query_filter f = {.on = true, .rcode = QUERY_FILTER_ANY, .sample = 1};
	char word[WORD_MAX];
	size_t count = 0;

	for (const char *at = text + strspn(text, " "); *at; at += strspn(at, " "), count++) {
		size_t len = strcspn(at, " ");
		bool fits = len < sizeof(word);
		memcpy(word, at, fits ? len : sizeof(word) - 1);
		word[fits ? len : sizeof(word) - 1] = '\0';
		at += len;
		/* On or off stands alone. */
		bool alone = count == 0 && at[strspn(at, " ")] == '\0';
		if (fits && ((alone && config_value_bool(word, &f.on)) || read_word(word, &f)))
			continue;
		(void)snprintf(wrong, QUERY_FILTER_WORD_MAX, "%.*s", QUERY_FILTER_WORD_MAX - 1,
			       word);
		return ERR_MALFORMED;
	}
	if (count == 0) {
		wrong[0] = '\0';
		return ERR_MALFORMED;
	}
	*out = f;
	return OK;
}

enum { PREFIX_TEXT_SIZE = ENDPOINT_TEXT_SIZE + 4 };

/* "10.0.0.0/8". */
static const char *prefix_text(const struct endpoint_prefix *p, char out[static PREFIX_TEXT_SIZE])
{
	struct endpoint e = {.family = p->family};
	char text[ENDPOINT_TEXT_SIZE];

	memcpy(e.addr, p->addr, sizeof(e.addr));
	endpoint_text(&e, text); /* "10.0.0.0:0" or "[2001:db8::]:0" */
	*strrchr(text, ':') = '\0';
	bool bracket = text[0] == '[';
	if (bracket)
		text[strlen(text) - 1] = '\0';
	(void)snprintf(out, PREFIX_TEXT_SIZE, "%s/%u", text + bracket, p->bits);
	return out;
}

/* One more word of TEXT, whose length is *LEN. */
static void PRINTF_LIKE(3, 4)
	add_word(char text[static QUERY_FILTER_TEXT_MAX], size_t *len, const char *format, ...)
{
	va_list args;
	size_t room = QUERY_FILTER_TEXT_MAX - *len;

	va_start(args, format);
	int used = vsnprintf(text + *len, room, format, args);
	va_end(args);
	REQUIRE(used >= 0 && (size_t)used < room);
	*len += (size_t)used;
}

const char *query_filter_text(const struct query_filter *f, char out[static QUERY_FILTER_TEXT_MAX])
{
	char name[DNAME_TEXT_MAX], client[PREFIX_TEXT_SIZE], rcode[TYPE_TEXT_SIZE];
	size_t len = 0;

	if (f->on && f->has_client)
		add_word(out, &len, " client=%s", prefix_text(&f->client, client));
	if (f->on && f->has_name)
		add_word(out, &len, " name=%s", dname_text(f->name, name));
	if (f->on && f->rcode == QUERY_FILTER_NONE)
		add_word(out, &len, " rcode=none");
	if (f->on && f->rcode >= 0)
		add_word(out, &len, " rcode=%s", rcode_text((uint16_t)f->rcode, rcode));
	if (f->on && f->slower_ms > 0)
		add_word(out, &len, " slower=%ums", f->slower_ms);
	if (f->on && f->sample > 1)
		add_word(out, &len, " sample=%u", f->sample);
	if (len == 0)
		add_word(out, &len, f->on ? " on" : " off");
	return memmove(out, out + 1, len);
}

bool query_filter_wants(const struct query_filter *f, const struct query_event *e, uint32_t *seen)
{
	if (!f->on || (f->rcode != QUERY_FILTER_ANY && e->rcode != f->rcode) ||
	    (f->slower_ms > 0 && e->took_us <= f->slower_ms * 1000ULL) ||
	    (f->has_client && !endpoint_prefix_covers(&f->client, e->client)) ||
	    (f->has_name && (!e->name || !dname_is_within(e->name, f->name))))
		return false;
	return (*seen)++ % f->sample == 0;
}
