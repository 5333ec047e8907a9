/*
 * Rate-limit windows as upstream tells them: answer headers, codex.rate_limits events, wham/usage
 * bodies (PROTOCOL 5). Pure. Unknown is not zero and not full.
 */
#ifndef CODEX_METERS_H
#define CODEX_METERS_H

#include "base/jv.h"
#include "proto/http1.h"

/* A window is known by its length, not by its place. */
enum meter_kind { METER_5H, METER_WEEK, METER_MONTH, METER_KINDS };

struct meter {
	bool known;
	double used_percent;	/* 0 to 100 */
	int64_t window_minutes; /* 0: not told */
	int64_t resets_at_s;	/* unix time; 0: not told or not sane */
};

struct meters {
	struct meter window[METER_KINDS];
	bool has_credits_known, has_credits, credits_unlimited;
	bool has_resets_known;
	int64_t resets_available; /* credits that would reset a window at once */
	char plan_type[32];	  /* "" unknown */
};

/* Up to 24 h = 5h, 28 d and more = month, else week; unknown length: by place (secondary = week).
 */
enum meter_kind meter_kind_of(int64_t window_minutes, bool secondary);
/* Used percent at `now`: 0 once the reset has passed. Only for known meters. */
double meter_used_at(const struct meter *m, int64_t now_s);

/* False when the headers tell nothing of the codex family. now_s makes reset-after absolute. */
bool meters_from_headers(
	const struct http_header *headers, size_t count, int64_t now_s, struct meters *ret);
/* A codex.rate_limits event; false when it is about another limit or tells nothing. */
bool meters_from_event(struct jv event, int64_t now_s, struct meters *ret);
/* A wham/usage body. */
bool meters_from_usage(struct jv body, int64_t now_s, struct meters *ret);
/* Does a wham/usage body say that requests are refused for now? */
bool meters_usage_is_refusing(struct jv body);
/* Takes every known part of `news` into `m`. */
void meters_merge(struct meters *m, const struct meters *news);

#endif
