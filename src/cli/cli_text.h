/*
 * Text of files and of upstream on a terminal: what could drive the terminal is taken out, and
 * columns are counted as terminals do (East Asian characters and emoji take two, combining marks
 * none). Pure but for the terminal's own properties at the end.
 */
#ifndef CLI_CLI_TEXT_H
#define CLI_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* A copy without control characters (those of Latin-1 and the ones that turn the direction of text
 * included) and broken UTF-8: each is a question mark. The caller frees it. */
char *cli_text_clean(const char *text);
/* Columns of a clean text. */
size_t cli_text_width(const char *clean);
/* Cuts a clean text to at most so many columns; what was cut ends in a mark when there is room. */
void cli_text_cut(char *clean, size_t columns);
/* The same without a mark. */
void cli_text_cut_plain(char *clean, size_t columns);

/* Columns of the terminal on stdout, else $COLUMNS; 0: no terminal, no limit. */
size_t cli_text_screen_width(void);
/* Does the terminal's encoding have more than ASCII? */
bool cli_text_is_utf8(void);

#endif
