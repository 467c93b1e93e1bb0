#include <stdio.h>

#include "base/cursor.h"
#include "dns/text.h"
#include "scenario/scene.h"

enum { KEY_ALGORITHM = 15, KEY_FLAGS = 257, DIGEST_SHA256 = 2, DAY_S = 86400 };

struct scene_key *scene_key_of(struct scene *s, const uint8_t *zone)
{
	for (unsigned i = 0; i < s->key_count; i++)
		if (dname_equal(s->keys[i].zone, zone))
			return &s->keys[i];
	return NULL;
}

struct scene_key *scene_key_make(struct scene *s, const uint8_t *zone)
{
	REQUIRE(s->key_count < SCENE_KEYS_MAX);
	struct scene_key *key = &s->keys[s->key_count++];
	dname_lower(zone, key->zone);
	signer_key_init(&key->good, KEY_ALGORITHM, KEY_FLAGS, 0);
	signer_key_init(&key->forged, KEY_ALGORITHM, KEY_FLAGS, 0);
	key->forged.tag = key->good.tag; /* what a forger can copy */
	return key;
}

void scene_keys_end(struct scene *s)
{
	for (unsigned i = 0; i < s->key_count; i++) {
		signer_key_deinit(&s->keys[i].good);
		signer_key_deinit(&s->keys[i].forged);
	}
}

void scene_anchor(struct scene *s, const struct scene_key *key)
{
	char line[DNAME_TEXT_MAX + 600], data[500], zone[DNAME_TEXT_MAX];
	snprintf(line, sizeof(line), "%s DNSKEY %s", dname_text(key->zone, zone),
		 text_rdata(TYPE_DNSKEY, signer_dnskey(&key->good), data, sizeof(data)));
	REQUIRE(s->settings.anchor_count < ARRAY_LEN(s->anchors));
	REQUIRE(anchor_add_text(&s->anchors[s->settings.anchor_count++], line) == OK);
	s->settings.anchors = s->anchors;
	s->settings.dnssec = true;
}

void scene_key_text(const struct scene_key *key, bool as_ds, char *out, size_t size)
{
	uint8_t ds[SIGNER_DS_MAX];
	struct span rdata = signer_dnskey(&key->good);
	if (as_ds)
		rdata = span_of(ds, signer_ds(&key->good, key->zone, DIGEST_SHA256, ds));
	REQUIRE(size > 2 * rdata.len + 16);
	int at = snprintf(out, size, "\\# %zu ", rdata.len);
	for (size_t i = 0; i < rdata.len; i++)
		at += snprintf(out + at, size - (size_t)at, "%02x", rdata.at[i]);
}

size_t scene_sign(const struct scene *s, const struct scene_signature *how,
		  const struct text_record *r, uint8_t out[static SIGNER_RDATA_MAX])
{
	uint8_t packed[sizeof(uint16_t) + MESSAGE_MAX];
	uint16_t len = (uint16_t)r->rdata.len;
	const uint8_t *owner = how->from ? how->from : r->owner;
	memcpy(packed, &len, sizeof(len));
	memcpy(packed + sizeof(len), r->rdata.at, len);
	const struct rrset set = {.owner = owner,
				  .type = r->type,
				  .rclass = CLASS_IN,
				  .ttl_s = r->ttl_s,
				  .rr_count = 1,
				  .rdata = span_of(packed, sizeof(len) + len)};
	uint32_t now_s = (uint32_t)(scene_unix_ms(s) / 1000);
	const struct signature signature = {
		.signer = how->key->zone,
		.original_ttl_s = r->ttl_s,
		.inception = now_s - 30 * DAY_S,
		.expiration = now_s + (uint32_t)(how->is_until ? how->until_s : 30 * DAY_S),
		.labels = signer_labels(owner)};
	return signer_sign(how->is_forged ? &how->key->forged : &how->key->good, &set, &signature,
			   out);
}
