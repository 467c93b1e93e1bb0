/* Signatures, DS and NSEC3 hashes: the RFCs' own vectors, and what was signed here and bent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/cursor.h"
#include "dnssec/crypto.h"
#include "sim/signer.c" /* a program of one object: the signer comes as source */
#include "unit/dnssec_text.h"

enum { ARENA_BYTES = 1 << 20, NOW_S = 1700000000, DAY_S = 86400 };

static unsigned failures;

static void report(const char *why, const char *got, const char *want)
{
	if (strcmp(got, want) == 0)
		return;
	print_error("%s: got \"%s\", want \"%s\"\n", why, got, want);
	failures++;
}

static const char rsa1024[] =
	"example.net. 3600 IN DNSKEY 256 3 10 AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUk"
	"N6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bW"
	"XjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL";
static const char rsa512[] =
	"example.net. 3600 IN DNSKEY 256 3 8 AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36"
	"BponcwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=";
static const char p256[] =
	"example.net. 3600 IN DNSKEY 257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64"
	"cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==";
static const char p384[] =
	"example.net. 3600 IN DNSKEY 257 3 14 xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSA"
	"DtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40";
static const char ed25519[] =
	"example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=";
static const char ed25519_b[] =
	"example.com. 3600 IN DNSKEY 257 3 15 zPnZ/QwEe7S8C5SPz2OfS5RR40ATk2/rYnE9xHIEijs=";
static const char ed448[] =
	"example.com. 3600 IN DNSKEY 257 3 16 3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHH"
	"SfPodx1FYYUcJKm1MDpJtIA";
static const char rsasha1[] =
	"dskey.example.com. 86400 IN DNSKEY 256 3 5 AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi"
	"/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2w"
	"wjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
static const char www91[] = "www.example.net. 3600 IN A 192.0.2.91";
static const char www1[] = "www.example.net. 3600 IN A 192.0.2.1";
static const char mx[] = "example.com. 3600 IN MX 10 mail.example.com.";

static const struct vector {
	const char *why, *key, *set, *sig;
	int64_t unix_s;
	enum crypto_result want;
	bool obsolete; /* accepted */
} vectors[] = {
	{"RFC 5702 §6.2: RSASHA512", rsa1024, www91,
	 ". RRSIG A 10 3 3600 20300101000000 20000101000000 3740 example.net. tsb4wnjRUDnB1BUi+t6TM"
	 "TXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq+9fOuagYJRfDqf"
	 "ReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=",
	 NOW_S, CRYPTO_GOOD, false},
	{"RFC 5702 §6.1: 512 bits, where obsolete cryptography counts", rsa512, www91,
	 ". RRSIG A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sL"
	 "ncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==",
	 NOW_S, CRYPTO_GOOD, true},
	{"RFC 5702 §6.1: 512 bits are refused", rsa512, www91,
	 ". RRSIG A 8 3 3600 20300101000000 20000101000000 9033 example.net. kRCOH6u7l0QGy9qpC9l1sL"
	 "ncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg==",
	 NOW_S, CRYPTO_BAD_KEY, false},
	{"RFC 6605 §6.1: ECDSAP256SHA256", p256, www1,
	 ". RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net. qx6wLYqmh+l9oCKTN6qI"
	 "c+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
	 1283000000, CRYPTO_GOOD, false},
	{"RFC 6605 §6.2: ECDSAP384SHA384", p384, www1,
	 ". RRSIG A 14 3 3600 20100909102025 20100812102025 10771 example.net. /L5hDKIvGDyI1fcARX3z"
	 "65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzus"
	 "dnI0RSMROxxwGipWcJm",
	 1283000000, CRYPTO_GOOD, false},
	{"RFC 8080 §6.1 (erratum 4935): ED25519", ed25519, mx,
	 ". RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com. oL9krJun7xfBOIWcGHi7mag5/hdZ"
	 "rKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
	 1439000000, CRYPTO_GOOD, false},
	{"RFC 8080 §6.1 (erratum 4935): ED25519, the second", ed25519_b, mx,
	 ". RRSIG MX 15 2 3600 1440021600 1438207200 35217 example.com. zXQ0bkYgQTEFyfLyi9QoiY6D8Zd"
	 "Yo4wyUhVioYZXFdT410QPRITQSqJSnzQoSm5poJ7gD7AQR0O7KuI5k2pcBg==",
	 1439000000, CRYPTO_GOOD, false},
	{"RFC 8080 §6.2 (erratum 4935): ED448", ed448, mx,
	 ". RRSIG MX 16 2 3600 1440021600 1438207200 9713 example.com. 3cPAHkmlnxcDHMyg7vFC34l0blBh"
	 "uG1qpwLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07+4RQvE581N3Aj"
	 "/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA",
	 1439000000, CRYPTO_GOOD, false},
	{"RFC 8080 §6.1: another MX", ed25519, "example.com. 3600 IN MX 11 mail.example.com.",
	 ". RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com. oL9krJun7xfBOIWcGHi7mag5/hdZ"
	 "rKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
	 1439000000, CRYPTO_BAD_SIGNATURE, false},
	{"RFC 6605 §6.1: ten years later", p256, www1,
	 ". RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net. qx6wLYqmh+l9oCKTN6qI"
	 "c+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
	 NOW_S, CRYPTO_EXPIRED, false},
};

