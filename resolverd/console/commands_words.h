#pragma once
/*
 * What the commands tell, as JSON and as words. Between the commands*.c only.
 *
 * A function that makes JSON returns NULL when memory is out, and takes NULL where it takes JSON:
 * call_reply() ends the session then. So each reply is built without looking back.
 */
#include <jansson.h>

#include "console/commands.h"

/* A JSON string of TEXT, LEN bytes; what is not printable ASCII becomes '?'. */
json_t *words_text(const char *text, size_t len);
json_t *words_name(const uint8_t *name);
/* "" for type 0, which stands for all types. */
json_t *words_type(uint16_t type);
json_t *words_endpoint(const struct endpoint *e);

/* Append VALUE (taken over) to *ARRAY, which becomes NULL if either is or memory is out. */
void words_append(json_t **array, json_t *value);

/* The types of the interface of the same names. */
json_t *words_cache(const struct commands *c);
json_t *words_entry(const struct entry *e, struct now now);
json_t *words_upstream(const struct endpoint *address, const struct infra_server *s,
		       struct now now);
json_t *words_negative(const struct commands *c, struct now now);

/* "secure", "bogus"... */
const char *words_verdict(unsigned verdict);

/* "1.2 s", "340 ms", "1 h 5 min": about so long. Returns OUT. */
enum { WORDS_TIME_SIZE = 32 };
const char *words_time(int64_t ms, char out[static WORDS_TIME_SIZE]);

/* Read the parameters "name" (lower-cased) and "type" (TYPE stays as it is if it is not given). On
 * false the call has been answered. */
bool words_read_name(struct call *call, uint8_t out[static DNAME_MAX]);
bool words_read_type(struct call *call, uint16_t *type);
/* As words_read_name(), but "name" may be missing, which reads as the root, and the client must be one
 * that takes more than one reply. */
bool words_begin_stream(struct call *call, uint8_t name[static DNAME_MAX]);

/* Each file's verbs. */
verb_fn commands_cache_stats, commands_cache_show, commands_cache_flush;
verb_fn commands_anchors, commands_nta_list, commands_nta_add, commands_nta_remove;
verb_fn commands_config_check, commands_config_show, commands_config_reload;
verb_fn commands_explain, commands_trace;
verb_fn commands_forward_list, commands_forward_add, commands_forward_remove;
verb_fn commands_forward_reset;
verb_fn commands_watch, commands_top;
verb_fn commands_cache_dump, commands_cache_load;
verb_fn commands_prefetch_list, commands_prefetch_stats, commands_prefetch_now;

/* The reply of CacheFlush. */
json_t *commands_flush_json(const struct flushed *f, unsigned percent);
/* CacheFlush of all at and below NAME, with progress. */
void commands_flush_stream(const struct commands *c, struct call *call, const uint8_t *name,
			   uint16_t type);
