#pragma once
/*
 * The simulated internet's contents: zones with their records, and the hosts that serve them. The
 * authority model (server.c) answers from it, and the oracle (oracle.c) reads the truth from it.
 *
 * A zone is filled with zone_add() and then sealed: its records become nodes in canonical order.
 * Everything lives in the world's arena.
 */
#include "base/arena.h"
#include "base/endpoint.h"
#include "dns/dname.h"
#include "dns/rrset.h"
#include "sim/prng.h"

enum {
	WORLD_ZONES_MAX = 64,
	WORLD_HOSTS_MAX = 512,
	WORLD_CHANGES_MAX = 16, /* four of addresses, ten when a zone rolls its algorithm */
	WORLD_NAMES_MAX = 1024, /* names that clients ask for */
	ZONE_HOSTS_MAX = 160,	/* the NXNS profile has 135 */
	HOST_ADDRESSES_MAX = 3,
	HOST_ZONES_MAX = 32,
};

enum mood {
	MOOD_HEALTHY, /* every server is well: no SERVFAIL is allowed */
	MOOD_ROUGH,   /* loss, lame and dead servers, but each zone has a good one */
	MOOD_HOSTILE, /* liars, spoofers, loops: failing is allowed, wrong data is not */
};

struct rr { /* a loose record of an unsealed zone */
	const uint8_t *owner;
	uint16_t type;
	uint32_t ttl_s;
	struct span rdata;
};

struct node { /* all records of one owner; a cut's node holds NS, DS and nothing else */
	const uint8_t *owner;
	struct rrset *sets;
	unsigned set_count;
	struct rrset *nsec; /* of signed zones */
	bool hidden;	    /* taken away while the run goes on, with all below it */
};

struct host;
struct security; /* secure.h */

struct zone {
	const uint8_t *apex;
	struct zone *parent; /* NULL for the root */
	struct rr *rrs;
	size_t rr_count, rr_capacity;
	struct node *nodes; /* canonical order, after zone_seal() */
	size_t node_count;
	struct host *hosts[ZONE_HOSTS_MAX];
	unsigned host_count;
	struct security *security; /* NULL: not signed */
	unsigned glueless_depth;   /* look-ups in other zones before a server can be asked */
	bool tainted;		   /* a liar has its hands in it: anything may come back */
	bool revoked;		   /* the parent no longer delegates it ... */
	uint64_t limbo_until_us;   /* ... but caches may know it so long */
	bool shaky;		   /* addresses of its servers (or its parents') are bogus */
	bool unreachable;	   /* nobody can resolve it: its delegation is a riddle */
};

enum edns_mode {
	EDNS_MODE_FULL,
	EDNS_MODE_FORMERR,
	EDNS_MODE_NOTIMP,
	EDNS_MODE_IGNORE,
	EDNS_MODE_DROP,
	EDNS_MODE_OPTIONS, /* FORMERR to options only */
};
enum mixed_mode { MIXED_KNOWN, MIXED_REFUSED, MIXED_SERVFAIL, MIXED_SILENT }; /* capital letters */
enum tcp_mode { TCP_MODE_OK, TCP_MODE_REFUSED, TCP_MODE_SILENT, TCP_MODE_CLOSES };
enum lame_mode {
	LAME_NOT,
	LAME_REFUSED,
	LAME_UPWARD,
	LAME_NOTIMP,
	LAME_SERVFAIL,
	LAME_EMPTY,
	LAME_HEARSAY,
	LAME_BARE,   /* claims authority, and has nothing to say */
	LAME_DENIES, /* a primary that has lost its data: every name is denied, with authority */
};

enum nuisance { /* what comes before the right reply */
		NUISANCE_WRONG_ID = 1,
		NUISANCE_WRONG_QUESTION = 2,
		NUISANCE_GARBAGE = 4,
		NUISANCE_CUT = 8,    /* a packet cut in the middle of a record */
		NUISANCE_NO_QR = 16, /* our own query sent back */
		NUISANCE_WRONG_PEER = 32,
		NUISANCE_WRONG_OPCODE = 64,
};

enum ends { ENDS_TOLD, ENDS_NXDOMAIN, ENDS_NODATA }; /* what is said of the ends of aliases */

struct quirks {
	uint32_t delay_us, spread_us; /* one reply takes delay + [0, spread) */
	uint8_t loss_percent, slow_percent, duplicate_percent, servfail_percent;
	uint8_t nuisance_percent;
	uint8_t nuisances; /* bits of enum nuisance */
	enum edns_mode edns;
	/* That holds for a while only, and for what lies between over UDP only; 0: always, for all. */
	uint64_t edns_from_us, edns_until_us;
	bool edns_udp;
	enum tcp_mode tcp;
	enum lame_mode lame;
	const struct zone *lame_for; /* NULL: for every zone */
	const struct zone
		*left;	   /* what it has of a zone that lies elsewhere: told behind aliases */
	bool is_recursive; /* a forwarder's: knows the whole world */
	bool dead, lowercase, truncates, follows_aliases, authority_ns, liar, spoofed;
	bool omits_soa;	   /* in denials */
	bool denies_types; /* by NXDOMAIN: what a name lacks */
	enum ends ends;
	/* A balancer: of unsigned names that have addresses it says nothing at all but these; and it tells
	 * them without authority. */
	bool mute, forgets_aa;
	const struct newest *newest; /* what it says of names that change; or NULL */
	bool error_opt, error_bare;  /* FORMERR to EDNS comes with OPT; as a header alone */
	enum mixed_mode mixed;
	uint8_t cookie_percent; /* of replies that have one */
	uint8_t trailing;	/* bytes behind the end */
	uint16_t udp_max;	/* what is larger is lost; 0: nothing */
};

