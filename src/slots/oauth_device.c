#include "slots/oauth_device.h"

#include "base/jw.h"

#include <stdio.h>

enum { INTERVAL_S = 5, INTERVAL_MIN_S = 1, INTERVAL_MAX_S = 60, VALUE_MAX_BYTES = 4096 };

void oauth_device_start_body(const struct conf *conf, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_obj(&w);
	jw_kstr(&w, "client_id", sv_cstr(conf->auth_client_id));
	jw_end(&w);
}

void oauth_device_poll_body(const struct oauth_device *d, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_obj(&w);
	jw_kstr(&w, "device_auth_id", sv_cstr(d->device_auth_id));
	jw_kstr(&w, "user_code", sv_cstr(d->user_code));
	jw_end(&w);
}

/* The member as visible ASCII of at most max bytes, else empty. */
static struct sv visible(const json_t *doc, const char *name, size_t max)
{
	const json_t *value = json_object_get(doc, name);
	struct sv text =
		json_is_string(value)
			? sv_trim(sv_make(json_string_value(value), json_string_length(value)))
			: SV_NONE;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return SV_NONE;
	}
	return text.n <= max ? text : SV_NONE;
}

static bool take_text(const json_t *doc, const char *name, char *out, size_t out_size)
{
	struct sv text = visible(doc, name, out_size - 1);

	if (text.n) {
		memcpy(out, text.p, text.n);
		out[text.n] = '\0';
	}
	return text.n != 0;
}

static int64_t interval_ms(const json_t *doc)
{
	const json_t *value = json_object_get(doc, "interval");
	double seconds = json_number_value(value);

	if (json_is_string(value) && sv_f64(sv_cstr(json_string_value(value)), &seconds) != 0)
		seconds = 0;
	if (!(seconds > 0))
		seconds = INTERVAL_S;
	if (seconds < INTERVAL_MIN_S)
		seconds = INTERVAL_MIN_S;
	return seconds > INTERVAL_MAX_S ? INTERVAL_MAX_S * 1000 : (int64_t)(seconds * 1000);
}

/* New reference; NULL unless it is a successful answer with a JSON object. */
static json_t *document(const struct call_result *r)
{
	json_t *doc = NULL;

	if (r->outcome == FETCH_OK && r->status >= 200 && r->status < 300 && r->body.n)
		doc = json_loadb(r->body.p, r->body.n, 0, NULL);
	if (json_is_object(doc))
		return doc;
	json_decref(doc);
	return NULL;
}

static void describe(const struct call_result *r, char *message, size_t message_size)
{
	char code[OAUTH_CODE_SIZE] = "";

	if (r->outcome != FETCH_OK) {
		snprintf(message, message_size, "the issuer could not be asked: %s", r->message);
	} else if (r->status >= 200 && r->status < 300) {
		snprintf(message, message_size, "the issuer's answer makes no sense");
	} else {
		bool told = oauth_error_code(r->body, code);

		snprintf(message, message_size, "the issuer refused with status %d%s%s%s",
			r->status, told ? " (" : "", code, told ? ")" : "");
	}
}

enum oauth_device_start oauth_device_read_start(
	const struct call_result *r, struct oauth_device *ret, char *message, size_t message_size)
{
	struct oauth_device d = {.interval_ms = 0};
	json_t *doc = document(r);
	bool ok = doc &&
		  take_text(doc, "device_auth_id", d.device_auth_id, sizeof(d.device_auth_id)) &&
		  (take_text(doc, "user_code", d.user_code, sizeof(d.user_code)) ||
			  take_text(doc, "usercode", d.user_code, sizeof(d.user_code)));

	d.interval_ms = interval_ms(doc);
	json_decref(doc);
	if (ok) {
		*ret = d;
		return OAUTH_DEVICE_STARTED;
	}
	describe(r, message, message_size);
	if (r->outcome != FETCH_OK || r->status != 404)
		return OAUTH_DEVICE_FAILED;
	snprintf(message, message_size, "this issuer has device codes not enabled");
	return OAUTH_DEVICE_NOT_ENABLED;
}

void oauth_device_url(const struct conf *conf, struct buf *out)
{
	struct sv issuer = sv_cstr(conf->auth_issuer);

	while (issuer.n && issuer.p[issuer.n - 1] == '/')
		issuer.n--;
	buf_add_sv(out, issuer);
	buf_add_cstr(out, "/codex/device");
}

/* By RFC 8628 section 3.5, and its relatives "deviceauth_…_expired", "…_denied". */
static enum oauth_device_poll poll_of_code(const char *code, enum oauth_device_poll otherwise)
{
	static const struct {
		struct sv part;
		enum oauth_device_poll poll;
	} rows[] = {
		{SV("slow_down"), OAUTH_POLL_SLOW_DOWN},
		{SV("pending"), OAUTH_POLL_PENDING},
		{SV("denied"), OAUTH_POLL_DENIED},
		{SV("declined"), OAUTH_POLL_DENIED},
		{SV("expired"), OAUTH_POLL_EXPIRED},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (sv_find(sv_cstr(code), rows[i].part) >= 0)
			return rows[i].poll;
	}
	return otherwise;
}

static enum oauth_device_poll poll_of_refusal(const struct call_result *r)
{
	char code[OAUTH_CODE_SIZE] = "";

	if (!oauth_error_code(r->body, code))
		code[0] = '\0';
	switch (r->status) {
	case 403:
	case 404:
		return poll_of_code(code, OAUTH_POLL_PENDING);
	case 408:
		return OAUTH_POLL_TROUBLE;
	case 410:
		return poll_of_code(code, OAUTH_POLL_EXPIRED);
	case 429:
		return OAUTH_POLL_SLOW_DOWN;
	default:
		if (r->status >= 500)
			return OAUTH_POLL_TROUBLE;
		return poll_of_code(code, OAUTH_POLL_FAILED);
	}
}

static bool take_approval(
	const struct call_result *r, struct secret *ret_code, struct secret *ret_verifier)
{
	json_t *doc = document(r);
	struct sv code = visible(doc, "authorization_code", VALUE_MAX_BYTES);
	struct sv verifier = visible(doc, "code_verifier", VALUE_MAX_BYTES);
	bool ok = code.n && verifier.n;

	if (ok) {
		secret_set(ret_code, code);
		secret_set(ret_verifier, verifier);
	}
	json_decref(doc);
	return ok;
}

enum oauth_device_poll oauth_device_read_poll(const struct call_result *r, struct secret *ret_code,
	struct secret *ret_verifier, char *message, size_t message_size)
{
	enum oauth_device_poll poll = OAUTH_POLL_FAILED;

	if (r->outcome != FETCH_OK)
		return OAUTH_POLL_TROUBLE;
	if (r->status < 200 || r->status >= 300)
		poll = poll_of_refusal(r);
	else if (take_approval(r, ret_code, ret_verifier))
		poll = OAUTH_POLL_APPROVED;
	if (poll == OAUTH_POLL_FAILED)
		describe(r, message, message_size);
	return poll;
}
