#include "cache/disk_rules.h"

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

void disk_rules_add(struct disk_rules *r, const uint8_t *name, uint16_t type, bool subtree,
		    struct disk_rule *out)
{
	init_rule(out, name, type, subtree);
	pthread_mutex_lock(&r->lock);
	struct disk_rule *place = place_for(r, out);
	out->generation = atomic_fetch_add(&r->generation, 1) + 1;
	*place = *out;
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
	atomic_store(&r->generation, newest);
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
