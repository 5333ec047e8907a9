#include "cli/codex_toml.h"

#include "proto/toml.h"

#include <errno.h>

#define BOM "\xef\xbb\xbf"
#define OPEN "# >>> codex-slot-relay"
#define NEW_FILE " (new file)"
/* The file had no line end at its end. */
#define JOINED " (joined)"
#define HINT ": codex-slot-relay codex-config --remove takes this out"
#define CLOSE "# <<< codex-slot-relay"
#define DISABLED "#codex-slot-relay# "

/* --- what is written --- */

static void add_line(struct buf *out, struct sv line_end, const char *text)
{
	buf_add_cstr(out, text);
	buf_add_sv(out, line_end);
}

/* A basic string. */
static void add_string(struct buf *out, struct sv a, const char *b)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < a.n; i++) {
		if (a.p[i] == '"' || a.p[i] == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, a.p[i]);
	}
	buf_add_cstr(out, b);
	buf_add_char(out, '"');
}

static void add_key(
	struct buf *out, struct sv line_end, const char *key, struct sv a, const char *b)
{
	buf_add_cstr(out, key);
	buf_add_lit(out, " = ");
	add_string(out, a, b);
	buf_add_sv(out, line_end);
}

static bool has_provider(const struct codex_toml_wish *wish)
{
	return wish->mode != CODEX_TOML_CHATGPT_TLS;
}

static void add_keys(const struct codex_toml_wish *wish, struct sv line_end, struct buf *out)
{
	if (wish->model.n)
		add_key(out, line_end, "model", wish->model, "");
	if (has_provider(wish))
		add_key(out, line_end, "model_provider", SV(CODEX_TOML_PROVIDER), "");
	if (wish->mode == CODEX_TOML_CHATGPT)
		add_key(out, line_end, "chatgpt_base_url", wish->url, "/backend-api");
	if (wish->mode == CODEX_TOML_CHATGPT_TLS) {
		/* As the CLI writes them; without the second one it asks others for its models. */
		add_key(out, line_end, "chatgpt_base_url", wish->url, "/backend-api/");
		add_key(out, line_end, "openai_base_url", wish->url, "/backend-api/codex");
	}
}

static void add_provider(const struct codex_toml_wish *wish, struct sv line_end, struct buf *out)
{
	bool api_key = wish->mode == CODEX_TOML_API_KEY;

	add_line(out, line_end, "[model_providers." CODEX_TOML_PROVIDER "]");
	/* With this name the CLI asks for all that its built-in provider has: conversations are
	 * made short upstream. With a login of its own it would then want https everywhere. */
	add_key(out, line_end, "name", api_key ? SV("OpenAI") : SV(CODEX_TOML_PROVIDER), "");
	add_key(out, line_end, "base_url", wish->url, api_key ? "/v1" : "/backend-api/codex");
	add_key(out, line_end, "wire_api", SV("responses"), "");
	if (api_key)
		add_key(out, line_end, "env_key", SV(CODEX_TOML_TOKEN_VARIABLE), "");
	else
		add_line(out, line_end, "requires_openai_auth = true");
}

void codex_toml_print(const struct codex_toml_wish *wish, struct buf *out)
{
	struct sv line_end = SV("\n");

	add_keys(wish, line_end, out);
	if (has_provider(wish)) {
		buf_add_sv(out, line_end);
		add_provider(wish, line_end, out);
	}
}

/* --- what must go --- */

static bool starts_with(struct sv *key, struct sv name)
{
	struct sv rest = *key, part;

	if (!toml_key_part(&rest, &part) || !sv_eq(part, name))
		return false;
	*key = rest;
	return true;
}

/* Outside of all tables. */
static bool clashes_at_root(const struct codex_toml_wish *wish, struct sv key)
{
	struct sv rest = key;

	if (starts_with(&rest, SV("model_providers")))
		return has_provider(wish) &&
		       (!rest.n || starts_with(&rest, SV(CODEX_TOML_PROVIDER)));
	rest = key;
	/* Another provider would be used instead of the built-in one. */
	if (starts_with(&rest, SV("model_provider")))
		return !rest.n;
	if (starts_with(&rest, SV("model")))
		return !rest.n && wish->model.n;
	if (starts_with(&rest, SV("chatgpt_base_url")))
		return !rest.n && wish->mode != CODEX_TOML_API_KEY;
	if (starts_with(&rest, SV("openai_base_url")))
		return !rest.n && wish->mode == CODEX_TOML_CHATGPT_TLS;
	return false;
}

