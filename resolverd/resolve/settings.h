#pragma once
/*
 * What the core is told: an immutable snapshot made from the configuration (config/config.c) or by a
 * test. Workers adopt a new one between batches; a query keeps the one it began with.
 */
#include "base/arena.h"
#include "base/endpoint.h"
#include "base/err.h"
#include "cache/delegation.h"
#include "dns/dname.h"
#include "dns/rrset.h"
#include "dnssec/anchor.h"

enum minimization { MINIMIZE_OFF, MINIMIZE_RELAXED, MINIMIZE_STRICT };

enum {
	SETTINGS_ZONE_SERVERS_MAX = 16,
	SETTINGS_ONLY_MAX = 32,
	SETTINGS_ANCHORS_MAX = 256, /* zones with trust anchors of their own; the root is one */
};

/* A forward or stub zone. */
struct settings_zone {
	uint8_t name[DNAME_MAX]; /* lower case */
	bool forward;		 /* recursive upstream (RD=1); else authoritative servers (stub) */
	bool tcp;		 /* ask over TCP; else UDP, TCP on truncation only */
	bool fallback; /* forward: ask the zone around it when all servers failed, at last the root */
	bool insecure;	     /* nothing below is validated */
	uint32_t rate_limit; /* packets per second over all servers; 0: none */
	uint8_t server_count;
	struct endpoint servers[SETTINGS_ZONE_SERVERS_MAX];
	uint8_t only_count; /* forward: patterns for the labels below the zone ("ip-*"); others are
				    NXDOMAIN without asking; 0: everything is asked */
	/* "*" and "?" stand for characters of one label, a first label "*" for one or more labels. */
	const char *only[SETTINGS_ONLY_MAX];
};

enum local_action {
	LOCAL_STATIC,	   /* answer from the zone's data, else NODATA or NXDOMAIN with its SOA */
	LOCAL_REFUSE,	   /* REFUSED with EDE 15 */
	LOCAL_TRANSPARENT, /* data if the name has any, else resolved as usual */
	LOCAL_NODATA, /* as static, but every name in the zone exists (RFC 9462: resolver.arpa) */
};

struct local_zone {
	uint8_t name[DNAME_MAX]; /* lower case */
	enum local_action action;
	bool builtin;		  /* gives way to what the operator configured at the same name */
	const struct rrset *sets; /* sorted by owner (canonical), then type: local_zone_fill() */
	size_t set_count;
};

struct access_rule {
	struct endpoint_prefix prefix;
	bool allow;
};

/* How names are kept fresh: the defaults, or a zone's. */
struct prefetch_rule {
	uint8_t name[DNAME_MAX]; /* lower case; of the defaults: unused */
	uint32_t min_hits;	 /* seconds with a question, none further from the next than: */
	uint32_t window_s;
	uint32_t min_yield_permille; /* questions that a refresh is expected to serve; 0: always */
	uint8_t remaining_percent; /* of the TTL when refreshing begins; 0: derived from servers */
	uint32_t hold_ms;	   /* refreshed, and served at once, so long after expiry */
	/* A refresh that turns data into a denial is not believed for so long, unless another server
	 * confirms it; 0: always believed. */
	uint32_t flip_guard_ms;
	uint32_t
		max_staleness_s; /* nothing older is served, whatever happens; UINT32_MAX: as serve-stale
				     says */
};

struct prefetch_settings {
	bool enabled;
	uint32_t max_rate;  /* refreshes a second, and packets of them to one upstream; from 1 */
	uint32_t max_names; /* kept by all workers */
	/* What is left of a TTL is told shorter by up to this much, so that caches that asked together
	 * do not come back together; 0: as it is. */
	uint8_t spread_percent;
	struct prefetch_rule all;
	const struct prefetch_rule *zones; /* in canonical order */
	size_t zone_count;
	uint32_t min_hits_min, window_min_s; /* of all rules: settings_finish() */
};

struct settings_index; /* what the lookups below search; made by settings_finish() */

struct settings { /* immutable once finished */
	enum minimization minimization;
	bool ipv4, ipv6;	/* families that may be asked upstream at all */
	bool harden_glue;	/* always true in the daemon: glue must be in the referring zone */
	uint16_t upstream_port; /* 53 */
	uint32_t min_ttl_s, max_ttl_s, max_negative_ttl_s;
	uint32_t client_ms; /* budget of time for a client; LIMIT_CLIENT_MS */

	/* What the operator says of addresses that strangers' delegations name (resolve/askable.h):
	 * longest prefix wins; what none covers is left to what is known of such networks. */
	const struct access_rule *ask;
	size_t ask_count;

	/* Whose questions' letters are left alone (resolve/habit.h): names at or below these, servers in
	 * these networks. */
	const uint8_t *const *no_case_zones; /* lower case */
	const struct endpoint_prefix *no_case_servers;
	size_t no_case_zone_count, no_case_server_count;

	struct delegation hints; /* root servers */
	bool prime;		 /* ask the hints for the root's NS set first (RFC 9609) */

