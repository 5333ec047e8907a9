#include "codex/headers.h"

#include <assert.h>
#include <errno.h>

/* Originators of Codex clients; their user agents start with the same words (PROTOCOL 8). */
static const struct sv native_names[] = {
	SV("codex_exec"),
	SV("codex-tui"),
	SV("codex_cli_rs"),
	SV("codex_vscode"),
	SV("codex_sdk_ts"),
	SV("Codex Desktop"),
	SV("codex_chatgpt_desktop"),
	SV("codex_atlas"),
};

static const struct sv session_names[] = {
	SV("session-id"),
	SV("session_id"),
	SV("x-openclaw-session-key"),
	SV("thread-id"),
	SV("conversation_id"),
};

/*
 * Exact names stand before prefixes: the first row that fits decides. What no row names is
 * dropped: a header that upstream did not ask for can only tell it about the client's network.
 */
static const struct codex_header_rule rules[] = {
	/* Ours. */
	{SV("authorization"), CODEX_HEADER_REPLACE, false},
	{SV("chatgpt-account-id"), CODEX_HEADER_REPLACE, false},
	{SV("content-type"), CODEX_HEADER_REPLACE, false},
	{SV("accept"), CODEX_HEADER_REPLACE, false},
	{SV("x-request-id"), CODEX_HEADER_REPLACE, false},
	/* The client's credentials and network, or framing that ends here. */
	{SV("x-api-key"), CODEX_HEADER_DROP, false},
	{SV("host"), CODEX_HEADER_DROP, false},
	{SV("content-length"), CODEX_HEADER_DROP, false},
	{SV("content-encoding"), CODEX_HEADER_DROP, false},
	{SV("accept-encoding"), CODEX_HEADER_DROP, false},
	{SV("expect"), CODEX_HEADER_DROP, false},
	{SV("cookie"), CODEX_HEADER_DROP, false},
	{SV("forwarded"), CODEX_HEADER_DROP, false},
	{SV("via"), CODEX_HEADER_DROP, false},
	{SV("x-real-ip"), CODEX_HEADER_DROP, false},
	{SV("x-forwarded-"), CODEX_HEADER_DROP, true},
	{SV("cf-"), CODEX_HEADER_DROP, true},
	{SV("x-openclaw-"), CODEX_HEADER_DROP, true},
	/* Hop by hop (RFC 9110 section 7.6.1). */
	{SV("connection"), CODEX_HEADER_DROP, false},
	{SV("keep-alive"), CODEX_HEADER_DROP, false},
	{SV("proxy-"), CODEX_HEADER_DROP, true},
	{SV("te"), CODEX_HEADER_DROP, false},
	{SV("trailer"), CODEX_HEADER_DROP, false},
	{SV("transfer-encoding"), CODEX_HEADER_DROP, false},
	{SV("upgrade"), CODEX_HEADER_DROP, false},
	{SV("sec-websocket-"), CODEX_HEADER_DROP, true},
	/* Belong to the client's own account, not to the one that is used. */
	{SV("openai-organization"), CODEX_HEADER_DROP, false},
	{SV("openai-project"), CODEX_HEADER_DROP, false},
	{SV("x-openai-account-routing-override"), CODEX_HEADER_DROP, false},
	{SV("x-openai-actor-authorization"), CODEX_HEADER_DROP, false},
	{SV("x-openai-fedramp"), CODEX_HEADER_DROP, false},
	/* A Codex client's own. */
	{SV("originator"), CODEX_HEADER_NATIVE, false},
	{SV("user-agent"), CODEX_HEADER_NATIVE, false},
	{SV("version"), CODEX_HEADER_NATIVE, false},
	{SV("session-id"), CODEX_HEADER_NATIVE, false},
	{SV("session_id"), CODEX_HEADER_NATIVE, false},
	{SV("thread-id"), CODEX_HEADER_NATIVE, false},
	{SV("conversation_id"), CODEX_HEADER_NATIVE, false},
	{SV("x-client-request-id"), CODEX_HEADER_NATIVE, false},
	{SV("openai-beta"), CODEX_HEADER_NATIVE, false},
	{SV("x-codex-turn-state"), CODEX_HEADER_TURN_STATE, false},
	{SV("x-codex-"), CODEX_HEADER_NATIVE, true},
	{SV("x-openai-"), CODEX_HEADER_NATIVE, true},
	{SV("x-oai-"), CODEX_HEADER_NATIVE, true},
	{SV("x-responsesapi-"), CODEX_HEADER_NATIVE, true},
};

/* Upstream's answer headers that a native client understands; the last one is a prefix. */
static const struct codex_header_rule answer_rules[] = {
	{SV("x-models-etag"), CODEX_HEADER_NATIVE, false},
	{SV("x-reasoning-included"), CODEX_HEADER_NATIVE, false},
	{SV("openai-model"), CODEX_HEADER_NATIVE, false},
	{SV("openai-version"), CODEX_HEADER_NATIVE, false},
	{SV("openai-processing-ms"), CODEX_HEADER_NATIVE, false},
	{SV("x-request-id"), CODEX_HEADER_NATIVE, false},
	{SV("x-oai-request-id"), CODEX_HEADER_NATIVE, false},
	{SV("cf-ray"), CODEX_HEADER_NATIVE, false},
	{SV("x-codex-"), CODEX_HEADER_NATIVE, true},
};

