#include "disk/rules.h"

#include "base/cursor.h"

static const uint8_t root_name[] = {0};

static void init_rule(struct disk_rule *rule, const uint8_t *name, uint16_t type, bool subtree)
{
	*rule = (struct disk_rule){.type = type, .subtree = subtree};
	dname_lower(name, rule->name);
	if (subtree)
		disk_key_subtree(&rule->start, rule->name);
	else
		disk_key_name(&rule->start, rule->name);
	rule->position = rule->start;
}

void disk_rules_init(struct disk_rules *r)
{
	memset(r, 0, sizeof(*r));
	pthread_mutex_init(&r->lock, NULL);
	atomic_store(&r->generation, 1);
}

void disk_rules_deinit(struct disk_rules *r)
{
	pthread_mutex_destroy(&r->lock);
}

static bool same_coverage(const struct disk_rule *a, const struct disk_rule *b)
{
	return a->type == b->type && a->subtree == b->subtree && dname_equal(a->name, b->name);
}

/* The place for RULE: that of its like, a new one, or the only one left. */
static struct disk_rule *place_for(struct disk_rules *r, struct disk_rule *rule)
{
	unsigned count = atomic_load(&r->count);
	for (unsigned i = 0; i < count; i++) {
		if (same_coverage(&r->at[i], rule))
			return &r->at[i];
	}
	if (count == DISK_RULES_MAX) {
		init_rule(rule, root_name, 0, true);
		count = 0;
	}
	r->at[count].generation = 0;
	atomic_store(&r->count, count + 1);
	return &r->at[count];
}

/* ---- the log ---- */

static void log_forget(struct disk_rules *r, unsigned index)
{
	r->log_count--;
	memmove(&r->log[index], &r->log[index + 1], (r->log_count - index) * sizeof(r->log[0]));
}

/* F is older than nothing that is there, but for what it says anew. */
static void log_add(struct disk_rules *r, const struct disk_flushed *f)
{
	if (f->subtree && f->name[0] == 0) {
		r->log_floor = MAX(r->log_floor, f->generation);
		r->log_count = 0;
		return;
	}
	for (unsigned i = 0; i < r->log_count; i++) {
		if (r->log[i].subtree == f->subtree && dname_equal(r->log[i].name, f->name)) {
			log_forget(r, i);
			break;
		}
	}
	if (r->log_count == DISK_LOG_MAX) {
		r->log_floor = MAX(r->log_floor, r->log[0].generation);
		log_forget(r, 0);
	}
	r->log[r->log_count++] = *f;
}

bool disk_rules_hide_entry(struct disk_rules *r, const struct entry *e, uint32_t generation)
{
	static const uint8_t root[] = {0};
	if (e->kind != ENTRY_ANSWER && e->kind != ENTRY_ANSWER_DO)
		return false;
	pthread_mutex_lock(&r->lock);
	bool hidden = generation < r->log_floor && entry_passes(e, root, true);
	/* Latest first: most answers are younger than most flushes. */
	for (unsigned i = r->log_count; i > 0 && !hidden; i--) {
		const struct disk_flushed *f = &r->log[i - 1];
		if (generation >= f->generation)
			continue;
		hidden = entry_passes(e, f->name, f->subtree);
	}
	pthread_mutex_unlock(&r->lock);
	return hidden;
}

size_t disk_rules_write_log(struct disk_rules *r, uint8_t out[static DISK_LOG_BYTES_MAX])
{
	struct writer w = writer_of(out, DISK_LOG_BYTES_MAX);
	pthread_mutex_lock(&r->lock);
	writer_u32(&w, r->log_floor);
	for (unsigned i = 0; i < r->log_count; i++) {
		const struct disk_flushed *f = &r->log[i];
		writer_u32(&w, f->generation);
		writer_u8(&w, f->subtree);
		writer_bytes(&w, span_of(f->name, dname_len(f->name)));
	}
	pthread_mutex_unlock(&r->lock);
	REQUIRE(!w.failed);
	return writer_len(&w);
}

static bool read_flushed(struct reader *from, struct disk_flushed *out)
{
	size_t len;
	out->generation = reader_u32(from);
	out->subtree = reader_u8(from) != 0;
	if (from->failed || dname_view(span_of(from->at, reader_left(from)), &len) != OK)
		return false;
	dname_lower(reader_bytes(from, len).at, out->name);
	return true;
}

void disk_rules_read_log(struct disk_rules *r, struct span saved)
{
	struct reader from = reader_of(saved);
	struct disk_flushed known[DISK_LOG_MAX], f;
	uint32_t newest = reader_u32(&from);
	pthread_mutex_lock(&r->lock);
	unsigned count = r->log_count;
	memcpy(known, r->log, count * sizeof(known[0]));
	r->log_count = 0;
	r->log_floor = MAX(r->log_floor, newest);
	while (reader_left(&from) > 0 && read_flushed(&from, &f)) {
		newest = MAX(newest, f.generation);
		log_add(r, &f);
	}
	for (unsigned i = 0; i < count; i++)
		log_add(r, &known[i]);
	/* What is put from now on is younger than all that was flushed. */
	atomic_store(&r->generation, MAX(atomic_load(&r->generation), newest));
	pthread_mutex_unlock(&r->lock);
}

/* ---- rules ---- */

