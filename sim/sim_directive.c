#include "sim/sim_directive.h"

enum { COUNT_MAX = 1000000 };
#define BIG_MAX (UINT64_C(1) << 32)

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Drops a leading word (any case) with the white space behind it. */
static bool take_word(struct sv *text, struct sv word)
{
	if (!sv_istarts(*text, word))
		return false;
	if (text->n > word.n && !is_space(text->p[word.n]) && text->p[word.n] != ':' &&
		text->p[word.n] != ',')
		return false;
	*text = sv_trim(sv_from(*text, word.n));
	return true;
}

static void skip_marks(struct sv *text)
{
	while (text->n && (text->p[0] == ':' || text->p[0] == ','))
		*text = sv_trim(sv_from(*text, 1));
}

/* Digits with an optional k or m. */
static bool take_number(struct sv *text, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	while (n < text->n && n < 12 && text->p[n] >= '0' && text->p[n] <= '9')
		value = value * 10 + (uint64_t)(text->p[n++] - '0');
	if (!n)
		return false;
	if (n < text->n && (text->p[n] == 'k' || text->p[n] == 'K')) {
		value <<= 10;
		n++;
	} else if (n < text->n && (text->p[n] == 'm' || text->p[n] == 'M') &&
		   (n + 1 == text->n || text->p[n + 1] != 's')) {
		value <<= 20;
		n++;
	}
	*ret = value;
	*text = sv_from(*text, n);
	return true;
}

/* "20ms" */
static bool take_ms(struct sv *text, int64_t *ret)
{
	struct sv rest = *text;
	uint64_t value;

	if (!take_number(&rest, &value) || !sv_istarts(rest, SV("ms")) || value > 600000)
		return false;
	*ret = (int64_t)value;
	*text = sv_trim(sv_from(rest, 2));
	return true;
}

/* A JSON object or array at the start: its length, 0 when it does not close. */
static size_t json_length(struct sv text)
{
	size_t depth = 0;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (quoted) {
			if (c == '\\')
				i++;
			else if (c == '"')
				quoted = false;
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && --depth == 0) {
			return i + 1;
		}
	}
	return 0;
}

static struct sv take_name(struct sv *text)
{
	size_t n = 0;
	struct sv name;

	while (n < text->n &&
		(((text->p[n] | 32) >= 'a' && (text->p[n] | 32) <= 'z') || text->p[n] == '_' ||
			text->p[n] == '-' || (text->p[n] >= '0' && text->p[n] <= '9')))
		n++;
	name = sv_make(text->p, n);
	*text = sv_trim(sv_from(*text, n));
	return name;
}

/* {"json":1}, or <<< raw text >>> (a line end behind the opening is dropped). */
static struct sv take_arguments(struct sv *text)
{
	struct sv arguments = SV_NONE;
	ptrdiff_t end;
	size_t n;

	if (sv_starts(*text, SV("<<<"))) {
		*text = sv_from(*text, 3);
		if (text->n && text->p[0] == '\n')
			*text = sv_from(*text, 1);
		end = sv_find(*text, SV(">>>"));
		n = end < 0 ? text->n : (size_t)end;
		arguments = sv_make(text->p, n);
		*text = sv_from(*text, end < 0 ? n : n + 3);
	} else if (text->n && text->p[0] == '{') {
		n = json_length(*text);
		arguments = sv_make(text->p, n);
		*text = sv_from(*text, n);
	}
	*text = sv_trim(*text);
	return arguments;
}

/* One step: "A {…} and B {…}", up to "then" or the end. False when there is no name. */
static bool take_step(struct sv *text, struct sim_directive *d)
{
	d->call_count = 0;
	do {
		struct sim_call call;

		skip_marks(text);
		take_word(text, SV("call"));
		call.name = take_name(text);
		if (!call.name.n)
			return d->call_count > 0;
		call.arguments = take_arguments(text);
		if (d->call_count < SIM_CALLS)
			d->calls[d->call_count++] = call;
		skip_marks(text);
	} while (take_word(text, SV("and")));
	return true;
}

