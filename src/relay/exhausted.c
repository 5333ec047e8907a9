#include "relay/exhausted.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"

#include <stdio.h>

enum { RETRY_UNKNOWN_S = 60, RETRY_BUSY_S = 1 };

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
	const char *type = native ? "usage_limit_reached" : "rate_limit_error";
	const char *code = native ? "usage_limit_reached" : "rate_limit_exceeded";
	char when[80];

	describe_when(recovers_ms, when, sizeof(when));
	if (slot_count == 0)
		api_err_set(ret, 429, type, code,
			"No slot is configured: add an account with slot-auth-import-file.");
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

bool exhausted_is_about_model(const struct lease_report *report)
{
	bool any = false;

	for (size_t i = 0; i < report->count; i++) {
		switch (report->reasons[i]) {
		case PICK_MODEL:
			any = true;
			break;
		case PICK_DISABLED:
		case PICK_NO_CREDENTIAL:
		case PICK_REAUTH_REQUIRED:
			break;
		default:
			return false;
		}
	}
	return any;
}

void exhausted_describe_model(const struct turn *turn, struct api_err *ret)
{
	struct buf body;
	struct jw w;

	api_err_set(ret, 400, "invalid_request_error", "",
		"The '%.*s' model is not supported when using Codex with a ChatGPT account.",
		turn->model.n > 128 ? 128 : (int)turn->model.n, turn->model.p);
	buf_init(&body, KIB(8));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_kstr(&w, "detail", sv_cstr(ret->message));
	jw_end(&w);
	if (turn->native && !buf_error(&body))
		ret->body = arena_dup(turn->arena, buf_sv(&body));
	buf_fini(&body);
}
