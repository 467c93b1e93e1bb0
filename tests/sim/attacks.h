#pragma once
/*
 * Signed zones that are made to cost their validator dear: colliding key tags under many bad
 * signatures (KeyTrap, CVE-2023-50387), NSEC3 records of many iterations and parameter sets against
 * names of many labels (CVE-2023-50868), more DS records than anybody needs, keys that nobody can
 * parse. What a client query costs is counted; limits.h says how much that may be.
 */
#include "sim/secure.h"

struct sim;

struct trap {
	bool on_keys, on_data;	 /* whose signatures are bad: of the DNSKEY set, of all else */
	unsigned sig_count;	 /* bad signatures on each set, all with TAG */
	unsigned parameter_sets; /* NSEC3 records of other salts in each denial */
	uint16_t tag;
	uint8_t algorithm;
	bool unfit; /* signatures by keys that are there, of more labels than the owner has */
};

void build_keytrap(struct sim *s);
void build_tag_search(struct sim *s);
void build_nsec3_flood(struct sim *s);
void build_ds_flood(struct sim *s);
/* The innocent were served. */
void finish_attack(struct sim *s);
void finish_tag_search(struct sim *s);

/* Put bad signatures on SET of Z instead of the right one, if Z's trap is for it. */
bool attack_signs(struct world *w, const struct zone *z, struct rrset *set,
		  const struct signature *signature);
/* Add to a denial what its reader has to hash. */
void attack_proves(struct world *w, const struct zone *z, struct proof *out);
