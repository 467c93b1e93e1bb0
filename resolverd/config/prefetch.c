#include <stdio.h>
#include <stdlib.h>

#include "config/raw.h"
#include "config/value.h"

enum {
	HITS_MAX = 1000000,
	WINDOW_MAX_MS = 24 * 3600 * 1000,
	/* As the lead that is derived from servers: before, an answer would be thrown away unused;
	 * after, there would be no time for a second try. */
	REMAINING_MIN_PERCENT = 10,
	REMAINING_MAX_PERCENT = 90,
	SPREAD_MAX_PERCENT = 50, /* half of each TTL at least is worth having */
	YIELD_MAX_PERMILLE = 1000 * 1000,
	HOLD_MAX_MS = 24 * 3600 * 1000,
	RATE_MAX = 100000,
	NAMES_MAX = 1000000, /* about 300 bytes each */
};

/* "0.1", with at most three digits behind the point, in thousandths. */
static bool read_permille(const char *word, uint32_t *out)
{
	char digits[4] = "000", whole[16];
	uint64_t units, thousandths;
	const char *point = strchr(word, '.');
	size_t len = point ? (size_t)(point - word) : strlen(word);
	if (len == 0 || len >= sizeof(whole))
		return false;
	memcpy(whole, word, len);
	whole[len] = '\0';
	if (point) {
		size_t count = strlen(point + 1);
		if (count == 0 || count > 3)
			return false;
		memcpy(digits, point + 1, count);
	}
	if (!config_value_number(whole, 0, YIELD_MAX_PERMILLE / 1000, &units) ||
	    !config_value_number(digits, 0, 999, &thousandths))
		return false;
	*out = (uint32_t)(units * 1000 + thousandths);
	return *out <= YIELD_MAX_PERMILLE;
}

/* "80%", from MIN to MAX. */
static bool read_percent(const char *word, unsigned min, unsigned max, uint8_t *out)
{
	char digits[4];
	uint64_t percent;
	size_t len = strlen(word);
	if (len < 2 || len > sizeof(digits) || word[len - 1] != '%')
		return false;
	memcpy(digits, word, len - 1);
	digits[len - 1] = '\0';
	if (!config_value_number(digits, min, max, &percent))
		return false;
	*out = (uint8_t)percent;
	return true;
}

/* "auto" or "80%". */
static bool read_remaining(const char *word, uint8_t *out)
{
	if (strcmp(word, "auto") != 0)
		return read_percent(word, REMAINING_MIN_PERCENT, REMAINING_MAX_PERCENT, out);
	*out = 0;
	return true;
}

static enum err read_number(struct config_build *b, const char *key, const char *word, uint32_t max,
			    uint32_t *out)
{
	uint64_t number;
	if (!word)
		return OK;
	if (!config_value_number(word, 1, max, &number))
		return config_refuse(b, key, "\"%s\" is not a number from 1 to %u", word, max);
	*out = (uint32_t)number;
	return OK;
}

/* A time of at most MAX_MS, in units of UNIT_MS. */
static enum err read_time(struct config_build *b, const char *key, const char *word,
			  uint32_t unit_ms, uint32_t *out)
{
	uint64_t ms;
	if (!word)
		return OK;
	if (!config_value_time(word, &ms) || ms > WINDOW_MAX_MS || ms % unit_ms)
		return config_refuse(b, key, "\"%s\" is not a time of at most a day", word);
	*out = (uint32_t)(ms / unit_ms);
	return OK;
}
static_assert(HOLD_MAX_MS == WINDOW_MAX_MS, "read_time() holds for both");

