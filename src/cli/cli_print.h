/* Results on stdout: JSON, or tables for people. Text of files is shown without control characters.
 */
#ifndef CLI_CLI_PRINT_H
#define CLI_CLI_PRINT_H

#include "cli/cli.h"

enum cli_color { CLI_PLAIN, CLI_GREEN, CLI_YELLOW, CLI_RED, CLI_DIM, CLI_BOLD };

struct cli_cell {
	char *text; /* owned by the table */
	enum cli_color color;
};

struct cli_table;

/* Prints and frees value. */
void cli_print_json(json_t *value);
/* "key   value" lines, folded at the terminal's width; value may hold control characters. */
void cli_print_line(const struct cli_context *ctx, const char *key, const char *value);
/* The rest of a line of which so many columns are printed, folded likewise below its beginning. */
void cli_print_folded(size_t indent, const char *text);
/* A piece of a line in this colour. */
void cli_print_part(const struct cli_context *ctx, enum cli_color color, const char *text);

/* titles are borrowed; the last column is cut to the width of the terminal. */
struct cli_table *cli_table_new(const char *const *titles, size_t columns);
/* The next cell, left to right and top to bottom; text is copied. */
void cli_table_add(struct cli_table *t, enum cli_color color, const char *text);
/* Does it fit the terminal, with some of its last column? */
bool cli_table_fits(const struct cli_table *t);
/* Prints and frees. */
void cli_table_print(const struct cli_context *ctx, struct cli_table *t);
void cli_table_free(struct cli_table *t);
/* "████████░░" or "########--" when the terminal's encoding has no such characters. */
void cli_print_bar(double percent, size_t cells, char *out, size_t size);

#endif
