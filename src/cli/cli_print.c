#include "cli/cli_print.h"

#include "cli/cli_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 2, LAST_LEAST = 16 };

struct cli_table {
	const char *const *titles;
	size_t columns;
	struct cli_cell *cells;
	size_t count, size;
};

void cli_print_json(json_t *value)
{
	json_dumpf(value, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(value);
}

static const char *color_code(enum cli_color color)
{
	static const char *const codes[] = {
		[CLI_PLAIN] = "",
		[CLI_GREEN] = "\033[32m",
		[CLI_YELLOW] = "\033[33m",
		[CLI_RED] = "\033[31m",
		[CLI_DIM] = "\033[2m",
		[CLI_BOLD] = "\033[1m",
	};

	return codes[color];
}

static void print_cell(
	const struct cli_context *ctx, const char *text, enum cli_color color, size_t padding)
{
	bool colored = ctx->color && color != CLI_PLAIN;

	printf("%s%s%s", colored ? color_code(color) : "", text, colored ? "\033[0m" : "");
	printf("%*s", (int)padding, "");
}

void cli_print_part(const struct cli_context *ctx, enum cli_color color, const char *text)
{
	char *clean = cli_text_clean(text);

	print_cell(ctx, clean, color, 0);
	free(clean);
}

/* A value longer than its line goes on below itself, broken at spaces where there are some. */
static void print_folded(const char *text, size_t indent, size_t room)
{
	char *rest = cli_text_clean(text);
	char *line = rest;

	while (room && cli_text_width(line) > room) {
		char *part = mem_strdup(line);
		char *space;
		size_t n;

		cli_text_cut_plain(part, room + 1);
		space = strrchr(part, ' ');
		if (!space || space == part)
			cli_text_cut_plain(part, room);
		else
			*space = '\0';
		n = strlen(part);
		printf("%s\n%*s", part, (int)indent, "");
		free(part);
		line += n;
		while (*line == ' ')
			line++;
	}
	printf("%s\n", line);
	free(rest);
}

void cli_print_folded(size_t indent, const char *text)
{
	size_t screen = cli_text_screen_width();

	print_folded(text, indent, screen > indent + LAST_LEAST ? screen - indent : 0);
}

void cli_print_line(const struct cli_context *ctx, const char *key, const char *value)
{
	enum { KEY_WIDTH = 18 };
	size_t n = strlen(key);
	size_t indent = n < KEY_WIDTH ? KEY_WIDTH : n + 1;

	print_cell(ctx, key, CLI_DIM, indent - n);
	cli_print_folded(indent, value);
}

struct cli_table *cli_table_new(const char *const *titles, size_t columns)
{
	struct cli_table *t = mem_zalloc(sizeof(*t));

	t->titles = titles;
	t->columns = columns;
	return t;
}

void cli_table_add(struct cli_table *t, enum cli_color color, const char *text)
{
	if (t->count == t->size) {
		t->size = t->size ? t->size * 2 : 64;
		t->cells = mem_realloc(t->cells, t->size * sizeof(struct cli_cell));
	}
	t->cells[t->count++] = (struct cli_cell){cli_text_clean(text), color};
}

static size_t column_width(const struct cli_table *t, size_t column)
{
	size_t width = cli_text_width(t->titles[column]);

	for (size_t i = column; i < t->count; i += t->columns) {
		size_t own = cli_text_width(t->cells[i].text);

		if (own > width)
			width = own;
	}
	return width;
}

/* Columns before the last one. */
static size_t width_before_last(const struct cli_table *t)
{
	size_t before = 0;

	for (size_t c = 0; c + 1 < t->columns; c++)
		before += column_width(t, c) + GAP;
	return before;
}

bool cli_table_fits(const struct cli_table *t)
{
	size_t screen = cli_text_screen_width();
	size_t last = column_width(t, t->columns - 1);

	return !screen || width_before_last(t) + (last < LAST_LEAST ? last : LAST_LEAST) <= screen;
}

static void cut_last_column(struct cli_table *t)
{
	size_t before = width_before_last(t), screen = cli_text_screen_width();

	if (!screen)
		return;
	for (size_t i = t->columns - 1; i < t->count; i += t->columns)
		cli_text_cut(t->cells[i].text,
			screen > before + LAST_LEAST ? screen - before : LAST_LEAST);
}

void cli_table_free(struct cli_table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

static void print_row(const struct cli_context *ctx, const struct cli_table *t,
	const size_t *widths, const struct cli_cell *cells)
{
	for (size_t c = 0; c < t->columns; c++) {
		const char *text = cells ? cells[c].text : t->titles[c];
		bool last = c + 1 == t->columns;

		print_cell(ctx, text, cells ? cells[c].color : CLI_BOLD,
			last ? 0 : widths[c] - cli_text_width(text) + GAP);
	}
	putchar('\n');
}

void cli_table_print(const struct cli_context *ctx, struct cli_table *t)
{
	size_t *widths = mem_zalloc(t->columns * sizeof(size_t));

	cut_last_column(t);
	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	print_row(ctx, t, widths, NULL);
	for (size_t i = 0; i + t->columns <= t->count; i += t->columns)
		print_row(ctx, t, widths, &t->cells[i]);
	free(widths);
	cli_table_free(t);
}

void cli_print_bar(double percent, size_t cells, char *out, size_t size)
{
	bool utf8 = cli_text_is_utf8();
	size_t full = (size_t)(percent / 100 * (double)cells + 0.5);
	size_t n = 0;

	out[0] = '\0';
	/* What is left shows, and so does what is used. */
	if (full == 0 && percent > 0)
		full = 1;
	if (full == cells && percent < 100)
		full = cells - 1;
	for (size_t i = 0; i < cells && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s",
			i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "-"));
}
