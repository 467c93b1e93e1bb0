#include "dns/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/require.h"

/*
 * Every type of IANA's registry, by number. Who is RDATA_NAME: the types of RFC 1035 and those that
 * RFC 3597 §4 lists, whose names a receiver must be ready to decompress; only the former (PACK) are
 * compressed by us. Of the later ones, whose names "MUST NOT be compressed", RFC 6840 §5.1 has the
 * signer in RRSIG folded in canonical form and the next name in NSEC not; RFC 4034 §6.2 lists no
 * others to fold.
 *
 * IPSECKEY, HIP, AMTRELAY and A6 hold names at places that depend on other fields. Nobody
 * compresses or folds them, so they can be carried as plain bytes.
 */
#define ROW(number, text, packed, ...)                                                             \
	[number] = {.type = (number), .name = (text), .compress = (packed), .layout = {__VA_ARGS__}}
#define PLAIN(number, text, ...) ROW(number, text, false, __VA_ARGS__)
#define PACK(number, text, ...) ROW(number, text, true, __VA_ARGS__)
#define OPAQUE(number, text) ROW(number, text, false, RDATA_REST)

static const struct type_info types[] = {
	PLAIN(TYPE_A, "A", RDATA_4),
	PACK(TYPE_NS, "NS", RDATA_NAME),
	PACK(3, "MD", RDATA_NAME),
	PACK(4, "MF", RDATA_NAME),
	PACK(TYPE_CNAME, "CNAME", RDATA_NAME),
	PACK(TYPE_SOA, "SOA", RDATA_NAME, RDATA_NAME, RDATA_4, RDATA_4, RDATA_4, RDATA_4, RDATA_4),
	PACK(7, "MB", RDATA_NAME),
	PACK(8, "MG", RDATA_NAME),
	PACK(9, "MR", RDATA_NAME),
	OPAQUE(TYPE_NULL, "NULL"),
	PLAIN(11, "WKS", RDATA_4, RDATA_1, RDATA_REST),
	PACK(TYPE_PTR, "PTR", RDATA_NAME),
	PLAIN(TYPE_HINFO, "HINFO", RDATA_STRING, RDATA_STRING),
	PACK(14, "MINFO", RDATA_NAME, RDATA_NAME),
	PACK(TYPE_MX, "MX", RDATA_2, RDATA_NAME),
	PLAIN(TYPE_TXT, "TXT", RDATA_STRING, RDATA_REST),
	PLAIN(17, "RP", RDATA_NAME, RDATA_NAME),
	PLAIN(18, "AFSDB", RDATA_2, RDATA_NAME),
	PLAIN(19, "X25", RDATA_STRING),
	PLAIN(20, "ISDN", RDATA_STRING, RDATA_REST),
	PLAIN(21, "RT", RDATA_2, RDATA_NAME),
	OPAQUE(22, "NSAP"),
	PLAIN(23, "NSAP-PTR", RDATA_NAME_AS_IS),
	PLAIN(TYPE_SIG, "SIG", RDATA_2, RDATA_1, RDATA_1, RDATA_4, RDATA_4, RDATA_4, RDATA_2,
	      RDATA_NAME, RDATA_REST),
	PLAIN(TYPE_KEY, "KEY", RDATA_2, RDATA_1, RDATA_1, RDATA_REST),
	PLAIN(26, "PX", RDATA_2, RDATA_NAME, RDATA_NAME),
	PLAIN(27, "GPOS", RDATA_STRING, RDATA_STRING, RDATA_STRING),
	PLAIN(TYPE_AAAA, "AAAA", RDATA_16),
	PLAIN(29, "LOC", RDATA_16),
	PLAIN(30, "NXT", RDATA_NAME, RDATA_REST),
	OPAQUE(31, "EID"),
	OPAQUE(32, "NIMLOC"),
	PLAIN(TYPE_SRV, "SRV", RDATA_2, RDATA_2, RDATA_2, RDATA_NAME),
	OPAQUE(34, "ATMA"),
	PLAIN(TYPE_NAPTR, "NAPTR", RDATA_2, RDATA_2, RDATA_STRING, RDATA_STRING, RDATA_STRING,
	      RDATA_NAME),
	PLAIN(36, "KX", RDATA_2, RDATA_NAME),
	PLAIN(37, "CERT", RDATA_2, RDATA_2, RDATA_1, RDATA_REST),
	OPAQUE(38, "A6"),
	PLAIN(TYPE_DNAME, "DNAME", RDATA_NAME),
	OPAQUE(40, "SINK"),
	OPAQUE(TYPE_OPT, "OPT"),
	OPAQUE(42, "APL"),
	PLAIN(TYPE_DS, "DS", RDATA_2, RDATA_1, RDATA_1, RDATA_REST),
	PLAIN(44, "SSHFP", RDATA_1, RDATA_1, RDATA_REST),
	OPAQUE(45, "IPSECKEY"),
	PLAIN(TYPE_RRSIG, "RRSIG", RDATA_2, RDATA_1, RDATA_1, RDATA_4, RDATA_4, RDATA_4, RDATA_2,
	      RDATA_NAME_PLAIN, RDATA_REST),
	PLAIN(TYPE_NSEC, "NSEC", RDATA_NAME_AS_IS, RDATA_REST),
	PLAIN(TYPE_DNSKEY, "DNSKEY", RDATA_2, RDATA_1, RDATA_1, RDATA_REST),
	OPAQUE(49, "DHCID"),
	PLAIN(TYPE_NSEC3, "NSEC3", RDATA_1, RDATA_1, RDATA_2, RDATA_STRING, RDATA_STRING,
	      RDATA_REST),
	PLAIN(TYPE_NSEC3PARAM, "NSEC3PARAM", RDATA_1, RDATA_1, RDATA_2, RDATA_STRING),
	PLAIN(52, "TLSA", RDATA_1, RDATA_1, RDATA_1, RDATA_REST),
	PLAIN(53, "SMIMEA", RDATA_1, RDATA_1, RDATA_1, RDATA_REST),
	OPAQUE(55, "HIP"),
	PLAIN(56, "NINFO", RDATA_STRING, RDATA_REST),
	OPAQUE(57, "RKEY"),
	PLAIN(58, "TALINK", RDATA_NAME_AS_IS, RDATA_NAME_AS_IS),
	PLAIN(TYPE_CDS, "CDS", RDATA_2, RDATA_1, RDATA_1, RDATA_REST),
	PLAIN(TYPE_CDNSKEY, "CDNSKEY", RDATA_2, RDATA_1, RDATA_1, RDATA_REST),
	OPAQUE(61, "OPENPGPKEY"),
	PLAIN(62, "CSYNC", RDATA_4, RDATA_2, RDATA_REST),
	PLAIN(63, "ZONEMD", RDATA_4, RDATA_1, RDATA_1, RDATA_REST),
	PLAIN(TYPE_SVCB, "SVCB", RDATA_2, RDATA_NAME_AS_IS, RDATA_REST),
	PLAIN(TYPE_HTTPS, "HTTPS", RDATA_2, RDATA_NAME_AS_IS, RDATA_REST),
	PLAIN(66, "DSYNC", RDATA_2, RDATA_1, RDATA_2, RDATA_NAME_AS_IS),
	OPAQUE(67, "HHIT"),
	OPAQUE(68, "BRID"),
	PLAIN(99, "SPF", RDATA_STRING, RDATA_REST),
	OPAQUE(100, "UINFO"),
	OPAQUE(101, "UID"),
	OPAQUE(102, "GID"),
	OPAQUE(103, "UNSPEC"),
	PLAIN(104, "NID", RDATA_2, RDATA_4, RDATA_4),
	PLAIN(105, "L32", RDATA_2, RDATA_4),
	PLAIN(106, "L64", RDATA_2, RDATA_4, RDATA_4),
	PLAIN(107, "LP", RDATA_2, RDATA_NAME_AS_IS),
	PLAIN(108, "EUI48", RDATA_6),
	PLAIN(109, "EUI64", RDATA_4, RDATA_4),
	OPAQUE(128, "NXNAME"),
	OPAQUE(TYPE_TKEY, "TKEY"),
	OPAQUE(TYPE_TSIG, "TSIG"),
	OPAQUE(TYPE_IXFR, "IXFR"),
	OPAQUE(TYPE_AXFR, "AXFR"),
	OPAQUE(TYPE_MAILB, "MAILB"),
	OPAQUE(TYPE_MAILA, "MAILA"),
	OPAQUE(TYPE_ANY, "ANY"),
	PLAIN(256, "URI", RDATA_2, RDATA_2, RDATA_REST),
	PLAIN(257, "CAA", RDATA_1, RDATA_STRING, RDATA_REST),
	PLAIN(258, "AVC", RDATA_STRING, RDATA_REST),
	OPAQUE(259, "DOA"),
	OPAQUE(260, "AMTRELAY"),
	PLAIN(261, "RESINFO", RDATA_STRING, RDATA_REST),
	PLAIN(262, "WALLET", RDATA_STRING, RDATA_REST),
	OPAQUE(263, "CLA"),
	OPAQUE(264, "IPN"),
};

