#include "config/value.h"

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

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
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

/* The kernel takes nearly anything for a name. What is taken here is what names look like, so that an
 * address or a host name with a slip of the pen is not waited for as an interface: a letter, then
 * letters, digits, '-', '_' and '@'; behind a dot only the number of a VLAN. */
static bool is_interface_name(const char *name, size_t len)
{
	bool in_number = false;

	if (len == 0 || len >= CONFIG_INTERFACE_SIZE || !is_letter(name[0]) ||
	    (len == 9 && memcmp(name, "localhost", len) == 0))
		return false;
	for (size_t i = 1; i < len; i++) {
		bool is_digit = name[i] >= '0' && name[i] <= '9';
		if (name[i] == '.' && i + 1 < len)
			in_number = true;
		else if (!is_digit && (in_number || !(is_letter(name[i]) || name[i] == '-' ||
						      name[i] == '_' || name[i] == '@')))
			return false;
	}
	return true;
}

bool config_value_interface(const char *word, uint16_t default_port, struct config_interface *out)
{
	const char *colon = strchr(word, ':');
	size_t len = colon ? (size_t)(colon - word) : strlen(word);
	uint64_t port = default_port;

	if (!is_interface_name(word, len) ||
	    (colon && !config_value_number(colon + 1, 1, UINT16_MAX, &port)))
		return false;
	*out = (struct config_interface){.port = (uint16_t)port}; /* compared as bytes */
	memcpy(out->name, word, len);
	return true;
}

const char *config_value_directory(const char *variable, const char *standard)
{
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody changes the environment */
	const char *path = getenv(variable);

	return path && path[0] == '/' && !strchr(path, ':') ? path : standard;
}
