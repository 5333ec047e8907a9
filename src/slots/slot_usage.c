#include "slots/slot_usage.h"

#include "slots/slot_record.h"

#include <stdlib.h>

/*
 * A short rate limit (requests a minute) names a short time, and the windows tell nothing of it. A
 * longer one is about a window.
 */
enum { SHORT_LIMIT_MS = 15 * 60 * 1000 };

static bool is_full(const struct slot *s, enum meter_kind kind, int64_t now_ms)
{
	return slot_left_pct(s, kind, now_ms) == 0;
}

static bool has_full_window(const struct slot *s, int64_t now_ms)
{
	return is_full(s, METER_5H, now_ms) || is_full(s, METER_WEEK, now_ms);
}

static bool has_window(const struct meters *m)
{
	for (size_t kind = 0; kind < METER_KINDS; kind++) {
		if (m->window[kind].known)
			return true;
	}
	return false;
}

/* What was stored of a window that does not exist. */
static void drop_text(const struct slot *s, enum meter_kind kind, char **text)
{
	if (slot_record_meter(s, kind))
		return;
	free(*text);
	*text = NULL;
}

static void take_meters(struct slot *s, const struct slot_usage *news, int64_t now_ms)
{
	/* A time in the future is a clock that was set back, not newer knowledge. */
	bool outdated = s->checked_at_ms > news->asked_ms && s->checked_at_ms <= now_ms;
	struct meters fresh = *news->meters;

	for (size_t kind = 0; kind < METER_KINDS; kind++) {
		struct meter *window = &s->meters.window[kind];

		if (outdated && window->known)
			fresh.window[kind].known = false;
		else if (!outdated && news->is_whole)
			window->known = false;
	}
	meters_merge(&s->meters, &fresh);
	if (!outdated && news->is_whole) {
		drop_text(s, METER_5H, &s->usage_5h_text);
		drop_text(s, METER_WEEK, &s->usage_week_text);
	}
	s->checked_at_ms = now_ms;
}

/* Is it a window that keeps the slot out, or did upstream ask for a while without more reason? */
static bool is_about_windows(const struct slot *s, bool was_full, int64_t now_ms)
{
	const char *reason = s->cooldown_reason;

	if (strcmp(reason, failure_class_name(FAILURE_QUOTA)) == 0)
		return was_full;
	if (strcmp(reason, failure_class_name(FAILURE_RATE_LIMIT)) != 0)
		return false;
	return was_full || s->cooldown_until_ms - now_ms > SHORT_LIMIT_MS;
}

/* Latest end of the windows that are full; 0 when none is, -1 when one is and has no end. */
static int64_t full_until_ms(const struct slot *s, int64_t now_ms)
{
	static const enum meter_kind kinds[] = {METER_5H, METER_WEEK};
	int64_t latest = 0;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		int64_t ends_ms = slot_window_ends_ms(s, kinds[i]);

		if (!is_full(s, kinds[i], now_ms))
			continue;
		if (!ends_ms)
			return -1;
		if (ends_ms > latest)
			latest = ends_ms;
	}
	return latest;
}

static bool revise_cooldown(struct slot *s, const struct slot_usage *news, int64_t now_ms)
{
	int64_t until_ms = full_until_ms(s, now_ms);

	if (until_ms < 0 || until_ms >= s->cooldown_until_ms)
		return false;
	if (until_ms == 0 && news->limit_reached)
		return false;
	s->cooldown_until_ms = until_ms;
	if (!until_ms)
		s->cooldown_reason[0] = '\0';
	return true;
}

bool slot_usage_apply(struct slot *s, const struct slot_usage *news, int64_t now_ms)
{
	bool was_full = has_full_window(s, now_ms);
	bool cooling = s->cooldown_until_ms > now_ms;
	bool about_windows = cooling && is_about_windows(s, was_full, now_ms);
	bool sooner = false;

	take_meters(s, news, now_ms);
	/* An answer from before the refusal knows nothing of it. */
	if (about_windows && s->cooldowns == news->cooldowns && has_window(news->meters))
		sooner = revise_cooldown(s, news, now_ms);
	return sooner || (was_full && !has_full_window(s, now_ms));
}
