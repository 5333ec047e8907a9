#include "base/clock.h"
#include "io/http_internal.h"

#include <assert.h>
#include <time.h>

/* Accessors. */

const struct http_request *http_stream_request(const struct http_stream *s)
{
	return http1_request(s->parser);
}

struct buf *http_body(struct http_stream *s)
{
	return &s->body;
}

void http_set_body_cap(struct http_stream *s, size_t bytes)
{
	s->body_cap = bytes;
}

void http_stream_set_user(struct http_stream *s, void *user)
{
	s->user = user;
}

void *http_stream_user(const struct http_stream *s)
{
	return s->user;
}

void http_stream_set_tag(struct http_stream *s, const void *tag)
{
	s->tag = tag;
}

const void *http_stream_tag(const struct http_stream *s)
{
	return s->tag;
}

const char *http_stream_peer(const struct http_stream *s)
{
	return conn_peer(s->connection->conn);
}

int64_t http_stream_started_us(const struct http_stream *s)
{
	return s->started_us;
}

bool http_is_congested(const struct http_stream *s)
{
	return conn_is_congested(s->connection->conn);
}

/* Heads. */

static void add_date(struct http_server *server, struct buf *out)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	if (now != server->date_second) {
		gmtime_r(&now, &tm);
		server->date_bytes = strftime(server->date, sizeof(server->date),
			"Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
		server->date_second = now;
	}
	buf_add(out, server->date, server->date_bytes);
}

static void add_status_line(struct buf *out, int status)
{
	if (status == 200) {
		buf_add_lit(out, "HTTP/1.1 200 OK\r\n");
		return;
	}
	buf_add_lit(out, "HTTP/1.1 ");
	buf_add_u64(out, (uint64_t)status);
	buf_add_char(out, ' ');
	buf_add_cstr(out, http_reason(status));
	buf_add_lit(out, "\r\n");
}

static bool has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* How the body will be told from what follows it; may decide that the connection closes. */
static void choose_framing(struct http_stream *s, const struct http_response *response)
{
	const struct http_request *request = http_stream_request(s);

	if (has_no_body(response->status)) {
		s->framing = FRAMING_NONE;
	} else if (response->content_length >= 0) {
		s->framing = FRAMING_SIZED;
		s->left = (uint64_t)response->content_length;
	} else if (request->is_http10) {
		s->framing = FRAMING_CLOSE;
		s->close = true;
	} else {
		s->framing = FRAMING_CHUNKED;
	}
}

/* Would the rest of the request keep us reading too long? */
static bool is_rest_unwanted(const struct http_stream *s)
{
	const struct http_request *request = http_stream_request(s);

	if (s->complete || !request->has_body)
		return false;
	/* Whether such a client sends its body behind a final answer, nobody knows. */
	if (request->expects_continue && s->in_head)
		return true;
	return !request->chunked && request->content_length > LIMIT_DISCARD_BYTES;
}

static void add_framing(struct http_stream *s, struct buf *out)
{
	if (s->framing == FRAMING_SIZED) {
		buf_add_lit(out, "Content-Length: ");
		buf_add_u64(out, s->left);
		buf_add_lit(out, "\r\n");
	} else if (s->framing == FRAMING_CHUNKED) {
		buf_add_lit(out, "Transfer-Encoding: chunked\r\n");
	}
	if (s->close)
		buf_add_lit(out, "Connection: close\r\n");
	else if (http_stream_request(s)->is_http10)
		buf_add_lit(out, "Connection: keep-alive\r\n");
}

static void add_header(struct buf *out, const struct http_header *header)
{
	buf_add_sv(out, header->name);
	buf_add_lit(out, ": ");
	buf_add_sv(out, header->value);
	buf_add_lit(out, "\r\n");
}

void http_respond_head(struct http_stream *s, const struct http_response *response)
{
	struct http_connection *hc = s->connection;
	struct http_server *server = hc->server;
	const struct http_request *request = http_stream_request(s);
	struct buf *out = conn_write_begin(hc->conn);

	assert(s->answer == ANSWER_NONE);
	s->answer = ANSWER_HEAD;
	if (response->close || !request->keep_alive || server->draining || is_rest_unwanted(s))
		s->close = true;
	choose_framing(s, response);
	add_status_line(out, response->status);
	add_date(server, out);
	if (response->content_type.n)
		add_header(out, &(struct http_header){SV("Content-Type"), response->content_type});
	add_framing(s, out);
	for (size_t i = 0; i < response->header_count; i++)
		add_header(out, &response->headers[i]);
	if (server->handler.add_headers)
		server->handler.add_headers(s, out, server->arg);
	buf_add_lit(out, "\r\n");
	conn_write_commit(hc->conn);
	if (request->is_head)
		s->framing = FRAMING_NONE;
}