static void test_vectors(void **state)
{
	(void)state;
	struct crypto_keys *keys;
	assert_int_equal(crypto_keys_new(4, &keys), OK);
	/* Twice: parsed and remembered keys. */
	for (size_t i = 0; i < 2 * ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i % ARRAY_LEN(vectors)];
		struct arena arena;
		unsigned labels = 99;
		arena_init(&arena, ARENA_BYTES);
		struct rrset set = parse_set(&arena, v->set);
		struct text_record key = parse_line(&arena, v->key);
		struct crypto_check check = {
			.set = &set,
			.sig = parse_line(&arena, v->sig).rdata,
			.key = key.rdata,
			.key_owner = key.owner,
			.unix_s = v->unix_s,
			.accept_sha1 = v->obsolete,
		};
		report(v->why, crypto_result_text(crypto_verify(keys, &check, &labels)),
		       crypto_result_text(v->want));
		if (v->want == CRYPTO_GOOD)
			assert_int_equal(labels, dname_label_count(set.owner));
		arena_deinit(&arena);
	}
	crypto_keys_free(keys);
	assert_int_equal(failures, 0);
}

static const struct {
	const char *why, *key, *ds;
	bool want, names;
} digests[] = {
	{"RFC 4509 §2.3: SHA-256", rsasha1,
	 "DSKEY.example.com. DS 60485 5 2 "
	 "D4B7D520E7BB5F0F67674A0CCEB1E3E0614B93C4F9E99B8383F6A1E4469DA50A",
	 true, true},
	{"RFC 4034 §5.4: SHA-1, where the caller accepts it", rsasha1,
	 "dskey.example.com. DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118", true, true},
	{"RFC 6605 §6.1", p256,
	 "example.net. DS 55648 13 2 "
	 "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
	 true, true},
	{"RFC 6605 §6.2: SHA-384", p384,
	 "example.net. DS 10771 14 4 72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6a9"
	 "b0563a9b5f4d288405c3008a946df983d6",
	 true, true},
	{"RFC 8080 §6.1", ed25519,
	 "example.com. DS 3613 15 2 "
	 "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
	 true, true},
	{"RFC 4034 §5.1.4: another owner", ed25519,
	 "example.net. DS 3613 15 2 "
	 "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
	 false, false},
	{"RFC 4034 §5.2: another tag", ed25519,
	 "example.com. DS 3614 15 2 "
	 "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
	 false, false},
	{"RFC 4034 §5.2: another algorithm", ed25519,
	 "example.com. DS 3613 16 2 "
	 "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
	 false, false},
	{"RFC 4509 §2.2: digest too short", ed25519,
	 "example.com. DS 3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a30",
	 false, false},
	{"a digest type of tomorrow", ed25519,
	 "example.com. DS 3613 15 5 "
	 "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
	 false, false},
	{"RFC 4035 §5.2: no zone key",
	 "example.com. DNSKEY 1 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
	 "example.com. DS 3357 15 2 "
	 "f9777a1475cbd952985ee9271ee6f2e5edba00ddda197457037aafe315683f25",
	 false, true},
};

