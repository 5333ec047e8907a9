/* Status and body of an issuer's answer, as that of each endpoint. The first byte is the status. */
#include "slots/oauth_device.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int statuses[] = {
	200, 201, 204, 302, 400, 401, 403, 404, 408, 410, 429, 500, 502, 503};

static void check_visible(struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		assert(text.p[i] > ' ' && text.p[i] <= '~');
}

static void check_token(const struct call_result *r)
{
	struct oauth_answer a;

	oauth_answer_read(r, INT64_C(1790000000000), &a);
	assert((a.outcome == OAUTH_GRANTED) == !secret_is_empty(&a.grant.access));
	assert((a.outcome == OAUTH_GRANTED) == (a.message[0] == '\0'));
	assert(a.outcome != OAUTH_NOT_SENT);
	assert(a.grant.expires_ms >= 0 && a.retry_after_ms >= 0);
	check_visible(secret_expose(&a.grant.access));
	check_visible(secret_expose(&a.grant.refresh));
	check_visible(sv_cstr(a.message[0] ? a.code : ""));
	oauth_answer_fini(&a);
}

static void check_device(const struct call_result *r)
{
	struct secret code = {0}, verifier = {0};
	struct oauth_device d = {.interval_ms = 0};
	char message[128] = "";
	enum oauth_device_poll poll;

	if (oauth_device_read_start(r, &d, message, sizeof(message)) == OAUTH_DEVICE_STARTED) {
		assert(d.device_auth_id[0] && d.user_code[0]);
		assert(d.interval_ms >= 1000 && d.interval_ms <= 60000);
		check_visible(sv_cstr(d.user_code));
	} else {
		assert(message[0]);
	}
	poll = oauth_device_read_poll(r, &code, &verifier, message, sizeof(message));
	assert((poll == OAUTH_POLL_APPROVED) ==
		(!secret_is_empty(&code) && !secret_is_empty(&verifier)));
	check_visible(secret_expose(&code));
	secret_fini(&code);
	secret_fini(&verifier);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct call_result r = {.outcome = FETCH_OK, .message = ""};

	if (size == 0)
		return 0;
	r.status = statuses[data[0] % ARRAY_LEN(statuses)];
	r.body = sv_make((const char *)data + 1, size - 1);
	check_token(&r);
	check_device(&r);
	return 0;
}
