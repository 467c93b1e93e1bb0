#pragma once
/*
 * Signed zones: keys, signatures made when they are first asked for, NSEC and NSEC3 chains, and the
 * proofs that servers put into denials - as they should be, or with one flaw that a validator must
 * not miss. Makes no use of the code under test but for codecs.
 */
#include "sim/memo.h"
#include "sim/signer.h"
#include "sim/world.h"

enum flaw {
	FLAW_NONE,
	/* Of every signature but the one over the DNSKEY set: all is bogus. */
	FLAW_EXPIRED,
	FLAW_FUTURE,
	FLAW_SIGNATURE, /* a bit is wrong */
	FLAW_STRIPPED,
	FLAW_STRANGER, /* made by a key that is not in the DNSKEY set */
	FLAW_SIGNER,   /* names the parent as signer */
	FLAW_ZSK_BIT,  /* made by a key that lacks the zone bit */
	/* Of the chain: all is bogus. */
	FLAW_NO_DNSKEY,
	FLAW_DS,	  /* its digest is of no key */
	FLAW_DNSKEY_SIGS, /* the DNSKEY set is signed by none of those that DS names */
	FLAW_KSK_BIT,	  /* the key that DS names lacks the zone bit */
	/* Of denials and wildcards only. */
	FLAW_NO_PROOF,
	FLAW_OTHER_PROOF,   /* records of the zone that do not cover the name */
	FLAW_SIBLING_PROOF, /* a sibling zone's, with its own good signatures */
	/* Forged denials of names that exist, with good proofs of something else. */
	FLAW_FALSE_NXDOMAIN,
	FLAW_FALSE_NODATA,
	FLAW_COUNT,
	FLAW_FIRST_OF_DENIALS = FLAW_NO_PROOF,
};

enum { KEYRING_ALGORITHMS = 8, KEYRING_KEYS = 3, KEYRING_OWN = 8, KEYRING_COLLIDING = 24 };

struct keyring { /* one process: making keys is slow, zones share them */
	struct signer_key keys[KEYRING_ALGORITHMS][KEYRING_KEYS];
	struct signer_key own[2 * KEYRING_OWN]; /* pairs for worlds of liars, which share none */
	struct signer_key colliding[KEYRING_COLLIDING]; /* one tag; attacks.c */
	struct memo memo;
};

struct hashed { /* an NSEC3 record */
	uint8_t hash[20];
	struct rrset *set;
	const struct node *node; /* NULL: an empty non-terminal */
	const uint8_t *original;
};

struct trap; /* attacks.c */

struct security { /* of one signed zone */
	const struct signer_key *ksk, *zsk, *stranger;
	const struct signer_key *second_ksk, *second_zsk; /* sign besides, in a rollover; or NULL */
	const struct trap *trap; /* bad signatures instead of the right ones; or NULL */
	bool has_ds;		 /* its parent was told */
	bool is_anchored;	 /* by itself, whatever its parent says */
	bool strips_addresses;	 /* sends A without signatures: that is bogus, all else well */
	bool is_unsupported;	 /* SHA-1 signatures, or a digest nobody knows: insecure */
	enum flaw flaw;
	bool nsec3, opt_out;
	uint16_t iterations;
	uint8_t salt[4];
	struct hashed *hashes; /* in hash order, after secure_seal() */
	size_t hash_count;
	int64_t unix_s;	   /* signatures are made around this time */
	struct memo *memo; /* ... and remembered; or NULL */
};

struct secure_options {
	uint8_t algorithm;
	bool with_ds, unknown_digest, nsec3, opt_out;
	enum flaw flaw;
	unsigned own_keys; /* pair number, from 1; 0: those that all zones share */
	int64_t unix_s;
};

void keyring_deinit(struct keyring *k);
/* Key number INDEX of ALGORITHM, made when it is first asked for; number 0 has the SEP flag. */
const struct signer_key *keyring_key(struct keyring *k, uint8_t algorithm, unsigned index);
/* A key of pair number PAIR (from 1), RSA with SHA-256: quick to verify, and remembered once made. */
const struct signer_key *keyring_own(struct keyring *k, unsigned pair, bool is_ksk);

/* Z will be signed: adds its DNSKEY set, and DS to its parent. Before sealing. */
void secure_zone(struct world *w, struct keyring *k, struct zone *z,
		 const struct secure_options *options);
/* After zone_seal(): the chain of NSEC or NSEC3 records. */
void secure_seal(struct world *w, struct zone *z);
/* Sign SET as an owner of KEY would, with the memory of Z. Returns the length of the RRSIG. */
size_t secure_sign_as(const struct zone *z, const struct signer_key *key, const struct rrset *set,
		      const struct signature *signature, uint8_t out[static SIGNER_RDATA_MAX]);
/* What an NSEC3 of Z's parameters has for NAME, or would have if Z has NSEC: hash and owner. */
void secure_hash(const struct zone *z, const uint8_t *name, uint8_t out[static 20]);
const uint8_t *secure_hashed_owner(struct world *w, const uint8_t *apex,
				   const uint8_t hash[static 20]);
/* Put the signatures on SET of Z, unless it has them. Nothing happens in unsigned zones. */
void secure_sign(struct world *w, const struct zone *z, struct rrset *set);
/* Forget the signatures on SET; the next one who asks gets new ones. */
void secure_forget(struct rrset *set);
/* ... on everything in Z. */
void secure_forget_all(struct zone *z);
/* The trust anchor of Z in presentation form, "ZONE DS TAG ALG TYPE DIGEST". */
void secure_anchor_text(const struct zone *z, char *out, size_t size_bytes);

enum proof_kind {
	PROOF_NXDOMAIN,
	PROOF_NODATA,
	PROOF_WILDCARD,
	PROOF_WILDCARD_NODATA,
	PROOF_NO_DS
};

enum { PROOF_SETS_MAX = 20 }; /* four will do, but for attacks.c */

struct proof {
	struct rrset *sets[PROOF_SETS_MAX];
	const struct zone *zone; /* that signs them */
	unsigned count;
};

/* What belongs into the authority section to prove KIND for NAME. Empty for unsigned zones. */
void secure_prove(struct world *w, const struct zone *z, enum proof_kind kind, const uint8_t *name,
		  struct proof *out);

enum sim_verdict { SIM_SECURE, SIM_INSECURE, SIM_BOGUS };

/* Z denies what it has: nobody may believe it, and nobody gets to what is true. */
bool secure_is_forged(const struct zone *z);
/* Z denies types of names that exist, and nobody can tell that NAME, made from a wildcard, has
 * them: for all that its proof says, NAME could be an empty non-terminal above unsigned
 * delegations, which needs no NSEC3 of its own where opt-out reigns (RFC 5155 §7.1, erratum 3441).
 * Such a denial is insecure. */
bool secure_hides(const struct zone *z, const uint8_t *name);
/* Z says nothing of NAME: it lies in an opt-out span, where unsigned delegations may be (RFC 5155 §6). */
bool secure_says_nothing(const struct zone *z, const uint8_t *name);
/* What a validator has to think of Z's records. */
enum sim_verdict secure_verdict(const struct zone *z);
/* ... of one set of them: the keys themselves may be well where nothing else is ... */
enum sim_verdict secure_set_verdict(const struct zone *z, const struct rrset *set);
/* ... and of a denial of KIND for NAME in Z. */
enum sim_verdict secure_proof_verdict(const struct zone *z, enum proof_kind kind,
				      const uint8_t *name);
