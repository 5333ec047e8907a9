#include "codex/failure.h"

#include "codex/failure_time.h"
#include "codex/refusal.h"

#include <assert.h>
#include <stdio.h>

#define BY_TEXT(class, text)          \
	{                             \
		class, SV(text), 0, 0 \
	}
#define BY_STATUS(class, first, last)      \
	{                                  \
		class, SV(""), first, last \
	}

/* Whole codes, also as types: some bodies carry them there. '*' in front: any beginning. */
static const struct failure_rule by_code[] = {
	BY_TEXT(FAILURE_RATE_LIMIT, "usage_limit_reached"),
	BY_TEXT(FAILURE_RATE_LIMIT, "rate_limit_exceeded"),
	BY_TEXT(FAILURE_RATE_LIMIT, "rate_limit_error"),
	BY_TEXT(FAILURE_QUOTA, "insufficient_quota"),
	BY_TEXT(FAILURE_QUOTA, "usage_not_included"),
	BY_TEXT(FAILURE_QUOTA, "quota_exceeded"),
	BY_TEXT(FAILURE_QUOTA, "credit_balance_exhausted"),
	BY_TEXT(FAILURE_QUOTA, "*_spend_limit_exceeded"),
	BY_TEXT(FAILURE_QUOTA, "organization_usage_limit_exceeded"),
	BY_TEXT(FAILURE_AUTH, "invalid_api_key"),
	BY_TEXT(FAILURE_AUTH, "token_invalidated"),
	BY_TEXT(FAILURE_AUTH, "token_expired"),
	BY_TEXT(FAILURE_AUTH, "token_revoked"),
	BY_TEXT(FAILURE_DEAD, "account_deactivated"),
	BY_TEXT(FAILURE_DEAD, "account_suspended"),
	BY_TEXT(FAILURE_DEAD, "account_deleted"),
	BY_TEXT(FAILURE_TRANSIENT, "server_error"),
	BY_TEXT(FAILURE_TRANSIENT, "server_is_overloaded"),
	BY_TEXT(FAILURE_TRANSIENT, "overloaded_error"),
	BY_TEXT(FAILURE_TRANSIENT, "slow_down"),
	BY_TEXT(FAILURE_BLOB, "invalid_encrypted_content"),
	BY_TEXT(FAILURE_CLIENT, "context_length_exceeded"),
	BY_TEXT(FAILURE_CLIENT, "invalid_prompt"),
	BY_TEXT(FAILURE_CLIENT, "cyber_policy"),
	BY_TEXT(FAILURE_CLIENT, "bio_policy"),
	BY_TEXT(FAILURE_CLIENT, "misalignment_policy_violation"),
	BY_TEXT(FAILURE_CLIENT, "previous_response_not_found"),
};

/* Parts of messages, any case. */
static const struct failure_rule by_text[] = {
	BY_TEXT(FAILURE_ENTITLEMENT,
		"model is not supported when using codex with a chatgpt account"),
	BY_TEXT(FAILURE_TRANSIENT, "model is at capacity"),
	BY_TEXT(FAILURE_RATE_LIMIT, "usage limit has been reached"),
	BY_TEXT(FAILURE_CLIENT, "no tool output found for function call"),
	BY_TEXT(FAILURE_CLIENT, "no tool call found for function call output"),
	BY_TEXT(FAILURE_CLIENT, "unsupported parameter"),
	BY_TEXT(FAILURE_CLIENT, "items are not persisted"),
};

static const struct failure_rule by_status[] = {
	BY_STATUS(FAILURE_AUTH, 401, 401),
	BY_STATUS(FAILURE_QUOTA, 402, 402),
	BY_STATUS(FAILURE_BLOCKED, 403, 403),
	BY_STATUS(
		FAILURE_TRANSIENT, 408, 408), /* upstream waited in vain: not the client's fault */
	BY_STATUS(FAILURE_RATE_LIMIT, 429, 429),
	BY_STATUS(FAILURE_CLIENT, 400, 499),
	BY_STATUS(FAILURE_TRANSIENT, 500, 599),
	BY_STATUS(FAILURE_PROTOCOL, 1, 399),
};

