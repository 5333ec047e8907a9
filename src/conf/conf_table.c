#include "conf/conf_table.h"

#include "base/limits.h"
#include "proto/url.h"
#include "version.h"

enum { TEXT_MAX = 4096 };

static const struct conf_choice policies[] = {
	{"best-week-then-5h", POLICY_BEST_WEEK},
	{"best-5h-then-week", POLICY_BEST_5H},
	{"least-recently-used", POLICY_LEAST_RECENTLY_USED},
	{"reset-soonest", POLICY_RESET_SOONEST},
	{"round-robin", POLICY_ROUND_ROBIN},
	{"fill-first", POLICY_FILL_FIRST},
	{"weighted", POLICY_WEIGHTED},
	{"pace", POLICY_PACE},
	{NULL, 0},
};
static const struct conf_choice auth_backends[] = {
	{"native", BACKEND_NATIVE},
	{"openclaw", BACKEND_OPENCLAW},
	{NULL, 0},
};
static const struct conf_choice usage_backends[] = {
	{"codex-api", BACKEND_CODEX_API},
	{"local-cache", BACKEND_LOCAL_CACHE},
	{"openclaw", BACKEND_OPENCLAW},
	{NULL, 0},
};
static const struct conf_choice runner_backends[] = {
	{"codex-direct", BACKEND_CODEX_DIRECT},
	{"openclaw", BACKEND_OPENCLAW},
	{NULL, 0},
};
static const struct conf_choice codex_limits[] = {
	{"slot", CODEX_LIMITS_SLOT},
	{"pool", CODEX_LIMITS_POOL},
	{NULL, 0},
};
static const struct conf_choice codex_side_calls[] = {
	{"not-found", CODEX_SIDE_CALLS_NOT_FOUND},
	{"empty", CODEX_SIDE_CALLS_EMPTY},
	{NULL, 0},
};
static const struct conf_choice websockets[] = {
	{"auto", WEBSOCKETS_AUTO},
	{"on", WEBSOCKETS_ON},
	{"off", WEBSOCKETS_OFF},
	{NULL, 0},
};
static const struct conf_choice transports[] = {
	{"auto", TRANSPORT_AUTO},
	{"http", TRANSPORT_HTTP},
	{"websocket", TRANSPORT_WEBSOCKET},
	{NULL, 0},
};
static const struct conf_choice log_levels[] = {
	{"debug", 0},
	{"info", 0},
	{"warn", 0},
	{"error", 0},
	{NULL, 0},
};
static const struct conf_choice http_versions[] = {
	{"1.1", 0},
	{"2", 0},
	{NULL, 0},
};
static const struct conf_choice tls_versions[] = {
	{"1.2", 0},
	{"1.3", 0},
	{NULL, 0},
};

static bool is_http_url(struct sv text)
{
	struct url url;

	return url_parse(text, &url) == 0;
}

/* Goes into a request header as it is. */
static bool is_header_value(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < ' ' || text.p[i] > '~')
			return false;
	}
	return text.n > 0 && text.n <= 256 && text.p[0] != ' ' && text.p[text.n - 1] != ' ';
}

/* "0.169.0": goes into a query as it is. */
static bool is_version(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool ok = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			  (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';

		if (!ok)
			return false;
	}
	return text.n > 0 && text.n <= 64;
}

static bool is_not_empty(struct sv text)
{
	return text.n > 0;
}

static bool is_proxy(struct sv text)
{
	static const struct sv schemes[] = {
		SV("http://"),
		SV("https://"),
		SV("socks4://"),
		SV("socks4a://"),
		SV("socks5://"),
		SV("socks5h://"),
	};

	if (text.n == 0 || sv_eq(text, SV("none")))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (sv_istarts(text, schemes[i]) && text.n > schemes[i].n)
			return true;
	}
	return false;
}

/* Programs run in directories of their own, where a relative path would be another one. */
static bool is_command(struct sv text)
{
	return text.n > 0 && (text.p[0] == '/' || !memchr(text.p, '/', text.n));
}

