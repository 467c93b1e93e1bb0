#include "anchors/anchors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "anchors/anchor_store.h"
#include "base/log.h"
#include "dns/rdata.h"
#include "dnssec/crypto.h"

enum {
	/* Handed over and not yet taken in: a worker tells of a zone once an hour. What is beyond
	 * comes again. */
	OBSERVED_MAX = 64,
	OBSERVED_BYTES_MAX = 4 * RRSET_BYTES_MAX, /* owner, keys, signatures, one flag a key */
};

struct observed {
	struct observed *next;
	struct arena arena;
	struct rrset dnskeys;
	bool *self_signed;
};

struct schedule { /* of the anchor with the same index */
	uint64_t due_us;
	uint32_t ttl_s,
		validity_s; /* of the keys seen last, for the time after a failure; 0: none */
};

struct anchors {	     /* main thread, but for what says otherwise */
	struct anchor *list; /* as configured, or, before, what was kept */
	struct schedule *schedule;
	size_t count;
	struct anchor before; /* a change in progress */
	struct anchor_store *store;
	bool is_unsaved;
	void (*wake)(void *);
	void *context;
	pthread_mutex_t lock;	/* of the two below, which any thread writes */
	struct observed *inbox; /* newest first */
	size_t inbox_count;
};

/* ---- what is kept ---------------------------------------------------------------------------- */

/* The state of every managed anchor, one text behind the other; free() it. NULL: no memory. */
static char *write_text(const struct anchors *a, size_t *len)
{
	char *text = malloc(a->count * ANCHOR_TEXT_MAX + 1);

	*len = 0;
	for (size_t i = 0; text && i < a->count; i++) {
		size_t one;
		if (!a->list[i].managed)
			continue;
		REQUIRE(anchor_write(&a->list[i], text + *len, ANCHOR_TEXT_MAX, &one) == OK);
		*len += one;
	}
	return text;
}

/* Without memory it stays unsaved, and the next look at the keys tries again. */
static void save(struct anchors *a)
{
	size_t len;
	char *text = write_text(a, &len);

	if (text && anchor_store_write(a->store, span_of(text, len)))
		a->is_unsaved = false;
	free(text);
}

/* Bytes of the first anchor in TEXT, up to the end of its line "sum"; 0 if there is no such line. */
static size_t first_anchor(struct span text)
{
	static const char mark[] = "\nsum ";
	const uint8_t *sum = memmem(text.at, text.len, mark, sizeof(mark) - 1);

	if (!sum)
		return 0;
	size_t before = (size_t)(sum + 1 - text.at);
	const uint8_t *end = memchr(sum + 1, '\n', text.len - before);
	return end ? (size_t)(end + 1 - text.at) : 0;
}

static enum err read_text(struct anchors *a, struct span text)
{
	while (text.len > 0) {
		size_t len = first_anchor(text);
		if (len == 0 || a->count == SETTINGS_ANCHORS_MAX)
			return ERR_MALFORMED;
		struct anchor *grown = realloc(a->list, (a->count + 1) * sizeof(*grown));
		if (!grown)
			return ERR_NO_MEMORY;
		a->list = grown;
		enum err err = anchor_read((const char *)text.at, len, &a->list[a->count]);
		if (err != OK)
			return err;
		a->count++;
		text = span_of(text.at + len, text.len - len);
	}
	return OK;
}

/* What was kept becomes the list. Not to be able to read it is no failure. */
static enum err load(struct anchors *a)
{
	char *text = malloc(ANCHOR_STORE_MAX);
	size_t len = 0;
	enum err err = text ? anchor_store_read(a->store, text, &len) : ERR_NO_MEMORY;

	if (err == OK)
		err = read_text(a, span_of(text, len));
	if (err == OK && len > 0)
		anchor_store_accept(a->store, span_of(text, len));
	if (err == ERR_MALFORMED) {
		a->count = 0;
		anchor_store_reject(a->store);
		err = OK;
	}
	free(text);
	return err;
}

/* ---- what is configured ---------------------------------------------------------------------- */

static size_t find_zone(const struct anchors *a, const uint8_t *zone)
{
	size_t i = 0;

	while (i < a->count && !dname_equal(a->list[i].zone, zone))
		i++;
	return i;
}

/* OUT for the zone of CONFIGURED, and when its keys are due. */
static void go_on_with(const struct anchors *a, const struct anchor *configured, struct anchor *out,
		       struct schedule *when)
{
	char zone[DNAME_TEXT_MAX];
	size_t i = configured->managed ? find_zone(a, configured->zone) : a->count;

