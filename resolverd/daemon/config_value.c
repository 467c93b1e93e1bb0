#include "daemon/config_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/require.h"

bool config_value_bool(const char *word, bool *out)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {{"true", true},   {"yes", true}, {"on", true},
		     {"false", false}, {"no", false}, {"off", false}};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i].word) != 0)
			continue;
		*out = words[i].value;
		return true;
	}
	return false;
}

/* The digits at the start of WORD; what follows them, or NULL if there are none or too many. */
static const char *read_digits(const char *word, uint64_t *out)
{
	uint64_t value = 0;
	const char *at = word;

	for (; *at >= '0' && *at <= '9'; at++) {
		if (at - word >= 18) /* 10^18 fits 64 bits */
			return NULL;
		value = 10 * value + (uint64_t)(*at - '0');
	}
	*out = value;
	return at > word ? at : NULL;
}

bool config_value_number(const char *word, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t value;
	const char *rest = read_digits(word, &value);

	if (!rest || *rest || value < min || value > max)
		return false;
	*out = value;
	return true;
}

struct unit {
	const char *word;
	uint64_t factor;
};

static bool read_with_unit(const char *word, const struct unit *units, size_t count, uint64_t *out)
{
	uint64_t value;
	const char *rest = read_digits(word, &value);

	for (size_t i = 0; rest && i < count; i++) {
		if (strcmp(rest, units[i].word) == 0)
			return !__builtin_mul_overflow(value, units[i].factor, out);
	}
	return false;
}

bool config_value_size(const char *word, uint64_t *out_bytes)
{
	static const struct unit units[] = {
		{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {"T", 1ULL << 40}};

	return read_with_unit(word, units, ARRAY_LEN(units), out_bytes);
}

bool config_value_time(const char *word, uint64_t *out_ms)
{
	static const struct unit units[] = {{"", 1000},	  {"ms", 1},	  {"s", 1000},
					    {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

	return read_with_unit(word, units, ARRAY_LEN(units), out_ms);
}

bool config_value_name(const char *word, uint8_t out[static DNAME_MAX])
{
	size_t len;

	if (!*word || dname_parse(word, out, &len) != OK)
		return false;
	(void)dname_lower(out, out);
	return true;
}

bool config_value_endpoint(const char *word, uint16_t default_port, struct endpoint *out)
{
	struct endpoint e;

	if (endpoint_parse(word, default_port, &e) != OK || e.port == 0)
		return false;
	*out = e;
	return true;
}

const char *config_value_directory(const char *variable, const char *standard)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment */
	const char *path = getenv(variable);

	return path && path[0] == '/' && !strchr(path, ':') ? path : standard;
}