/* Names a directory of OpenClaw. */
static bool is_agent_id(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool is_word =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!is_word && (i == 0 || (c != '-' && c != '_')))
			return false;
	}
	return text.n > 0 && text.n <= 64;
}

#define AT(member) offsetof(struct conf, member)
#define WEEK_S (7.0 * 24 * 3600)

static const struct conf_key rows[] = {
	{
		.name = "listen",
		.type = CONF_LISTEN,
		.original = true,
		.needs_restart = true,
		.offset = AT(listeners),
		.fallback = "\"127.0.0.1:8787\"",
		.expected = "an address as \"127.0.0.1:8787\", \"[::1]:8787\", \":8787\", "
			    "\"tls://127.0.0.1:8443\" or \"unix:/path/of/socket\", or a list of "
			    "at most 16",
		.help = "Where clients connect to; port 0 takes a free one. `tls://` needs "
			"`tls.cert` and `tls.key`, see [tls.md](tls.md). A Unix socket has mode "
			"0600; a path that is not absolute is in the runtime directory.",
	},
	{
		.name = "tls.cert",
		.type = CONF_STRING,
		.offset = AT(tls_cert),
		.fallback = "\"tls/cert.pem\"",
		.is_valid = is_not_empty,
		.expected = "a path",
		.help = "PEM file with the certificate of the `tls://` listeners, and behind it "
			"its chain. A path that is not absolute is in the runtime directory. "
			"`tls-selfsign` makes one.",
	},
	{
		.name = "tls.key",
		.type = CONF_STRING,
		.offset = AT(tls_key),
		.fallback = "\"tls/key.pem\"",
		.is_valid = is_not_empty,
		.expected = "a path",
		.help = "PEM file with its private key, which has no passphrase.",
	},
	{
		.name = "tls.minVersion",
		.type = CONF_STRING,
		.offset = AT(tls_min_version),
		.fallback = "\"1.2\"",
		.choices = tls_versions,
		.help = "Oldest version of TLS that clients may use.",
	},
	{
		.name = "authToken",
		.type = CONF_SECRET,
		.original = true,
		.offset = AT(auth_token),
		.fallback = "\"relay-dev-token\"",
		.help = "The token that clients send (`Authorization: Bearer`, `x-api-key` or "
			"`api-key`). Change it before others can reach the relay.",
	},
	{
		.name = "authTokenAliases",
		.type = CONF_SECRET_LIST,
		.original = true,
		.offset = AT(aliases),
		.fallback = "[]",
		.help = "Further tokens that are accepted. While `authToken` has its default, "
			"`relay-internal-token` is accepted too.",
	},
	{
		.name = "adminToken",
		.type = CONF_SECRET,
		.offset = AT(admin_token),
		.fallback_help = "none",
		.help = "The token of the admin API (`/admin/...`), which clients' tokens do not "
			"open then; nor does it serve a client. Without one the clients' tokens "
			"do.",
	},
	{
		.name = "profile",
		.type = CONF_STRING,
		.original = true,
		.offset = AT(profile),
		.fallback_help = "`codex-slot-relay`",
		.is_valid = is_not_empty,
		.expected = "a name",
		.help = "Name of the OpenClaw profile that the legacy backends use. `--profile` "
			"goes "
			"before it.",
	},
	{
		.name = "workspace",
		.type = CONF_STRING,
		.original = true,
		.offset = AT(workspace),
		.fallback_help = "`min-workspace` in the runtime directory",
		.is_valid = is_not_empty,
		.expected = "a path",
		.help = "Working directory of the legacy `openclaw` runner.",
	},
	{
		.name = "runtimeRoot",
		.type = CONF_STRING,
		.original = true,
		.offset = AT(runtime_root),
		.fallback_help = "the directory that the file is in",
		.help = "Kept for the original program. The relay uses the directory that it was "
			"started with (`--runtime-root`), whatever stands here.",
	},
	{
		.name = "usageTtlSeconds",
		.type = CONF_INT,
		.original = true,
		.offset = AT(usage_ttl_s),
		.fallback = "300",
		.min = 1,
		.max = 86400,
		.help = "How long a usage snapshot counts as fresh.",
	},
	{
		.name = "requestTimeoutSeconds",
		.type = CONF_INT,
		.original = true,
		.offset = AT(request_timeout_s),
		.fallback = "180",
		.min = 1,
		.max = 3600,
		.help = "Longest silence of upstream within a request.",
	},
	{
		.name = "thinking",
		.type = CONF_STRING,
		.original = true,
		.offset = AT(thinking),
		.fallback = "\"off\"",
		.help = "Thinking level of the legacy `openclaw` runner.",
	},
	{
		.name = "selectionPolicy",
		.type = CONF_CHOICE,
		.original = true,
		.offset = AT(policy),
		.fallback = "\"best-week-then-5h\"",
		.choices = policies,
		.help = "Which of the slots that could serve a request is taken; "
			"[routing.md](routing.md) explains each.",
	},
	{
		.name = "thresholds.min5hPct",
		.type = CONF_NUMBER,
		.original = true,
		.offset = AT(min_5h_pct),
		.fallback = "15",
		.min = 0,
		.max = 100,
		.help = "Slots with at least so many percent of the 5-hour window left are "
			"preferred.",
	},
	{
		.name = "thresholds.minWeekPct",
		.type = CONF_NUMBER,
		.original = true,
		.offset = AT(min_week_pct),
		.fallback = "10",
		.min = 0,
		.max = 100,
		.help = "The same for the weekly window.",
	},
	{
		.name = "cooldown.genericErrorSeconds",
		.type = CONF_INT,
		.original = true,
		.offset = AT(cooldown_generic_s),
		.fallback = "300",
		.min = 0,
		.max = WEEK_S,
		.help = "Cooldown of a slot after failures for which upstream named no time.",
	},
	{
		.name = "cooldown.quotaErrorSeconds",
		.type = CONF_INT,
		.original = true,
		.offset = AT(cooldown_quota_s),
		.fallback = "1800",
		.min = 0,
		.max = WEEK_S,
		.help = "The same after a quota error.",
	},
	{
		.name = "auth.backend",
		.type = CONF_CHOICE,
		.original = true,
		.offset = AT(auth_backend),
		.fallback = "\"native\"",
		.choices = auth_backends,
		.help = "Who logs slots in: the relay itself, or the `openclaw` program.",
	},
	{
		.name = "usage.backend",
		.type = CONF_CHOICE,
		.original = true,
		.offset = AT(usage_backend),
		.fallback = "\"codex-api\"",
		.choices = usage_backends,
		.help = "Where usage comes from: upstream, the stored snapshot alone, or "
			"`openclaw`.",
	},
	{
		.name = "runner.backend",
		.type = CONF_CHOICE,
		.original = true,
		.offset = AT(runner_backend),
		.fallback = "\"codex-direct\"",
		.choices = runner_backends,
		.help = "Who runs requests: the relay itself, or an `openclaw` gateway.",
	},
	{
		.name = "runner.agentId",
		.type = CONF_STRING,
		.original = true,
		.offset = AT(runner_agent_id),
		.fallback = "\"relay\"",
		.is_valid = is_agent_id,
		.expected = "letters, digits, - and _",
		.help = "Agent id of the legacy `openclaw` runner.",
	},
	{
		.name = "modelDefault",
		.type = CONF_STRING,
		.offset = AT(default_model),
		.fallback = "\"gpt-5.4\"",
		.is_valid = is_header_value,
		.expected = "the name of a model",
		.help = "Model of new slot records, and what `/v1/models` lists while no slot's "
			"models are known.",
	},
	{
		.name = "models.aliases",
		.type = CONF_NAME_MAP,
		.offset = AT(model_aliases),
		.fallback = "{}",
		.help = "Further names of models: `{\"fast\": \"gpt-5.4-mini\"}`. A request for "
			"`fast` goes upstream as `gpt-5.4-mini`.",
	},
	{
		.name = "models.extra",
		.type = CONF_NAMES,
		.offset = AT(model_extra),
		.fallback = "[]",
		.help = "Models that upstream does not list but serves: they are listed, and sent "
			"to any slot.",
	},
	{
		.name = "models.hidden",
		.type = CONF_NAMES,
		.offset = AT(model_hidden),
		.fallback = "[]",
		.help = "Models and aliases that `/v1/models` leaves out. They can still be asked "
			"for.",
	},
	{
		.name = "models.ttlSeconds",
		.type = CONF_INT,
		.offset = AT(models_ttl_s),
		.fallback = "3600",
		.min = 0,
		.max = WEEK_S,
		.help = "How often each slot's list of models is fetched. 0: never; every slot "
			"then "
			"counts as having every model.",
	},
	{
		.name = "codexClients.trustAccounts",
		.type = CONF_NAMES,
		.offset = AT(codex_trust_accounts),
		.fallback = "[]",
		.help = "ChatGPT account ids. A Codex client of this machine that is signed in to "
			"one of them needs no token of the relay for `/backend-api`. Its login is "
			"read, not verified: see [codex.md](codex.md).",
	},
	{
		.name = "codexClients.trustRemote",
		.type = CONF_BOOL,
		.offset = AT(codex_trust_remote),
		.fallback = "false",
		.help = "Takes such logins from other machines and through proxies too. Whoever "
			"can reach the relay and knows an account's id can then use all slots.",
	},
	{
		.name = "codexClients.limits",
		.type = CONF_CHOICE,
		.offset = AT(codex_limits),
		.fallback = "\"slot\"",
		.choices = codex_limits,
		.help = "Whose limits answers to Codex clients tell of: those of the slot that "
			"served, or of all slots together. `/backend-api/wham/usage` always tells "
			"of all.",
	},
	{
		.name = "codexClients.sideCalls",
		.type = CONF_CHOICE,
		.offset = AT(codex_side_calls),
		.fallback = "\"not-found\"",
		.choices = codex_side_calls,
		.help = "What telemetry and plugin calls of Codex clients are answered with: 404, "
			"or 200 and an empty object. Nothing is sent on in either case.",
	},
	{
		.name = "responses.continuation.enabled",
		.type = CONF_BOOL,
		.offset = AT(continuation_enabled),
		.fallback = "true",
		.help = "Answers of `/v1/responses` are kept in memory, so that a client can go on "
			"from one of them; see [responses.md](responses.md). A request with "
			"`\"store\": false` keeps nothing.",
	},
	{
		.name = "responses.continuation.maxEntries",
		.type = CONF_INT,
		.offset = AT(continuation_max_entries),
		.fallback = "10000",
		.min = 1,
		.max = 1000000,
		.help = "Answers that are kept at most. The one that was not used for longest goes "
			"first.",
	},
	{
		.name = "responses.continuation.maxBytes",
		.type = CONF_INT,
		.offset = AT(continuation_max_bytes),
		.fallback = "67108864",
		.min = 65536,
		.max = 16.0 * 1024 * 1024 * 1024,
		.help = "Memory that they may take. An exchange that would need more than a "
			"quarter of it alone is not kept.",
	},
	{
		.name = "responses.continuation.ttlSeconds",
		.type = CONF_INT,
		.offset = AT(continuation_ttl_s),
		.fallback = "3600",
		.min = 1,
		.max = WEEK_S,
		.help = "How long an answer is kept after it was last used.",
	},
	{
		.name = "slotConcurrency",
		.type = CONF_INT,
		.offset = AT(slot_concurrency),
		.fallback = "8",
		.min = 1,
		.max = 1000,
		.help = "Requests that run on one slot at the same time.",
	},
	{
		.name = "queueTimeoutSeconds",
		.type = CONF_INT,
		.offset = AT(queue_timeout_s),
		.fallback = "30",
		.min = 0,
		.max = 3600,
		.help = "How long a request waits when all slots that could serve it are busy.",
	},
	{
		.name = "retry.maxAttempts",
		.type = CONF_INT,
		.offset = AT(max_attempts),
		.fallback = "16",
		.min = 1,
		.max = 1024,
		.help = "Upstream attempts that one request may make.",
	},
	{
		.name = "retry.budgetSeconds",
		.type = CONF_INT,
		.offset = AT(retry_budget_s),
		.fallback = "60",
		.min = 0,
		.max = 3600,
		.help = "No new attempt is made when so much time has passed since the first one.",
	},
	{
		.name = "streamHoldSeconds",
		.type = CONF_NUMBER,
		.offset = AT(stream_hold_s),
		.fallback = "5",
		.min = 0,
		.max = 60,
		.help = "How long the head of a streamed answer is held back, so that an early "
			"failure "
			"can still go to another slot.",
	},
	{
		.name = "heartbeatSeconds",
		.type = CONF_INT,
		.offset = AT(heartbeat_s),
		.fallback = "15",
		.min = 1,
		.max = 300,
		.help = "A stream that has been silent for so long gets a heartbeat.",
	},
	{
		.name = "drainTimeoutSeconds",
		.type = CONF_INT,
		.offset = AT(drain_timeout_s),
		.fallback = "30",
		.min = 0,
		.max = 3600,
		.help = "How long running requests may go on after SIGTERM.",
	},
	{
		.name = "websockets",
		.type = CONF_CHOICE,
		.offset = AT(websockets),
		.fallback = "\"auto\"",
		.choices = websockets,
		.help = "Turns of clients over WebSockets: `auto` and `on` take them, `off` "
			"answers "
			"their handshakes with 426, after which Codex clients use HTTP.",
	},
	{
		.name = "websocketIdleSeconds",
		.type = CONF_INT,
		.offset = AT(websocket_idle_s),
		.fallback = "3600",
		.min = 1,
		.max = 86400,
		.help = "A WebSocket without a turn for so long is closed; its client opens "
			"another "
			"when it needs one.",
	},
	{
		.name = "websocketPingSeconds",
		.type = CONF_INT,
		.offset = AT(websocket_ping_s),
		.fallback = "30",
		.min = 1,
		.max = 3600,
		.help = "A WebSocket's client that has been silent for so long is pinged; one that "
			"does not answer is cut off.",
	},
	{
		.name = "maxBodyBytes",
		.type = CONF_INT,
		.offset = AT(max_body_bytes),
		.fallback = "67108864",
		.min = 1024,
		.max = 1024.0 * 1024 * 1024,
		.help = "Largest request body, after decompression.",
	},
	{
		.name = "maxConnections",
		.type = CONF_INT,
		.needs_restart = true,
		.offset = AT(max_connections),
		.fallback = "20000",
		.min = 1,
		.max = 1000000,
		.help = "Client connections that are open at the same time.",
	},
	{
		.name = "reusePort",
		.type = CONF_BOOL,
		.needs_restart = true,
		.offset = AT(reuse_port),
		.fallback = "false",
		.help = "Lets several relay processes listen on one port (SO_REUSEPORT).",
	},
	{
		.name = "logLevel",
		.type = CONF_STRING,
		.offset = AT(log_level),
		.fallback = "\"info\"",
		.choices = log_levels,
		.help = "Least level of what is logged.",
	},
	{
		.name = "auth.issuer",
		.type = CONF_STRING,
		.offset = AT(auth_issuer),
		.fallback = "\"https://auth.openai.com\"",
		.is_valid = is_http_url,
		.expected = "an http or https URL",
		.help = "Where slots log in and their tokens are refreshed.",
	},
	{
		.name = "auth.clientId",
		.type = CONF_STRING,
		.offset = AT(auth_client_id),
		.fallback = "\"app_EMoamEEZ73f0CkXaXp7hrann\"",
		.is_valid = is_header_value,
		.expected = "printable ASCII of 1 to 256 characters",
		.help = "OAuth client id. It is public; there is no secret.",
	},
	{
		.name = "auth.redirectUri",
		.type = CONF_STRING,
		.offset = AT(auth_redirect_uri),
		.fallback = "\"http://localhost:1455/auth/callback\"",
		.is_valid = is_http_url,
		.expected = "an http or https URL",
		.help = "Where the browser goes after a login; `slot-login` listens at its port on "
			"127.0.0.1. The issuer knows the default only.",
	},
	{
		.name = "upstream.baseUrl",
		.type = CONF_STRING,
		.hide_user_info = true,
		.offset = AT(upstream_base_url),
		.fallback = "\"https://chatgpt.com/backend-api\"",
		.is_valid = is_http_url,
		.expected = "an http or https URL",
		.help = "The Codex backend. A `baseUrl` in a slot's `models.json` goes before it.",
	},
	{
		.name = "upstream.originator",
		.type = CONF_STRING,
		.offset = AT(upstream_originator),
		.fallback = "\"codex_slot_relay\"",
		.is_valid = is_header_value,
		.expected = "printable ASCII of 1 to 256 characters",
		.help = "`originator` header of requests for clients that are not Codex itself.",
	},
	{
		.name = "upstream.userAgent",
		.type = CONF_STRING,
		.offset = AT(upstream_user_agent),
		.fallback = "\"codex-slot-relay/" RELAY_VERSION "\"",
		.fallback_help = "`codex-slot-relay/` and the version",
		.is_valid = is_header_value,
		.expected = "printable ASCII of 1 to 256 characters",
		.help = "`User-Agent` header of the same requests.",
	},
	{
		.name = "upstream.clientVersion",
		.type = CONF_STRING,
		.offset = AT(upstream_client_version),
		.fallback = "\"0.169.0\"",
		.is_valid = is_version,
		.expected = "a version like \"0.169.0\"",
		.help = "Version of the Codex CLI that the lists of models are asked for. Upstream "
			"hides newer models from older versions.",
	},
	{
		.name = "upstream.httpVersion",
		.type = CONF_STRING,
		.needs_restart = true,
		.offset = AT(upstream_http_version),
		.fallback = "\"1.1\"",
		.choices = http_versions,
		.help = "HTTP version towards upstream.",
	},
	{
		.name = "upstream.transport",
		.type = CONF_CHOICE,
		.offset = AT(upstream_transport),
		.fallback = "\"auto\"",
		.choices = transports,
		.help = "How turns go to upstream. `auto`: those of clients on a WebSocket over "
			"one that stays open between turns, all others over HTTP; `websocket`: "
			"all turns of a session; `http`: none. A host that takes no WebSockets "
			"gets HTTP.",
	},
	{
		.name = "upstream.connectTimeoutSeconds",
		.type = CONF_INT,
		.offset = AT(upstream_connect_timeout_s),
		.fallback = "10",
		.min = 1,
		.max = 120,
		.help = "How long connecting to upstream may take, TLS included.",
	},
	{
		.name = "upstream.caFile",
		.type = CONF_STRING,
		.needs_restart = true,
		.offset = AT(upstream_ca_file),
		.fallback = "\"\"",
		.help = "File with the certificates that upstream's is checked against. Empty: the "
			"system's.",
	},
	{
		.name = "upstream.proxy",
		.type = CONF_STRING,
		.hide_user_info = true,
		.needs_restart = true,
		.offset = AT(upstream_proxy),
		.fallback = "\"\"",
		.is_valid = is_proxy,
		.expected = "empty, \"none\", or the URL of an HTTP or SOCKS proxy",
		.help = "Proxy towards upstream. Empty: as the environment says; `none`: no proxy. "
			"Hosts in the environment's `NO_PROXY` are reached without one.",
	},
	{
		.name = "openclaw.command",
		.type = CONF_STRING,
		.offset = AT(openclaw_command),
		.fallback = "\"openclaw\"",
		.is_valid = is_command,
		.expected = "the name of a program or an absolute path",
		.help = "The program of the legacy `openclaw` backends.",
	},
	{
		.name = "openclaw.commandTimeoutSeconds",
		.type = CONF_INT,
		.offset = AT(openclaw_command_timeout_s),
		.fallback = "60",
		.min = 1,
		.max = 3600,
		.help = "How long `openclaw status --usage` may take.",
	},
	{
		.name = "openclaw.loginTimeoutSeconds",
		.type = CONF_INT,
		.offset = AT(openclaw_login_timeout_s),
		.fallback = "900",
		.min = 1,
		.max = 86400,
		.help = "How long a login with `openclaw` may take.",
	},
	{
		.name = "openclaw.startTimeoutSeconds",
		.type = CONF_INT,
		.offset = AT(openclaw_start_timeout_s),
		.fallback = "90",
		.min = 1,
		.max = 3600,
		.help = "How long an `openclaw` gateway may take until it answers.",
	},
	{
		.name = "openclaw.healthSeconds",
		.type = CONF_INT,
		.offset = AT(openclaw_health_s),
		.fallback = "30",
		.min = 1,
		.max = 3600,
		.help = "How often a running gateway is asked whether it is well. One that does "
			"not answer three times is replaced.",
	},
	{
		.name = "openclaw.idleSeconds",
		.type = CONF_INT,
		.offset = AT(openclaw_idle_s),
		.fallback = "900",
		.min = 1,
		.max = WEEK_S,
		.help = "A gateway that no request has used for so long is stopped.",
	},
};

