#include "cli/cli_show.h"

#include "cli/cli_print.h"
#include "slots/usage_text.h"

#include <stdio.h>

enum { TEXT_SIZE = 400, BAR_CELLS = 10, BAR_SIZE = 64 };

static enum cli_color color_of_percent(const struct conf *conf, enum meter_kind kind, double left)
{
	double least = kind == METER_5H ? conf->min_5h_pct : conf->min_week_pct;

	if (left < 0)
		return CLI_DIM;
	if (left == 0)
		return CLI_RED;
	return left < least ? CLI_YELLOW : CLI_GREEN;
}

static enum cli_color color_of_state(const struct cli_slot *s)
{
	if (!s->enabled)
		return CLI_DIM;
	if (s->eligible)
		return CLI_GREEN;
	if (strcmp(s->reason, "cooldown") == 0 || strcmp(s->reason, "exhausted") == 0)
		return CLI_YELLOW;
	return CLI_RED;
}

/* "reauth required" */
static void state_text(const struct cli_slot *s, char out[TEXT_SIZE])
{
	snprintf(out, TEXT_SIZE, "%s", s->state);
	for (char *p = out; *p; p++) {
		if (*p == '_')
			*p = ' ';
	}
}

/* "3h 5m" until then; "" when that is past or unknown. */
static void span_until(int64_t then_ms, int64_t now_ms, char out[USAGE_SPAN_SIZE])
{
	out[0] = '\0';
	if (then_ms > now_ms)
		usage_text_span(then_ms - now_ms, out);
}

/* "████████░░  95%  3h 5m" */
static void add_window(
	struct cli_table *t, const struct cli_view *v, const struct cli_slot *s, enum meter_kind k)
{
	char text[TEXT_SIZE], bar[BAR_SIZE], span[USAGE_SPAN_SIZE];

	if (s->left[k] < 0) {
		cli_table_add(t, CLI_DIM, "unknown");
		return;
	}
	cli_print_bar(s->left[k], BAR_CELLS, bar, sizeof(bar));
	span_until(s->resets_ms[k], v->now_ms, span);
	snprintf(text, sizeof(text), "%s %3d%%%s%s", bar, usage_text_percent(s->left[k]),
		span[0] ? "  " : "", span);
	cli_table_add(t, color_of_percent(v->conf, k, s->left[k]), text);
}

/* "29m quota"; "" when there is no cooldown. */
static void cooldown_text(const struct cli_view *v, const struct cli_slot *s, char out[TEXT_SIZE])
{
	char span[USAGE_SPAN_SIZE];

	span_until(s->cooldown_until_ms, v->now_ms, span);
	snprintf(out, TEXT_SIZE, "%s%s%s", span, span[0] && s->cooldown_reason[0] ? ", " : "",
		span[0] ? s->cooldown_reason : "");
}

static void add_row(struct cli_table *t, const struct cli_view *v, const struct cli_slot *s)
{
	char text[TEXT_SIZE];

	cli_table_add(t, CLI_BOLD, s->id);
	state_text(s, text);
	cli_table_add(t, color_of_state(s), text);
	cli_table_add(t, CLI_PLAIN, s->label[0] ? s->label : "-");
	cli_table_add(t, CLI_PLAIN, s->plan[0] ? s->plan : "-");
	add_window(t, v, s, METER_5H);
	add_window(t, v, s, METER_WEEK);
	snprintf(text, sizeof(text), "%lld", (long long)s->inflight);
	cli_table_add(t, s->inflight ? CLI_GREEN : CLI_DIM, v->is_live ? text : "-");
	cooldown_text(v, s, text);
	cli_table_add(t, text[0] ? CLI_YELLOW : CLI_DIM, text[0] ? text : "-");
	cli_table_add(t, CLI_PLAIN, s->last_error[0] ? s->last_error : "-");
}

static struct cli_table *make_table(const struct cli_view *v)
{
	static const char *const titles[] = {"SLOT", "STATE", "LABEL", "PLAN", "5H LEFT",
		"WEEK LEFT", "RUNNING", "COOLDOWN", "LAST ERROR"};
	struct cli_table *t = cli_table_new(titles, ARRAY_LEN(titles));

