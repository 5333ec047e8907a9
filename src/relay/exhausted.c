#include "relay/exhausted.h"

#include "base/clock.h"

#include <stdio.h>

enum { RETRY_UNKNOWN_S = 60, RETRY_BUSY_S = 1, SOON_S = 60 };

static void describe_when(int64_t recovers_ms, char *text, size_t size)
{
	char iso[CLOCK_ISO_SIZE];

	if (!recovers_ms) {
		snprintf(text, size, "no recovery time is known");
		return;
	}
	clock_format_iso(recovers_ms, iso);
	snprintf(text, size, "the first one recovers at %s", iso);
}

void exhausted_describe(bool native, size_t slot_count, int64_t recovers_ms, const char *plan_type,
	int64_t now_ms, struct api_err *ret)
{
	bool soon = recovers_ms > now_ms && recovers_ms - now_ms <= SOON_S * 1000;
	bool stops = native && !soon; /* Codex gives up on usage_limit_reached, waits on others */
	const char *type = stops ? "usage_limit_reached" : "rate_limit_error";
	const char *code = stops ? "usage_limit_reached" : "rate_limit_exceeded";
	char when[80];

	describe_when(recovers_ms, when, sizeof(when));
	if (slot_count == 0)
		api_err_set(ret, 429, type, code,
			"No slot is configured: add an account with slot-login.");
	else
		api_err_set(ret, 429, type, code,
			"No slot can serve this request now (%zu configured); %s.", slot_count,
			when);
	ret->retry_after_s = RETRY_UNKNOWN_S;
	if (recovers_ms > now_ms) {
		ret->resets_at_s = (recovers_ms + 999) / 1000;
		ret->retry_after_s = (recovers_ms - now_ms + 999) / 1000;
	}
	snprintf(ret->plan_type, sizeof(ret->plan_type), "%s", plan_type);
}

void exhausted_describe_busy(int64_t waited_s, struct api_err *ret)
{
	api_err_set(ret, 429, "rate_limit_error", "slots_busy",
		"Every slot that could serve this request is at its concurrency limit "
		"(waited %lld s).",
		(long long)waited_s);
	ret->retry_after_s = RETRY_BUSY_S;
}

void exhausted_describe_token(int64_t retry_ms, int64_t now_ms, struct api_err *ret)
{
	api_err_set(ret, 503, "server_error", "token_refresh_failed",
		"The slot's access token could not be refreshed.");
	ret->retry_after_s = RETRY_BUSY_S;
	if (retry_ms > now_ms)
		ret->retry_after_s = (retry_ms - now_ms + 999) / 1000;
}
