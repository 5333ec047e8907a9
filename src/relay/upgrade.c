#include "relay/upgrade.h"

#include "relay/reply.h"

void upgrade_refuse(struct relay *r, struct http_stream *s)
{
	struct http_header protocol = {SV("Upgrade"), SV("HTTP/1.1")};
	struct http_header allow = {SV("Allow"), SV("POST")};
	struct api_err err;

	if (sv_ieq(http_request_header(http_stream_request(s), SV("upgrade")), SV("websocket"))) {
		api_err_set(&err, 426, "invalid_request_error", "upgrade_required",
			"The relay serves this path over HTTP only: send a POST.");
		reply_error(r, s, &err, &protocol);
		return;
	}
	api_err_set(&err, 405, "invalid_request_error", "method_not_allowed",
		"This path takes POST only.");
	reply_error(r, s, &err, &allow);
}