	*out = *configured;
	if (i == a->count || !a->list[i].managed)
		return;
	struct anchor kept = a->list[i];
	kept.accept_sha1 = configured->accept_sha1;
	enum err err = anchor_merge(&kept, configured);
	if (err != OK) {
		log_warning("trust anchors: what was kept has no part in those configured, "
			    "beginning anew zone=%s reason=\"%s\"",
			    dname_text(kept.zone, zone), err_text(err));
		return;
	}
	*out = kept;
	if (a->schedule)
		*when = a->schedule[i];
}

enum err anchors_configure(struct anchors *a, const struct config *c, struct now now)
{
	const struct settings *s = &c->settings;
	struct anchor *list = calloc(s->anchor_count + 1, sizeof(*list));
	struct schedule *schedule = calloc(s->anchor_count + 1, sizeof(*schedule));

	if (!list || !schedule) {
		free(list);
		free(schedule);
		return ERR_NO_MEMORY;
	}
	for (size_t i = 0; i < s->anchor_count; i++) {
		bool due = s->dnssec && s->anchors[i].managed;
		schedule[i].due_us = now.mono_us + ANCHORS_FIRST_S * 1000000ULL;
		go_on_with(a, &s->anchors[i], &list[i], &schedule[i]);
		if (!due)
			schedule[i].due_us = UINT64_MAX;
	}
	free(a->list);
	free(a->schedule);
	a->list = list;
	a->schedule = schedule;
	a->count = s->anchor_count;
	return OK;
}

enum err anchors_take(struct anchors *a, const struct config *c, struct now now)
{
	free(a->list);
	free(a->schedule);
	a->list = NULL;
	a->schedule = NULL;
	a->count = 0;
	enum err err = load(a);
	return err == OK ? anchors_configure(a, c, now) : err;
}

const struct anchor *anchors_list(const struct anchors *a, size_t *count)
{
	*count = a->count;
	return a->list;
}

/* ---- what is observed ------------------------------------------------------------------------ */

static void observed_free(struct observed *o)
{
	arena_deinit(&o->arena);
	free(o);
}

static struct observed *observed_new(const struct rrset *dnskeys, const bool *self_signed)
{
	struct observed *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	arena_init(&o->arena, OBSERVED_BYTES_MAX);
	struct span flags =
		arena_copy(&o->arena, span_of(self_signed, dnskeys->rr_count * sizeof(bool)));
	o->self_signed = (bool *)(uintptr_t)flags.at;
	if (flags.at && rrset_copy(dnskeys, &o->arena, &o->dnskeys) == OK)
		return o;
	observed_free(o);
	return NULL;
}

void anchors_observe(void *anchors, const uint8_t *zone, const struct rrset *dnskeys,
		     const bool *self_signed)
{
	struct anchors *a = anchors;
	struct observed *o = observed_new(dnskeys, self_signed);

	(void)zone; /* the set's owner, but for letters' case */
	if (!o)
		return; /* it comes again */
	REQUIRE(pthread_mutex_lock(&a->lock) == 0);
	bool has_room = a->inbox_count < OBSERVED_MAX;
	if (has_room) {
		o->next = a->inbox;
		a->inbox = o;
		a->inbox_count++;
	}
	REQUIRE(pthread_mutex_unlock(&a->lock) == 0);
	if (!has_room)
		observed_free(o);
	else if (a->wake)
		a->wake(a->context);
}

/* The key of A that is KEY, as key or as DS; NULL. */
static const struct anchor_key *find_key(const struct anchor *a, const struct anchor_key *key)
{
	struct span rdata = span_of(key->rdata, key->rdata_len);

	for (unsigned i = 0; i < a->key_count; i++) {
		const struct anchor_key *other = &a->keys[i];
		struct span theirs = span_of(other->rdata, other->rdata_len);
		if (key->is_ds == other->is_ds
			    ? span_equal(rdata, theirs)
			    : crypto_ds_matches(a->zone, key->is_ds ? rdata : theirs,
						key->is_ds ? theirs : rdata))
			return other;
	}
	return NULL;
}

static void tell_key(const struct anchor *a, const struct anchor_key *key, enum anchor_state from,
		     enum anchor_state to)
{
	struct span rdata = span_of(key->rdata, key->rdata_len);
	char zone[DNAME_TEXT_MAX];
	struct ds_view ds = {0};

	if (from == to)
		return;
	if (key->is_ds && rdata_ds(rdata, &ds) != OK)
		return;
	log_notice("anchor state changed: zone=%s tag=%u from=%s to=%s", dname_text(a->zone, zone),
		   key->is_ds ? ds.key_tag : rdata_dnskey_tag(rdata), anchor_state_text(from),
		   anchor_state_text(to));
}

