#include "cli/cli.h"
#include "cli/cli_env.h"
#include "cli/cli_print.h"
#include "cli/cli_slots.h"

#include "base/clock.h"
#include "slots/slot_record.h"
#include "slots/store.h"
#include "slots/usage_round.h"
#include "slots/usage_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* --- refresh-usage --- */

struct refresh {
	const struct cli_context *ctx;
	bool is_done; /* false: a signal ended it */
	size_t updated, count;
	json_t *told;
};

static void add_window(
	struct cli_table *t, const struct slot *s, enum meter_kind kind, int64_t now_ms)
{
	const struct meter *m = slot_record_meter(s, kind);
	char text[USAGE_TEXT_SIZE];

	if (!m || slot_left_pct(s, kind, now_ms) < 0) {
		cli_table_add(t, CLI_DIM, "unknown");
		return;
	}
	usage_text_format(m, now_ms, text);
	cli_table_add(t, slot_left_pct(s, kind, now_ms) > 0 ? CLI_GREEN : CLI_RED, text);
}

static void add_row(struct cli_table *t, const struct usage_result *r, int64_t now_ms)
{
	const struct slot *s = r->slot;
	char checked[CLOCK_ISO_SIZE] = "-";

	if (s && s->checked_at_ms)
		clock_format_iso(s->checked_at_ms, checked);
	cli_table_add(t, CLI_BOLD, r->id);
	for (enum meter_kind kind = METER_5H; kind <= METER_WEEK; kind++) {
		if (s)
			add_window(t, s, kind, now_ms);
		else
			cli_table_add(t, CLI_DIM, "-");
	}
	cli_table_add(t, CLI_PLAIN, s && s->meters.plan_type[0] ? s->meters.plan_type : "-");
	cli_table_add(t, CLI_PLAIN, checked);
	cli_table_add(t, r->updated ? CLI_GREEN : CLI_RED, r->updated ? "updated" : r->problem);
}

static void print_results(const struct cli_context *ctx, const struct usage_result *results,
	size_t count, int64_t now_ms)
{
	static const char *const titles[] = {"SLOT", "5H", "WEEK", "PLAN", "CHECKED", "RESULT"};
	struct cli_table *t;

	if (count == 0) {
		printf("no slots yet: codex-slot-relay slot-login --help\n");
		return;
	}
	t = cli_table_new(titles, ARRAY_LEN(titles));
	for (size_t i = 0; i < count; i++)
		add_row(t, &results[i], now_ms);
	cli_table_print(ctx, t);
}

static void on_round(void *arg, const struct usage_result *results, size_t count)
{
	struct refresh *r = arg;
	int64_t now_ms = clock_wall_ms();

	r->is_done = true;
	r->count = count;
	r->updated = usage_round_updated(results, count);
	if (r->ctx->json)
		r->told = usage_round_json(results, count, now_ms);
	else
		print_results(r->ctx, results, count, now_ms);
}

static int report(struct refresh *r)
{
	if (!r->is_done)
		return cli_fail(r->ctx, CLI_FAILED, "interrupted");
	if (r->told)
		cli_print_json(r->told);
	if (r->updated || !r->count)
		return CLI_OK;
	return cli_fail(r->ctx, CLI_FAILED, "no slot could be updated");
}

int cli_usage_refresh(const struct cli_context *ctx)
{
	struct refresh refresh = {.ctx = ctx};
	char id[LIMIT_SLOT_ID_BYTES];
	bool one = cli_value(ctx, "--slot") != NULL;
	struct cli_env env;
	int status = one ? cli_slot_id(ctx, id) : CLI_OK;
	int closed;

	if (!status)
		status = cli_env_open(ctx, &env);
	if (status)
		return status;
	if (one && !slot_table_find(env.slots.table, id)) {
		status = cli_fail(ctx, CLI_NOT_FOUND, "there is no %s; see slot-list", id);
	} else {
		usage_round_start(&env.slots, one ? id : NULL, on_round, &refresh);
		cli_env_run(&env);
		status = report(&refresh);
	}
	closed = cli_env_close(&env);
	return status ? status : closed;
}

/* --- slot-usage-set --- */

struct setting {
	const struct cli_context *ctx;
	const char *id;
	const struct conf *conf;
	struct meter window[METER_KINDS]; /* known: given */
	int64_t now_ms;
};

/* What was told of the window stays, but for what is given. */
static void set_window(struct slot *s, enum meter_kind kind, const struct meter *given)
{
	struct meter *m = &s->meters.window[kind];
	int64_t minutes = m->known ? m->window_minutes : 0;

	if (!given->known)
		return;
	*m = *given;
	m->window_minutes = minutes;
	/* The week that is given goes before a month that was told. */
	if (kind == METER_WEEK)
		s->meters.window[METER_MONTH] = (struct meter){0};
}

static int set_usage(json_t *slots, void *arg)
{
	const struct setting *setting = arg;
	json_t *record = store_find(slots, setting->id);
	struct slot *s = record ? store_slot_new(setting->ctx->root, record, setting->conf) : NULL;

	if (!s)
		return -ENOENT;
	for (enum meter_kind kind = METER_5H; kind <= METER_WEEK; kind++)
		set_window(s, kind, &setting->window[kind]);
	s->checked_at_ms = setting->now_ms;
	slot_record_merge(record, slot_record_usage(s), NULL, slot_record_relay(s));
	store_slot_free(s);
	return 0;
}

static int read_window(struct setting *setting, enum meter_kind kind, const char *option)
{
	const char *text = cli_value(setting->ctx, option);

	if (!text || usage_text_parse(sv_cstr(text), setting->now_ms, &setting->window[kind]))
		return CLI_OK;
	return cli_fail(setting->ctx, CLI_USAGE,
		"%s: must be like '95%% left', '95%% left · resets 3h' or '5%% used', not '%.64s'",
		option, text);
}

static int read_setting(struct setting *setting)
{
	int status = read_window(setting, METER_5H, "--usage5h");

	if (!status)
		status = read_window(setting, METER_WEEK, "--usageWeek");
	if (!status && !setting->window[METER_5H].known && !setting->window[METER_WEEK].known)
		status = cli_fail(setting->ctx, CLI_USAGE,
			"give --usage5h, --usageWeek or both: '95%% left · resets 3h'");
	return status;
}

int cli_usage_set(const struct cli_context *ctx)
{
	struct setting setting = {.ctx = ctx, .now_ms = clock_wall_ms()};
	char id[LIMIT_SLOT_ID_BYTES];
	struct conf *conf;
	int status = cli_slot_id(ctx, id);

	if (!status)
		status = read_setting(&setting);
	if (!status)
		status = cli_load_conf(ctx, &conf);
	if (status)
		return status;
	setting.id = id;
	setting.conf = conf;
	status = cli_slots_edit(ctx, id, set_usage, &setting);
	conf_unref(conf);
	return status ? status : cli_slots_show(ctx, id, "has the usage that was given");
}