/* The few that stand far from the others. */
enum { TYPE_TA = 32768, TYPE_DLV = 32769 };
static const struct type_info type_ta = {
	TYPE_TA, "TA", false, {RDATA_2, RDATA_1, RDATA_1, RDATA_REST}};
static const struct type_info type_dlv = {
	TYPE_DLV, "DLV", false, {RDATA_2, RDATA_1, RDATA_1, RDATA_REST}};

/* RFC 3597 §5: an unknown type is a run of bytes. Its number is not known here, hence 0. */
static const struct type_info type_unknown = {.layout = {RDATA_REST}};

const struct type_info *type_info(uint16_t type)
{
	if (LIKELY(type < ARRAY_LEN(types)))
		return types[type].name ? &types[type] : &type_unknown;
	if (type == TYPE_TA)
		return &type_ta;
	if (type == TYPE_DLV)
		return &type_dlv;
	return &type_unknown;
}

const char *type_text(uint16_t type, char out[static TYPE_TEXT_SIZE])
{
	const char *name = type_info(type)->name;
	if (name)
		snprintf(out, TYPE_TEXT_SIZE, "%s", name);
	else
		snprintf(out, TYPE_TEXT_SIZE, "TYPE%u", type);
	return out;
}

/* RFC 3597 §5: "TYPE" and a decimal number. */
static bool type_parse_number(const char *text, uint16_t *out)
{
	if (strncasecmp(text, "TYPE", 4) != 0)
		return false;
	const char *digits = text + 4;
	size_t len = strspn(digits, "0123456789");
	if (len == 0 || len > 5 || digits[len] != '\0')
		return false;
	unsigned long value = strtoul(digits, NULL, 10);
	if (value > UINT16_MAX)
		return false;
	*out = (uint16_t)value;
	return true;
}