/* Broad types, that mean something only where no status is told: in events. */
static const struct failure_rule by_type[] = {
	BY_TEXT(FAILURE_CLIENT, "invalid_request_error"),
	BY_TEXT(FAILURE_CLIENT, "not_found_error"),
	BY_TEXT(FAILURE_AUTH, "authentication_error"),
	BY_TEXT(FAILURE_BLOCKED, "permission_error"),
};

/* What is known of a class. */
struct class_info {
	const char *name;
	bool keeps_words; /* upstream's code, type, param and message are told */
	bool keeps_body;  /* and its body as it came */
	bool waits;	  /* all ways to name a time count; else only those of this answer */
	struct api_err told;
};

/*
 * The client's own token was right: a login that upstream refuses is a fault behind the relay, so
 * 502 and never 401, on which clients throw their credentials away.
 */
static const struct class_info classes[FAILURE_CLASSES] = {
	[FAILURE_NONE] = {.name = "none"},
	[FAILURE_RATE_LIMIT] = {"rate_limit", true, false, true,
		{.status = 429,
			.type = "rate_limit_error",
			.code = "rate_limit_exceeded",
			.message = "The upstream's rate limit was reached."}},
	[FAILURE_QUOTA] = {"quota", true, false, true,
		{.status = 429,
			.type = "insufficient_quota",
			.code = "insufficient_quota",
			.message = "The upstream's quota is used up."}},
	[FAILURE_AUTH] = {"auth", false, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_auth",
			.message = "The upstream refused the relay's login."}},
	[FAILURE_DEAD] = {"dead", false, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_account",
			.message = "The upstream account was closed."}},
	[FAILURE_BLOCKED] = {"blocked", false, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_blocked",
			.message = "The upstream refused the relay's request."}},
	[FAILURE_TRANSIENT] = {"transient", true, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_error",
			.message = "The upstream failed to answer. Please try again."}},
	[FAILURE_ENTITLEMENT] = {"entitlement", true, true, false,
		{.status = 400,
			.type = "invalid_request_error",
			.message = "The model is not available with this account."}},
	[FAILURE_BLOB] = {"blob", true, true, false,
		{.status = 400,
			.type = "invalid_request_error",
			.code = "invalid_encrypted_content",
			.message = "The encrypted content could not be verified."}},
	[FAILURE_CLIENT] = {"client", true, true, false,
		{.status = 400,
			.type = "invalid_request_error",
			.message = "The upstream refused the request."}},
	[FAILURE_NETWORK] = {"network", false, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_unreachable",
			.message = "The upstream could not be reached."}},
	[FAILURE_TRUNCATED] = {"truncated", false, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_truncated",
			.message = "The upstream's answer ended early."}},
	[FAILURE_IDLE] = {"idle", false, false, false,
		{.status = 504,
			.type = "server_error",
			.code = "upstream_timeout",
			.message = "The upstream was silent for too long."}},
	[FAILURE_PROTOCOL] = {"protocol", false, false, false,
		{.status = 502,
			.type = "server_error",
			.code = "upstream_protocol",
			.message = "The upstream's answer made no sense."}},
};

static const struct {
	const struct failure_rule *rules;
	size_t count;
} tables[] = {
	[FAILURE_BY_CODE] = {by_code, ARRAY_LEN(by_code)},
	[FAILURE_BY_TEXT] = {by_text, ARRAY_LEN(by_text)},
	[FAILURE_BY_STATUS] = {by_status, ARRAY_LEN(by_status)},
	[FAILURE_BY_TYPE] = {by_type, ARRAY_LEN(by_type)},
};

const char *failure_class_name(enum failure_class class)
{
	return class < FAILURE_CLASSES ? classes[class].name : "unknown";
}

const struct api_err *failure_default(enum failure_class class)
{
	assert(class < FAILURE_CLASSES);
	return &classes[class].told;
}

const struct failure_rule *failure_rule(enum failure_table table, size_t row)
{
	return row < tables[table].count ? &tables[table].rules[row] : NULL;
}

