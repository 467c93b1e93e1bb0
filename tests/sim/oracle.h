#pragma once
/*
 * The truth, straight from the zones: what the answer to a question is when everybody is honest,
 * awake and within reach.
 */
#include "sim/secure.h"
#include "sim/world.h"

enum { ORACLE_SETS_MAX = 40 };

struct oracle_set { /* one RRset of the answer section */
	uint8_t owner[DNAME_MAX];
	uint16_t type;
	uint32_t ttl_s;		   /* at most */
	const struct rrset *set;   /* NULL: a CNAME made from a DNAME */
	uint8_t target[DNAME_MAX]; /* of that CNAME */
};

struct oracle {
	uint8_t rcode;
	enum sim_verdict verdict;  /* the worst along the chain */
	bool tainted;		   /* the chain ends in a liar's hands; sets are those before it */
	bool dangling;		   /* ... or at a delegation that leads nowhere, or in a loop */
	bool wildcard;		   /* something was made from one */
	bool shaky;		   /* a zone passed has servers whose addresses are bogus */
	const struct zone *denier; /* this zone may deny what the chain is from set DENIED_AT on,
				    * and be believed, though not as secure; NULL: none */
	unsigned denied_at;
	unsigned aliases, zones_passed;
	struct oracle_set sets[ORACLE_SETS_MAX];
	unsigned set_count;
	const struct zone *last; /* where the chain ended */
};

void oracle_ask(const struct world *w, const uint8_t *qname, uint16_t qtype, struct oracle *out);

/* NAME is in a liar's hands: whatever is said of it is not our fault. */
bool oracle_is_tainted(const struct world *w, const uint8_t *name);

/* Some zone says that OWNER has this record, with a TTL of at least TTL_S. */
bool oracle_holds(const struct world *w, const uint8_t *owner, uint16_t type, uint32_t ttl_s,
		  struct span rdata);