/* Bodies. */

static void add_chunk_size(struct buf *out, size_t n)
{
	char digits[2 * sizeof(n)];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[n & 15];
		n >>= 4;
	} while (n);
	buf_add(out, digits + at, sizeof(digits) - at);
	buf_add_lit(out, "\r\n");
}

static void count_sized(struct http_stream *s, size_t n)
{
	if (s->framing != FRAMING_SIZED)
		return;
	assert(n <= s->left); /* more than content_length promised */
	s->left -= n;
}

void http_send(struct http_stream *s, struct sv bytes)
{
	struct conn *c = s->connection->conn;
	struct buf *out;

	assert(s->answer == ANSWER_HEAD);
	if (bytes.n == 0 || s->framing == FRAMING_NONE)
		return;
	count_sized(s, bytes.n);
	out = conn_write_begin(c);
	if (s->framing == FRAMING_CHUNKED)
		add_chunk_size(out, bytes.n);
	buf_add_sv(out, bytes);
	if (s->framing == FRAMING_CHUNKED)
		buf_add_lit(out, "\r\n");
	conn_write_commit(c);
}

void http_send_buf(struct http_stream *s, struct buf *b)
{
	struct conn *c = s->connection->conn;

	assert(s->answer == ANSWER_HEAD);
	if (b->len == 0 || s->framing == FRAMING_NONE) {
		buf_fini(b);
		return;
	}
	count_sized(s, b->len);
	if (s->framing == FRAMING_CHUNKED) {
		add_chunk_size(conn_write_begin(c), b->len);
		conn_write_commit(c);
	}
	conn_write_buf(c, b);
	if (s->framing == FRAMING_CHUNKED)
		conn_write(c, SV("\r\n"));
}

void http_finish(struct http_stream *s)
{
	assert(s->answer == ANSWER_HEAD);
	if (s->framing == FRAMING_SIZED && s->left > 0) {
		http_abort(s);
		return;
	}
	if (s->framing == FRAMING_CHUNKED)
		conn_write(s->connection->conn, SV("0\r\n\r\n"));
	s->answer = ANSWER_FINISHED;
	http_connection_answered(s->connection);
}

void http_abort(struct http_stream *s)
{
	assert(s->answer != ANSWER_FINISHED);
	s->answer = ANSWER_FINISHED;
	s->close = true;
	http_connection_end(s->connection, CONN_END_LOCAL);
}

void http_reset(struct http_stream *s)
{
	assert(s->answer != ANSWER_FINISHED);
	s->answer = ANSWER_FINISHED;
	s->close = true;
	s->connection->state = HTTP_CLOSING;
	timer_stop(&s->connection->timer);
	conn_reset(s->connection->conn, CONN_END_LOCAL);
}

struct conn *http_upgrade(struct http_stream *s, const struct http_header *headers, size_t count,
	const struct http_upgrade_ops *ops, void *user)
{
	struct http_connection *hc = s->connection;
	struct http_server *server = hc->server;
	struct buf *out = conn_write_begin(hc->conn);

	assert(s->answer == ANSWER_NONE && s->handed);
	add_status_line(out, 101);
	add_date(server, out);
	for (size_t i = 0; i < count; i++)
		add_header(out, &headers[i]);
	if (server->handler.add_headers)
		server->handler.add_headers(s, out, server->arg);
	buf_add_lit(out, "\r\n");
	conn_write_commit(hc->conn);
	s->answer = ANSWER_FINISHED;
	http_connection_upgraded(hc, ops, user);
	return hc->conn;
}

bool http_is_stopping(const struct http_stream *s)
{
	return s->connection->server->draining;
}

void http_respond(struct http_stream *s, const struct http_response *response, struct sv body)
{
	struct http_response sized = *response;

	sized.content_length = (int64_t)body.n;
	http_respond_head(s, &sized);
	http_send(s, body);
	http_finish(s);
}
