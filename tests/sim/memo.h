#pragma once
/*
 * Signatures once made, for worlds that are alike: signing with RSA costs more than the whole rest of a
 * short run. It changes nothing but the time, as RSA signatures have no chance in them.
 */
#include "sim/signer.h"

enum { MEMO_SLOTS = 1 << 16 };

struct memo_entry {
	uint8_t digest[32]; /* of key, set, and what the RRSIG says */
	uint8_t *rdata;	    /* RRSIG; NULL: an empty slot */
	size_t len;
};

struct memo { /* one process */
	struct memo_entry slots[MEMO_SLOTS];
	size_t count;
};

/* signer_sign(), remembered in M. Forgets all when it is nearly full. */
size_t memo_sign(struct memo *m, const struct signer_key *key, const struct rrset *set,
		 const struct signature *signature, uint8_t out[static SIGNER_RDATA_MAX]);
void memo_deinit(struct memo *m);