static void tell_changes(const struct anchor *before, const struct anchor *after)
{
	char zone[DNAME_TEXT_MAX];
	uint16_t tag;

	for (unsigned i = 0; i < after->key_count; i++) {
		const struct anchor_key *was = find_key(before, &after->keys[i]);
		tell_key(after, &after->keys[i], was ? was->state : ANCHOR_START,
			 after->keys[i].state);
	}
	for (unsigned i = 0; i < before->key_count; i++)
		if (!find_key(after, &before->keys[i]))
			tell_key(before, &before->keys[i], before->keys[i].state, ANCHOR_START);
	if (anchor_tags(after, &tag, 1) == 0)
		log_error("no trusted key is left, nothing below can be validated zone=%s",
			  dname_text(after->zone, zone));
}

/* The TTL is what the signature that was verified allows. Of validity, the shortest that any says:
 * false ones make us ask once an hour, no more. */
static void plan(struct schedule *when, const struct rrset *set, struct now now)
{
	struct rrset_iter it = rrset_sigs(set);
	struct rrsig_view sig;
	struct span rdata;

	when->ttl_s = set->ttl_s;
	when->validity_s = UINT32_MAX;
	for (unsigned n = 0; n < RRSET_SIGS_MAX && rrset_next(&it, &rdata); n++) {
		if (rdata_rrsig(rdata, &sig) != OK)
			continue;
		/* RFC 4034 §3.1.5: serial numbers. Expired ones prove nothing, so they do not count. */
		int32_t left_s = (int32_t)(sig.expiration - (uint32_t)now.unix_s);
		if (left_s > 0)
			when->validity_s = MIN(when->validity_s, (uint32_t)left_s);
	}
	when->due_us =
		now.mono_us + anchor_refresh_s(when->ttl_s, when->validity_s, false) * 1000000ULL;
}

static bool take_in(struct anchors *a, const struct observed *o, struct now now)
{
	size_t i = find_zone(a, o->dnskeys.owner);

	if (i == a->count || !a->list[i].managed)
		return false; /* a reload came between */
	plan(&a->schedule[i], &o->dnskeys, now);
	a->before = a->list[i];
	if (!anchor_observe(&a->list[i], &o->dnskeys, o->self_signed, now.unix_s))
		return false;
	tell_changes(&a->before, &a->list[i]);
	return true;
}

bool anchors_step(struct anchors *a, struct now now)
{
	bool changed = false;

	REQUIRE(pthread_mutex_lock(&a->lock) == 0);
	struct observed *list = a->inbox;
	a->inbox = NULL;
	a->inbox_count = 0;
	REQUIRE(pthread_mutex_unlock(&a->lock) == 0);
	if (!list)
		return false;
	while (list) {
		struct observed *first = list;
		list = first->next;
		changed |= take_in(a, first, now);
		observed_free(first);
	}
	a->is_unsaved |= changed;
	if (a->is_unsaved)
		save(a);
	return changed;
}

/* ---- asking ---------------------------------------------------------------------------------- */

const uint8_t *anchors_take_due(struct anchors *a, struct now now)
{
	for (size_t i = 0; i < a->count; i++) {
		struct schedule *when = &a->schedule[i];
		if (when->due_us > now.mono_us)
			continue;
		uint32_t wait_s = anchor_refresh_s(when->ttl_s, when->validity_s, true);
		when->due_us = now.mono_us + wait_s * 1000000ULL;
		return a->list[i].zone;
	}
	return NULL;
}

uint64_t anchors_due_us(const struct anchors *a)
{
	uint64_t due_us = UINT64_MAX;

	for (size_t i = 0; i < a->count; i++)
		due_us = MIN(due_us, a->schedule[i].due_us);
	return due_us;
}

/* ---- life ------------------------------------------------------------------------------------ */

enum err anchors_new(struct anchor_store *store, void (*wake)(void *), void *context,
		     struct anchors **out)
{
	struct anchors *a = calloc(1, sizeof(*a));

	if (!a)
		return ERR_NO_MEMORY;
	REQUIRE(pthread_mutex_init(&a->lock, NULL) == 0);
	a->wake = wake;
	a->context = context;
	a->store = store;
	enum err err = load(a);
	if (err != OK) {
		anchors_free(a);
		return err;
	}
	*out = a;
	return OK;
}

void anchors_free(struct anchors *a)
{
	if (!a)
		return;
	while (a->inbox) {
		struct observed *first = a->inbox;
		a->inbox = first->next;
		observed_free(first);
	}
	REQUIRE(pthread_mutex_destroy(&a->lock) == 0);
	free(a->list);
	free(a->schedule);
	free(a);
}
