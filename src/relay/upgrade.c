#include "relay/upgrade.h"

#include "proto/ws_handshake.h"
#include "relay/relay.h"
#include "relay/reply.h"
#include "relay/ws_session.h"

/* Makes a Codex client use HTTP at once and without a word. */
static void refuse_upgrade(struct relay *r, struct http_stream *s)
{
	struct http_header protocol = {SV("Upgrade"), SV("HTTP/1.1")};
	struct api_err err;

	api_err_set(&err, 426, "invalid_request_error", "upgrade_required",
		"The relay serves this path over HTTP only: send a POST.");
	reply_error(r, s, &err, &protocol);
}

static void refuse_method(struct relay *r, struct http_stream *s)
{
	struct http_header allow = {SV("Allow"), SV("POST")};
	struct api_err err;

	api_err_set(&err, 405, "invalid_request_error", "method_not_allowed",
		"This path takes POST only.");
	reply_error(r, s, &err, &allow);
}

void upgrade_serve(struct relay *r, struct http_stream *s)
{
	struct sv protocol = http_request_header(http_stream_request(s), SV("upgrade"));

	if (!sv_ieq(protocol, SV("websocket")))
		refuse_method(r, s);
	else if (r->conf->websockets == WEBSOCKETS_OFF)
		refuse_upgrade(r, s);
	else
		ws_session_open(r, s);
}