const struct conf_key *conf_table(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(rows);
	return rows;
}

static void add_choices(const struct conf_choice *choices, struct buf *out)
{
	buf_add_lit(out, "one of ");
	for (const struct conf_choice *c = choices; c->name; c++)
		buf_addf(out, "%s\"%s\"", c == choices ? "" : ", ", c->name);
}

void conf_table_expected(const struct conf_key *key, struct buf *out)
{
	if (key->choices) {
		add_choices(key->choices, out);
		return;
	}
	switch (key->type) {
	case CONF_INT:
		buf_addf(out, "a whole number between %.0f and %.0f", key->min, key->max);
		break;
	case CONF_NUMBER:
		buf_addf(out, "a number between %.0f and %.0f", key->min, key->max);
		break;
	case CONF_BOOL:
		buf_add_lit(out, "true or false");
		break;
	case CONF_SECRET:
		buf_addf(out, "a token: %d to %d visible ASCII characters", key->fallback ? 1 : 0,
			TEXT_MAX);
		break;
	case CONF_SECRET_LIST:
		buf_addf(out, "a list of at most %d tokens", CONF_ALIASES_MAX);
		break;
	case CONF_NAMES:
		buf_addf(out, "a list of at most %d names without spaces", CONF_NAMES_MAX);
		break;
	case CONF_NAME_MAP:
		buf_addf(out, "an object with at most %d names, each naming another one",
			CONF_NAMES_MAX);
		break;
	default:
		buf_add_cstr(out, key->expected ? key->expected : "a text");
		break;
	}
}