bool type_parse(const char *text, uint16_t *out)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].name && strcasecmp(text, types[i].name) == 0) {
			*out = types[i].type;
			return true;
		}
	}
	if (strcasecmp(text, type_ta.name) == 0 || strcasecmp(text, type_dlv.name) == 0) {
		*out = strcasecmp(text, type_ta.name) == 0 ? TYPE_TA : TYPE_DLV;
		return true;
	}
	return type_parse_number(text, out);
}

const char *rcode_text(uint16_t rcode, char out[static TYPE_TEXT_SIZE])
{
	static const char *const names[] = {
		/* RFC 6895 §2.3 */
		"NOERROR",
		"FORMERR",
		"SERVFAIL",
		"NXDOMAIN",
		"NOTIMP",
		"REFUSED",
		"YXDOMAIN",
		"YXRRSET",
		"NXRRSET",
		"NOTAUTH",
		"NOTZONE",
		"DSOTYPENI",
		[RCODE_BADVERS] = "BADVERS",
		"BADKEY",
		"BADTIME",
		"BADMODE",
		"BADNAME",
		"BADALG",
		"BADTRUNC",
		[RCODE_BADCOOKIE] = "BADCOOKIE",
	};
	if (rcode < ARRAY_LEN(names) && names[rcode])
		return names[rcode];
	snprintf(out, TYPE_TEXT_SIZE, "RCODE%u", rcode);
	return out;
}

const char *ede_text(uint16_t ede)
{
	static const char *const names[] = {
		[EDE_OTHER] = "Other Error",
		[EDE_UNSUPPORTED_DNSKEY_ALGORITHM] = "Unsupported DNSKEY Algorithm",
		[EDE_UNSUPPORTED_DS_DIGEST] = "Unsupported DS Digest Type",
		[EDE_STALE_ANSWER] = "Stale Answer",
		[EDE_FORGED_ANSWER] = "Forged Answer",
		[EDE_DNSSEC_INDETERMINATE] = "DNSSEC Indeterminate",
		[EDE_DNSSEC_BOGUS] = "DNSSEC Bogus",
		[EDE_SIGNATURE_EXPIRED] = "Signature Expired",
		[EDE_SIGNATURE_NOT_YET_VALID] = "Signature Not Yet Valid",
		[EDE_DNSKEY_MISSING] = "DNSKEY Missing",
		[EDE_RRSIGS_MISSING] = "RRSIGs Missing",
		[EDE_NO_ZONE_KEY_BIT] = "No Zone Key Bit Set",
		[EDE_NSEC_MISSING] = "NSEC Missing",
		[EDE_CACHED_ERROR] = "Cached Error",
		[EDE_NOT_READY] = "Not Ready",
		[EDE_BLOCKED] = "Blocked",
		[EDE_CENSORED] = "Censored",
		[EDE_FILTERED] = "Filtered",
		[EDE_PROHIBITED] = "Prohibited",
		[EDE_STALE_NXDOMAIN] = "Stale NXDOMAIN Answer",
		[EDE_NOT_AUTHORITATIVE] = "Not Authoritative",
		[EDE_NOT_SUPPORTED] = "Not Supported",
		[EDE_NO_REACHABLE_AUTHORITY] = "No Reachable Authority",
		[EDE_NETWORK_ERROR] = "Network Error",
		[EDE_INVALID_DATA] = "Invalid Data",
		[EDE_SIGNATURE_EXPIRED_BEFORE_VALID] = "Signature Expired before Valid",
		[EDE_TOO_EARLY] = "Too Early",
		[EDE_UNSUPPORTED_NSEC3_ITERATIONS] = "Unsupported NSEC3 Iterations Value",
		[EDE_SYNTHESIZED] = "Synthesized",
	};
	return ede < ARRAY_LEN(names) && names[ede] ? names[ede] : "Unknown";
}

bool type_is_meta(uint16_t type)
{
	/* RFC 6895 §3.1: 128 to 255 are for questions and meta-data; OPT came before that rule. */
	return type == TYPE_OPT || (type >= 128 && type <= 255);
}
