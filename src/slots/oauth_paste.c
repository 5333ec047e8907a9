#include "slots/oauth_paste.h"

#include "proto/url.h"

enum {
	CODE_MIN_BYTES = 8, /* what is shorter was typed, not copied */
	CODE_MAX_BYTES = 4096,
	STATE_MAX_BYTES = 1024,
};

static void refuse(struct oauth_paste *ret, enum oauth_paste_kind kind, const char *message)
{
	ret->kind = kind;
	ret->message = message;
}

static bool strip_mark(struct sv *text, struct sv mark)
{
	struct sv before = *text;

	if (sv_starts(*text, mark))
		*text = sv_from(*text, mark.n);
	if (sv_ends(*text, mark))
		text->n -= mark.n;
	return text->n != before.n;
}

/* Without blanks, quotes, angle brackets, and the marks that terminals put around a paste. */
static struct sv unwrap(struct sv text)
{
	static const struct sv marks[] = {
		SV("\033[200~"), SV("\033[201~"), SV("\""), SV("'"), SV("`"), SV("<"), SV(">")};
	bool changed = true;

	while (changed) {
		changed = false;
		text = sv_trim(text);
		for (size_t i = 0; i < ARRAY_LEN(marks); i++)
			changed = strip_mark(&text, marks[i]) || changed;
	}
	return text;
}

static bool is_visible(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	}
	return true;
}

static void take_code(struct sv code, struct oauth_paste *ret)
{
	if (!code.n)
		refuse(ret, OAUTH_PASTE_UNUSABLE, "there is no code in it");
	else if (code.n < CODE_MIN_BYTES)
		refuse(ret, OAUTH_PASTE_UNUSABLE, "that is too short for a code");
	else if (code.n > CODE_MAX_BYTES || !is_visible(code))
		refuse(ret, OAUTH_PASTE_UNUSABLE, "that is no code: odd characters in it");
	else
		secret_set(&ret->code, code);
}

/* Compared in constant time: nobody learns the state by asking the callback again and again. */
static bool is_state(struct sv told, const char *state)
{
	struct secret wanted = {0};
	bool same;

	secret_set(&wanted, sv_cstr(state));
	same = secret_equals(&wanted, told);
	secret_fini(&wanted);
	return same;
}

/* The decoded value of a key, empty when it is not there or badly encoded. */
static struct sv decoded(struct sv query, struct sv key, struct buf *out)
{
	if (url_unescape(url_query_get(query, key), out))
		return SV_NONE;
	return buf_sv(out);
}

static void take_error(struct sv query, struct oauth_paste *ret)
{
	struct buf error;

	buf_init(&error, KIB(1));
	if (!oauth_shown_code(decoded(query, SV("error"), &error), ret->error))
		ret->error[0] = '\0';
	buf_fini(&error);
	if (strcmp(ret->error, "access_denied") == 0)
		refuse(ret, OAUTH_PASTE_DENIED, "the login was denied in the browser");
	else
		refuse(ret, OAUTH_PASTE_ERROR, "the issuer ended the login with an error");
}

static void take_query(
	struct sv query, const char *state, bool state_required, struct oauth_paste *ret)
{
	struct sv told = url_query_get(query, SV("state"));
	struct buf value;

	buf_init(&value, CODE_MAX_BYTES + STATE_MAX_BYTES);
	if ((told.p || state_required) && !is_state(decoded(query, SV("state"), &value), state)) {
		refuse(ret, OAUTH_PASTE_WRONG_STATE, "it belongs to another login: wrong state");
	} else if (url_query_get(query, SV("error")).p) {
		take_error(query, ret);
	} else {
		buf_reset(&value, value.size);
		take_code(decoded(query, SV("code"), &value), ret);
	}
	secret_wipe(value.data, value.len);
	buf_fini(&value);
}

void oauth_paste_read_callback(struct sv query, const char *state, struct oauth_paste *ret)
{
	*ret = (struct oauth_paste){.kind = OAUTH_PASTE_CODE, .message = ""};
	take_query(query, state, true, ret);
}

/* "code#state" or "code". */
static void take_bare(struct sv text, const char *state, struct oauth_paste *ret)
{
	struct sv told = text;
	struct sv code = sv_split(&told, '#');

	if (sv_find(text, SV("://")) >= 0)
		refuse(ret, OAUTH_PASTE_UNUSABLE, "there is no code in that address");
	else if (code.n < text.n && !is_state(told, state))
		refuse(ret, OAUTH_PASTE_WRONG_STATE, "it belongs to another login: wrong state");
	else
		take_code(code, ret);
}

void oauth_paste_read(struct sv line, const char *state, struct oauth_paste *ret)
{
	struct sv text = unwrap(line);
	ptrdiff_t question = sv_find(text, SV("?"));
	struct sv query = question >= 0 ? sv_from(text, (size_t)question + 1) : text;
	struct sv rest = query;

	*ret = (struct oauth_paste){.kind = OAUTH_PASTE_CODE, .message = ""};
	/* A browser may have put a fragment behind the URL. */
	if (question >= 0)
		query = sv_split(&rest, '#');
	if (!text.n)
		refuse(ret, OAUTH_PASTE_EMPTY, "nothing was pasted");
	else if (url_query_get(query, SV("code_challenge")).p)
		refuse(ret, OAUTH_PASTE_UNUSABLE,
			"that is the address to open; wanted is the one where the browser ends");
	else if (question >= 0 || url_query_get(query, SV("code")).p ||
		 url_query_get(query, SV("error")).p)
		take_query(query, state, false, ret);
	else
		take_bare(text, state, ret);
}

void oauth_paste_fini(struct oauth_paste *p)
{
	if (p)
		secret_fini(&p->code);
}
