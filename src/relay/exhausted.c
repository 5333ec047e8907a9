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
	api_err_set(ret, 429, type, code,
		"No slot can serve this request now (%zu configured); %s.", slot_count, when);
	ret->retry_after_s = RETRY_UNKNOWN_S;
	if (recovers_ms > now_ms) {
		ret->resets_at_s = (recovers_ms + 999) / 1000;
		ret->retry_after_s = (recovers_ms - now_ms + 999) / 1000;
	}
	snprintf(ret->plan_type, sizeof(ret->plan_type), "%s", plan_type);
}

bool exhausted_needs_operator(
	bool native, const enum pick_reason *reasons, size_t slot_count, struct api_err *ret)
{
	int status = native ? 403 : 429;
	const char *type = native ? "permission_error" : "rate_limit_error";
	const char *code = native ? "no_slot_usable" : "rate_limit_exceeded";
	size_t disabled = 0, logins = 0;

	for (size_t i = 0; i < slot_count; i++) {
		disabled += reasons[i] == PICK_DISABLED;
		logins += reasons[i] == PICK_REAUTH_REQUIRED || reasons[i] == PICK_NO_CREDENTIAL;
	}
	if (disabled + logins != slot_count)
		return false;
	if (slot_count == 0)
		api_err_set(ret, status, type, code,
			"No slot is configured: add an account with slot-login.");
	else
		api_err_set(ret, status, type, code,
			"No slot can serve (%zu configured): %zu disabled, %zu in need of a new "
			"login.",
			slot_count, disabled, logins);
	ret->retry_after_s = native ? 0 : RETRY_UNKNOWN_S;
	return true;
}

void exhausted_describe_trouble(size_t slot_count, int64_t recovers_ms, struct api_err *ret)
{
	char when[80];

	describe_when(recovers_ms, when, sizeof(when));
	api_err_set(ret, 503, "server_error", "server_is_overloaded",
		"The upstream failed repeatedly with every slot (%zu configured); %s.", slot_count,
		when);
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
