/*
 * May a Codex client ask (routes of ROLE_CODEX)? With one of the relay's tokens, as everywhere, or
 * with the ChatGPT login that the Codex CLI has of its own (`requires_openai_auth`): then
 * `codexClients.trustAccounts` must list its account.
 *
 * Nobody can check such a login here: the claims of its token are read, not verified (PROTOCOL 1),
 * and an account id is no secret. So it opens the relay to whoever can connect and knows an id. It
 * counts only from this machine (loopback or a Unix socket, with no proxy in between) unless
 * `codexClients.trustRemote` is set. It is never sent upstream.
 */
#ifndef RELAY_CODEX_AUTH_H
#define RELAY_CODEX_AUTH_H

#include "conf/conf.h"
#include "dialect/api_err.h"
#include "proto/http1.h"

/* peer: as http_stream_peer(). False with *err, for the client. now_ms: wall. */
bool codex_auth_allows(const struct conf *conf, const struct http_request *request,
	const char *peer, int64_t now_ms, struct api_err *err) MUST_CHECK;

/* The account that the client says it is: header, else its token's claim; "" unknown or no name. */
void codex_auth_account(const struct http_request *request, char out[CONF_NAME_BYTES_MAX + 1]);

#endif
