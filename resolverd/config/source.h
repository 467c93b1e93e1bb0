#pragma once
/*
 * The configuration file as it was read: its bytes, and where each key stands. Keys are written as
 * paths, "forward-zones[0].servers[1]".
 */
#include "base/err.h"
#include "base/span.h"
#include "config/config.h"

struct config_source;

/* Check that TEXT (borrowed) is YAML, at most one document, with a mapping of keys at its top or
 * nothing at all. NAME (borrowed) is for messages. ERR_MALFORMED with ERROR, or ERR_NO_MEMORY. */
MUST_USE enum err config_source_new(const char *name, struct span text, struct config_source **out,
				    struct config_error *error);
void config_source_free(struct config_source *s);

/* The whole file PATH; free() it. ERR_MALFORMED with ERROR if it cannot be read. */
MUST_USE enum err config_source_read(const char *path, struct span *out,
				     struct config_error *error);

struct span config_source_text(const struct config_source *s);
/* Is there any key at all? */
bool config_source_is_empty(const struct config_source *s);
/* Is there a list at KEY? */
bool config_source_is_list(const struct config_source *s, const char *key);

/* Write "FILE:LINE: KEY: MESSAGE" to ERROR, the line being that of KEY or of as much of it as there
 * is. Returns ERR_MALFORMED. */
enum err config_source_refuse(const struct config_source *s, const char *key, const char *message,
			      struct config_error *error);
