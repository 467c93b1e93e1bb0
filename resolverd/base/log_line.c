#include "base/log_line.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SPEC_MAX = 16 };

struct line {
	char *at, *end; /* END: the last byte, kept for the terminator */
	bool cut;
};

static void add(struct line *l, char c)
{
	if (l->at < l->end)
		*l->at++ = c;
	else
		l->cut = true;
}

static void add_text(struct line *l, const char *text, size_t len, bool quoted)
{
	for (size_t i = 0; i < len; i++) {
		if (quoted && (text[i] == '"' || text[i] == '\\'))
			add(l, '\\');
		add(l, text[i]);
	}
}

struct conversion {
	char spec[SPEC_MAX]; /* as it stands in the format */
	size_t len;
	unsigned longs; /* how many "l" */
	bool is_size, star;
	int precision; /* INT_MAX: none */
	char kind;
};

/* What stands at FORMAT, which begins with '%'. False: nothing that is known here. */
static bool read_conversion(const char *format, struct conversion *c)
{
	const char *at = format + 1;

	*c = (struct conversion){.precision = INT_MAX};
	at += strspn(at, "0123456789");
	if (*at == '.' && at[1] == '*') {
		c->star = true;
		at += 2;
	} else if (*at == '.') {
		c->precision = 0;
		for (at++; *at >= '0' && *at <= '9' && c->precision < SPEC_MAX * 1000; at++)
			c->precision = c->precision * 10 + (*at - '0');
	}
	for (; *at == 'l'; at++)
		c->longs++;
	for (; *at == 'z'; at++)
		c->is_size = true;
	c->kind = *at;
	c->len = (size_t)(at - format) + 1;
	if (!*at || !strchr("sdiuxc", *at) || c->len >= SPEC_MAX || (c->star && *at != 's'))
		return false;
	memcpy(c->spec, format, c->len);
	return true;
}

/* The next argument, which is a number. */
static void add_number(struct line *l, const struct conversion *c, va_list *args)
{
	char text[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	if (c->is_size)
		(void)snprintf(text, sizeof(text), c->spec, va_arg(*args, size_t));
	else if (c->longs == 2)
		(void)snprintf(text, sizeof(text), c->spec, va_arg(*args, long long));
	else if (c->longs == 1)
		(void)snprintf(text, sizeof(text), c->spec, va_arg(*args, long));
	else
		(void)snprintf(text, sizeof(text), c->spec, va_arg(*args, int));
#pragma GCC diagnostic pop
	add_text(l, text, strlen(text), false);
}

void log_line_write(char *out, size_t size, const char *format, va_list given)
{
	struct line l = {.at = out, .end = out + size - 1};
	struct conversion c;
	bool quoted = false;
	va_list args;

	va_copy(args, given);
	while (*format) {
		if (*format != '%') {
			quoted ^= *format == '"';
			add(&l, *format++);
		} else if (format[1] == '%') {
			add(&l, '%');
			format += 2;
		} else if (!read_conversion(format, &c)) {
			size_t room = (size_t)(l.end - l.at) + 1;
			int rest = vsnprintf(l.at, room, format, args);
			l.cut |= rest >= (int)room;
			l.at += rest < 0 ? 0 : MIN((size_t)rest, room - 1);
			break;
		} else if (c.kind == 's') {
			int most = c.star ? va_arg(args, int) : c.precision;
			const char *text = va_arg(args, const char *);
			text = text ? text : "(null)"; /* as printf does */
			add_text(&l, text, strnlen(text, most < 0 ? SIZE_MAX : (size_t)most),
				 quoted);
			format += c.len;
		} else {
			add_number(&l, &c, &args);
			format += c.len;
		}
	}
	va_end(args);
	*l.at = '\0';
	if (l.cut)
		memcpy(l.end - 3, "...", 4);
}

void log_line_shape(char *out, size_t size, const char *format)
{
	struct line l = {.at = out, .end = out + size - 1};
	struct conversion c;

	while (*format) {
		bool quote = *format == '"'; /* which stands around conversions only */
		if (*format != '%') {
			if (!quote)
				add(&l, *format);
			format++;
		} else if (format[1] == '%') {
			add(&l, '%');
			format += 2;
		} else {
			add_text(&l, "...", 3, false);
			format += read_conversion(format, &c) ? c.len : strcspn(format, " ");
		}
	}
	*l.at = '\0';
	if (l.cut)
		memcpy(l.end - 3, "...", 4);
}

const char *log_line_unquote(const char *text, char *out, size_t size)
{
	size_t len = 0;

	for (; *text && *text != '"'; text++) {
		if (*text == '\\' && text[1])
			text++;
		if (len + 1 < size)
			out[len++] = *text;
	}
	out[len] = '\0';
	return text;
}
