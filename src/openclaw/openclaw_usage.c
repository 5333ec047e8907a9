#include "openclaw/openclaw_usage.h"

#include "base/clock.h"
#include "openclaw/openclaw_run.h"
#include "slots/refresher.h"
#include "slots/usage_text.h"

#include <stdio.h>
#include <stdlib.h>

/* --- the text --- */

enum provider { ANY, CODEX, OTHER };

struct reader {
	int64_t now_ms;
	struct meters *meters;
	char *problem;
	enum provider provider;
	bool in_report; /* behind "Usage:" */
	bool found;
};

/* "5h" and "Day" are the short window, "Week" the long one; other lengths by hours (PROTOCOL 5). */
static bool kind_of(struct sv label, enum meter_kind *ret_kind, int64_t *ret_minutes)
{
	enum { DAY_H = 24, WEEK_H = 7 * DAY_H, MONTH_H = 28 * DAY_H, HOURS_MAX = 400 * DAY_H };
	uint64_t hours = 0;

	if (sv_ieq(label, SV("Week")))
		hours = WEEK_H;
	else if (sv_ieq(label, SV("Day")))
		hours = DAY_H;
	else if (sv_ieq(label, SV("Month")))
		hours = 30 * DAY_H;
	else if (!label.n || label.p[label.n - 1] != 'h' ||
		 sv_u64(sv_make(label.p, label.n - 1), &hours) != 0)
		return false;
	if (hours == 0 || hours > HOURS_MAX)
		return false;
	*ret_kind = hours <= DAY_H ? METER_5H : hours < MONTH_H ? METER_WEEK : METER_MONTH;
	*ret_minutes = (int64_t)hours * 60;
	return true;
}

static bool read_window(struct reader *r, struct sv label, struct sv value)
{
	enum meter_kind kind;
	int64_t minutes;
	struct meter m;

	if (!kind_of(label, &kind, &minutes) || !usage_text_parse(value, r->now_ms, &m))
		return false;
	if (r->provider == OTHER)
		return true;
	/* Of two windows of one kind the first is the account's main one. */
	if (!r->meters->window[kind].known) {
		m.window_minutes = minutes;
		r->meters->window[kind] = m;
	}
	r->found = true;
	return true;
}

static void take_plan(struct reader *r, struct sv heading)
{
	struct sv rest = heading;
	struct sv plan;

	sv_split(&rest, '(');
	plan = sv_trim(sv_split(&rest, ')'));
	/* "plus ($12.00)": the balance is no part of the name. */
	plan = sv_trim(sv_split(&plan, '('));
	if (plan.n && plan.n < sizeof(r->meters->plan_type) && plan.p[0] != '$')
		snprintf(r->meters->plan_type, sizeof(r->meters->plan_type), "%.*s", SV_ARG(plan));
}

static void read_heading(struct reader *r, struct sv line, struct sv label, struct sv value)
{
	bool is_codex = sv_istarts(line, SV("Codex")) || sv_istarts(line, SV("OpenAI")) ||
			sv_istarts(line, SV("ChatGPT"));

	if (!r->in_report)
		return;
	r->provider = is_codex ? CODEX : OTHER;
	if (!is_codex)
		return;
	take_plan(r, label.n < line.n ? label : line);
	if (value.n && !r->problem[0])
		snprintf(r->problem, OPENCLAW_PROBLEM_SIZE, "openclaw says: %.*s",
			value.n < 120 ? (int)value.n : 120, value.p);
}

static void read_line(struct reader *r, struct sv line)
{
	struct sv value = line;
	struct sv label = sv_trim(sv_split(&value, ':'));

	value = label.n < line.n ? sv_trim(value) : SV_NONE;
	if (!line.n)
		return;
	if (sv_ieq(label, SV("Usage"))) {
		r->in_report = true;
		r->provider = ANY;
		return;
	}
	if (!read_window(r, label, value))
		read_heading(r, line, label, value);
}

/* Colours, which programs send to a terminal only, but who knows. In place. */
static void drop_escapes(struct buf *text)
{
	size_t to = 0;

	for (size_t i = 0; i < text->len; i++) {
		if (text->data[i] != '\033') {
			text->data[to++] = text->data[i];
			continue;
		}
		if (i + 1 < text->len && text->data[i + 1] == '[') {
			i += 2;
			while (i < text->len && (text->data[i] < '@' || text->data[i] > '~'))
				i++;
		}
	}
	buf_truncate(text, to);
}