enum place { AT_ROOT, IN_PROVIDERS, IN_OURS, ELSEWHERE };

static enum place place_of(struct sv table)
{
	if (!starts_with(&table, SV("model_providers")))
		return ELSEWHERE;
	if (!table.n)
		return IN_PROVIDERS;
	return starts_with(&table, SV(CODEX_TOML_PROVIDER)) ? IN_OURS : ELSEWHERE;
}

static bool must_go(
	const struct codex_toml_wish *wish, enum place place, const struct toml_statement *s)
{
	struct sv key = s->key;

	if (s->kind != TOML_TABLE && s->kind != TOML_VALUE)
		return false;
	switch (place) {
	case AT_ROOT:
		return clashes_at_root(wish, key);
	case IN_PROVIDERS:
		return has_provider(wish) && s->kind == TOML_VALUE &&
		       starts_with(&key, SV(CODEX_TOML_PROVIDER));
	case IN_OURS:
		return has_provider(wish);
	case ELSEWHERE:
		break;
	}
	return false;
}

static struct sv first_line(struct sv text)
{
	ptrdiff_t end = sv_find(text, SV("\n"));

	return end < 0 ? text : sv_make(text.p, (size_t)end + 1);
}

static void add_disabled(struct sv text, struct buf *out)
{
	while (text.n) {
		struct sv line = first_line(text);

		buf_add_lit(out, DISABLED);
		buf_add_sv(out, line);
		text = sv_from(text, line.n);
	}
}

/* --- taking it out --- */

struct unwiring {
	struct buf *out;
	struct codex_toml_found *found;
	bool inside; /* between marks */
	bool first;  /* no key came yet between them */
	enum place place;
	struct sv
		line_end; /* that a joined part brought along; given back when something follows */
};

static void keep(struct unwiring *u, struct sv text)
{
	buf_add_sv(u->out, u->line_end);
	u->line_end = SV_NONE;
	buf_add_sv(u->out, text);
}

static void open_part(struct unwiring *u, struct sv line)
{
	struct sv flags = sv_from(line, sizeof(OPEN) - 1);

	u->inside = u->first = u->found->wired = true;
	u->found->new_file |= sv_starts(flags, SV(NEW_FILE));
	if (!sv_starts(flags, SV(JOINED)))
		return;
	/* The same as this line's: "\r" may have been the last byte of the file. */
	u->line_end = toml_line_end(line);
	if (sv_ends(buf_sv(u->out), u->line_end))
		buf_truncate(u->out, u->out->len - u->line_end.n);
}

/* A model that does not come first was put there by the CLI, for its user. */
static bool is_our_key(struct unwiring *u, struct sv key)
{
	static const struct sv names[] = {
		SV("model_provider"), SV("chatgpt_base_url"), SV("openai_base_url"), SV("model")};
	bool first = u->first;

	u->first = false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct sv rest = key;

		if (starts_with(&rest, names[i]) && !rest.n)
			return first || !sv_eq(names[i], SV("model"));
	}
	return false;
}

/*
 * Between marks there may be more than was put there: the CLI writes to its file too, and keeps
 * comments where they are, not what they stand around.
 */
static bool is_ours(struct unwiring *u, const struct toml_statement *s)
{
	if (!u->inside || (s->kind != TOML_TABLE && s->kind != TOML_VALUE))
		return false;
	return u->place == IN_OURS ||
	       (u->place == AT_ROOT && s->kind == TOML_VALUE && is_our_key(u, s->key));
}

