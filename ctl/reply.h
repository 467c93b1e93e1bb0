#pragma once
/*
 * Reading replies: what is missing, or of another kind, reads as nothing.
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline const char *reply_text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

static inline int64_t reply_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline double reply_real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

static inline bool reply_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
