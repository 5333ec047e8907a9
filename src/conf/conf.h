/*
 * Configuration (SPEC 4): config/relay.json read into an immutable snapshot. One const table of
 * keys drives parsing, defaults, checks, show, redaction and docs/config.md. Snapshots are counted:
 * whoever stores one takes a reference, so that a reload never pulls values from under a request.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/buf.h"
#include "base/secret.h"
#include "conf/conf_listen.h"
#include "conf/conf_names.h"

enum conf_policy {
	POLICY_BEST_WEEK,
	POLICY_BEST_5H,
	POLICY_LEAST_RECENTLY_USED,
	POLICY_RESET_SOONEST,
	POLICY_ROUND_ROBIN,
	POLICY_FILL_FIRST,
	POLICY_WEIGHTED,
	POLICY_PACE,
	CONF_POLICIES,
};
enum conf_backend {
	BACKEND_NATIVE,
	BACKEND_CODEX_API,
	BACKEND_CODEX_DIRECT,
	BACKEND_LOCAL_CACHE,
	BACKEND_OPENCLAW
};

/* Whose limits a Codex client is shown. */
enum conf_codex_limits { CODEX_LIMITS_SLOT, CODEX_LIMITS_POOL };
enum conf_codex_side_calls { CODEX_SIDE_CALLS_NOT_FOUND, CODEX_SIDE_CALLS_EMPTY };

/* Of clients. AUTO is what fits most of them: ON. */
enum conf_websockets { WEBSOCKETS_AUTO, WEBSOCKETS_ON, WEBSOCKETS_OFF };

/* To upstream. AUTO: see relay/transport.c. */
enum conf_transport { TRANSPORT_AUTO, TRANSPORT_HTTP, TRANSPORT_WEBSOCKET };

enum { CONF_ALIASES_MAX = 64 };