	bool dnssec;
	bool accept_sha1; /* validate with SHA-1 (RFC 9905) and short RSA keys */
	const struct anchor *anchors;
	size_t anchor_count;
	const uint8_t *const *negative_anchors;
	size_t negative_anchor_count; /* lower case */

	const struct settings_zone *zones;
	size_t zone_count;
	const struct local_zone *local_zones;
	size_t local_zone_count; /* built-in ones included */

	const struct access_rule *access;
	size_t access_count; /* longest prefix wins; default deny */
	/* Where the operator's own clients live (`allow` is not looked at): they weigh more where
	 * shares decide (base/shares.h), and nobody forges their addresses. */
	const struct access_rule *trusted;
	size_t trusted_count;
	bool answer_norecurse;	/* RD=0 of trusted clients from the cache; else REFUSED */
	uint32_t response_rate; /* answers a second over UDP to a network of strangers; 0: any */

	const char *identity; /* id.server, hostname.bind, NSID; NULL: REFUSED, no NSID */
	const char *version;  /* version.bind, version.server; NULL: REFUSED */

	bool stale_enabled;
	uint32_t stale_answer_after_ms, stale_max_age_s, stale_ttl_s;
	bool aggressive_nsec;
	struct prefetch_settings prefetch;

	const struct settings_index *index; /* settings_finish() */
};

/* Everything at its default (design: "Contract with the operator"), no zones, no hints. Fill in
 * the rest, then call settings_finish(). */
void settings_init(struct settings *s);

/* Index zones, local zones, negative anchors and access rules as they stand now; the index lives in
 * ARENA and borrows from S's arrays. Call it once everything is filled in, and again after any
 * change: the lookups below abort without it. ERR_NO_MEMORY. */
MUST_USE enum err settings_finish(struct settings *s, struct arena *arena);

/* The rules that an access word stands for, "loopback" or "private", into OUT; how many, 0 if WORD
 * is neither or they do not fit MAX. */
enum { SETTINGS_ACCESS_WORD_MAX = 8 };
size_t settings_access_word(const char *word, bool allow, struct access_rule *out, size_t max);

/* The deepest forward or stub zone that covers NAME, or NULL. DS questions belong to the parent:
 * for QTYPE DS a zone that equals NAME does not count. */
const struct settings_zone *settings_zone_for(const struct settings *s, const uint8_t *name,
					      uint16_t qtype);

/* The deepest forward or stub zone that Z itself lies in, or NULL. */
const struct settings_zone *settings_zone_around(const struct settings *s,
						 const struct settings_zone *z);

/* Whose packets are counted (resolve/throttle.h): a server of a zone that has a rate limit. */
struct settings_budget {
	struct endpoint server;
	struct endpoint
		counted_as; /* those with the same one share a budget (resolve/provider.h) */
	uint32_t rate;	    /* packets a second: the least of the zones' that name it */
};

/* What SERVER's packets are counted by, through whatever zone one comes there; NULL: they are not. */
const struct settings_budget *settings_budget_of(const struct settings *s,
						 const struct endpoint *server);

/* NAME, below forward zone Z, has one of the shapes of Z's only list (or there is no list). The zone
 * apex itself is always asked. */
bool settings_zone_only_allows(const struct settings_zone *z, const uint8_t *name);

/* The letters of questions for NAME (lower case) are left alone, or of those to SERVER. */
bool settings_is_no_case(const struct settings *s, const uint8_t *name,
			 const struct endpoint *server);

/* What CLIENT is: SETTINGS_ALLOWED: it may ask; SETTINGS_TRUSTED: its network is trusted. */
enum { SETTINGS_ALLOWED = 1, SETTINGS_TRUSTED = 2 };
unsigned settings_standing(const struct settings *s, const struct endpoint *client);
static inline bool settings_allows(const struct settings *s, const struct endpoint *client)
{
	return (settings_standing(s, client) & SETTINGS_ALLOWED) != 0;
}
static inline bool settings_trusts(const struct settings *s, const struct endpoint *client)
{
	return (settings_standing(s, client) & SETTINGS_TRUSTED) != 0;
}

/* NAME is at or below a negative trust anchor, or a zone marked insecure. */
bool settings_is_insecure(const struct settings *s, const uint8_t *name);

/* False: no local zone covers NAME, which its last label alone tells of most names. */
bool settings_may_be_local(const struct settings *s, const uint8_t *name);

/*
 * The local zone that decides about NAME, or NULL: the deepest that covers it, unless a forward or
 * stub zone lies deeper, or at the name of a built-in one. Only zones of fewer than *LABELS labels
 * are looked at; set to the found zone's count, for asking on. A DS question at a zone's own name
 * belongs to its parent, but for top-level names, whose parent must not be asked about them.
 */
enum { SETTINGS_ANY_DEPTH = DNAME_LABELS_MAX + 1 };
const struct local_zone *settings_local_zone(const struct settings *s, const uint8_t *name,
					     uint16_t qtype, unsigned *labels);
