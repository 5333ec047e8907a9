#include "proto/toml.h"

#include <errno.h>

#define BOM "\xef\xbb\xbf"

struct cursor {
	const char *p, *end;
};

static bool is_at(const struct cursor *c, struct sv text)
{
	return sv_starts(sv_make(c->p, (size_t)(c->end - c->p)), text);
}

static bool is_line_end(const struct cursor *c)
{
	return c->p == c->end || *c->p == '\n' || is_at(c, SV("\r\n"));
}

static void skip_blanks(struct cursor *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\t'))
		c->p++;
}

static void skip_to_line_end(struct cursor *c)
{
	while (!is_line_end(c))
		c->p++;
}

static void skip_line_end(struct cursor *c)
{
	c->p += is_at(c, SV("\r\n")) ? 2 : c->p < c->end;
}

struct sv toml_line_end(struct sv line)
{
	size_t n = sv_ends(line, SV("\r\n")) ? 2 : sv_ends(line, SV("\n"));

	return sv_from(line, line.n - n);
}

/* Behind a multi-line string's opening: to behind its end, which may have two more quotes. */
static bool skip_long_string(struct cursor *c, struct sv quotes)
{
	while (c->p < c->end && !is_at(c, quotes)) {
		bool escape = quotes.p[0] == '"' && *c->p == '\\';

		c->p += escape && c->p + 1 < c->end ? 2 : 1;
	}
	if (c->p == c->end)
		return false;
	c->p += quotes.n;
	for (int i = 0; i < 2 && c->p < c->end && *c->p == quotes.p[0]; i++)
		c->p++;
	return true;
}

static bool skip_short_string(struct cursor *c)
{
	char quote = *c->p++;

	while (!is_line_end(c) && *c->p != quote) {
		bool escape = quote == '"' && *c->p == '\\';

		c->p += escape && c->p + 1 < c->end ? 2 : 1;
	}
	if (is_line_end(c))
		return false;
	c->p++;
	return true;
}

static bool skip_string(struct cursor *c)
{
	static const struct sv longs[] = {SV("\"\"\""), SV("'''")};

	for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
		if (is_at(c, longs[i])) {
			c->p += longs[i].n;
			return skip_long_string(c, longs[i]);
		}
	}
	return skip_short_string(c);
}

static bool is_bare(char ch)
{
	return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || (ch >= '0' && ch <= '9') ||
	       ch == '_' || ch == '-';
}

static bool skip_key_part(struct cursor *c)
{
	const char *begin = c->p;

	if (c->p < c->end && (*c->p == '"' || *c->p == '\''))
		return skip_short_string(c);
	while (c->p < c->end && is_bare(*c->p))
		c->p++;
	return c->p > begin;
}

/* a . "b" . c */
static bool take_key(struct cursor *c, struct sv *ret)
{
	const char *begin, *end;

	skip_blanks(c);
	begin = c->p;
	for (;;) {
		if (!skip_key_part(c))
			return false;
		end = c->p;
		skip_blanks(c);
		if (c->p == c->end || *c->p != '.')
			break;
		c->p++;
		skip_blanks(c);
	}
	*ret = sv_make(begin, (size_t)(end - begin));
	return true;
}

/* Nothing but a comment may follow. */
static bool end_statement(struct cursor *c)
{
	skip_blanks(c);
	if (c->p < c->end && *c->p == '#')
		skip_to_line_end(c);
	return is_line_end(c);
}

static bool take_table(struct cursor *c, struct toml_statement *ret)
{
	struct sv close = is_at(c, SV("[[")) ? SV("]]") : SV("]");

	c->p += close.n;
	if (!take_key(c, &ret->key) || !is_at(c, close))
		return false;
	c->p += close.n;
	return end_statement(c);
}

/* One step inside of a value; false when it is none. */
static bool step(struct cursor *c, size_t *depth)
{
	switch (*c->p) {
	case '"':
	case '\'':
		return skip_string(c);
	case '[':
	case '{':
		(*depth)++;
		break;
	case ']':
	case '}':
		if (!*depth)
			return false;
		(*depth)--;
		break;
	case '#':
		skip_to_line_end(c);
		return true;
	default:
		break;
	}
	c->p++;
	return true;
}

static bool take_value(struct cursor *c, struct toml_statement *ret)
{
	size_t depth = 0;
	bool is_empty;

	if (!take_key(c, &ret->key) || c->p == c->end || *c->p != '=')
		return false;
	c->p++;
	skip_blanks(c);
	is_empty = is_line_end(c) || *c->p == '#';
	while (c->p < c->end && (depth || !is_line_end(c))) {
		if (!step(c, &depth))
			return false;
	}
	return !is_empty && depth == 0;
}

static bool take(struct cursor *c, struct toml_statement *ret)
{
	ret->key = SV_NONE;
	skip_blanks(c);
	if (is_line_end(c)) {
		ret->kind = TOML_BLANK;
		return true;
	}
	if (*c->p == '#') {
		ret->kind = TOML_COMMENT;
		skip_to_line_end(c);
		return true;
	}
	ret->kind = *c->p == '[' ? TOML_TABLE : TOML_VALUE;
	return ret->kind == TOML_TABLE ? take_table(c, ret) : take_value(c, ret);
}

struct toml toml_begin(struct sv text)
{
	return (struct toml){
		.rest = sv_starts(text, SV(BOM)) ? sv_from(text, sizeof(BOM) - 1) : text,
		.line = 1,
	};
}

int toml_next(struct toml *t, struct toml_statement *ret)
{
	struct toml_statement found;
	struct cursor c;

	/* Of an empty text the pointer may be NULL. */
	if (!t->rest.n)
		return 0;
	c = (struct cursor){t->rest.p, t->rest.p + t->rest.n};
	if (!take(&c, &found))
		return -EBADMSG;
	skip_line_end(&c);
	found.text = sv_make(t->rest.p, (size_t)(c.p - t->rest.p));
	t->rest = sv_from(t->rest, found.text.n);
	for (size_t i = 0; i < found.text.n; i++)
		t->line += found.text.p[i] == '\n';
	*ret = found;
	return 1;
}

bool toml_key_part(struct sv *key, struct sv *ret)
{
	struct cursor c;
	struct sv part;

	if (!key->n)
		return false;
	c = (struct cursor){key->p, key->p + key->n};
	if (!skip_key_part(&c))
		return false;
	part = sv_make(key->p, (size_t)(c.p - key->p));
	if (part.p[0] == '"' || part.p[0] == '\'')
		part = sv_make(part.p + 1, part.n - 2);
	skip_blanks(&c);
	if (c.p < c.end && *c.p == '.')
		c.p++;
	skip_blanks(&c);
	*key = sv_make(c.p, (size_t)(c.end - c.p));
	*ret = part;
	return true;
}