struct header_list {
	struct http_header *at;
	size_t count;
};

static const struct codex_header_rule *find_rule(
	const struct codex_header_rule *table, size_t count, struct sv name)
{
	for (size_t i = 0; i < count; i++) {
		const struct codex_header_rule *rule = &table[i];

		if (rule->prefix ? sv_istarts(name, rule->name) : sv_ieq(name, rule->name))
			return rule;
	}
	return NULL;
}

const struct codex_header_rule *codex_header_find(struct sv name)
{
	return find_rule(rules, ARRAY_LEN(rules), name);
}

const struct codex_header_rule *codex_header_rule(size_t row)
{
	return row < ARRAY_LEN(rules) ? &rules[row] : NULL;
}

bool codex_answer_header_passes(struct sv name)
{
	return find_rule(answer_rules, ARRAY_LEN(answer_rules), name) != NULL;
}

bool codex_client_is_native(const struct http_request *r)
{
	struct sv originator = http_request_header(r, SV("originator"));
	struct sv agent = http_request_header(r, SV("user-agent"));

	for (size_t i = 0; i < ARRAY_LEN(native_names); i++) {
		if (sv_ieq(originator, native_names[i]) || sv_istarts(agent, native_names[i]))
			return true;
	}
	return false;
}

struct sv codex_client_session(const struct http_request *r)
{
	for (size_t i = 0; i < ARRAY_LEN(session_names); i++) {
		struct sv value = http_request_header(r, session_names[i]);

		if (value.n > 0 && value.n <= LIMIT_SESSION_KEY_BYTES)
			return value;
	}
	return SV_NONE;
}

/* Does a Connection header of the request name this header? */
static bool connection_names(const struct http_request *r, struct sv name)
{
	for (size_t i = 0; i < r->header_count; i++) {
		struct sv rest = r->headers[i].value;

		if (!sv_ieq(r->headers[i].name, SV("connection")))
			continue;
		while (rest.n > 0) {
			if (sv_ieq(sv_trim(sv_split(&rest, ',')), name))
				return true;
		}
	}
	return false;
}

static bool list_has(const struct header_list *list, struct sv name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (sv_ieq(list->at[i].name, name))
			return true;
	}
	return false;
}

/* Values come from configs and clients' bodies too: one that would break the head is left out. */
static void add(struct header_list *list, struct sv name, struct sv value)
{
	if (!value.n || !http_is_field_value(value))
		return;
	assert(list->count < CODEX_HEADERS_MAX);
	list->at[list->count++] = (struct http_header){name, value};
}

static int add_authorization(
	struct header_list *list, const struct codex_cred *cred, struct arena *arena)
{
	static const struct sv scheme = SV("Bearer ");
	struct sv token = secret_expose(cred->access);
	char *value;

	if (!http_is_field_value(token))
		return -EINVAL;
	value = arena_alloc(arena, scheme.n + token.n);
	if (!value)
		return -ENOMEM;
	memcpy(value, scheme.p, scheme.n);
	if (token.n)
		memcpy(value + scheme.n, token.p, token.n);
	add(list, SV("authorization"), sv_make(value, scheme.n + token.n));
	return 0;
}

static bool client_header_passes(const struct codex_header_options *options, struct sv name)
{
	const struct codex_header_rule *rule = codex_header_find(name);

	if (!rule || connection_names(options->client, name))
		return false;
	switch (rule->action) {
	case CODEX_HEADER_NATIVE:
		return true;
	case CODEX_HEADER_TURN_STATE:
		return options->same_slot;
	case CODEX_HEADER_DROP:
	case CODEX_HEADER_REPLACE:
		break;
	}
	return false;
}

static void add_native(struct header_list *list, const struct codex_header_options *options)
{
	const struct http_request *client = options->client;

	for (size_t i = 0; i < client->header_count; i++) {
		if (client_header_passes(options, client->headers[i].name))
			add(list, client->headers[i].name, client->headers[i].value);
	}
}

int codex_headers_build(const struct codex_cred *cred, const struct codex_header_options *options,
	struct arena *arena, struct http_header out[CODEX_HEADERS_MAX], size_t *ret_count)
{
	struct header_list list = {out, 0};
	int r = add_authorization(&list, cred, arena);

	if (r < 0)
		return r;
	add(&list, SV("chatgpt-account-id"), cred->account_id);
	add(&list, SV("content-type"), options->content_type);
	add(&list, SV("accept"), options->accept);
	add(&list, SV("x-request-id"), options->request_id);
	if (options->native && options->client)
		add_native(&list, options);
	if (!list_has(&list, SV("originator")))
		add(&list, SV("originator"), options->originator);
	if (!list_has(&list, SV("user-agent")))
		add(&list, SV("user-agent"), options->user_agent);
	if (!list_has(&list, SV("session-id")) && !list_has(&list, SV("session_id")))
		add(&list, SV("session_id"), options->session);
	*ret_count = list.count;
	return 0;
}

void codex_headers_wipe(struct http_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!sv_ieq(headers[i].name, SV("authorization")))
			continue;
		secret_wipe((char *)(uintptr_t)headers[i].value.p, headers[i].value.n);
		headers[i].value = SV_NONE;
	}
}
