/*
 * Zones that are made to cost their validator dear, for NSD (tests/bench/attacked).
 *
 * usage: trap keytrap APEX NAMES | trap keys @ DS_COUNT
 *
 * Prints records of the zone APEX, without SOA and NS: 24 DNSKEYs of P-384, the slowest algorithm in
 * use, with one key tag (KeyTrap, CVE-2023-50387). keytrap: names n0 to nNAMES-1, each with an address
 * under eight bad signatures that any of the keys may have made; the keys themselves are well signed.
 * keys: nothing is signed, and DS_COUNT DS records name each key, with digests that do not fit.
 * Lines ";DS ..." belong into the parent.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "sim/signer.c" /* a program of one object: the signer comes as source */

enum { ALGORITHM = 14, KEYS = 24, BAD_SIGNATURES = 8, DAY_S = 86400, TTL_S = 300 };

static struct signer_key keys[KEYS];

/* Change the flag bits that nobody looks at (RFC 4034 §2.1.1) until the tag is TAG. */
static bool bend_tag(struct signer_key *key, uint16_t tag)
{
	const uint16_t meaningful = DNSKEY_ZONE | DNSKEY_REVOKE | DNSKEY_SEP;
	uint16_t flags = (uint16_t)(DNSKEY_ZONE + (tag + 65535u - key->tag) % 65535u);

	if ((flags & meaningful) != DNSKEY_ZONE)
		return false;
	signer_key_set_flags(key, flags);
	return key->tag == tag;
}

static void make_keys(void)
{
	unsigned count = 0;

	signer_key_init(&keys[count++], ALGORITHM, DNSKEY_ZONE, 0);
	while (count < KEYS) {
		signer_key_init(&keys[count], ALGORITHM, DNSKEY_ZONE, 0);
		if (bend_tag(&keys[count], keys[0].tag))
			count++;
		else
			signer_key_deinit(&keys[count]);
	}
}

/* RFC 3597 §5. */
static void print_record(const char *owner, const char *type, struct span rdata)
{
	printf("%s %d IN %s \\# %zu ", owner, TTL_S, type, rdata.len);
	for (size_t i = 0; i < rdata.len; i++)
		printf("%02x", rdata.at[i]);
	putchar('\n');
}

static void print_ds(const uint8_t *apex, const struct signer_key *key, uint8_t spoil)
{
	uint8_t ds[SIGNER_DS_MAX];
	size_t len = signer_ds(key, apex, 2, ds);

	ds[len - 1] ^= spoil;
	printf(";DS %u %u %u ", key->tag, ds[2], ds[3]);
	for (size_t i = 4; i < len; i++)
		printf("%02X", ds[i]);
	putchar('\n');
}

static struct signature signature_of(const uint8_t *apex, const uint8_t *owner)
{
	uint32_t now_s = (uint32_t)time(NULL);

	return (struct signature){.signer = apex,
				  .original_ttl_s = TTL_S,
				  .inception = now_s - DAY_S,
				  .expiration = now_s + DAY_S,
				  .labels = signer_labels(owner)};
}

/* Address records under signatures that are wrong in their last byte, each another one. */
static void print_name(const char *text, const uint8_t *apex)
{
	static const uint8_t address[] = {198, 18, 1, 1};
	uint8_t owner[DNAME_MAX], rdata[SIGNER_RDATA_MAX];
	size_t len;

	if (dname_parse(text, owner, &len) != OK)
		errx(1, "%s: no name", text);
	struct arena arena;
	struct rrset set;
	struct span one = span_of(address, sizeof(address));
	arena_init(&arena, 1 << 16);
	if (rrset_from_rdatas(owner, TYPE_A, TTL_S, &one, 1, &arena, &set) != OK)
		errx(1, "no memory");
	struct signature signature = signature_of(apex, owner);
	len = signer_sign(&keys[0], &set, &signature, rdata);
	printf("%s %d IN A 198.18.1.1\n", text, TTL_S);
	for (unsigned i = 0; i < BAD_SIGNATURES; i++) {
		rdata[len - 1]++;
		print_record(text, "RRSIG", span_of(rdata, len));
	}
	arena_deinit(&arena);
}

static void print_keys(const char *text, const uint8_t *apex, bool sign)
{
	struct span list[KEYS];
	struct arena arena;
	struct rrset set;
	uint8_t rdata[SIGNER_RDATA_MAX];

	for (unsigned i = 0; i < KEYS; i++) {
		list[i] = signer_dnskey(&keys[i]);
		print_record(text, "DNSKEY", list[i]);
	}
	if (!sign)
		return;
	arena_init(&arena, 1 << 16);
	if (rrset_from_rdatas(apex, TYPE_DNSKEY, TTL_S, list, KEYS, &arena, &set) != OK)
		errx(1, "no memory");
	struct signature signature = signature_of(apex, apex);
	size_t len = signer_sign(&keys[0], &set, &signature, rdata);
	print_record(text, "RRSIG", span_of(rdata, len));
	arena_deinit(&arena);
}

int main(int argc, char **argv)
{
	uint8_t apex[DNAME_MAX];
	size_t len;
	char name[300];

	if (argc != 4 || dname_parse(strcmp(argv[2], "@") == 0 ? "." : argv[2], apex, &len) != OK)
		errx(2, "usage: trap keytrap APEX NAMES | trap keys @ DS_COUNT");
	bool keytrap = strcmp(argv[1], "keytrap") == 0;
	unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
	make_keys();
	print_keys(argv[2], apex, keytrap);
	if (keytrap)
		print_ds(apex, &keys[0], 0);
	for (unsigned i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "n%u.%s", i, argv[2]);
		if (keytrap)
			print_name(name, apex);
		else
			print_ds(apex, &keys[i % KEYS], (uint8_t)(i + 1));
	}
	for (unsigned i = 0; i < KEYS; i++)
		signer_key_deinit(&keys[i]);
	return 0;
}
