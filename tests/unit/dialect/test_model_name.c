#include "dialect/model_name.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct name_case {
	const char *name, *model, *effort;
};

static const struct name_case by_family[] = {
	{"gpt-5.1", "gpt-5.1", ""},
	{"gpt-5.1-low", "gpt-5.1", "low"},
	{"gpt-5.1-medium", "gpt-5.1", "medium"},
	{"gpt-5.1-high", "gpt-5.1", "high"},
	{"gpt-5.1-xhigh", "gpt-5.1", "xhigh"},
	{"gpt-5.1-codex-max", "gpt-5.1-codex-max", ""},
	{"gpt-5.1-codex-max-high", "gpt-5.1-codex-max", "high"},
	{"gpt-5.1-none", "gpt-5.1-none", ""},
	{"gpt-5.1(none)", "gpt-5.1", "none"},
	{"gpt-5.1(minimal)", "gpt-5.1", "minimal"},
	{"gpt-5.1(low)", "gpt-5.1", "low"},
	{"gpt-5.1 (medium)", "gpt-5.1", "medium"},
	{"gpt-5.1(high)", "gpt-5.1", "high"},
	{"gpt-5.1(xhigh)", "gpt-5.1", "xhigh"},
	{"gpt-5.1(max)", "gpt-5.1", "max"},
	{"gpt-5.1(HIGH)", "gpt-5.1(HIGH)", ""},
	{"gpt-5.1(high", "gpt-5.1(high", ""},
	{"gpt-5.1high)", "gpt-5.1high)", ""},
	{"gpt-5.1()", "gpt-5.1()", ""},
	{"gpt-5.1-low(high)", "gpt-5.1-low", "high"}, /* one ending is read, the last */
	{"codex-mini-latest-high", "codex-mini-latest", "high"},
	{"o3-high", "o3", "high"},
	{"o4-mini-low", "o4-mini", "low"},
	{"openai/gpt-5.1", "gpt-5.1", ""},
	{"a/b/gpt-5.1-high", "gpt-5.1", "high"},
	{"openai/", "", ""},
	{"/", "", ""},
	{"", "", ""},
	{"claude-high", "claude-high", ""},
	{"gpt-oss-high", "gpt-oss-high", ""},
	{"opus-high", "opus-high", ""},
	{"relay-echo", "relay-echo", ""},
	{"high", "high", ""},
	{"-high", "-high", ""},
	{"(high)", "(high)", ""},
	{"codex-", "codex-", ""},
};

static void check(const struct name_case *c, const struct model_catalogue *catalogue)
{
	struct model_name n = model_name_read(sv_cstr(c->name), catalogue);

	if (!sv_eq(n.model, sv_cstr(c->model)) || !sv_eq(n.effort, sv_cstr(c->effort)))
		fail_msg("%s: %.*s and %.*s", c->name, SV_ARG(n.model), SV_ARG(n.effort));
}

static void without_a_catalogue_the_family_counts(void **state)
{
	static const struct model_catalogue nothing = {.arg = NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(by_family); i++)
		check(&by_family[i], &nothing);
}

static bool knows(void *arg, struct sv name)
{
	(void)arg;
	return sv_eq(name, SV("sol")) || sv_eq(name, SV("moon-high")) ||
	       sv_eq(name, SV("lab/star"));
}

static void a_catalogue_says_what_is_known(void **state)
{
	static const struct model_catalogue catalogue = {
		.default_model = SV("house-low"), .knows = knows};
	static const struct name_case listed[] = {
		{"sol-high", "sol", "high"},
		{"x/sol(low)", "sol", "low"},
		{"moon-high", "moon-high", ""}, /* the whole is a name */
		{"moon-high-low", "moon-high", "low"},
		{"gpt-5.1-high", "gpt-5.1", "high"}, /* of the family, whatever lists say */
		{"mars-high", "mars-high", ""},	     /* nobody knows it */
		{"lab/star", "lab/star", ""},	     /* the slash belongs to the name */
		{"lab/star-high", "star-high", ""},
		{"house-low", "house-low", ""},
		{"house-low-xhigh", "house-low", "xhigh"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(listed); i++)
		check(&listed[i], &catalogue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_catalogue_the_family_counts),
		cmocka_unit_test(a_catalogue_says_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