struct conf {
	struct conf_listen listeners; /* listen "127.0.0.1:8787" */
	const char *listen;	      /* the first of them, see conf_listen.h; not owned */
	char *tls_cert;	       /* tls.cert "tls/cert.pem": in the runtime directory, or absolute */
	char *tls_key;	       /* tls.key "tls/key.pem": the same */
	char *tls_min_version; /* tls.minVersion "1.2": "1.2" or "1.3" */
	struct secret auth_token; /* "relay-dev-token" */
	struct secret aliases[CONF_ALIASES_MAX];
	size_t alias_count;
	struct secret admin_token; /* adminToken "": empty, clients' tokens do for the admin API */
	char *profile, *workspace, *runtime_root;
	int64_t usage_ttl_s;		 /* usageTtlSeconds 300, 1..86400 */
	int64_t request_timeout_s;	 /* requestTimeoutSeconds 180: longest silence of
					    upstream, 1..3600 */
	char *thinking;			 /* "off": legacy, kept */
	enum conf_policy policy;	 /* selectionPolicy */
	double min_5h_pct, min_week_pct; /* thresholds, 0..100 */
	int64_t cooldown_generic_s, cooldown_quota_s;
	enum conf_backend auth_backend, usage_backend, runner_backend;
	char *runner_agent_id;
	char *auth_issuer;	  /* auth.issuer "https://auth.openai.com" */
	char *auth_client_id;	  /* auth.clientId */
	char *auth_redirect_uri;  /* auth.redirectUri "http://localhost:1455/auth/callback" */
	int64_t slot_concurrency; /* slotConcurrency 8, 1..1000 */
	int64_t queue_timeout_s;  /* queueTimeoutSeconds 30, 0..3600 */
	int64_t max_attempts;	  /* retry.maxAttempts 16: upstream tries per request, 1..1024 */
	int64_t retry_budget_s;	  /* retry.budgetSeconds 60: no new try after so long, 0..3600 */
	double stream_hold_s;	  /* streamHoldSeconds 5: heads held back at most so long, 0..60 */
	int64_t heartbeat_s;	  /* heartbeatSeconds 15, 1..300 */
	int64_t drain_timeout_s; /* drainTimeoutSeconds 30: after SIGTERM streams may run so long */
	enum conf_websockets websockets; /* websockets "auto" */
	int64_t websocket_idle_s;	 /* websocketIdleSeconds 3600, 1..86400 */
	int64_t websocket_ping_s;	 /* websocketPingSeconds 30, 1..3600 */
	int64_t max_body_bytes;		 /* maxBodyBytes 64 MiB, 1 KiB..1 GiB */
	int64_t max_connections;	 /* maxConnections 20000 */
	bool reuse_port;		 /* reusePort false */
	char *log_level;		 /* "info": debug, info, warn, error */
	char *upstream_base_url;	 /* upstream.baseUrl "https://chatgpt.com/backend-api" */
	char *upstream_originator;	 /* upstream.originator "codex_slot_relay" */
	char *upstream_user_agent;	 /* upstream.userAgent "codex-slot-relay/<version>" */
	char *upstream_http_version;	 /* upstream.httpVersion "1.1": "1.1" or "2" */
	enum conf_transport upstream_transport; /* upstream.transport "auto" */
	int64_t upstream_connect_timeout_s;	/* upstream.connectTimeoutSeconds 10, 1..120 */
	char *upstream_ca_file;			/* upstream.caFile "": system's */
	char *upstream_proxy;		    /* upstream.proxy "": environment; "none": no proxy */
	char *openclaw_command;		    /* openclaw.command "openclaw" */
	int64_t openclaw_command_timeout_s; /* openclaw.commandTimeoutSeconds 60, 1..3600 */
	int64_t openclaw_login_timeout_s;   /* openclaw.loginTimeoutSeconds 900, 1..86400 */
	int64_t openclaw_start_timeout_s;   /* openclaw.startTimeoutSeconds 90, 1..3600 */
	int64_t openclaw_health_s;	    /* openclaw.healthSeconds 30, 1..3600 */
	int64_t openclaw_idle_s;	    /* openclaw.idleSeconds 900, 1..604800 */
	char *upstream_client_version;	    /* upstream.clientVersion "0.169.0" */
	char *default_model;		    /* modelDefault "gpt-5.4" */
	struct conf_name_map model_aliases; /* models.aliases {} */
	struct conf_names model_extra;	    /* models.extra [] */
	struct conf_names model_hidden;	    /* models.hidden [] */
	struct conf_names codex_trust_accounts;	     /* codexClients.trustAccounts [] */
	bool codex_trust_remote;		     /* codexClients.trustRemote false */
	enum conf_codex_limits codex_limits;	     /* codexClients.limits "slot" */
	enum conf_codex_side_calls codex_side_calls; /* codexClients.sideCalls "not-found" */
	int64_t models_ttl_s; /* models.ttlSeconds 3600: 0, catalogues are not fetched; ..604800 */
	bool continuation_enabled;	  /* responses.continuation.enabled true */
	int64_t continuation_max_entries; /* .maxEntries 10000, 1..1000000 */
	int64_t continuation_max_bytes;	  /* .maxBytes 64 MiB, 64 KiB..16 GiB */
	int64_t continuation_ttl_s;	  /* .ttlSeconds 3600, 1..604800 */
	char **unknown_keys; /* dotted names of keys that nobody knows: kept in the file, warned
				about once */
	size_t unknown_count;
	unsigned refs;
};

/* Why a configuration was refused: "relay.json: thresholds.min5hPct: must be between 0 and 100". */
struct conf_error {
	char message[512];
};

/*
 * A snapshot with all defaults; one reference for the caller. profile may be NULL: the default one.
 */
struct conf *conf_default(const char *runtime_root, const char *profile);
/*
 * Defaults overridden by text. -EINVAL with *err; text that is no JSON object, wrong types, ranges.
 * runtime_root goes before the text's, and so does profile unless it is NULL (nobody asked for
 * one).
 */
int conf_parse(struct sv text, const char *runtime_root, const char *profile, struct conf **ret,
	struct conf_error *err) MUST_CHECK;
/* The text of <runtime_root>/config/relay.json: appends to out, whose owner wipes it. Failures as
 * conf_load(). */
int conf_read(const char *runtime_root, struct buf *out, struct conf_error *err) MUST_CHECK;
/* Reads <runtime_root>/config/relay.json; -ENOENT when absent. *err is filled on any failure. */
int conf_load(const char *runtime_root, const char *profile, struct conf **ret,
	struct conf_error *err) MUST_CHECK;
struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c);

/* Every key with its value as one JSON object; secrets are left out (with_secrets false) or
 * written, for a fresh file. */
void conf_write(const struct conf *c, bool with_secrets, struct buf *out);
/* Is this one of the tokens that clients may use (authToken, authTokenAliases; relay-internal-token
 * beside the default token)? Constant time per token. */
bool conf_token_ok(const struct conf *c, struct sv token);
/* May it use the admin API: adminToken alone, or any client's while there is none? Constant time.
 */
bool conf_admin_token_ok(const struct conf *c, struct sv token);
const char *conf_policy_name(enum conf_policy p);
const char *conf_backend_name(enum conf_backend b);

#endif
