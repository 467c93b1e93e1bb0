#include "resolve/prefetch_rotation.h"

#include <stdlib.h>

#include "base/hash.h"
#include "dns/types.h"

enum {
	WAYS = 4, /* names among which one makes room */
	SETS = ROTATION_NAMES / WAYS,
	BEGIN_TOLD = 2, /* so many new addresses are told of a name that has just begun to rotate */
};

struct name {
	uint64_t hash; /* 0: free */
	uint32_t changed_s, told_s, sum_s, sum_every_s;
	uint32_t held_back, held_since_s;
	uint32_t new_bits; /* of the last 32 changes, those that brought something new */
	uint8_t may_tell;
	bool rotates;
	uint8_t count;
	uint32_t records[ROTATION_RECORDS]; /* hashes, the youngest first */
};

struct rotations {
	struct name names[SETS][WAYS];
};

struct records {
	size_t count;
	uint32_t hash[ROTATION_RECORDS];
};

/* ---- records ---- */

static uint32_t record_hash(uint16_t type, struct span record)
{
	/* Who makes two records of his own look alike is told of less often, himself. */
	static const struct hash_key of_records = {"record changed"};

	return (uint32_t)hash_bytes(&of_records, record) ^ type;
}

static void read_records(const struct answer *a, struct records *out)
{
	struct span record;

	out->count = 0;
	if (a->answer_count == 0)
		out->hash[out->count++] = a->rcode; /* a denial is told apart like an address */
	for (uint32_t i = 0; i < a->answer_count; i++) {
		struct rrset_iter it = rrset_records(&a->answer[i]);
		while (out->count < ROTATION_RECORDS && rrset_next(&it, &record))
			out->hash[out->count++] = record_hash(a->answer[i].type, record);
	}
}

/* To the front; false: it was there. */
static bool remember(struct name *n, uint32_t record)
{
	size_t at = 0;

	while (at < n->count && n->records[at] != record)
		at++;
	bool is_new = at == n->count;
	if (is_new && n->count < ROTATION_RECORDS)
		n->count++;
	at = MIN(at, (size_t)n->count - 1);
	memmove(n->records + 1, n->records, at * sizeof(n->records[0]));
	n->records[0] = record;
	return is_new;
}

/* Any of them is new. */
static bool remember_all(struct name *n, const struct answer *a)
{
	struct records records;
	bool any = false;

	read_records(a, &records);
	for (size_t i = 0; i < records.count; i++)
		any |= remember(n, records.hash[i]);
	return any;
}

/* ---- names ---- */

static struct name *find(struct rotations *t, uint64_t hash)
{
	struct name *set = t->names[(hash >> 20) % SETS], *oldest = set;

	hash += hash == 0;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].hash == hash)
			return &set[i];
		if (set[i].changed_s < oldest->changed_s)
			oldest = &set[i];
	}
	*oldest = (struct name){.hash = hash};
	return oldest;
}

static void begin_anew(struct name *n, uint32_t now_s)
{
	n->may_tell = ROTATION_TOLD_MAX;
	n->told_s = now_s;
	n->rotates = false;
	n->new_bits = 0;
}

static void earn(struct name *n, uint32_t now_s)
{
	for (; n->may_tell < ROTATION_TOLD_MAX && now_s - n->told_s >= ROTATION_TOLD_EVERY_S;
	     n->told_s += ROTATION_TOLD_EVERY_S)
		n->may_tell++;
	if (n->may_tell == ROTATION_TOLD_MAX)
		n->told_s = now_s;
}

static void begin_to_rotate(struct name *n, uint32_t now_s)
{
	n->rotates = true;
	n->may_tell = BEGIN_TOLD;
	n->told_s = n->held_since_s = now_s;
	n->sum_every_s = ROTATION_SUM_MIN_S;
	n->sum_s = now_s + n->sum_every_s;
}

/* What was held back is told now. */
static void sum_up(struct name *n, uint32_t now_s, struct rotation *out)
{
	out->held_back = n->held_back;
	out->seconds = n->changed_s - n->held_since_s;
	n->held_back = 0;
	n->held_since_s = now_s;
	n->sum_every_s = MIN(2 * n->sum_every_s, (uint32_t)ROTATION_SUM_MAX_S);
	n->sum_s = now_s + n->sum_every_s;
}

void rotation_note(struct rotations *t, uint64_t hash, const struct answer *old,
		   const struct answer *now, struct now at, struct rotation *out)
{
	uint32_t now_s = (uint32_t)(at.mono_us / 1000000) + 1; /* never 0 */
	struct name *n = find(t, hash);

	*out = (struct rotation){0};
	if (n->changed_s == 0)
		(void)remember_all(n, old);
	if (n->held_back > 0 && (now_s >= n->sum_s || now_s - n->changed_s >= ROTATION_QUIET_S))
		sum_up(n, now_s, out);
	if (n->changed_s == 0 || now_s - n->changed_s >= ROTATION_QUIET_S)
		begin_anew(n, now_s);
	n->changed_s = now_s;
	earn(n, now_s);
	bool is_new = remember_all(n, now);
	n->new_bits = n->new_bits << 1 | is_new;
	bool tells = !n->rotates || (is_new && __builtin_popcount(n->new_bits) <= ROTATION_NEW_MAX);
	out->tell = tells && n->may_tell > 0;
	if (out->tell) {
		n->may_tell--;
	} else if (!n->rotates) {
		out->tell = out->begins = true;
		begin_to_rotate(n, now_s);
	} else {
		n->held_back++;
	}
	out->rotates = n->rotates;
}

/* ---- life ---- */

enum err rotations_new(struct rotations **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? OK : ERR_NO_MEMORY;
}

void rotations_free(struct rotations *t)
{
	free(t);
}