static int unwire_statement(struct unwiring *u, const struct toml_statement *s)
{
	bool comment = s->kind == TOML_COMMENT;

	if (s->kind == TOML_TABLE)
		u->place = place_of(s->key);
	if (comment && sv_starts(s->text, SV(OPEN))) {
		if (u->inside)
			return -EBADMSG;
		open_part(u, s->text);
	} else if (comment && sv_starts(s->text, SV(CLOSE))) {
		if (!u->inside)
			return -EBADMSG;
		u->inside = false;
	} else if (comment && sv_starts(s->text, SV(DISABLED))) {
		u->found->wired = true;
		keep(u, sv_from(s->text, sizeof(DISABLED) - 1));
	} else if (!is_ours(u, s)) {
		keep(u, s->text);
	}
	return 0;
}

int codex_toml_unwire(
	struct sv text, struct buf *out, struct codex_toml_found *ret, size_t *ret_line)
{
	struct unwiring u = {.out = out, .found = ret};
	struct toml toml = toml_begin(text);
	struct toml_statement s;
	int more;

	*ret = (struct codex_toml_found){0};
	*ret_line = 1;
	if (sv_starts(text, SV(BOM)))
		buf_add_lit(out, BOM);
	while ((more = toml_next(&toml, &s)) > 0) {
		more = unwire_statement(&u, &s);
		if (more)
			return more;
		*ret_line = toml.line;
	}
	if (more || u.inside)
		return -EBADMSG;
	return buf_error(out);
}

/* --- putting it in --- */

static void add_beginning(const struct codex_toml_wish *wish, struct sv line_end, struct buf *out)
{
	add_line(out, line_end, wish->new_file ? OPEN NEW_FILE HINT : OPEN HINT);
	add_keys(wish, line_end, out);
	add_line(out, line_end, CLOSE);
}

static void add_ending(const struct codex_toml_wish *wish, struct sv line_end, struct buf *out)
{
	bool joined = !toml_line_end(buf_sv(out)).n;

	if (joined)
		buf_add_sv(out, line_end);
	add_line(out, line_end, joined ? OPEN JOINED HINT : OPEN HINT);
	add_provider(wish, line_end, out);
	add_line(out, line_end, CLOSE);
}

/* text: without a part of the relay's. */
static int wire_clean(struct sv text, const struct codex_toml_wish *wish, struct buf *out)
{
	struct sv first_end = toml_line_end(first_line(text));
	struct sv line_end = first_end.n ? first_end : SV("\n");
	struct toml toml = toml_begin(text);
	enum place place = AT_ROOT;
	struct toml_statement s;
	int more;

	if (sv_starts(text, SV(BOM)))
		buf_add_lit(out, BOM);
	add_beginning(wish, line_end, out);
	while ((more = toml_next(&toml, &s)) > 0) {
		if (s.kind == TOML_TABLE)
			place = place_of(s.key);
		if (must_go(wish, place, &s))
			add_disabled(s.text, out);
		else
			buf_add_sv(out, s.text);
	}
	if (more)
		return more;
	if (has_provider(wish))
		add_ending(wish, line_end, out);
	return buf_error(out);
}

/* What was put in can be taken out again: a file may hold marks that nobody here made. */
static int check_way_back(struct sv wired, struct sv clean, size_t *ret_line)
{
	struct codex_toml_found found;
	struct buf back;
	int err;

	buf_init(&back, wired.n + 1);
	err = codex_toml_unwire(wired, &back, &found, ret_line);
	if (!err && !sv_eq(buf_sv(&back), clean))
		err = -EBADMSG;
	buf_fini(&back);
	return err;
}

int codex_toml_wire(
	struct sv text, const struct codex_toml_wish *wish, struct buf *out, size_t *ret_line)
{
	struct codex_toml_wish fit = *wish;
	struct codex_toml_found found;
	size_t begin = out->len;
	struct buf clean;
	int err;

	buf_init(&clean, out->cap);
	err = codex_toml_unwire(text, &clean, &found, ret_line);
	fit.new_file |= found.new_file;
	if (!err)
		err = wire_clean(buf_sv(&clean), &fit, out);
	if (!err)
		err = check_way_back(sv_from(buf_sv(out), begin), buf_sv(&clean), ret_line);
	buf_fini(&clean);
	return err;
}