void disk_rules_add(struct disk_rules *r, const uint8_t *name, uint16_t type, bool subtree,
		    struct disk_rule *out)
{
	init_rule(out, name, type, subtree);
	pthread_mutex_lock(&r->lock);
	struct disk_rule *place = place_for(r, out);
	out->generation = atomic_fetch_add(&r->generation, 1) + 1;
	*place = *out;
	struct disk_flushed flushed = {.generation = out->generation, .subtree = out->subtree};
	dname_copy(out->name, flushed.name);
	log_add(r, &flushed);
	pthread_mutex_unlock(&r->lock);
}

void disk_rules_restore(struct disk_rules *r, const struct disk_rule *rule)
{
	struct disk_rule copy = *rule;
	pthread_mutex_lock(&r->lock);
	struct disk_rule *place = place_for(r, &copy);
	uint32_t newest = atomic_load(&r->generation);
	/* Its like may have come since, or all have become one that must cover this one too. */
	bool merged = !same_coverage(&copy, rule);
	if (merged)
		copy.generation = newest;
	if (place->generation < copy.generation)
		*place = copy;
	pthread_mutex_unlock(&r->lock);
}

void disk_rules_restart(struct disk_rules *r, uint32_t generation)
{
	pthread_mutex_lock(&r->lock);
	unsigned newest = MAX(atomic_load(&r->generation), generation);
	unsigned count = atomic_load(&r->count);
	for (unsigned i = 0; i < count; i++) {
		struct disk_rule *rule = &r->at[i];
		/* A flush of before the file was there covers what the file holds as well. */
		if (!rule->durable)
			rule->generation = MAX(rule->generation, generation + 1);
		newest = MAX(newest, rule->generation);
		rule->durable = false;
		rule->position = rule->start;
	}
	/* Rather too much is hidden: some of these may stand in the file already. */
	for (unsigned i = 0; i < r->log_count; i++) {
		r->log[i].generation = MAX(r->log[i].generation, generation + 1);
		newest = MAX(newest, r->log[i].generation);
	}
	if (r->log_floor > 0)
		newest = r->log_floor = MAX(r->log_floor, generation + 1);
	atomic_store(&r->generation, MAX(newest, atomic_load(&r->generation)));
	pthread_mutex_unlock(&r->lock);
}

bool disk_rule_covers(const struct disk_rule *rule, struct span key)
{
	if (key.at[0] != SPACE_ENTRY || key.len < 1 + 1 + DISK_KEY_TAIL)
		return false;
	if (!disk_key_starts(key, disk_key_span(&rule->start)))
		return false;
	if (!rule->subtree && key.len != rule->start.len + DISK_KEY_TAIL)
		return false;
	uint16_t type = disk_key_type(key);
	/* Type 0: the answer that the name does not exist, which holds for every type. */
	return rule->type == 0 || type == 0 || type == rule->type;
}

bool disk_rules_hide(struct disk_rules *r, struct span key, uint32_t generation)
{
	bool hidden = false;
	if (atomic_load(&r->count) == 0)
		return false;
	pthread_mutex_lock(&r->lock);
	unsigned count = atomic_load(&r->count);
	for (unsigned i = 0; i < count && !hidden; i++)
		hidden = generation < r->at[i].generation && disk_rule_covers(&r->at[i], key);
	pthread_mutex_unlock(&r->lock);
	return hidden;
}

bool disk_rules_get(struct disk_rules *r, unsigned index, struct disk_rule *out)
{
	pthread_mutex_lock(&r->lock);
	bool found = index < atomic_load(&r->count);
	if (found)
		*out = r->at[index];
	pthread_mutex_unlock(&r->lock);
	return found;
}

void disk_rules_commit(struct disk_rules *r, const struct disk_rule *rule, bool finished)
{
	pthread_mutex_lock(&r->lock);
	unsigned count = atomic_load(&r->count);
	for (unsigned i = 0; i < count; i++) {
		if (r->at[i].generation != rule->generation || !same_coverage(&r->at[i], rule))
			continue;
		if (finished) {
			r->at[i] = r->at[count - 1];
			atomic_store(&r->count, count - 1);
		} else {
			r->at[i].durable = true;
			r->at[i].position = rule->position;
		}
		break;
	}
	pthread_mutex_unlock(&r->lock);
}

size_t disk_rule_encode(const struct disk_rule *rule, uint8_t out[static DISK_RULE_RECORD_MAX])
{
	struct disk_record head = {.generation = rule->generation, .format = DISK_FORMAT};
	uint8_t *body = out + sizeof(head);
	memcpy(out, &head, sizeof(head));
	memcpy(body, &rule->type, sizeof(rule->type));
	body[2] = rule->subtree;
	body[3] = 0;
	return sizeof(head) + 4 + dname_copy(rule->name, body + 4);
}

enum err disk_rule_decode(struct span record, struct disk_rule *out)
{
	struct disk_record head;
	size_t name_len;
	if (record.len < sizeof(head) + 5)
		return ERR_CORRUPT;
	memcpy(&head, record.at, sizeof(head));
	const uint8_t *body = record.at + sizeof(head);
	struct span name = span_of(body + 4, record.len - sizeof(head) - 4);
	if (dname_view(name, &name_len) != OK || name_len != name.len)
		return ERR_CORRUPT;
	uint16_t type;
	memcpy(&type, body, sizeof(type));
	init_rule(out, name.at, type, body[2] != 0);
	out->generation = head.generation;
	out->durable = true;
	return OK;
}