static const char doc_head[] =
	"# Configuration: config/relay.json\n"
	"\n"
	"This file is made from the table in `src/conf/conf_table.c` by\n"
	"`codex-slot-relay config-doc > docs/config.md`; a test checks that it is up to date.\n"
	"\n"
	"The file holds one JSON object. A key with a dot stands in an object: "
	"`thresholds.min5hPct`\n"
	"is `{\"thresholds\": {\"min5hPct\": 15}}`. A missing key and `null` mean the default. "
	"Unknown\n"
	"keys are kept in the file and warned about once. A value that is not allowed is refused "
	"with\n"
	"the name of its key.\n"
	"\n"
	"A running relay takes changes over within a second; requests that run keep the old "
	"values. Keys\n"
	"that need a restart say so.\n"
	"\n"
	"| key | default | allowed | what it does |\n"
	"|---|---|---|---|\n";

/* Inside a table cell a bar would end it. */
static void add_cell(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '|')
			buf_add_char(out, '\\');
		buf_add_char(out, *p);
	}
}

static void add_row(const struct conf_key *key, struct buf *out)
{
	struct buf expected;

	buf_init(&expected, KIB(4));
	conf_table_expected(key, &expected);
	buf_addf(out, "| `%s` | ", key->name);
	if (key->fallback_help)
		add_cell(out, key->fallback_help);
	else
		buf_addf(out, "`%s`", key->fallback);
	buf_add_lit(out, " | ");
	add_cell(out, buf_cstr(&expected));
	buf_add_lit(out, " | ");
	add_cell(out, key->help);
	if (key->needs_restart)
		buf_add_lit(out, " Needs a restart.");
	buf_add_lit(out, " |\n");
	buf_fini(&expected);
}

void conf_table_doc(struct buf *out)
{
	buf_add_cstr(out, doc_head);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		add_row(&rows[i], out);
}
