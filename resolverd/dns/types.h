#pragma once
/*
 * Numbers of the DNS with their names, and for each RR type the layout of its RDATA: where names
 * are embedded, whether they may be compressed on the wire (RFC 1035, RFC 3597 §4), and whether
 * they are folded to lower case in canonical form (RFC 4034 §6.2 as updated by RFC 6840 §5.1).
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_NULL = 10,
	TYPE_PTR = 12,
	TYPE_HINFO = 13,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_SIG = 24,
	TYPE_KEY = 25,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	TYPE_NAPTR = 35,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_DS = 43,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_DNSKEY = 48,
	TYPE_NSEC3 = 50,
	TYPE_NSEC3PARAM = 51,
	TYPE_CDS = 59,
	TYPE_CDNSKEY = 60,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_TKEY = 249,
	TYPE_TSIG = 250,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_MAILB = 253,
	TYPE_MAILA = 254,
	TYPE_ANY = 255,
	TYPE_CAA = 257,
};

enum dns_class { CLASS_IN = 1, CLASS_CH = 3, CLASS_HS = 4, CLASS_NONE = 254, CLASS_ANY = 255 };

enum dns_rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_YXRRSET = 7,
	RCODE_NXRRSET = 8,
	RCODE_NOTAUTH = 9,
	RCODE_NOTZONE = 10,
	RCODE_BADVERS = 16,
	RCODE_BADCOOKIE = 23,
};

enum dns_opcode {
	OPCODE_QUERY = 0,
	OPCODE_IQUERY = 1,
	OPCODE_STATUS = 2,
	OPCODE_NOTIFY = 4,
	OPCODE_UPDATE = 5
};

/* Header flags, as they stand in the second 16-bit word. */
enum {
	FLAG_QR = 0x8000,
	FLAG_AA = 0x0400,
	FLAG_TC = 0x0200,
	FLAG_RD = 0x0100,
	FLAG_RA = 0x0080,
	FLAG_AD = 0x0020,
	FLAG_CD = 0x0010,
	FLAG_OPCODE_SHIFT = 11,
	FLAG_OPCODE_MASK = 0x7800,
	FLAG_RCODE_MASK = 0x000f,
};

/* Extended DNS errors (RFC 8914 and IANA's registry). */
enum dns_ede {
	EDE_OTHER = 0,
	EDE_UNSUPPORTED_DNSKEY_ALGORITHM = 1,
	EDE_UNSUPPORTED_DS_DIGEST = 2,
	EDE_STALE_ANSWER = 3,
	EDE_FORGED_ANSWER = 4,
	EDE_DNSSEC_INDETERMINATE = 5,
	EDE_DNSSEC_BOGUS = 6,
	EDE_SIGNATURE_EXPIRED = 7,
	EDE_SIGNATURE_NOT_YET_VALID = 8,
	EDE_DNSKEY_MISSING = 9,
	EDE_RRSIGS_MISSING = 10,
	EDE_NO_ZONE_KEY_BIT = 11,
	EDE_NSEC_MISSING = 12,
	EDE_CACHED_ERROR = 13,
	EDE_NOT_READY = 14,
	EDE_BLOCKED = 15,
	EDE_CENSORED = 16,
	EDE_FILTERED = 17,
	EDE_PROHIBITED = 18,
	EDE_STALE_NXDOMAIN = 19,
	EDE_NOT_AUTHORITATIVE = 20,
	EDE_NOT_SUPPORTED = 21,
	EDE_NO_REACHABLE_AUTHORITY = 22,
	EDE_NETWORK_ERROR = 23,
	EDE_INVALID_DATA = 24,
	EDE_SIGNATURE_EXPIRED_BEFORE_VALID = 25,
	EDE_TOO_EARLY = 26,
	EDE_UNSUPPORTED_NSEC3_ITERATIONS = 27,
	EDE_SYNTHESIZED = 29,
	EDE_NONE = 0xffff, /* ours: no extended error */
};

/* RDATA layout of a type: a run of these, ended by RDATA_END. */
enum rdata_field {
	RDATA_END,
	RDATA_1,
	RDATA_2,
	RDATA_4,
	RDATA_6,
	RDATA_16,	  /* fixed bytes */
	RDATA_STRING,	  /* <character-string> */
	RDATA_NAME,	  /* name that may arrive compressed; lower-cased in canonical form */
	RDATA_NAME_PLAIN, /* name that must not be compressed, but folded in canonical form */
	RDATA_NAME_AS_IS, /* name that must not be compressed, case kept (NSEC next, SVCB) */
	RDATA_REST,	  /* whatever remains, may be empty */
};

struct type_info {
	uint16_t type;
	const char *name;	     /* "A" */
	bool compress;		     /* we may compress its names (RFC 3597 §4: RFC 1035 types) */
	enum rdata_field layout[10]; /* ends with RDATA_END */
};

/* Layout of TYPE; unknown types get one that is RDATA_REST only. Never NULL. */
const struct type_info *type_info(uint16_t type);

enum { TYPE_TEXT_SIZE = 16 };
/* "AAAA" or "TYPE65280" (RFC 3597 §5) into OUT; returns OUT. */
const char *type_text(uint16_t type, char out[static TYPE_TEXT_SIZE]);
/* The reverse, any case; false if it is neither a known name nor TYPEn. */
bool type_parse(const char *text, uint16_t *out);

/* "NXDOMAIN", or "RCODE27". Static or OUT. */
const char *rcode_text(uint16_t rcode, char out[static TYPE_TEXT_SIZE]);

/* "Signature Expired" as in IANA's registry of extended errors, or "Unknown". */
const char *ede_text(uint16_t ede);

/* Types that stand for a question, not for data (ANY, AXFR, ...), RFC 6895 §3.1; and OPT, TSIG... */
bool type_is_meta(uint16_t type);