struct host {
	unsigned number;
	const uint8_t *name; /* as in NS records */
	struct zone *home;   /* where its address records stand */
	struct endpoint addresses[HOST_ADDRESSES_MAX];
	unsigned address_count;
	unsigned glue_count; /* the parent knows only the first ones */
	struct zone *zones[HOST_ZONES_MAX];
	unsigned zone_count;
	struct quirks quirks;
	uint64_t received; /* packets */
	uint64_t luck_at;  /* ... when a forger had last found port and id of one */
	bool dishonest;	   /* says what the run's liar makes of it (liar.h) */
};

struct change { /* an RRset gets other records while the run goes on */
	const struct node *node;
	struct rrset *set;
	struct rrset other;	 /* the new records, later the old ones */
	uint64_t limbo_until_us; /* caches may know the old ones so long */
};

struct world {
	struct arena arena;
	enum mood mood;
	struct zone *zones[WORLD_ZONES_MAX]; /* [0] is the root; parents before children */
	unsigned zone_count;
	struct host *hosts[WORLD_HOSTS_MAX];
	unsigned host_count;
	struct host *by_address[WORLD_HOSTS_MAX * HOST_ADDRESSES_MAX];
	unsigned address_count;
	const uint8_t *names[WORLD_NAMES_MAX];
	unsigned name_count;
	struct change changes[WORLD_CHANGES_MAX];
	unsigned change_count;
};

/* What nobody honest ever says: 192.0.2.66, and as a name server's address a host that lies. */
extern const uint8_t world_poison[4];

void world_init(struct world *w);
void world_deinit(struct world *w);

/* Zeroed memory; aborts when it is out. */
void *world_alloc(struct world *w, size_t size_bytes);
/* A name from text, or one label (as printf) put before PARENT. */
const uint8_t *world_name(struct world *w, const char *text);
const uint8_t *world_label(struct world *w, const uint8_t *parent, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* A new zone, delegated by nobody yet; PARENT is the zone that will. */
struct zone *world_zone(struct world *w, const uint8_t *apex, struct zone *parent);
/* A new host called NAME, with V4 and V6 addresses in all. Its address records are added to HOME
 * unless that is NULL. */
struct host *world_host(struct world *w, const uint8_t *name, struct zone *home, unsigned v4,
			unsigned v6, uint32_t ttl_s);
/* HOST serves ZONE and is named in its NS set. */
void world_serve(struct host *host, struct zone *zone);
/* Swap the records of C with the other ones. */
void world_swap(struct change *c);
/* Who answers at E; NULL: nobody. */
struct host *world_host_at(const struct world *w, const struct endpoint *e);
/* The deepest zone that is reached for (NAME, TYPE): the parent's side of a cut for DS. */
struct zone *world_zone_for(const struct world *w, const uint8_t *name, uint16_t type);

void zone_add(struct world *w, struct zone *z, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
	      struct span rdata);
void zone_add_name(struct world *w, struct zone *z, const uint8_t *owner, uint16_t type,
		   uint32_t ttl_s, const uint8_t *target);
void zone_add_address(struct world *w, struct zone *z, const uint8_t *owner, uint32_t ttl_s,
		      const struct endpoint *e);
void zone_add_soa(struct world *w, struct zone *z, uint32_t ttl_s, uint32_t minimum_s);
/* The NS set and glue that the parent hands out, and the NS set at the apex. */
void zone_delegate(struct world *w, struct zone *z, uint32_t parent_ttl_s, uint32_t child_ttl_s,
		   bool sibling_glue);
/* Sort the records into nodes. Nothing can be added afterwards. */
void zone_seal(struct world *w, struct zone *z);

enum found { FOUND_ANSWER, FOUND_NODATA, FOUND_NXDOMAIN, FOUND_REFERRAL, FOUND_CNAME, FOUND_DNAME };

struct lookup {
	enum found found;
	const struct node *node; /* of the answer, the alias or the cut; NULL for denials */
	struct rrset *set;	 /* NULL for denials and for ANY */
	bool wildcard;		 /* the owner is to be replaced by the question's */
};

/* RFC 1034 §4.3.2 step 3, within one sealed zone that encloses NAME. */
void zone_lookup(const struct zone *z, const uint8_t *name, uint16_t type, struct lookup *out);
const struct node *zone_node(const struct zone *z, const uint8_t *name);
struct rrset *node_set(const struct node *n, uint16_t type);
/* NAME has records or names below it. */
bool zone_has_name(const struct zone *z, const uint8_t *name);
