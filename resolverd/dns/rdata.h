#pragma once
/*
 * RDATA outside messages: always uncompressed. Checking, canonical form, and the typed views that
 * the resolver needs.
 */
#include "base/err.h"
#include "base/span.h"
#include "dns/dname.h"
#include "dns/types.h"

enum { RDATA_FIELD_MISSING = -1 };

/* Length in bytes of a field of kind F at the start of REST, names uncompressed; 0 for RDATA_END,
 * RDATA_FIELD_MISSING if REST does not hold it. */
ptrdiff_t rdata_field_len(enum rdata_field f, struct span rest);

/* RDATA follows TYPE's layout to the last byte (names valid and uncompressed, lengths right; A is
 * 4 bytes, AAAA 16). Unknown types always do. */
bool rdata_is_valid(uint16_t type, struct span rdata);

/* Canonical form (RFC 4034 §6.2) of RDATA into OUT, which holds rdata.len bytes. */
void rdata_canonical(uint16_t type, struct span rdata, uint8_t *out);

/* Order of RFC 4034 §6.3 over the canonical forms of A and B. */
int rdata_compare(uint16_t type, struct span a, struct span b);

/* The first embedded name: target of CNAME, DNAME, NS, PTR, MX, SRV, mname of SOA; NULL if none. */
const uint8_t *rdata_name(uint16_t type, struct span rdata);

struct soa_view {
	const uint8_t *mname, *rname;
	uint32_t serial, refresh_s, retry_s, expire_s, minimum_s;
};
MUST_USE enum err rdata_soa(struct span rdata, struct soa_view *out);

struct rrsig_view {
	uint16_t type_covered;
	uint8_t algorithm, labels;
	uint32_t original_ttl_s;
	uint32_t expiration, inception; /* serial-number arithmetic, RFC 4034 §3.1.5 */
	uint16_t key_tag;
	const uint8_t *signer;
	struct span signature;
};
MUST_USE enum err rdata_rrsig(struct span rdata, struct rrsig_view *out);

struct ds_view {
	uint16_t key_tag;
	uint8_t algorithm, digest_type;
	struct span digest;
};
MUST_USE enum err rdata_ds(struct span rdata, struct ds_view *out);

struct dnskey_view {
	uint16_t flags;
	uint8_t protocol, algorithm;
	struct span key;
};
enum { DNSKEY_ZONE = 0x0100, DNSKEY_REVOKE = 0x0080, DNSKEY_SEP = 0x0001 };
MUST_USE enum err rdata_dnskey(struct span rdata, struct dnskey_view *out);
/* RFC 4034 appendix B. */
uint16_t rdata_dnskey_tag(struct span rdata);

struct nsec_view {
	const uint8_t *next;
	struct span bitmap;
};
MUST_USE enum err rdata_nsec(struct span rdata, struct nsec_view *out);

struct nsec3_view {
	uint8_t algorithm, flags;
	uint16_t iterations;
	struct span salt, next_hash, bitmap;
};
enum { NSEC3_OPT_OUT = 1 };
MUST_USE enum err rdata_nsec3(struct span rdata, struct nsec3_view *out);
/* The hash that is the first label of OWNER: base32hex without padding (RFC 5155 §3.3, RFC 4648 §7). False:
 * that is no hash of SHA-1, the only algorithm there is. */
enum { NSEC3_HASH_SIZE = 20, NSEC3_LABEL_LEN = 32 };
bool rdata_nsec3_owner(const uint8_t *owner, uint8_t out[static NSEC3_HASH_SIZE]);

/* TYPE is set in a type bitmap (RFC 4034 §4.1.2). A malformed bitmap (windows out of order, length
 * 0 or over 32) is refused by rdata_nsec and rdata_nsec3. */
bool rdata_bitmap_has(struct span bitmap, uint16_t type);