/* The keys of one rule; PREFIX is where it stands. */
static enum err read_rule(struct config_build *b, const char *prefix,
			  const struct raw_prefetch_rule *w, struct prefetch_rule *rule)
{
	char key[CONFIG_KEY_MAX];
	enum { PREFIX_MAX = CONFIG_KEY_MAX - 16 };
#define KEY(name) (snprintf(key, sizeof(key), "%.*s.%s", PREFIX_MAX, prefix, name), key)
	enum err err = read_number(b, KEY("min-hits"), w->min_hits, HITS_MAX, &rule->min_hits);
	if (err == OK)
		err = read_time(b, KEY("window"), w->window, 1000, &rule->window_s);
	if (err == OK && rule->window_s == 0)
		err = config_refuse(b, KEY("window"), "a second at least is expected");
	if (err == OK)
		err = read_time(b, KEY("hold"), w->hold, 1, &rule->hold_ms);
	if (err == OK)
		err = read_time(b, KEY("flip-guard"), w->flip_guard, 1, &rule->flip_guard_ms);
	if (err == OK)
		err = read_time(b, KEY("max-staleness"), w->max_staleness, 1000,
				&rule->max_staleness_s);
	if (err == OK && w->min_yield && !read_permille(w->min_yield, &rule->min_yield_permille))
		err = config_refuse(b, KEY("min-yield"), "\"%s\" is not a number such as 0.1",
				    w->min_yield);
	if (err == OK && w->remaining && !read_remaining(w->remaining, &rule->remaining_percent))
		err = config_refuse(b, KEY("remaining"), "\"%s\" is neither auto nor %d%% to %d%%",
				    w->remaining, REMAINING_MIN_PERCENT, REMAINING_MAX_PERCENT);
#undef KEY
	return err;
}

static int compare_rules(const void *a, const void *b)
{
	const struct prefetch_rule *x = a, *y = b;
	return dname_compare(x->name, y->name);
}

/* What a zone does not say is as in the defaults. */
static enum err read_zones(struct config_build *b, const struct raw_config *raw)
{
	struct prefetch_settings *p = &b->config->settings.prefetch;
	size_t count = raw->prefetch.zones_count;
	char key[CONFIG_KEY_MAX];
	struct prefetch_rule *rules = arena_alloc(&b->config->arena, (count + 1) * sizeof(*rules));
	if (!rules)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const struct raw_prefetch_zone *z = &raw->prefetch.zones[i];
		rules[i] = p->all;
		config_key(key, "prefetch.zones", i, "name");
		if (!z->name || !config_value_name(z->name, rules[i].name))
			return config_refuse(b, key, "the name of a zone is expected");
		enum err err = read_rule(b, config_key(key, "prefetch.zones", i, NULL), &z->rule,
					 &rules[i]);
		if (err != OK)
			return err;
		for (size_t j = 0; j < i; j++)
			if (dname_equal(rules[j].name, rules[i].name))
				return config_refuse(b,
						     config_key(key, "prefetch.zones", i, "name"),
						     "%s is given twice", z->name);
	}
	qsort(rules, count, sizeof(*rules), compare_rules);
	p->zones = rules;
	p->zone_count = count;
	return OK;
}

enum err config_prefetch_build(struct config_build *b, const struct raw_config *raw)
{
	struct prefetch_settings *p = &b->config->settings.prefetch;
	enum err err = config_read_bool(b, "prefetch.enabled", raw->prefetch.enabled, &p->enabled);

	if (err == OK)
		err = read_number(b, "prefetch.max-rate", raw->prefetch.max_rate, RATE_MAX,
				  &p->max_rate);
	if (err == OK)
		err = read_number(b, "prefetch.max-names", raw->prefetch.max_names, NAMES_MAX,
				  &p->max_names);
	if (err == OK && raw->prefetch.ttl_spread &&
	    !read_percent(raw->prefetch.ttl_spread, 0, SPREAD_MAX_PERCENT, &p->spread_percent))
		err = config_refuse(b, "prefetch.ttl-spread", "\"%s\" is not 0%% to %d%%",
				    raw->prefetch.ttl_spread, SPREAD_MAX_PERCENT);
	if (err == OK)
		err = read_rule(b, "prefetch", &raw->prefetch.rule, &p->all);
	return err == OK ? read_zones(b, raw) : err;
}