static void test_ds(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		struct arena arena;
		arena_init(&arena, ARENA_BYTES);
		struct text_record key = parse_line(&arena, digests[i].key);
		struct text_record ds = parse_line(&arena, digests[i].ds);
		bool got = crypto_ds_matches(ds.owner, ds.rdata, key.rdata);
		report(digests[i].why, got ? "match" : "none", digests[i].want ? "match" : "none");
		got = crypto_ds_names(ds.owner, ds.rdata, key.rdata);
		report(digests[i].why, got ? "named" : "not named",
		       digests[i].names ? "named" : "not named");
		arena_deinit(&arena);
	}
	assert_int_equal(failures, 0);
}

static const struct {
	const char *name, *hash;
} nsec3_hashes[] = {
	/* RFC 5155 appendix A */
	{"example.", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"},
	{"a.example.", "35mthgpgcu1qg68fab165klnsnk3dpvl"},
	{"ai.example.", "gjeqe526plbf1g8mklp59enfd789njgi"},
	{"ns1.example.", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
	{"NS2.Example.", "q04jkcevqvmu85r014c7dkba38o0ji5r"},
	{"w.example.", "k8udemvp1j2f7eg6jebps17vp3n8i58h"},
	{"*.w.example.", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"},
	{"x.w.example.", "b4um86eghhds6nea196smvmlo4ors995"},
	{"y.w.example.", "ji6neoaepv8b5o6k4ev33abha8ht9fgc"},
	{"x.y.w.example.", "2vptu5timamqttgl4luu9kg21e0aor3s"},
	{"xx.example.", "t644ebqk9bibcna874givr6joj62mlhv"},
};

static void base32hex(const uint8_t hash[static 20], char out[static 33])
{
	for (size_t i = 0; i < 32; i++) {
		unsigned bit = (unsigned)i * 5, pair = (unsigned)hash[bit / 8] << 8;
		if (bit / 8 + 1 < 20)
			pair |= hash[bit / 8 + 1];
		out[i] = "0123456789abcdefghijklmnopqrstuv"[pair >> (11 - bit % 8) & 31];
	}
	out[32] = '\0';
}

static void test_nsec3_hash(void **state)
{
	(void)state;
	static const uint8_t salt[] = {0xaa, 0xbb, 0xcc, 0xdd};
	uint8_t hash[20];
	char text[33];
	for (size_t i = 0; i < ARRAY_LEN(nsec3_hashes); i++) {
		uint8_t name[DNAME_MAX];
		size_t len;
		assert_int_equal(dname_parse(nsec3_hashes[i].name, name, &len), OK);
		assert_int_equal(crypto_nsec3_hash(name, 1, 12, span_of(salt, 4), hash), OK);
		base32hex(hash, text);
		report(nsec3_hashes[i].name, text, nsec3_hashes[i].hash);
	}
	assert_int_equal(crypto_nsec3_hash((const uint8_t *)"", 2, 0, span_of(salt, 0), hash),
			 ERR_UNSUPPORTED);
	assert_int_equal(failures, 0);
}

/* Signed here. */

static const uint8_t algorithms_used[] = {8, 10, 13, 14, 15, 16};

static const struct signed_case {
	const char *why, *set;	  /* as signed */
	const char *shown;	  /* as received, if another owner, case or order */
	unsigned wildcard_labels; /* 0: those of the owner */
	enum crypto_result want;
} signed_cases[] = {
	{"RFC 4034 §3.1.8.1: one record", "www.example. 300 A 192.0.2.1", NULL, 0, CRYPTO_GOOD},
	{"RFC 4034 §6.3: several, in any order",
	 "www.example. 300 A 192.0.2.2\nwww.example. 300 A 10.0.0.1\nwww.example. 300 A 192.0.2.1",
	 NULL, 0, CRYPTO_GOOD},
	{"RFC 4034 §6.2: the owner's case is folded", "www.example. 300 A 192.0.2.1",
	 "wWw.EXAMPLE. 300 A 192.0.2.1", 0, CRYPTO_GOOD},
	{"RFC 4034 §6.2: the original TTL counts", "www.example. 300 A 192.0.2.1",
	 "www.example. 7 A 192.0.2.1", 0, CRYPTO_GOOD},
	{"RFC 4034 §6.2: names in MX are folded", "www.example. 300 MX 10 mail.example.",
	 "www.example. 300 MX 10 MAIL.Example.", 0, CRYPTO_GOOD},
	{"RFC 4034 §6.2: names in SRV are folded", "_x._tcp.example. 300 SRV 1 2 3 host.example.",
	 "_x._tcp.example. 300 SRV 1 2 3 HOST.example.", 0, CRYPTO_GOOD},
	{"RFC 4034 §6.2: names in SOA are folded",
	 "example. 300 SOA ns.example. host.example. 1 2 3 4 5",
	 "example. 300 SOA NS.example. HOST.example. 1 2 3 4 5", 0, CRYPTO_GOOD},
	{"RFC 6840 §5.1: the next name of NSEC is not", "a.example. 300 NSEC b.example. A",
	 "a.example. 300 NSEC B.example. A", 0, CRYPTO_BAD_SIGNATURE},
	{"strings are not folded", "www.example. 300 TXT \"abc\"", "www.example. 300 TXT \"Abc\"",
	 0, CRYPTO_BAD_SIGNATURE},
	{"one record more", "www.example. 300 A 192.0.2.1",
	 "www.example. 300 A 192.0.2.1\nwww.example. 300 A 192.0.2.2", 0, CRYPTO_BAD_SIGNATURE},
	{"one record less", "www.example. 300 A 192.0.2.1\nwww.example. 300 A 192.0.2.2",
	 "www.example. 300 A 192.0.2.1", 0, CRYPTO_BAD_SIGNATURE},
	{"another owner", "www.example. 300 A 192.0.2.1", "w3.example. 300 A 192.0.2.1", 0,
	 CRYPTO_BAD_SIGNATURE},
	{"RFC 4035 §5.3.2: expanded from a wildcard", "*.example. 300 A 192.0.2.1",
	 "www.example. 300 A 192.0.2.1", 1, CRYPTO_GOOD},
	{"RFC 4035 §5.3.2: from far below", "*.b.example. 300 A 192.0.2.1",
	 "z.y.x.B.example. 300 A 192.0.2.1", 2, CRYPTO_GOOD},
	{"RFC 4034 §3.1.3: the wildcard itself", "*.example. 300 A 192.0.2.1", NULL, 0,
	 CRYPTO_GOOD},
	{"RFC 4592 §2.2: a wildcard that is expanded", "*.example. 300 A 192.0.2.1",
	 "*.b.example. 300 A 192.0.2.1", 1, CRYPTO_GOOD},
	{"another wildcard", "*.b.example. 300 A 192.0.2.1", "www.c.example. 300 A 192.0.2.1", 0,
	 CRYPTO_BAD_SIGNATURE},
	{"RFC 4035 §5.3.1: fewer labels than signed", "a.b.example. 300 A 192.0.2.1",
	 "b.example. 300 A 192.0.2.1", 0, CRYPTO_MISMATCH},
	{"RFC 4035 §5.3.1: outside the zone", "www.example. 300 A 192.0.2.1",
	 "www.sample. 300 A 192.0.2.1", 0, CRYPTO_MISMATCH},
	{"RFC 4035 §5.3.1: another type", "www.example. 300 A 192.0.2.1",
	 "www.example. 300 TXT \"x\"", 0, CRYPTO_MISMATCH},
};

static void check_signed(struct crypto_keys *keys, const struct signer_key *key,
			 const struct signed_case *c)
{
	static const uint8_t zone[] = "\7example";
	struct arena arena;
	uint8_t rdata[SIGNER_RDATA_MAX];
	unsigned labels = 0;
	arena_init(&arena, ARENA_BYTES);
	struct rrset set = parse_set(&arena, c->set);
	struct rrset shown = parse_set(&arena, c->shown ? c->shown : c->set);
	struct signature s = {zone, 300, NOW_S - DAY_S, NOW_S + DAY_S, signer_labels(set.owner)};
	size_t len = signer_sign(key, &set, &s, rdata);
	struct crypto_check check = {.set = &shown,
				     .sig = span_of(rdata, len),
				     .key = signer_dnskey(key),
				     .key_owner = zone,
				     .unix_s = NOW_S};
	enum crypto_result result = crypto_verify(keys, &check, &labels);
	report(c->why, crypto_result_text(result), crypto_result_text(c->want));
	if (result == CRYPTO_GOOD)
		assert_int_equal(labels, c->wildcard_labels ? c->wildcard_labels
							    : dname_label_count(shown.owner));
	/* A bit flipped in the signature's tail shows, wherever WHY puts it, and so does a cut. */
	if (result == CRYPTO_GOOD) {
		rdata[len - 1 - (size_t)c->why[0] % 32] ^= 0x40;
		report(c->why, crypto_result_text(crypto_verify(keys, &check, &labels)),
		       crypto_result_text(CRYPTO_BAD_SIGNATURE));
		rdata[len - 1 - (size_t)c->why[0] % 32] ^= 0x40;
	}
	for (size_t cut = 1; result == CRYPTO_GOOD && cut < len - 27; cut += 7) {
		check.sig.len = len - cut;
		report(c->why, crypto_result_text(crypto_verify(keys, &check, &labels)),
		       crypto_result_text(CRYPTO_BAD_SIGNATURE));
	}
	arena_deinit(&arena);
}

static void test_signed(void **state)
{
	(void)state;
	struct crypto_keys *keys;
	assert_int_equal(crypto_keys_new(64, &keys), OK);
	for (size_t i = 0; i < ARRAY_LEN(algorithms_used); i++) {
		struct signer_key key;
		signer_key_init(&key, algorithms_used[i], DNSKEY_ZONE, 1024);
		for (size_t j = 0; j < ARRAY_LEN(signed_cases); j++)
			check_signed(keys, &key, &signed_cases[j]);
		signer_key_deinit(&key);
	}
	crypto_keys_free(keys);
	assert_int_equal(failures, 0);
}

/* What crypto_precheck() decides. The signature need not be one. */

static const struct precheck_case {
	const char *why;
	uint16_t flags;
	uint8_t protocol, key_algorithm, sig_algorithm;
	int tag_off;
	uint8_t labels;
	const char *signer, *key_owner, *owner;
	int64_t inception, expiration, now;
	bool allow_revoked;
	enum crypto_result want;
} prechecks[] = {
#define TIMES NOW_S - DAY_S, NOW_S + DAY_S, NOW_S
	{"all fits", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.", TIMES, false,
	 CRYPTO_GOOD},
	{"names fit in any case", 256, 3, 13, 13, 0, 2, "EXAMPLE.", "example.", "w.Example.", TIMES,
	 false, CRYPTO_GOOD},
	{"RFC 4034 §2.1.1: no zone key", 1, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 TIMES, false, CRYPTO_NO_ZONE_KEY},
	{"RFC 4034 §2.1.2: protocol", 256, 2, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 TIMES, false, CRYPTO_MISMATCH},
	{"RFC 5011 §2.1: revoked", 0x180, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 TIMES, false, CRYPTO_MISMATCH},
	{"RFC 5011 §2.1: a revocation's own signature", 0x180, 3, 13, 13, 0, 2, "example.",
	 "example.", "w.example.", TIMES, true, CRYPTO_GOOD},
	{"RFC 4035 §5.3.1: algorithms differ", 256, 3, 13, 14, 0, 2, "example.", "example.",
	 "w.example.", TIMES, false, CRYPTO_MISMATCH},
	{"RFC 4035 §5.3.1: tags differ", 256, 3, 13, 13, 1, 2, "example.", "example.", "w.example.",
	 TIMES, false, CRYPTO_MISMATCH},
	{"RFC 9905: RSASHA1", 256, 3, 5, 5, 0, 2, "example.", "example.", "w.example.", TIMES,
	 false, CRYPTO_UNSUPPORTED},
	{"RFC 9905: RSASHA1-NSEC3-SHA1", 256, 3, 7, 7, 0, 2, "example.", "example.", "w.example.",
	 TIMES, false, CRYPTO_UNSUPPORTED},
	{"RFC 8624 §3.1: GOST", 256, 3, 12, 12, 0, 2, "example.", "example.", "w.example.", TIMES,
	 false, CRYPTO_UNSUPPORTED},
	{"RFC 4035 §5.3.1: another zone's key", 256, 3, 13, 13, 0, 2, "example.", "b.example.",
	 "w.b.example.", TIMES, false, CRYPTO_MISMATCH},
	{"RFC 4035 §5.3.1: signer below the owner", 256, 3, 13, 13, 0, 2, "w.example.",
	 "w.example.", "example.", TIMES, false, CRYPTO_MISMATCH},
	{"RFC 4035 §5.3.1: too many labels", 256, 3, 13, 13, 0, 3, "example.", "example.",
	 "w.example.", TIMES, false, CRYPTO_MISMATCH},
	{"RFC 4034 §3.1.3: the asterisk is no label", 256, 3, 13, 13, 0, 2, "example.", "example.",
	 "*.example.", TIMES, false, CRYPTO_MISMATCH},
	{"labels below the signer's: the parent's wildcard", 256, 3, 13, 13, 0, 1, "b.example.",
	 "b.example.", "w.b.example.", TIMES, false, CRYPTO_MISMATCH},
	{"labels as the signer's: its own wildcard", 256, 3, 13, 13, 0, 2, "b.example.",
	 "b.example.", "w.b.example.", TIMES, false, CRYPTO_GOOD},
	{"the root signs", 256, 3, 13, 13, 0, 0, ".", ".", "example.", TIMES, false, CRYPTO_GOOD},
	{"RFC 4034 §3.1.5: expired", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 NOW_S - 30 * DAY_S, NOW_S - 3 * DAY_S, NOW_S, false, CRYPTO_EXPIRED},
	{"RFC 4035 §5.3.3: a tenth of the validity, at most a day", 256, 3, 13, 13, 0, 2,
	 "example.", "example.", "w.example.", NOW_S - 30 * DAY_S, NOW_S - DAY_S, NOW_S, false,
	 CRYPTO_GOOD},
	{"a second more than that", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 NOW_S - 30 * DAY_S, NOW_S - DAY_S - 1, NOW_S, false, CRYPTO_EXPIRED},
	{"at least an hour", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 NOW_S - 3660, NOW_S - 3600, NOW_S, false, CRYPTO_GOOD},
	{"a second more than an hour", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 NOW_S - 3661, NOW_S - 3601, NOW_S, false, CRYPTO_EXPIRED},
	{"not yet valid", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.", NOW_S + 3601,
	 NOW_S + 7200, NOW_S, false, CRYPTO_NOT_YET_VALID},
	{"an hour early", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.", NOW_S + 3600,
	 NOW_S + 7200, NOW_S, false, CRYPTO_GOOD},
	{"ends before it begins", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 NOW_S + 10, NOW_S - 10, NOW_S, false, CRYPTO_EXPIRED_BEFORE_VALID},
	{"RFC 1982: across 2106", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 0xffffff00, 0x100010000, 0x100000001, false, CRYPTO_GOOD},
	{"RFC 1982: after 2106", 256, 3, 13, 13, 0, 2, "example.", "example.", "w.example.",
	 0xffff0000, 0xffffff00, 0x100010000, false, CRYPTO_EXPIRED},
#undef TIMES
};

/* Times are relative to NOW_S; the original TTL is a day. */
static const struct {
	const char *why;
	int64_t inception_s, expiration_s;
	uint32_t want_s;
} lives[] = {
	{"RFC 4035 §5.3.3: no longer than the original TTL", -DAY_S, 30 * DAY_S, DAY_S},
	{"RFC 4035 §5.3.3: no longer than the signature: what is left is told as a second at least",
	 -DAY_S, 300, 299},
	{"in the last but one", -DAY_S, 1, 0},
	{"in its last second", -DAY_S, 0, 0},
	{"expired by a clock that may be wrong: a minute at a time", -30 * DAY_S, -1, 60},
	{"the end of what such clocks are allowed: a day", -30 * DAY_S, -DAY_S + 61, 60},
	{"... and not past it", -30 * DAY_S, -DAY_S + 7, 7},
	{"... a tenth of the validity", -5 * DAY_S - 43200, -43200 + 7, 7},
	{"... an hour", -3700, -3600 + 7, 7},
	{"its last moment", -30 * DAY_S, -DAY_S, 0},
	{"past it", -30 * DAY_S, -2 * DAY_S, 0},
};

static void test_ttl(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lives); i++) {
		const struct rrsig_view sig = {
			.original_ttl_s = DAY_S,
			.inception = (uint32_t)(NOW_S + lives[i].inception_s),
			.expiration = (uint32_t)(NOW_S + lives[i].expiration_s)};
		uint32_t got_s = crypto_ttl_s(&sig, NOW_S);
		if (got_s != lives[i].want_s)
			fail_msg("%s: %u s", lives[i].why, got_s);
	}
	const struct rrsig_view late = {
		.original_ttl_s = DAY_S, .inception = 0xffff0000, .expiration = 0x00000100};
	if (crypto_ttl_s(&late, 0xffffff00) != 0x1ff)
		fail_msg("RFC 1982: across 2106");
}

static void check_precheck(const struct precheck_case *c)
{
	struct arena arena;
	uint8_t key[4 + 64] = {0}, sig[18 + DNAME_MAX + 64] = {0};
	uint8_t a[] = {4, 0, 192, 0, 2, 1}; /* packed */
	arena_init(&arena, ARENA_BYTES);
	struct writer w = writer_of(key, sizeof(key));
	writer_u16(&w, c->flags);
	writer_u8(&w, c->protocol);
	writer_u8(&w, c->key_algorithm);

	const uint8_t *signer = parse_name(&arena, c->signer);
	w = writer_of(sig, sizeof(sig));
	writer_u16(&w, TYPE_A);
	writer_u8(&w, c->sig_algorithm);
	writer_u8(&w, c->labels);
	writer_u32(&w, 300);
	writer_u32(&w, (uint32_t)c->expiration);
	writer_u32(&w, (uint32_t)c->inception);
	writer_u16(&w, (uint16_t)(rdata_dnskey_tag(span_of(key, sizeof(key))) + c->tag_off));
	writer_bytes(&w, span_of(signer, dname_len(signer)));
	writer_reserve(&w, 64);

	struct rrset set = {.owner = parse_name(&arena, c->owner),
			    .type = TYPE_A,
			    .rclass = CLASS_IN,
			    .rr_count = 1,
			    .rdata = span_of(a, sizeof(a))};
	struct crypto_check check = {.set = &set,
				     .sig = writer_span(&w),
				     .key = span_of(key, sizeof(key)),
				     .key_owner = parse_name(&arena, c->key_owner),
				     .unix_s = c->now,
				     .allow_revoked = c->allow_revoked};
	report(c->why, crypto_result_text(crypto_precheck(&check)), crypto_result_text(c->want));
	arena_deinit(&arena);
}

static void test_precheck(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(prechecks); i++)
		check_precheck(&prechecks[i]);
	assert_int_equal(failures, 0);
}

