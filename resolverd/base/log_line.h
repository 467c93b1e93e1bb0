#pragma once
/*
 * A line of the log from its format. Strangers' texts, as the data of a TXT record, stand between
 * quotes that the format has: in such a text quotes and backslashes get a backslash before them, so
 * that it ends where it ends, and nothing in it is taken for a further key.
 */
#include <stdarg.h>
#include <stddef.h>

#include "base/require.h"

/* Into OUT of SIZE (at least 4), cut with "..." if it is too long. Conversions: %s, %d, %i, %u, %x and
 * %c, with length modifiers and precision; another one ends the care that is taken of quotes. */
void log_line_write(char *out, size_t size, const char *format, va_list args) PRINTF_LIKE(3, 0);

/* What lines of FORMAT have in common, into OUT of SIZE (at least 4): "..." for what differs. */
void log_line_shape(char *out, size_t size, const char *format);

/* Undo it: TEXT begins behind an opening quote; what was put between goes into OUT, cut to SIZE. Returns
 * where the closing quote stands, or the end. */
const char *log_line_unquote(const char *text, char *out, size_t size);
