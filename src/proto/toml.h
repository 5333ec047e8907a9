/*
 * TOML read as statements, line by line, for who edits a file and keeps every other byte: where
 * tables, keys and comments begin and end. It knows strings of all four kinds, arrays and inline
 * tables over several lines, comments and quoted keys; values are found, not read. A file that it
 * takes may still be refused by a full parser. Pure; views of the text.
 */
#ifndef PROTO_TOML_H
#define PROTO_TOML_H

#include "base/sv.h"

enum toml_kind {
	TOML_BLANK,
	TOML_COMMENT,
	TOML_TABLE, /* [a.b] and [[a.b]] */
	TOML_VALUE, /* a.b = … */
};

struct toml_statement {
	enum toml_kind kind;
	struct sv text; /* all its lines, with their ends; the last one of a file may have none */
	struct sv key;	/* of TOML_TABLE and TOML_VALUE, as it is written */
};

struct toml {
	struct sv rest; /* private */
	size_t line;	/* that the next statement begins in, from 1 */
};

/* A byte order mark at the beginning is left out of the statements. */
struct toml toml_begin(struct sv text);
/* 1 and *ret; 0 at the end; -EBADMSG when what begins in t->line is no statement. */
int toml_next(struct toml *t, struct toml_statement *ret) MUST_CHECK;
/*
 * Takes the first part off a key: `b` of `a."b".c` after `a`. False at its end. Quotes are left
 * out, escapes stay: a part that is written with them equals no name here.
 */
bool toml_key_part(struct sv *key, struct sv *ret);
/* "\n", "\r\n", or "" at the end of a line. */
struct sv toml_line_end(struct sv line);

#endif