static bool on_call(struct sv text, unsigned round, struct sim_directive *d)
{
	unsigned step = 0;

	do {
		if (!take_step(&text, d))
			return false;
		if (step++ == round) {
			d->kind = SIM_D_CALL;
			return true;
		}
	} while (take_word(&text, SV("then")));
	d->kind = SIM_D_OUTPUTS;
	return true;
}

static bool on_count(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	if (!take_number(&text, &d->count) || d->count > COUNT_MAX)
		return false;
	text = sv_trim(text);
	if (take_word(&text, SV("every")))
		take_ms(&text, &d->pace_ms);
	d->kind = SIM_D_COUNT;
	return true;
}

static bool on_say(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	skip_marks(&text);
	d->text = text;
	d->kind = SIM_D_SAY;
	return text.n > 0;
}

static bool on_big(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	d->kind = SIM_D_BIG;
	return take_number(&text, &d->count) && d->count <= BIG_MAX;
}

static bool on_refuse(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	(void)text;
	d->kind = SIM_D_REFUSE;
	return true;
}

static bool on_incomplete(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	(void)text;
	d->kind = SIM_D_INCOMPLETE;
	return true;
}

static bool on_fail(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	d->text = take_name(&text);
	d->kind = SIM_D_FAIL;
	return d->text.n > 0;
}

static bool on_messages(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	d->kind = SIM_D_MESSAGES;
	return take_number(&text, &d->count) && d->count > 0 && d->count <= 64;
}

static bool on_cite(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	d->text = text;
	d->kind = SIM_D_CITE;
	return text.n > 0;
}

static bool on_search(struct sv text, unsigned round, struct sim_directive *d)
{
	(void)round;
	d->text = text;
	d->kind = SIM_D_SEARCH;
	return text.n > 0;
}

static const struct {
	struct sv words;
	bool (*parse)(struct sv rest, unsigned round, struct sim_directive *d);
} DIRECTIVES[] = {
	{{"say exactly", 11}, on_say},
	{{"count to", 8}, on_count},
	{{"call", 4}, on_call},
	{{"refuse", 6}, on_refuse},
	{{"incomplete", 10}, on_incomplete},
	{{"big", 3}, on_big},
	{{"fail", 4}, on_fail},
	{{"messages", 8}, on_messages},
	{{"cite", 4}, on_cite},
	{{"search the web for", 18}, on_search},
};

/* "after 50ms" and "think" may stand before anything. */
static struct sv take_modifiers(struct sv text, struct sim_directive *d)
{
	struct sv rest = text;

	if (take_word(&rest, SV("after")) && take_ms(&rest, &d->delay_ms)) {
		skip_marks(&rest);
		text = rest;
	}
	if (take_word(&text, SV("think"))) {
		d->think = true;
		skip_marks(&text);
		if (!take_word(&text, SV("then")))
			take_word(&text, SV("and"));
		skip_marks(&text);
	}
	return text;
}

void sim_directive_parse(struct sv text, unsigned round, struct sim_directive *ret)
{
	struct sv order;

	*ret = (struct sim_directive){.kind = SIM_D_ECHO, .pace_ms = -1, .text = text};
	order = take_modifiers(sv_trim(text), ret);
	for (size_t i = 0; i < ARRAY_LEN(DIRECTIVES); i++) {
		struct sv rest = order;

		if (take_word(&rest, DIRECTIVES[i].words) && DIRECTIVES[i].parse(rest, round, ret))
			return;
	}
	ret->kind = SIM_D_ECHO;
	if (ret->think || ret->delay_ms)
		ret->text = order;
	if (sv_ifind(text, SV("use the tool")) >= 0)
		ret->kind = round ? SIM_D_OUTPUTS : SIM_D_USE_TOOL;
}
