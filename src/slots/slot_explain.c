#include "slots/slot_explain.h"

#include "base/clock.h"
#include "slots/show.h"
#include "slots/usage_text.h"

#include <stdarg.h>
#include <stdio.h>

struct explanation {
	const char *code; /* NULL: the reason's name */
	char text[512];
	char remedy[160];   /* "" nothing to do */
	int64_t changes_ms; /* wall; 0: not by itself */
};

static void PRINTF_LIKE(2, 3) say_remedy(struct explanation *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->remedy, sizeof(e->remedy), fmt, args);
	va_end(args);
}

/* "2026-…Z (in 3h 5m)" */
static void say_when(int64_t at_ms, int64_t now_ms, char *out, size_t size)
{
	char iso[CLOCK_ISO_SIZE], span[USAGE_SPAN_SIZE];

	clock_format_iso(at_ms, iso);
	usage_text_span(at_ms > now_ms ? at_ms - now_ms : 0, span);
	snprintf(out, size, "%s (in %s)", iso, span);
}

static void explain_disabled(const struct slot *s, struct explanation *e)
{
	const json_t *relay = json_object_get(s->record, "relay");
	const char *told = json_string_value(json_object_get(relay, "disabledReason"));

	if (s->dead)
		told = s->last_error;
	if (told)
		snprintf(e->text, sizeof(e->text), "The relay has disabled it: %.400s", told);
	else
		snprintf(e->text, sizeof(e->text), "It is disabled.");
	say_remedy(e, "slot-enable --slot %s, or POST /admin/slots/%s/enable", s->id, s->id);
}

static void explain_cooldown(const struct slot *s, int64_t now_ms, struct explanation *e)
{
	char when[64];

	say_when(s->cooldown_until_ms, now_ms, when, sizeof(when));
	snprintf(e->text, sizeof(e->text), "It is in cooldown (%s) until %s.",
		s->cooldown_reason[0] ? s->cooldown_reason : "unknown reason", when);
	say_remedy(e,
		"wait; if it is over already: slot-reset --slot %s, or POST /admin/slots/%s/reset",
		s->id, s->id);
	e->changes_ms = s->cooldown_until_ms;
}

static const struct {
	enum meter_kind kind;
	const char *name;
} windows[] = {{METER_5H, "5-hour"}, {METER_WEEK, "weekly"}};

static void explain_exhausted(const struct slot *s, int64_t now_ms, struct explanation *e)
{
	char when[64] = "a time that nobody told";
	const char *name = "a";

	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		int64_t ends_ms = slot_window_ends_ms(s, windows[i].kind);

		if (slot_left_pct(s, windows[i].kind, now_ms) != 0)
			continue;
		name = windows[i].name;
		if (ends_ms > e->changes_ms)
			e->changes_ms = ends_ms;
	}
	if (e->changes_ms)
		say_when(e->changes_ms, now_ms, when, sizeof(when));
	snprintf(e->text, sizeof(e->text), "Nothing is left of its %s limit until %s.", name, when);
}

/* The end of what it says when nothing is in the way: how it stands against the thresholds. */
static void explain_rank(
	const struct slot *s, const struct conf *conf, int64_t now_ms, struct explanation *e)
{
	const double least[] = {conf->min_5h_pct, conf->min_week_pct};
	size_t unknown = 0;

	for (size_t i = 0; i < ARRAY_LEN(windows); i++) {
		double left = slot_left_pct(s, windows[i].kind, now_ms);

		unknown += left < 0;
		if (left < 0 || left >= least[i])
			continue;
		snprintf(e->text, sizeof(e->text),
			"It can serve, but is asked last: %d %% left of its %s limit is below the "
			"threshold of %g %%.",
			usage_text_percent(left), windows[i].name, least[i]);
		e->code = pick_reason_name(PICK_BELOW_THRESHOLD);
		e->changes_ms = slot_window_ends_ms(s, windows[i].kind);
		return;
	}
	if (unknown == ARRAY_LEN(windows)) {
		snprintf(e->text, sizeof(e->text),
			"It can serve, after the slots whose usage is known: nobody knows yet what "
			"is left of its limits.");
		e->code = pick_reason_name(PICK_UNKNOWN_USAGE);
	} else {
		snprintf(e->text, sizeof(e->text), "It can serve.");
		e->code = "ready";
	}
}

/* Its access token cannot be sent, and another one is not to be had now. */
static void explain_token(const struct slot *s, int64_t now_ms, struct explanation *e)
{
	const char *what = s->token_refused ? "Upstream has refused its access token"
					    : "Its access token has expired";
	char when[64];

	if (!slot_can_refresh(s)) {
		snprintf(e->text, sizeof(e->text),
			"%s, and it has no refresh token that may be sent.", what);
		say_remedy(e, "slot-login --slot %s", s->id);
		return;
	}
	e->changes_ms = s->refresh_after_ms;
	say_when(s->refresh_after_ms, now_ms, when, sizeof(when));
	snprintf(e->text, sizeof(e->text), "%s; the next try to refresh it is at %s. %.200s", what,
		when, s->last_error);
	say_remedy(e, "POST /admin/slots/%s/refresh", s->id);
}

static void explain_credential(
	const struct slot *s, enum pick_reason reason, int64_t now_ms, struct explanation *e)
{
	switch (reason) {
	case PICK_NO_CREDENTIAL:
		snprintf(e->text, sizeof(e->text), "It has no credential that can be used%s%.300s",
			s->last_error[0] ? ": " : ".", s->last_error);
		say_remedy(e, "slot-login --slot %s, or slot-auth-import-file", s->id);
		break;
	case PICK_REAUTH_REQUIRED:
		snprintf(e->text, sizeof(e->text),
			"Its login is dead: upstream does not take it any more.");
		say_remedy(e, "slot-login --slot %s", s->id);
		break;
	default:
		explain_token(s, now_ms, e);
		break;
	}
}

static void explain(const struct slot *s, enum pick_reason reason, const struct conf *conf,
	int64_t now_ms, struct explanation *e)
{
	switch (reason) {
	case PICK_DISABLED:
		explain_disabled(s, e);
		break;
	case PICK_NO_CREDENTIAL:
	case PICK_REAUTH_REQUIRED:
	case PICK_EXPIRED:
		explain_credential(s, reason, now_ms, e);
		break;
	case PICK_COOLDOWN:
		explain_cooldown(s, now_ms, e);
		break;
	case PICK_EXHAUSTED:
		explain_exhausted(s, now_ms, e);
		break;
	case PICK_BUSY:
		snprintf(e->text, sizeof(e->text),
			"It can serve, but all of its %lld concurrent requests are running.",
			(long long)conf->slot_concurrency);
		say_remedy(e, "wait, or raise slotConcurrency");
		break;
	default:
		explain_rank(s, conf, now_ms, e);
		break;
	}
}

json_t *slot_explain_json(
	const struct slot *s, enum pick_reason reason, const struct conf *conf, int64_t now_ms)
{
	struct explanation e = {0};

	explain(s, reason, conf, now_ms, &e);
	return json_pack("{s:s, s:o, s:o, s:o}", "reason",
		e.code ? e.code : pick_reason_name(reason), "text", show_text(e.text), "remedy",
		show_text(e.remedy), "changesAt", show_time(e.changes_ms));
}