static bool word_fits(struct sv rule, struct sv word)
{
	if (rule.p[0] == '*')
		return sv_ends(word, sv_from(rule, 1));
	return sv_eq(word, rule);
}

static bool rule_fits(
	enum failure_table table, const struct failure_rule *rule, const struct refusal *r)
{
	switch (table) {
	case FAILURE_BY_CODE:
		return word_fits(rule->text, sv_cstr(r->code)) ||
		       word_fits(rule->text, sv_cstr(r->type));
	case FAILURE_BY_TEXT:
		return sv_ifind(sv_cstr(r->message), rule->text) >= 0;
	case FAILURE_BY_STATUS:
		return r->status >= rule->status && r->status <= rule->status_last;
	case FAILURE_BY_TYPE:
		return word_fits(rule->text, sv_cstr(r->type)) ||
		       word_fits(rule->text, sv_cstr(r->code));
	}
	return false;
}

static enum failure_class look_up(enum failure_table table, const struct refusal *r)
{
	for (size_t i = 0; i < tables[table].count; i++) {
		if (rule_fits(table, &tables[table].rules[i], r))
			return tables[table].rules[i].class;
	}
	return FAILURE_NONE;
}

/*
 * A page comes from what stands in front of upstream. Its 5xx means that upstream is away, all else
 * that it does not want us, whatever the status: 401 and 429 included.
 */
static enum failure_class class_of(const struct refusal *r)
{
	enum failure_class class = look_up(FAILURE_BY_CODE, r);

	if (!class)
		class = look_up(FAILURE_BY_TEXT, r);
	if (!class && r->page)
		class = r->status >= 500 ? FAILURE_TRANSIENT : FAILURE_BLOCKED;
	if (!class)
		class = look_up(FAILURE_BY_STATUS, r);
	if (!class)
		class = look_up(FAILURE_BY_TYPE, r);
	return class ? class : FAILURE_TRANSIENT;
}

static void set_text(char *dst, size_t size, const char *text)
{
	if (text[0])
		snprintf(dst, size, "%s", text);
}

/* 4xx stays as it was told, but for 401: the client's own token was right. An overload is 503, so
 * that clients wait a little. */
static int told_status(enum failure_class class, const struct refusal *r)
{
	switch (class) {
	case FAILURE_CLIENT:
		return r->status >= 400 && r->status < 500 && r->status != 401 ? r->status : 400;
	case FAILURE_TRANSIENT:
		if (r->status == 503 || r->status == 529 ||
			strcmp(r->code, "server_is_overloaded") == 0 ||
			strcmp(r->code, "slow_down") == 0 ||
			strcmp(r->code, "overloaded_error") == 0)
			return 503;
		return classes[class].told.status;
	default:
		return classes[class].told.status;
	}
}

static void tell_words(struct api_err *err, const struct refusal *r)
{
	if (r->code[0] || r->type[0]) {
		/* What upstream left open is not made up, but for usage_limit_reached. */
		snprintf(err->code, sizeof(err->code), "%s", r->code);
		set_text(err->type, sizeof(err->type), r->type);
	}
	if (strcmp(r->type, "usage_limit_reached") == 0)
		set_text(err->code, sizeof(err->code), r->type);
	if (strcmp(r->code, "usage_limit_reached") == 0)
		set_text(err->type, sizeof(err->type), r->code);
	set_text(err->param, sizeof(err->param), r->param);
	set_text(err->message, sizeof(err->message), r->message);
}

static void tell(struct failure *f, const struct refusal *r, const struct meters *meters)
{
	const struct class_info *info = &classes[f->class];

	f->err = info->told;
	f->err.status = told_status(f->class, r);
	if (info->keeps_words)
		tell_words(&f->err, r);
	if (strcmp(f->err.type, "usage_limit_reached") != 0)
		return;
	if (r->plan_type[0])
		set_text(f->err.plan_type, sizeof(f->err.plan_type), r->plan_type);
	else if (meters)
		set_text(f->err.plan_type, sizeof(f->err.plan_type), meters->plan_type);
}

