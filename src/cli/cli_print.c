#include "cli/cli_print.h"

#include "base/jscan.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_CELLS = 10, GAP = 2, USUAL_WIDTH = 100, LAST_LEAST = 20 };

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

/* What could drive the terminal is replaced: controls, also those of Latin-1, and broken UTF-8. */
static char *cleaned(const char *text)
{
	size_t n = strlen(text);
	char *clean = mem_strdup(text);

	for (size_t i = 0; i < n;) {
		size_t length =
			(unsigned char)clean[i] < 0x80 ? 1 : jscan_utf8(clean + i, clean + n);
		bool control = (unsigned char)clean[i] < ' ' || clean[i] == 0x7f ||
			       (length == 2 && (unsigned char)clean[i] == 0xc2 &&
				       (unsigned char)clean[i + 1] < 0xa0);

		if (length == 0 || control)
			memset(clean + i, '?', length ? length : 1);
		i += length ? length : 1;
	}
	return clean;
}

/* Characters, of which each is taken to be one column wide. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void cut_to(char *text, size_t width)
{
	size_t seen = 0;

	for (; *text; text++) {
		seen += ((unsigned char)*text & 0xc0) != 0x80;
		if (seen > width) {
			*text = '\0';
			return;
		}
	}
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	return USUAL_WIDTH;
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

void cli_print_line(const struct cli_context *ctx, const char *key, const char *value)
{
	enum { KEY_WIDTH = 18 };
	char *clean = cleaned(value);
	size_t n = strlen(key);

	print_cell(ctx, key, CLI_DIM, n < KEY_WIDTH ? KEY_WIDTH - n : 1);
	printf("%s\n", clean);
	free(clean);
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
	t->cells[t->count++] = (struct cli_cell){cleaned(text), color};
}

static size_t column_width(const struct cli_table *t, size_t column)
{
	size_t width = width_of(t->titles[column]);

	for (size_t i = column; i < t->count; i += t->columns) {
		size_t own = width_of(t->cells[i].text);

		if (own > width)
			width = own;
	}
	return width;
}

static void cut_last_column(struct cli_table *t, const size_t *widths)
{
	size_t before = 0, all = terminal_width(), room;

	for (size_t c = 0; c + 1 < t->columns; c++)
		before += widths[c] + GAP;
	room = all > before + LAST_LEAST ? all - before : LAST_LEAST;
	for (size_t i = t->columns - 1; i < t->count; i += t->columns)
		cut_to(t->cells[i].text, room);
}

static void free_table(struct cli_table *t)
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
			last ? 0 : widths[c] - width_of(text) + GAP);
	}
	putchar('\n');
}

void cli_table_print(const struct cli_context *ctx, struct cli_table *t)
{
	size_t *widths = mem_zalloc(t->columns * sizeof(size_t));

	for (size_t c = 0; c < t->columns; c++)
		widths[c] = column_width(t, c);
	cut_last_column(t, widths);
	print_row(ctx, t, widths, NULL);
	for (size_t i = 0; i + t->columns <= t->count; i += t->columns)
		print_row(ctx, t, widths, &t->cells[i]);
	free(widths);
	free_table(t);
}

static bool is_utf8_terminal(void)
{
	setlocale(LC_CTYPE, "");
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void cli_print_bar(double percent, char *out, size_t size)
{
	bool utf8 = is_utf8_terminal();
	int full = (int)(percent / 100 * BAR_CELLS + 0.5);
	size_t n = 0;

	out[0] = '\0';
	/* What is left shows, and so does what is used. */
	if (full == 0 && percent > 0)
		full = 1;
	if (full == BAR_CELLS && percent < 100)
		full = BAR_CELLS - 1;
	for (int i = 0; i < BAR_CELLS && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s",
			i < full ? (utf8 ? "█" : "#") : (utf8 ? "░" : "-"));
}
