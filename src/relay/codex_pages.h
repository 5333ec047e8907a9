/*
 * What the Codex CLI asks in ChatGPT mode beside its turns (docs/codex.md): models, whether its
 * account is good, limits, settings, and calls that the relay has no answer to. All are answered at
 * once, from what is known.
 */
#ifndef RELAY_CODEX_PAGES_H
#define RELAY_CODEX_PAGES_H

#include "io/http_server.h"

struct relay;

void codex_models(struct relay *r, struct http_stream *s);
void codex_accounts_check(struct relay *r, struct http_stream *s);
void codex_usage(struct relay *r, struct http_stream *s);
void codex_settings(struct relay *r, struct http_stream *s);
/* Telemetry, plugins: 404, or an empty success, as `codexClients.sideCalls` says. */
void codex_side_call(struct relay *r, struct http_stream *s);

#endif
