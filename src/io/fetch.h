/*
 * HTTP client; connections are kept and reused. A fetch is one request. Its callbacks run on the
 * loop, never inside fetch_start(), possibly from inside a parser or libcurl; fetch_cancel(),
 * fetch_pause() and fetch_resume() are safe inside them. Owner: the pool; a fetch frees itself
 * after on_done or fetch_cancel(). TLS, proxies (environment or option), decompression off.
 *
 * Two engines keep this contract. Requests over HTTP/1.1 are made by our own (fetch_http1.h), which
 * costs a fraction of libcurl's instructions. libcurl's HTTP (fetch_curl.h) makes the others: to
 * https:// when HTTP/2 is allowed, whatever the server then chooses; through proxies that a dialer
 * cannot use (dialer_reaches()); all of a pool with unix_socket or connect_to; and URLs that it
 * would write differently or refuse (url_parse(), dot segments).
 */
#ifndef IO_FETCH_H
#define IO_FETCH_H

#include "base/buf.h"
#include "io/loop.h"
#include "proto/http1.h"

struct dialer;
struct fetch_pool;
struct fetch;

struct fetch_options {
	long max_connections_per_host; /* 0: no limit */
	long idle_connections;	       /* kept open; 0: 256 */
	bool http2;		       /* allow HTTP/2 over TLS; default HTTP/1.1 */
	const char *ca_file;	       /* NULL: system's */
	const char *proxy;	       /* NULL: environment; "": none */
	const char *unix_socket;       /* all requests go there, whatever their URL says; or NULL */
	const char *connect_to;	       /* "host:port:host:port": who asks for the first is
					  connected to the second; or NULL */
};
struct fetch_pool *fetch_pool_new(struct loop *loop, const struct fetch_options *options);
/* Cancels what runs; not inside a callback of a fetch. The loop closes the sockets' handles in its
 * next turn. */
void fetch_pool_free(struct fetch_pool *p);
/* For streams to where its requests go: certificates, sessions and proxy are shared. Lives as long
 * as the pool. */
struct dialer *fetch_pool_dialer(struct fetch_pool *p);

enum fetch_outcome {
	FETCH_OK,	 /* complete response, as far as HTTP framing tells: also when the peer
			    closed and gave no length, with or without TLS close_notify */
	FETCH_CONNECT,	 /* DNS, connect, proxy or TLS failed, or the request was malformed: it was
			    not sent */
	FETCH_SEND,	 /* connection lost while sending, no response byte */
	FETCH_TRUNCATED, /* connection lost after the request was sent: reset, EOF inside the body,
			    no answer */
	FETCH_IDLE,	 /* nothing came for idle_timeout_ms */
	FETCH_TIMEOUT,	 /* total_timeout_ms is over */
	FETCH_PROTOCOL,	 /* the answer was not HTTP, or its head over limits */
};

struct fetch_result {
	enum fetch_outcome outcome;
	int status;	       /* 0 when no head came */
	const char *message;   /* static or owned by the fetch; "" on success; never holds a URL's
				  query or a header */
	int64_t connect_us;    /* 0 when reused */
	int64_t first_byte_us; /* from start; 0 when none */
};

struct fetch_ops {
	/* Final head (1xx passed over): fetch_status(), fetch_header(). */
	void (*on_head)(struct fetch *f, void *arg);
	/* Body bytes, borrowed for the call. */
	void (*on_data)(struct fetch *f, void *arg, struct sv bytes);
	/* Exactly once, unless cancelled. f is freed after it. May come while paused: on a timeout,
	 * or when on_data has had the last byte already; never while bytes are held back. */
	void (*on_done)(struct fetch *f, void *arg, const struct fetch_result *result);
};

struct fetch_request {
	const char *method; /* "GET", "POST", … */
	const char *url;
	const struct http_header *headers; /* copied; an empty value is sent as an empty header */
	size_t header_count;
	struct sv body; /* borrowed until on_done or cancel; sent with Content-Length for POST */
	int64_t connect_timeout_ms; /* 0: 10 s */
	int64_t idle_timeout_ms;    /* between bytes, from the sent request on; not counted while
				       paused; 0: none */
	int64_t total_timeout_ms;   /* 0: none */
	/* On a connection of its own. A request is sent once more, on a new connection, when a kept
	 * one turns out to be dead before a byte of the response: not so here, for requests that
	 * must go out once. */
	bool fresh_connection;
};
/* Starts at the next loop turn at the latest. Never fails: problems arrive in on_done. */
struct fetch *fetch_start(struct fetch_pool *p, const struct fetch_request *r,
	const struct fetch_ops *ops, void *arg);
/* No callback comes after this. Closes the connection at once when the response was not complete.
 */
void fetch_cancel(struct fetch *f);
/*
 * No callback comes after this, and the request's body is not needed any more; but a response that
 * ends within grace_ms does so in peace, so that the connection can be used again. For a user who
 * knows that all he wants has come. As fetch_cancel() when the request was not yet sent in full.
 */
void fetch_release(struct fetch *f, int64_t grace_ms);
/* No on_data after pause until resume; bytes that were read already are kept: at most one read of
 * the kernel's. */
void fetch_pause(struct fetch *f);
void fetch_resume(struct fetch *f);
int fetch_status(const struct fetch *f);
/* Response header by name (any case), SV_NONE if absent; valid until the fetch ends. */
struct sv fetch_header(const struct fetch *f, struct sv name);
/* All response headers, for classes of names ("x-codex-…"). */
const struct http_header *fetch_headers(const struct fetch *f, size_t *ret_count);

#endif
