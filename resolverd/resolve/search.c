#include "resolve/search.h"

#include "dns/types.h"

enum { SUFFIX_LABELS_MAX = 2 };

/* LABEL is one of LIST, written as on the wire: its length first. */
static bool is_among(const uint8_t *label, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (label[0] == (uint8_t)list[i][0] &&
		    memcmp(label + 1, list[i] + 1, label[0]) == 0)
			return true;
	return false;
}

/* Those that make up nearly all names which clusters look for. A two-letter word that is as likely
 * part of an internal name (eu, us, in, my) is not plain. */
static bool is_public(const uint8_t *label)
{
	static const char *const list[] = {
		"\3com",    "\3net",	"\3org",     "\2io",  "\3dev",	"\5cloud", "\3app", "\3aws",
		"\2ai",	    "\2co",	"\4info",    "\3edu", "\3gov",	"\3mil",   "\3biz", "\2tv",
		"\2me",	    "\4tech",	"\2sh",	     "\2gg",  "\2de",	"\2uk",	   "\2fr",  "\2nl",
		"\2es",	    "\2it",	"\2pl",	     "\2ch",  "\2at",	"\2be",	   "\2se",  "\2no",
		"\2dk",	    "\2fi",	"\2cz",	     "\2ie",  "\2pt",	"\2ru",	   "\2jp",  "\2cn",
		"\2kr",	    "\2au",	"\2nz",	     "\2ca",  "\2br",	"\2mx",	   "\3xyz", "\3int",
		"\6google", "\6online", "\7systems", "\3run", "\4site",
	};
	return is_among(label, list, ARRAY_LEN(list));
}

/* RFC 6762 §3 and appendix G, RFC 8375, ICANN's reservation of "internal", and what RFC 9476 §3 and
 * the root's failed applications (corp, home, mail) keep from ever being delegated. */
static bool is_private(const uint8_t *label)
{
	static const char *const list[] = {"\10internal", "\5local",	   "\3lan",
					   "\4corp",	  "\4home",	   "\7private",
					   "\10intranet", "\13localdomain"};
	return is_among(label, list, ARRAY_LEN(list));
}

/* The name of the configured zone that covers NAME, a suffix of NAME; NULL: none does. */
static const uint8_t *configured_zone(const struct settings *s, const uint8_t *name)
{
	unsigned labels = SETTINGS_ANY_DEPTH, all = dname_label_count(name);
	const struct settings_zone *zone = settings_zone_for(s, name, TYPE_A);
	const struct local_zone *local = settings_local_zone(s, name, TYPE_A, &labels);
	unsigned depth = zone ? dname_label_count(zone->name) : 0;
	if (local)
		depth = MAX(depth, dname_label_count(local->name));
	return depth > 0 ? dname_skip(name, all - depth) : NULL;
}

const uint8_t *search_suffix(const struct settings *s, const uint8_t *name)
{
	const uint8_t *suffix = NULL, *last = name;
	for (const uint8_t *at = name; *at; at += 1u + *at) {
		const uint8_t *next = at + 1u + *at;
		if (!suffix && at != name && *next && is_public(at))
			suffix = next;
		last = at;
	}
	if (!suffix)
		return NULL;
	const uint8_t *zone = configured_zone(s, suffix);
	if (zone || !is_private(last))
		return zone;
	unsigned labels = dname_label_count(suffix);
	return dname_skip(suffix, labels > SUFFIX_LABELS_MAX ? labels - SUFFIX_LABELS_MAX : 0);
}

/* Suffixes that clusters and Amazon's machines have without anybody's doing. */
static bool is_common(const uint8_t *suffix)
{
	static const char *const list[] = {"\7cluster\5local", "\7compute\10internal",
					   "\3ec2\10internal"};
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		if (dname_equal((const uint8_t *)list[i], suffix))
			return true;
	return false;
}

const uint8_t *search_key(const struct settings *s, const uint8_t *suffix)
{
	if (is_common(suffix) || configured_zone(s, suffix))
		return suffix;
	return dname_skip(suffix, dname_label_count(suffix) - 1);
}
