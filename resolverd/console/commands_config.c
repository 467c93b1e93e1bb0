#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#include "config/show.h"
#include "console/commands_words.h"

/* ---- check and reload ---- */

/* The file that is meant, or NULL with the call answered. Only plain files: anything else could
 * keep us waiting. */
static const char *choose_file(const struct commands *c, struct call *call)
{
	const char *path = call_string(call, "path");
	struct stat st;

	if (path && path[0] != '/') {
		call_invalid(call, "path");
		return NULL;
	}
	if (!path)
		path = c->path;
	if (!path)
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason", "the daemon runs without a file"));
	else if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason", "that is not a plain file"));
	else
		return path;
	return NULL;
}

static json_t *notes_json(const struct config *config)
{
	json_t *list = json_array();

	for (const struct config_note *n = config->notes; n; n = n->next)
		words_append(&list, words_text(n->line, strlen(n->line)));
	return list;
}

void commands_config_check(void *context, struct call *call)
{
	const char *path = choose_file(context, call);
	struct config_error error = {0};
	struct config *config;

	if (!path)
		return;
	bool good = config_load(path, &config, &error) == OK;
	json_t *notes = good ? notes_json(config) : json_array();
	if (good)
		config_free(config);
	call_reply(call,
		   json_pack("{s:o, s:o, s:o}", "path", words_text(path, strlen(path)), "problem",
			     good ? json_null() : words_text(error.line, strlen(error.line)),
			     "notes", notes));
}

void commands_config_reload(void *context, struct call *call)
{
	const struct commands *c = context;
	const char *path = c->path ? c->path : "";
	struct config_error error = {0};

	if (c->reload(c->reload_context, &error) != OK) {
		call_error(
			call, "Refused",
			json_pack("{s:o}", "reason", words_text(error.line, strlen(error.line))));
		return;
	}
	json_t *notes = notes_json((*c->snapshot)->config);
	for (size_t i = 0; i < c->restart_count; i++)
		words_append(&notes,
			     json_sprintf("%s is changed only by a restart", c->restart[i]));
	call_reply(call,
		   json_pack("{s:o, s:o}", "path", words_text(path, strlen(path)), "notes", notes));
}

/* ---- show ---- */

static void add_setting(void *context, const char *key, const char *value)
{
	json_t **list = context;

	words_append(list, json_pack("{s:o, s:o}", "key", words_text(key, strlen(key)), "value",
				     words_text(value, strlen(value))));
}

void commands_config_show(void *context, struct call *call)
{
	const struct commands *c = context;
	const char *path = c->path ? c->path : "";
	json_t *list = json_array();

	config_show(*c->snapshot, add_setting, &list);
	call_reply(call, json_pack("{s:o, s:o}", "path", words_text(path, strlen(path)), "settings",
				   list));
}

/* ---- trust anchors ---- */

/* The key tag of DNSKEY (RFC 4034 appendix B), or what a DS record says it is. */
static unsigned key_tag(const struct anchor_key *key)
{
	uint32_t sum = 0;

	if (key->is_ds)
		return key->rdata_len >= 2 ? (unsigned)(key->rdata[0] << 8 | key->rdata[1]) : 0;
	for (size_t i = 0; i < key->rdata_len; i++)
		sum += i & 1 ? key->rdata[i] : (uint32_t)key->rdata[i] << 8;
	return (sum + (sum >> 16)) & 0xffff;
}

static json_t *anchor_json(const struct anchor *a)
{
	enum { DS_ALGORITHM = 2, DNSKEY_ALGORITHM = 3 };
	json_t *keys = json_array();

	for (size_t i = 0; i < a->key_count; i++) {
		const struct anchor_key *key = &a->keys[i];
		size_t at = key->is_ds ? DS_ALGORITHM : DNSKEY_ALGORITHM;
		words_append(&keys,
			     json_pack("{s:s, s:i, s:i, s:s, s:I}", "kind",
				       key->is_ds ? "DS" : "DNSKEY", "tag", (int)key_tag(key),
				       "algorithm", at < key->rdata_len ? (int)key->rdata[at] : 0,
				       "state", anchor_state_text(key->state), "since_unix_s",
				       (json_int_t)key->since_unix_s));
	}
	return json_pack("{s:o, s:b, s:o}", "zone", words_name(a->zone), "managed", a->managed,
			 "keys", keys);
}

void commands_anchors(void *context, struct call *call)
{
	const struct commands *c = context;
	const struct settings *s = &(*c->snapshot)->settings;
	json_t *anchors = json_array();

	for (size_t i = 0; i < s->anchor_count; i++)
		words_append(&anchors, anchor_json(&s->anchors[i]));
	call_reply(call, json_pack("{s:o, s:o}", "anchors", anchors, "negative",
				   words_negative(c, call_now(call))));
}

void commands_nta_list(void *context, struct call *call)
{
	call_reply(call, json_pack("{s:o}", "negative", words_negative(context, call_now(call))));
}

static void set_negative(const struct commands *c, struct call *call, const uint8_t *name,
			 uint32_t seconds)
{
	char text[DNAME_TEXT_MAX];
	enum err err = c->set_negative(c->negative_context, name, seconds);

	if (err == ERR_NOT_FOUND) {
		call_error(call, "NotFound", json_pack("{s:o}", "what", words_name(name)));
		return;
	}
	if (err != OK) {
		call_error(call, "Failed", json_pack("{s:s}", "reason", err_text(err)));
		return;
	}
	/* What was validated so far, or was not, is no longer what it would be. */
	struct flushed flushed;
	commands_flush(c, name, 0, true, call_now(call), &flushed);
	log_notice("negative trust anchor %s name=%s seconds=%u", seconds ? "added" : "removed",
		   dname_text(name, text), seconds);
	call_reply(call, commands_flushed(&flushed));
}

void commands_nta_add(void *context, struct call *call)
{
	int64_t seconds = call_int(call, "seconds", NEGATIVE_SECONDS_DEFAULT);
	uint8_t name[DNAME_MAX];

	if (!words_read_name(call, name))
		return;
	if (seconds < 1)
		call_invalid(call, "seconds");
	else if (seconds > NEGATIVE_SECONDS_MAX)
		call_error(call, "Refused",
			   json_pack("{s:s}", "reason", "it lasts for a week (7d) at most"));
	else
		set_negative(context, call, name, (uint32_t)seconds);
}

void commands_nta_remove(void *context, struct call *call)
{
	uint8_t name[DNAME_MAX];

	if (words_read_name(call, name))
		set_negative(context, call, name, 0);
}
