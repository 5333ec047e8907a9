/*
 * The relay's part of the Codex CLI's config.toml: made, put into a file's text, and taken out
 * again so that every byte is as before. Pure.
 *
 * Keys stand at the very beginning, where they belong to no table; the table of the provider stands
 * at the end. Both are between marks. What the file has already under the same names is turned into
 * comments that begin with a mark, line by line: TOML takes no name twice.
 */
#ifndef CLI_CODEX_TOML_H
#define CLI_CODEX_TOML_H

#include "base/buf.h"

/* The name of the relay among the CLI's providers. */
#define CODEX_TOML_PROVIDER "codex-slot-relay"
/* The environment variable that holds the relay's token. */
#define CODEX_TOML_TOKEN_VARIABLE "CODEX_SLOT_RELAY_TOKEN"

enum codex_toml_mode {
	CODEX_TOML_API_KEY,	/* the relay's token, /v1 */
	CODEX_TOML_CHATGPT,	/* the CLI's own login, plain HTTP */
	CODEX_TOML_CHATGPT_TLS, /* the CLI's built-in provider, sent to the relay */
};

struct codex_toml_wish {
	enum codex_toml_mode mode;
	struct sv url;	 /* of the relay, "http://127.0.0.1:8787", no slash behind it */
	struct sv model; /* empty: the CLI's choice stays */
	bool new_file;	 /* there was no file */
};

/* The block as people would write it. */
void codex_toml_print(const struct codex_toml_wish *wish, struct buf *out);
/*
 * text with the relay's part, a former one replaced. Appends to out. -EBADMSG: text is no TOML, or
 * a mark has lost its other half; *ret_line tells where. Or out's error.
 */
int codex_toml_wire(struct sv text, const struct codex_toml_wish *wish, struct buf *out,
	size_t *ret_line) MUST_CHECK;

struct codex_toml_found {
	bool wired;    /* it had a part of the relay's */
	bool new_file; /* it was made for it */
};
/* text without it; the same errors. */
int codex_toml_unwire(
	struct sv text, struct buf *out, struct codex_toml_found *ret, size_t *ret_line) MUST_CHECK;

#endif