bool openclaw_usage_parse(
	struct sv text, int64_t now_ms, struct meters *ret, char problem[OPENCLAW_PROBLEM_SIZE])
{
	struct reader r = {.now_ms = now_ms, .meters = ret, .problem = problem};
	struct buf plain;
	struct sv rest;

	*ret = (struct meters){0};
	problem[0] = '\0';
	buf_init(&plain, text.n ? text.n : 1);
	buf_add_sv(&plain, text);
	if (!buf_error(&plain) && text.n)
		drop_escapes(&plain);
	rest = buf_sv(&plain);
	while (rest.n)
		read_line(&r, sv_trim(sv_split(&rest, '\n')));
	buf_fini(&plain);
	if (!r.found && !problem[0])
		snprintf(problem, OPENCLAW_PROBLEM_SIZE,
			"openclaw tells of no Codex usage (lines \"5h:\" and \"Week:\")");
	return r.found;
}

/* --- the question --- */

struct question {
	struct slot_env *env;
	char id[LIMIT_SLOT_ID_BYTES];
	struct refresh_wait wait;
	struct openclaw_run *run; /* NULL while a token is waited for */
	struct deferred fail;
	const char *problem;
	void (*on_done)(void *arg, const struct usage_answer *answer);
	void *arg;
};

static void finish(struct question *q, const struct usage_answer *answer)
{
	refresher_leave(&q->wait);
	loop_undefer(&q->fail);
	q->on_done(q->arg, answer);
	free(q);
}

static void on_fail(struct deferred *d)
{
	struct question *q = CONTAINER_OF(d, struct question, fail);
	struct usage_answer answer = {.problem = q->problem};

	finish(q, &answer);
}

static void on_run(void *arg, const struct openclaw_run_result *r)
{
	struct question *q = arg;
	struct usage_answer answer = {0};
	char problem[OPENCLAW_PROBLEM_SIZE];
	struct meters meters;

	q->run = NULL;
	if (r->problem)
		answer.problem = r->problem;
	else if (openclaw_usage_parse(r->out, clock_wall_ms(), &meters, problem))
		answer.meters = &meters;
	else
		answer.problem = problem;
	finish(q, &answer);
}

static void start_run(struct question *q, const struct slot *s)
{
	static const char *const words[] = {"status", "--usage", NULL};
	struct openclaw_run_request request = {
		.env = q->env,
		.slot = s,
		.name = "usage",
		.words = words,
		.timeout_ms = q->env->conf->openclaw_command_timeout_s * 1000,
	};

	q->run = openclaw_run_start(&request, on_run, q);
}

static void on_token(struct refresh_wait *w, enum refresh_result result)
{
	struct question *q = CONTAINER_OF(w, struct question, wait);
	struct slot *s = slot_table_find(q->env->table, q->id);
	struct usage_answer answer = {0};

	if (s && result == REFRESH_READY) {
		start_run(q, s);
		return;
	}
	answer.problem = !s			    ? "the slot is gone"
			 : result == REFRESH_REAUTH ? "the slot's login is not valid any more: log "
						      "in again"
						    : "the slot's token could not be refreshed";
	finish(q, &answer);
}

static void *start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct usage_answer *answer), void *arg)
{
	struct question *q = mem_zalloc(sizeof(*q));
	struct slot *mine = slot_table_find(env->table, s->id);

	q->env = env;
	memcpy(q->id, s->id, sizeof(q->id));
	q->on_done = on_done;
	q->arg = arg;
	q->wait.on_done = on_token;
	q->fail.fn = on_fail;
	if (!mine || secret_is_empty(&mine->access)) {
		q->problem = "the slot has no credential";
		loop_defer(env->loop, &q->fail);
	} else if (refresher_must_wait(mine, clock_wall_ms())) {
		refresher_ask(env->refresher, mine, NULL, &q->wait);
	} else {
		start_run(q, mine);
	}
	return q;
}

static void cancel(void *running)
{
	struct question *q = running;

	refresher_leave(&q->wait);
	loop_undefer(&q->fail);
	if (q->run)
		openclaw_run_cancel(q->run);
	free(q);
}

const struct usage_source *openclaw_usage_source(void)
{
	static const struct usage_source source = {"openclaw", start, cancel};

	return &source;
}