static void tell_time(struct failure *f, int64_t now_ms)
{
	if (!f->until_ms)
		return;
	f->err.retry_after_s = (f->until_ms - now_ms + 999) / 1000;
	if (classes[f->class].waits)
		f->err.resets_at_s = (f->until_ms + 999) / 1000;
}

/* Only these classes make anybody wait; for the last two the windows say nothing. */
static int64_t until_of(enum failure_class class, struct failure_hints hints)
{
	switch (class) {
	case FAILURE_RATE_LIMIT:
	case FAILURE_QUOTA:
		return failure_time_until(&hints);
	case FAILURE_TRANSIENT:
	case FAILURE_BLOCKED:
		hints.meters = NULL;
		return failure_time_until(&hints);
	default:
		return 0;
	}
}

static void judge(const struct failure_hints *hints, enum failure_class class, struct failure *ret)
{
	const struct refusal *r = hints->refusal;

	*ret = (struct failure){.class = class};
	ret->until_ms = until_of(class, *hints);
	tell(ret, r, hints->meters);
	tell_time(ret, hints->now_ms);
	snprintf(ret->detail, sizeof(ret->detail), "%d%s%.60s%s%.160s", r->status,
		r->code[0] ? " " : "", r->code, r->message[0] ? ": " : "", r->message);
}

static bool is_challenge(const struct http_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (sv_ieq(headers[i].name, SV("cf-mitigated")))
			return true;
	}
	return false;
}

void failure_from_http(int status, const struct http_header *headers, size_t header_count,
	struct sv body, const struct meters *meters, int64_t now_ms, struct failure *ret)
{
	struct refusal refusal;
	struct failure_hints hints = {&refusal, headers, header_count, meters, now_ms};
	enum failure_class class;

	refusal_read_body(body, status, &refusal);
	class = class_of(&refusal);
	if (refusal.page && is_challenge(headers, header_count))
		class = FAILURE_BLOCKED;
	judge(&hints, class, ret);
	ret->upstream_status = status;
	if (classes[class].keeps_body && refusal.json && !refusal.page && status >= 400)
		ret->err.body = body;
}

bool failure_from_event(
	const struct event *ev, const struct meters *meters, int64_t now_ms, struct failure *ret)
{
	struct refusal refusal;
	struct failure_hints hints = {&refusal, NULL, 0, meters, now_ms};

	if (ev->type != EVENT_FAILED && ev->type != EVENT_ERROR)
		return false;
	refusal_read_json(ev->json, 0, &refusal);
	judge(&hints, class_of(&refusal), ret);
	return true;
}

static enum failure_class class_of_outcome(enum fetch_outcome outcome)
{
	switch (outcome) {
	case FETCH_CONNECT:
	case FETCH_SEND:
		return FAILURE_NETWORK;
	case FETCH_IDLE:
	case FETCH_TIMEOUT:
		return FAILURE_IDLE;
	case FETCH_PROTOCOL:
		return FAILURE_PROTOCOL;
	case FETCH_OK:
	case FETCH_TRUNCATED:
		break;
	}
	return FAILURE_TRUNCATED;
}

void failure_from_fetch(const struct fetch_result *result, struct failure *ret)
{
	enum failure_class class = result ? class_of_outcome(result->outcome) : FAILURE_TRUNCATED;

	*ret = (struct failure){.class = class, .err = classes[class].told};
	if (result && result->message)
		set_text(ret->detail, sizeof(ret->detail), result->message);
}

const struct failure *failure_without(
	const struct failure *f, struct sv secret, struct failure *copy)
{
	if (!secret.n || (sv_find(sv_cstr(f->err.message), secret) < 0 &&
				 sv_find(sv_cstr(f->detail), secret) < 0 &&
				 sv_find(f->err.body, secret) < 0))
		return f;
	*copy = *f;
	copy->err.body = SV_NONE;
	snprintf(copy->err.message, sizeof(copy->err.message), "%s",
		failure_default(f->class)->message);
	snprintf(copy->detail, sizeof(copy->detail), "(a text that repeats the token)");
	return copy;
}
