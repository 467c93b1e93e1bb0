/*
 * dnssec: whether data is validated, what is trusted to begin with, and what is left out of it.
 */
#include <stdlib.h>

#include "config/builtin.h"
#include "config/raw.h"
#include "config/value.h"

enum { NEGATIVE_MAX = 10000 };

/* RECORD into the anchor of its zone, a new one if there is none yet. */
static enum err add_anchor(struct anchor *anchors, size_t *count, const char *record)
{
	for (size_t i = 0; i < SETTINGS_ANCHORS_MAX; i++) {
		enum err err = anchor_add_text(&anchors[i], record);
		if (err == OK && i == *count)
			(*count)++;
		if (err != ERR_EXISTS)
			return err;
	}
	return ERR_LIMIT;
}

static enum err add_builtin_anchors(struct anchor *anchors, size_t *count)
{
	char *text = strdup(builtin_trust_anchors), *rest = text, *line;
	enum err err = text ? OK : ERR_NO_MEMORY;

	while (err == OK && (line = strsep(&rest, "\n")))
		if (*line && *line != ';')
			err = add_anchor(anchors, count, line);
	free(text);
	return err;
}

static const struct anchor *find_anchor(const struct anchor *anchors, size_t count,
					const uint8_t *zone)
{
	for (size_t i = 0; i < count; i++)
		if (dname_equal(anchors[i].zone, zone))
			return &anchors[i];
	return NULL;
}

/*
 * An anchor of an algorithm or digest that is not validated here is left out where its zone has
 * another one. A zone that has none is no insecure one, as it would be by DS records of its parent
 * (RFC 6840 §5.2): the operator said that it is to be validated, so that is an error.
 */
static enum err judge_unsupported(struct config_build *b, const struct raw_config *raw,
				  const struct anchor *anchors, size_t count)
{
	char key[CONFIG_KEY_MAX], text[DNAME_TEXT_MAX];
	enum err err = OK;

	for (size_t i = 0; err == OK && i < raw->dnssec.anchors_count; i++) {
		const char *record = raw->dnssec.anchors[i];
		struct anchor alone = {.accept_sha1 = b->config->settings.accept_sha1};
		uint8_t zone[DNAME_MAX];
		if (anchor_add_text(&alone, record) != ERR_UNSUPPORTED ||
		    anchor_zone_of(record, zone) != OK)
			continue;
		config_key(key, "dnssec.trust-anchors", i, NULL);
		if (find_anchor(anchors, count, zone))
			err = config_remark(b, key,
					    "\"%.200s\": an algorithm or digest that is not "
					    "validated here, left out",
					    record);
		else
			err = config_refuse(b, key,
					    "\"%.200s\": an algorithm or digest that is not "
					    "validated here, and %.200s has no other anchor",
					    record, dname_text(zone, text));
	}
	return err;
}

static enum err add_listed_anchors(struct config_build *b, const struct raw_config *raw,
				   struct anchor *anchors, size_t *count)
{
	char key[CONFIG_KEY_MAX];
	size_t unsupported = 0;

	for (size_t i = 0; i < raw->dnssec.anchors_count; i++) {
		const char *record = raw->dnssec.anchors[i];
		enum err err = add_anchor(anchors, count, record);
		config_key(key, "dnssec.trust-anchors", i, NULL);
		if (err == ERR_NO_MEMORY)
			return err;
		if (err == ERR_LIMIT)
			return config_refuse(b, key, "\"%.200s\" is one too many", record);
		if (err == ERR_UNSUPPORTED)
			unsupported++;
		else if (err != OK)
			return config_refuse(b, key, "\"%.200s\" is not a DS or DNSKEY record",
					     record);
	}
	return unsupported > 0 ? judge_unsupported(b, raw, anchors, *count) : OK;
}

static enum err build_anchors(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	struct anchor *anchors = calloc(SETTINGS_ANCHORS_MAX, sizeof(*anchors));
	const char *word = raw->dnssec.anchors_word;
	size_t count = 0;
	enum err err;

	if (!anchors)
		return ERR_NO_MEMORY;
	/* Who lists anchors may have none that change: followed only if asked for. */
	bool listed = config_source_is_list(b->source, "dnssec.trust-anchors"), managed = !listed;
	err = config_read_bool(b, "dnssec.auto-trust-anchors", raw->dnssec.auto_anchors, &managed);
	for (size_t i = 0; i < SETTINGS_ANCHORS_MAX; i++) {
		anchors[i].accept_sha1 = s->accept_sha1;
		anchors[i].managed = managed;
	}
	if (err != OK)
		goto free_anchors;
	if (listed)
		err = add_listed_anchors(b, raw, anchors, &count);
	else if (!word || strcmp(word, "builtin") == 0)
		err = add_builtin_anchors(anchors, &count);
	else
		err = config_refuse(b, "dnssec.trust-anchors",
				    "\"%s\" is neither builtin nor a list of records", word);
	if (err == OK && s->dnssec && count == 0)
		err = config_refuse(b, "dnssec.trust-anchors", "validation needs at least one");
	if (err == OK) {
		struct span copy =
			arena_copy(&b->config->arena, span_of(anchors, count * sizeof(*anchors)));
		s->anchors = (const struct anchor *)(const void *)copy.at;
		s->anchor_count = count;
		err = copy.at ? OK : ERR_NO_MEMORY;
	}
free_anchors:
	free(anchors);
	return err;
}

static enum err build_negative_anchors(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	size_t count = raw->dnssec.negative_anchors_count;
	char key[CONFIG_KEY_MAX];

	if (count > NEGATIVE_MAX)
		return config_refuse(b, "dnssec.negative-trust-anchors", "more than %d names",
				     NEGATIVE_MAX);
	const uint8_t **names = arena_alloc(&b->config->arena, (count + 1) * sizeof(*names));
	if (!names)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		const char *word = raw->dnssec.negative_anchors[i];
		uint8_t name[DNAME_MAX];
		if (!config_value_name(word, name))
			return config_refuse(
				b, config_key(key, "dnssec.negative-trust-anchors", i, NULL),
				"\"%s\" is not a name", word);
		names[i] = arena_copy(&b->config->arena, span_of(name, dname_len(name))).at;
		if (!names[i])
			return ERR_NO_MEMORY;
	}
	s->negative_anchors = names;
	s->negative_anchor_count = count;
	return OK;
}

enum err config_anchors_build(struct config_build *b, const struct raw_config *raw)
{
	struct settings *s = &b->config->settings;
	enum err err = config_read_bool(b, "dnssec.enabled", raw->dnssec.enabled, &s->dnssec);

	if (err == OK)
		err = config_read_bool(b, "dnssec.aggressive-nsec", raw->dnssec.aggressive_nsec,
				       &s->aggressive_nsec);
	if (err == OK)
		err = config_read_bool(b, "dnssec.accept-sha1", raw->dnssec.accept_sha1,
				       &s->accept_sha1);
	if (err == OK)
		err = build_anchors(b, raw);
	return err == OK ? build_negative_anchors(b, raw) : err;
}