/* Keys that cost too much, or are none. */

struct rsa_case {
	const char *why;
	size_t exponent_len, modulus_len;
	uint8_t exponent_last, modulus_first, modulus_last;
};

static const struct rsa_case rsa_cases[] = {
	{"511 bits", 3, 64, 1, 0x7f, 1},
	{"4104 bits", 3, 513, 1, 0xff, 1},
	{"an exponent of 9 bytes", 9, 256, 1, 0xff, 1},
	{"an exponent as long as the modulus", 256, 256, 1, 0xff, 1},
	{"an even exponent", 3, 256, 2, 0xff, 1},
	{"an even modulus", 3, 256, 1, 0xff, 2},
	{"no exponent", 0, 256, 1, 0xff, 1},
	{"no modulus", 3, 0, 1, 0xff, 1},
};

static void expect_bad_key(struct crypto_keys *keys, const char *why, struct span key)
{
	uint8_t sig[18 + 1 + 64] = {0}, a[] = {4, 0, 192, 0, 2, 1};
	static const uint8_t root[] = {0};
	unsigned labels;
	struct writer w = writer_of(sig, sizeof(sig));
	writer_u16(&w, TYPE_A);
	writer_u8(&w, key.at[3]);
	writer_u8(&w, 0);
	writer_u32(&w, 300);
	writer_u32(&w, NOW_S + DAY_S);
	writer_u32(&w, NOW_S - DAY_S);
	writer_u16(&w, rdata_dnskey_tag(key));
	struct rrset set = {.owner = root,
			    .type = TYPE_A,
			    .rclass = CLASS_IN,
			    .rr_count = 1,
			    .rdata = span_of(a, sizeof(a))};
	struct crypto_check check = {.set = &set,
				     .sig = span_of(sig, sizeof(sig)),
				     .key = key,
				     .key_owner = root,
				     .unix_s = NOW_S};
	report(why, crypto_result_text(crypto_verify(keys, &check, &labels)),
	       crypto_result_text(CRYPTO_BAD_KEY));
}

