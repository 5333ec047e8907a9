/*
 * Any error answer and any event becomes a failure that can be told: a status that is no success,
 * a sentence without markup, a time that is sane. The first two bytes choose the status, a first
 * line may be a header.
 */
#include "base/limits.h"
#include "codex/failure.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW_MS INT64_C(1795449600000)
#define YEAR_MS (INT64_C(366) * 24 * 3600 * 1000)

static void check(const struct failure *f)
{
	assert(f->class > FAILURE_NONE && f->class < FAILURE_CLASSES);
	assert(f->err.status >= 400 && f->err.status <= 599 && f->err.status != 401);
	assert(f->err.message[0] && f->err.type[0]);
	assert(sv_ifind(sv_cstr(f->err.message), SV("<html")) < 0);
	assert(f->until_ms == 0 || (f->until_ms > NOW_MS && f->until_ms < NOW_MS + YEAR_MS));
}

static void check_event(struct sv text)
{
	struct event ev = {.type = EVENT_FAILED};
	struct meters meters = {0};
	struct failure f;

	if (jv_parse(text, LIMIT_JSON_DEPTH, &ev.json, NULL) < 0)
		return;
	if (failure_from_event(&ev, NULL, NOW_MS, &f))
		check(&f);
	if (meters_from_event(ev.json, NOW_MS / 1000, &meters) ||
		meters_from_usage(ev.json, NOW_MS / 1000, &meters)) {
		for (size_t i = 0; i < METER_KINDS; i++)
			assert(meters.window[i].used_percent >= 0 &&
				meters.window[i].used_percent <= 100);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv body = sv_make((const char *)data, size);
	struct http_header header = {SV_NONE, SV_NONE};
	struct meters meters = {0};
	struct failure f;
	int status;

	if (size < 2)
		return 0;
	status = 200 + (data[0] << 8 | data[1]) % 400;
	body = sv_from(body, 2);
	check_event(body);
	failure_from_http(status, NULL, 0, body, NULL, NOW_MS, &f);
	check(&f);
	header.value = sv_split(&body, '\n');
	header.name = sv_split(&header.value, ':');
	meters_from_headers(&header, 1, NOW_MS / 1000, &meters);
	failure_from_http(status, &header, 1, body, &meters, NOW_MS, &f);
	check(&f);
	failure_parse_try_again(body);
	return 0;
}