	for (size_t i = 0; i < json_array_size(v->slots); i++) {
		struct cli_slot s;

		cli_view_slot(v, i, &s);
		add_row(t, v, &s);
	}
	return t;
}

/* --- blocks, for narrow terminals --- */

static void print_window(const struct cli_context *ctx, const struct cli_view *v,
	const struct cli_slot *s, enum meter_kind k)
{
	char text[TEXT_SIZE], bar[BAR_SIZE], span[USAGE_SPAN_SIZE];

	printf("  %-9s ", k == METER_5H ? "5h" : "week");
	if (s->left[k] < 0) {
		cli_print_part(ctx, CLI_DIM, "unknown");
		putchar('\n');
		return;
	}
	cli_print_bar(s->left[k], BAR_CELLS, bar, sizeof(bar));
	span_until(s->resets_ms[k], v->now_ms, span);
	snprintf(text, sizeof(text), "%s %3d%% left", bar, usage_text_percent(s->left[k]));
	cli_print_part(ctx, color_of_percent(v->conf, k, s->left[k]), text);
	printf("%s%s\n", span[0] ? ", resets in " : "", span);
}

static void print_head(
	const struct cli_context *ctx, const struct cli_view *v, const struct cli_slot *s)
{
	char text[TEXT_SIZE];

	cli_print_part(ctx, CLI_BOLD, s->id);
	printf("  ");
	state_text(s, text);
	cli_print_part(ctx, color_of_state(s), text);
	if (v->is_live && s->inflight)
		printf(", %lld running", (long long)s->inflight);
	putchar('\n');
}

static void print_block(
	const struct cli_context *ctx, const struct cli_view *v, const struct cli_slot *s)
{
	char text[TEXT_SIZE];

	print_head(ctx, v, s);
	snprintf(text, sizeof(text), "%s%s%s%s", s->label, s->plan[0] ? " (" : "", s->plan,
		s->plan[0] ? ")" : "");
	if (text[0]) {
		printf("  ");
		cli_print_folded(2, text);
	}
	print_window(ctx, v, s, METER_5H);
	print_window(ctx, v, s, METER_WEEK);
	cooldown_text(v, s, text);
	if (text[0])
		printf("  cooldown  %s\n", text);
	if (s->last_error[0]) {
		printf("  error     ");
		cli_print_folded(12, s->last_error);
	}
}

void cli_show_slots(const struct cli_context *ctx, const struct cli_view *v)
{
	struct cli_table *t = make_table(v);

	if (cli_table_fits(t)) {
		cli_table_print(ctx, t);
		return;
	}
	cli_table_free(t);
	for (size_t i = 0; i < json_array_size(v->slots); i++) {
		struct cli_slot s;

		cli_view_slot(v, i, &s);
		print_block(ctx, v, &s);
	}
}

/* --- health --- */

static void add_percent(
	struct cli_table *t, const struct cli_view *v, const struct cli_slot *s, enum meter_kind k)
{
	char text[16] = "?";

	if (s->left[k] >= 0)
		snprintf(text, sizeof(text), "%d%%", usage_text_percent(s->left[k]));
	cli_table_add(t, color_of_percent(v->conf, k, s->left[k]), text);
}

void cli_show_summary(const struct cli_context *ctx, const struct cli_view *v)
{
	static const char *const titles[] = {"SLOT", "STATE", "5H", "WEEK", "RUNNING", "LABEL"};
	struct cli_table *t = cli_table_new(titles, ARRAY_LEN(titles));

	for (size_t i = 0; i < json_array_size(v->slots); i++) {
		struct cli_slot s;
		char text[TEXT_SIZE];

		cli_view_slot(v, i, &s);
		cli_table_add(t, CLI_BOLD, s.id);
		state_text(&s, text);
		cli_table_add(t, color_of_state(&s), text);
		add_percent(t, v, &s, METER_5H);
		add_percent(t, v, &s, METER_WEEK);
		snprintf(text, sizeof(text), "%lld", (long long)s.inflight);
		cli_table_add(t, s.inflight ? CLI_GREEN : CLI_DIM, v->is_live ? text : "-");
		cli_table_add(t, CLI_PLAIN, s.label[0] ? s.label : "-");
	}
	cli_table_print(ctx, t);
}