static void test_bad_keys(void **state)
{
	(void)state;
	struct crypto_keys *keys;
	assert_int_equal(crypto_keys_new(4, &keys), OK);
	for (size_t i = 0; i < ARRAY_LEN(rsa_cases); i++) {
		const struct rsa_case *c = &rsa_cases[i];
		uint8_t key[1024] = {1, 0, 3, 8};
		struct writer w = writer_of(key, sizeof(key));
		writer_reserve(&w, 4);
		if (c->exponent_len > 0 && c->exponent_len < 256) {
			writer_u8(&w, (uint8_t)c->exponent_len);
		} else {
			writer_u8(&w, 0);
			writer_u16(&w, (uint16_t)c->exponent_len);
		}
		uint8_t *e = writer_reserve(&w, c->exponent_len);
		uint8_t *n = writer_reserve(&w, c->modulus_len);
		if (c->exponent_len > 0) {
			e[0] = 1;
			e[c->exponent_len - 1] = c->exponent_last;
		}
		if (c->modulus_len > 0) {
			n[0] = c->modulus_first;
			n[c->modulus_len - 1] = c->modulus_last;
		}
		expect_bad_key(keys, c->why, writer_span(&w));
	}
	for (size_t i = 0; i < ARRAY_LEN(algorithms_used); i++) {
		uint8_t key[200] = {1, 0, 3, algorithms_used[i]};
		for (size_t len = 4; len < sizeof(key); len += 3) {
			memset(key + 4, 0xfe, len - 4); /* no point of these curves */
			if (algorithms_used[i] < 15 || (len != 4 + 32 && len != 4 + 57))
				expect_bad_key(keys, "a key of any length", span_of(key, len));
		}
	}
	crypto_keys_free(keys);
	assert_int_equal(failures, 0);
}

