#include "dialect/model_name.h"

#include "base/mem.h"

/* Endings behind a dash. "max" is none: there are models whose names end so. */
static const struct sv dashed[] = {SV("low"), SV("medium"), SV("high"), SV("xhigh")};
static const struct sv bracketed[] = {
	SV("none"), SV("minimal"), SV("low"), SV("medium"), SV("high"), SV("xhigh"), SV("max")};

static bool is_digit_at(struct sv s, size_t at)
{
	return s.n > at && s.p[at] >= '0' && s.p[at] <= '9';
}

bool model_name_is_family(struct sv name)
{
	if (sv_starts(name, SV("gpt-")))
		return is_digit_at(name, 4);
	if (sv_starts(name, SV("codex-")))
		return name.n > 6;
	return name.n > 1 && name.p[0] == 'o' && is_digit_at(name, 1);
}

static bool is_listed(struct sv name, const struct model_catalogue *c)
{
	return sv_eq(name, c->default_model) || (c->knows && c->knows(c->arg, name));
}

static bool is_known(struct sv name, const struct model_catalogue *c)
{
	return name.n && (model_name_is_family(name) || is_listed(name, c));
}

static struct sv without_provider(struct sv name, const struct model_catalogue *c)
{
	for (size_t i = name.n; i > 0; i--) {
		if (name.p[i - 1] == '/')
			return is_listed(name, c) ? name : sv_from(name, i);
	}
	return name;
}

/* "model(effort)", a space in front of the bracket allowed. */
static bool split_bracket(struct sv name, struct model_name *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(bracketed); i++) {
		size_t length = bracketed[i].n + 2;
		struct sv end;

		if (name.n <= length)
			continue;
		end = sv_from(name, name.n - length);
		if (end.p[0] != '(' || end.p[length - 1] != ')' ||
			!sv_eq(sv_make(end.p + 1, bracketed[i].n), bracketed[i]))
			continue;
		ret->model = sv_trim(sv_make(name.p, name.n - length));
		ret->effort = bracketed[i];
		return true;
	}
	return false;
}

static bool split_dash(struct sv name, struct model_name *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(dashed); i++) {
		size_t length = dashed[i].n + 1;

		if (name.n <= length || name.p[name.n - length] != '-' || !sv_ends(name, dashed[i]))
			continue;
		ret->model = sv_make(name.p, name.n - length);
		ret->effort = dashed[i];
		return true;
	}
	return false;
}

/* Lists are asked for names that might be parts only. */
struct model_name model_name_read(struct sv name, const struct model_catalogue *catalogue)
{
	struct model_name whole = {.model = without_provider(name, catalogue)};
	struct model_name parts = whole;

	if (!split_bracket(whole.model, &parts) && !split_dash(whole.model, &parts))
		return whole;
	if (is_listed(whole.model, catalogue) || !is_known(parts.model, catalogue))
		return whole;
	return parts;
}
