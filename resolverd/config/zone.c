#include "config/zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/value.h"
#include "resolve/provider.h"

enum { PROVIDER_RATE = 900 }; /* it drops what is above 1024, and others send too */

static enum err PRINTF_LIKE(3, 4)
	refuse(struct zone_fault *fault, const char *member, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(fault->what, sizeof(fault->what), format, args);
	va_end(args);
	(void)snprintf(fault->member, sizeof(fault->member), "%s", member);
	return ERR_MALFORMED;
}

/* NAME lies below N.SUFFIX, N from FIRST to LAST. */
static bool is_within_numbered(const uint8_t *name, unsigned first, unsigned last,
			       const char *suffix)
{
	uint8_t zone[DNAME_MAX];

	for (unsigned i = first; i <= last; i++) {
		char text[32];
		(void)snprintf(text, sizeof(text), "%u.%s", i, suffix);
		if (config_value_name(text, zone) && dname_is_within(name, zone))
			return true;
	}
	return false;
}

/* Zones that exist inside one network only and so cannot be signed from the root down: what a
 * server there says is not validated unless "insecure" says otherwise. */
static bool is_private_zone(const uint8_t *name)
{
	static const char *const suffixes[] = {
		"internal.",
		"local.",
		"home.arpa.",
		/* RFC 6762 appendix G: what networks call themselves; the root denies them. */
		"corp.",
		"home.",
		"intranet.",
		"lan.",
		"private.",
		"10.in-addr.arpa.",
		"168.192.in-addr.arpa.",
		"254.169.in-addr.arpa.",
		"d.f.ip6.arpa.",
		"8.e.f.ip6.arpa.",
		"9.e.f.ip6.arpa.",
		"a.e.f.ip6.arpa.",
		"b.e.f.ip6.arpa.",
	};
	uint8_t suffix[DNAME_MAX];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++)
		if (config_value_name(suffixes[i], suffix) && dname_is_within(name, suffix))
			return true;
	return is_within_numbered(name, 16, 31, "172.in-addr.arpa.") || /* 172.16.0.0/12 */
	       is_within_numbered(name, 64, 127, "100.in-addr.arpa."); /* RFC 6598: 100.64.0.0/10 */
}

static enum err read_servers(const struct zone_words *words, uint16_t port, struct settings_zone *z,
			     struct zone_fault *fault)
{
	char member[32];

	if (words->servers_count == 0)
		return refuse(fault, "servers", "at least one address is expected");
	if (words->servers_count > SETTINGS_ZONE_SERVERS_MAX)
		return refuse(fault, "servers", "too many addresses");
	for (unsigned i = 0; i < words->servers_count; i++) {
		struct endpoint *e = &z->servers[i];
		(void)snprintf(member, sizeof(member), "servers[%u]", i);
		if (!config_value_endpoint(words->servers[i], port, e))
			return refuse(fault, member, "\"%.200s\" is not an address",
				      words->servers[i]);
		if (endpoint_is_unusable(e))
			return refuse(fault, member, "\"%.200s\": no server can be there",
				      words->servers[i]);
	}
	z->server_count = (uint8_t)words->servers_count;
	return OK;
}

static enum err read_only(const struct zone_words *words, struct arena *arena,
			  struct settings_zone *z, struct zone_fault *fault)
{
	if (words->only_count > SETTINGS_ONLY_MAX)
		return refuse(fault, "only", "too many patterns");
	for (unsigned i = 0; i < words->only_count; i++) {
		size_t len = strlen(words->only[i]);
		if (len == 0 || len > DNAME_MAX)
			return refuse(fault, "only", "a pattern is empty or too long");
		struct span copy = arena_copy(arena, span_of(words->only[i], len + 1));
		if (!copy.at)
			return ERR_NO_MEMORY;
		for (char *c = (char *)(uintptr_t)copy.at; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c | 0x20 : *c);
		z->only[i] = (const char *)copy.at;
	}
	z->only_count = (uint8_t)words->only_count;
	return OK;
}

static uint32_t default_rate(const struct settings_zone *z)
{
	for (size_t i = 0; i < z->server_count; i++)
		if (provider_is_known(&z->servers[i]))
			return PROVIDER_RATE;
	return 0;
}

static enum err read_transport(const struct zone_words *words, struct settings_zone *z,
			       struct zone_fault *fault)
{
	uint64_t rate = default_rate(z);

	if (words->transport && strcmp(words->transport, "udp") != 0 &&
	    strcmp(words->transport, "tcp") != 0)
		return refuse(fault, "transport", "udp or tcp is expected");
	z->tcp = words->transport && strcmp(words->transport, "tcp") == 0;
	if (words->rate_limit && !config_value_number(words->rate_limit, 0, UINT32_MAX, &rate))
		return refuse(fault, "rate-limit", "a number of packets is expected");
	z->rate_limit = (uint32_t)rate;
	return OK;
}

static enum err read_bool(const char *word, const char *member, bool *out, struct zone_fault *fault)
{
	return !word || config_value_bool(word, out)
		       ? OK
		       : refuse(fault, member, "\"%.200s\" is neither true nor false", word);
}

enum err zone_read(const struct zone_words *words, uint16_t port, struct arena *arena,
		   struct settings_zone *out, struct zone_fault *fault)
{
	*out = (struct settings_zone){.forward = words->forward};
	if (!words->name)
		return refuse(fault, "", "the name is missing");
	if (!config_value_name(words->name, out->name))
		return refuse(fault, "name", "\"%.200s\" is not a name", words->name);
	out->insecure = is_private_zone(out->name);
	enum err err = read_servers(words, port, out, fault);
	if (err == OK)
		err = read_transport(words, out, fault);
	if (err == OK)
		err = read_only(words, arena, out, fault);
	if (err == OK)
		err = read_bool(words->fallback, "fallback", &out->fallback, fault);
	if (err == OK)
		err = read_bool(words->insecure, "insecure", &out->insecure, fault);
	return err;
}