/* The table forgets the least recently used, and never mixes keys up. */
static void test_keys_are_bounded(void **state)
{
	(void)state;
	enum { KEY_COUNT = 9 };
	static const uint8_t zone[] = "\7example";
	struct signer_key made[KEY_COUNT];
	uint8_t sigs[KEY_COUNT][SIGNER_RDATA_MAX];
	size_t lens[KEY_COUNT];
	struct crypto_keys *keys;
	struct arena arena;
	arena_init(&arena, ARENA_BYTES);
	assert_int_equal(crypto_keys_new(4, &keys), OK);
	struct rrset set = parse_set(&arena, "www.example. 300 A 192.0.2.1");
	struct signature s = {zone, 300, NOW_S - DAY_S, NOW_S + DAY_S, 2};
	for (size_t i = 0; i < KEY_COUNT; i++) {
		signer_key_init(&made[i], i % 2 ? 13 : 15, DNSKEY_ZONE, 0);
		lens[i] = signer_sign(&made[i], &set, &s, sigs[i]);
	}
	for (size_t i = 0, at = 0; i < 200; i++, at = (at * 5 + i) % KEY_COUNT) {
		unsigned labels;
		struct crypto_check check = {.set = &set,
					     .sig = span_of(sigs[at], lens[at]),
					     .key = signer_dnskey(&made[at]),
					     .key_owner = zone,
					     .unix_s = NOW_S};
		assert_int_equal(crypto_verify(keys, &check, &labels), CRYPTO_GOOD);
	}
	for (size_t i = 0; i < KEY_COUNT; i++)
		signer_key_deinit(&made[i]);
	crypto_keys_free(keys);
	arena_deinit(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),	 cmocka_unit_test(test_ttl),
		cmocka_unit_test(test_ds),	 cmocka_unit_test(test_nsec3_hash),
		cmocka_unit_test(test_signed),	 cmocka_unit_test(test_precheck),
		cmocka_unit_test(test_bad_keys), cmocka_unit_test(test_keys_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
