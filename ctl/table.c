#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

void die_no_memory(void)
{
	fputs("resolverctl: out of memory\n", stderr);
	exit(CTL_OS);
}

const char *colour_on(const struct invocation *in, enum colour colour)
{
	static const char *const codes[] = {
		[COLOUR_NONE] = "",	      [COLOUR_BOLD] = "\033[1m",
		[COLOUR_RED] = "\033[31m",    [COLOUR_GREEN] = "\033[32m",
		[COLOUR_YELLOW] = "\033[33m",
	};

	return in->colour ? codes[colour] : "";
}

const char *colour_off(const struct invocation *in)
{
	return in->colour ? "\033[0m" : "";
}

void table_add(struct table *t, const char *format, ...)
{
	va_list arguments;
	char *cell;

	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? 2 * t->capacity : 64;
		char **cells = reallocarray(t->cells, capacity, sizeof(*cells));
		if (!cells)
			die_no_memory();
		t->cells = cells;
		t->capacity = capacity;
	}
	va_start(arguments, format);
	if (vasprintf(&cell, format, arguments) < 0)
		die_no_memory();
	va_end(arguments);
	t->cells[t->count++] = cell;
}

void table_begin(struct table *t, const char *const *titles, size_t columns)
{
	REQUIRE(columns <= TABLE_COLUMNS_MAX);
	t->columns = columns;
	for (size_t i = 0; i < columns; i++) {
		t->right[i] = titles[i][0] == '>';
		table_add(t, "%s", titles[i] + t->right[i]);
	}
}

static void print_row(const struct table *t, size_t row, const int *widths)
{
	for (size_t i = 0; i < t->columns; i++) {
		const char *cell = t->cells[row * t->columns + i];
		bool last = i + 1 == t->columns;
		if (t->right[i])
			printf("%*s", widths[i], cell);
		else if (last)
			fputs(cell, stdout);
		else
			printf("%-*s", widths[i], cell);
		fputs(last ? "" : "  ", stdout);
	}
}

void table_end(struct table *t, const struct invocation *in)
{
	int widths[TABLE_COLUMNS_MAX] = {0};

	REQUIRE(t->columns > 0 && t->count % t->columns == 0);
	for (size_t i = 0; i < t->count; i++) {
		int len = (int)strlen(t->cells[i]);
		widths[i % t->columns] = MAX(widths[i % t->columns], len);
	}
	for (size_t row = 0; row < t->count / t->columns; row++) {
		fputs(row == 0 ? colour_on(in, COLOUR_BOLD) : "", stdout);
		print_row(t, row, widths);
		fputs(row == 0 ? colour_off(in) : "", stdout);
		putchar('\n');
	}
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){0};
}
