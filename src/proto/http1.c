#include "proto/http1.h"

#include <assert.h>
#include <errno.h>
#include <llhttp.h>
#include <stdlib.h>

/*
 * A head is collected whole, line by line, before llhttp sees it. That makes chunk borders
 * irrelevant, applies the limits as bytes come, and keeps out the line ends that llhttp's loose
 * mode lets through (a lone CR or LF, folded lines). Behind the head llhttp undoes chunked framing.
 */
enum {
	METHOD_BYTES = 32,
	VERSION_BYTES = 16,
	BLANK_LINES = 4,	   /* before a request line */
	EXTENSION_BYTES = 4096,	   /* chunk extensions of one body */
	KEEP_STORAGE_BYTES = 8192, /* between requests */
};
#define HEAD_BYTES                                                                 \
	(METHOD_BYTES + LIMIT_TARGET_BYTES + VERSION_BYTES + LIMIT_HEADERS_BYTES + \
		6 * LIMIT_HEADERS_COUNT + 64)

enum state {
	STATE_HEAD,
	STATE_SIZED,
	STATE_CHUNKED,
	STATE_DONE,
	STATE_STOPPED, /* by a callback */
	STATE_BROKEN,
};

struct http1_parser {
	const struct http1_ops *ops;
	void *ctx;
	enum state state;
	struct http_fault fault;

	struct buf head;      /* bytes of request line and headers */
	size_t line_bytes;    /* of the line being collected, without its end */
	size_t method_bytes;  /* 0 until the space behind the method was seen */
	size_t header_bytes;  /* names, values and what stands between them */
	unsigned lines;	      /* complete ones */
	unsigned blank_lines; /* before the request line */
	bool after_cr;

	llhttp_t llhttp;
	bool head_complete; /* llhttp says so */
	bool in_value;
	bool body_complete;
	bool stopped;
	size_t trailer_bytes;
	size_t extension_bytes;
	uint64_t remaining; /* of a sized body */
	bool host_seen, length_seen, coding_seen;
	struct http_request request;
};

/* Characters. */

/* RFC 9110 section 5.6.2: one bit a character. */
static const uint64_t token_bits[2] = {
	/* ! # $ % & ' * + - . 0-9 */
	UINT64_C(0x03ff6cfa00000000),
	/* A-Z ^ _ ` a-z | ~ */
	UINT64_C(0x57ffffffc7fffffe),
};

static bool is_token_char(unsigned char c)
{
	return c < 128 && (token_bits[c >> 6] >> (c & 63) & 1);
}

bool http_is_token(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_token_char((unsigned char)text.p[i]))
			return false;
	}
	return text.n > 0;
}

/* Not 0 when one of eight bytes is below a space or 127: access tokens have two thousand bytes. */
static uint64_t has_control(const char *p)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), highs = ones * 0x80;
	uint64_t word, deletes;

	memcpy(&word, p, sizeof(word));
	deletes = word ^ (ones * 127);
	return (((word - ones * ' ') & ~word) | ((deletes - ones) & ~deletes)) & highs;
}

bool http_is_field_value(struct sv text)
{
	size_t i = 0;

	while (i < text.n) {
		unsigned char c = (unsigned char)text.p[i];

		if (text.n - i >= 8 && !has_control(text.p + i)) {
			i += 8;
			continue;
		}
		if ((c < ' ' && c != '\t') || c == 127)
			return false;
		i++;
	}
	return true;
}

static int refuse(struct http1_parser *p, int status, const char *message)
{
	p->fault = (struct http_fault){status, message};
	p->state = STATE_BROKEN;
	return -EBADMSG;
}

/* llhttp's callbacks. A span may come in pieces; pieces of one span are neighbours in the head. */

static struct http1_parser *parser_of(llhttp_t *llhttp)
{
	return CONTAINER_OF(llhttp, struct http1_parser, llhttp);
}

static int count_trailer(struct http1_parser *p, size_t n)
{
	p->trailer_bytes += n;
	if (p->trailer_bytes <= LIMIT_HEADERS_BYTES)
		return 0;
	p->fault = (struct http_fault){431, "trailer fields are too large"};
	return HPE_USER;
}

static int on_header_field(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_parser *p = parser_of(llhttp);
	struct http_request *r = &p->request;

	if (p->head_complete)
		return count_trailer(p, n);
	if (r->header_count && !p->in_value) {
		r->headers[r->header_count - 1].name.n += n;
		return 0;
	}
	if (r->header_count == LIMIT_HEADERS_COUNT) {
		p->fault = (struct http_fault){431, "too many header fields"};
		return HPE_USER;
	}
	r->headers[r->header_count++] = (struct http_header){sv_make(at, n), SV_NONE};
	p->in_value = false;
	return 0;
}

static int on_header_value(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_parser *p = parser_of(llhttp);
	struct sv *value;

	if (p->head_complete)
		return count_trailer(p, n);
	value = &p->request.headers[p->request.header_count - 1].value;
	if (value->n)
		value->n = (size_t)(at + n - value->p);
	else
		*value = sv_make(at, n);
	p->in_value = true;
	return 0;
}

static int on_header_value_complete(llhttp_t *llhttp)
{
	parser_of(llhttp)->in_value = true;
	return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
	parser_of(llhttp)->head_complete = true;
	/* Upgrades are not served: what follows is an ordinary body. */
	llhttp->upgrade = 0;
	return HPE_PAUSED;
}

static int on_extension(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_parser *p = parser_of(llhttp);

	(void)at;
	p->extension_bytes += n;
	if (p->extension_bytes <= EXTENSION_BYTES)
		return 0;
	p->fault = (struct http_fault){400, "chunk extensions are too large"};
	return HPE_USER;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
	struct http1_parser *p = parser_of(llhttp);

	if (p->ops->on_body(p->ctx, sv_make(at, n)) == 0)
		return 0;
	p->stopped = true;
	return HPE_USER;
}

static int on_message_complete(llhttp_t *llhttp)
{
	parser_of(llhttp)->body_complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_header_value_complete = on_header_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_chunk_extension_name = on_extension,
	.on_chunk_extension_value = on_extension,
	.on_body = on_body,
	.on_message_complete = on_message_complete,
};

/* Collecting the head. */

static int end_line(struct http1_parser *p, bool *ret_complete)
{
	p->after_cr = false;
	if (p->line_bytes == 0) {
		*ret_complete = p->lines > 0;
		if (p->lines == 0 && ++p->blank_lines > BLANK_LINES)
			return refuse(p, 400, "blank lines before the request");
		return 0;
	}
	p->lines++;
	if (p->lines > 1 + LIMIT_HEADERS_COUNT)
		return refuse(p, 431, "too many header fields");
	if (p->method_bytes == 0)
		return refuse(p, 400, "malformed request line");
	p->line_bytes = 0;
	return 0;
}

static int scan_request_line(struct http1_parser *p, unsigned char c)
{
	if (p->method_bytes == 0) {
		if (c == ' ' && p->line_bytes > 0)
			p->method_bytes = p->line_bytes;
		else if (!is_token_char(c) || p->line_bytes >= METHOD_BYTES)
			return refuse(p, 400, "malformed request line");
	} else if (p->line_bytes > p->method_bytes + LIMIT_TARGET_BYTES + VERSION_BYTES) {
		return refuse(p, 414, "request target is too long");
	}
	p->line_bytes++;
	return 0;
}

static int scan_header_line(struct http1_parser *p, unsigned char c)
{
	if (p->line_bytes == 0 && (c == ' ' || c == '\t'))
		return refuse(p, 400, "folded header line");
	p->line_bytes++;
	if (++p->header_bytes > LIMIT_HEADERS_BYTES + (size_t)4 * LIMIT_HEADERS_COUNT)
		return refuse(p, 431, "header fields are too large");
	return 0;
}

static int scan_byte(struct http1_parser *p, unsigned char c, bool *ret_complete)
{
	if (p->after_cr) {
		if (c != '\n')
			return refuse(p, 400, "carriage return without line feed");
		return end_line(p, ret_complete);
	}
	if (c == '\r') {
		p->after_cr = true;
		return 0;
	}
	if (c == '\n')
		return refuse(p, 400, "line feed without carriage return");
	if (c < ' ' && c != '\t')
		return refuse(p, 400, "control character in the request head");
	return p->lines == 0 ? scan_request_line(p, c) : scan_header_line(p, c);
}

/* Takes bytes up to the end of the head. */
static int collect(struct http1_parser *p, struct sv chunk, size_t *ret_used, bool *ret_complete)
{
	size_t begin = 0;
	size_t i = 0;

	while (i < chunk.n && !*ret_complete) {
		if (scan_byte(p, (unsigned char)chunk.p[i++], ret_complete))
			return -EBADMSG;
		if (p->lines == 0 && p->line_bytes == 0)
			begin = i; /* blank lines are not kept, nor a CR that begins one */
	}
	*ret_used = i;
	buf_add(&p->head, chunk.p + begin, i - begin);
	if (buf_error(&p->head))
		return refuse(p, 431, "request head is too large");
	return 0;
}

/* Reading the head. */

static int split_target(struct http1_parser *p)
{
	struct http_request *r = &p->request;
	struct sv rest = r->target;
	ptrdiff_t scheme = rest.p[0] == '/' ? -1 : sv_find(rest, SV("://"));

	for (size_t i = 0; i < rest.n; i++) {
		unsigned char c = (unsigned char)rest.p[i];

		if (c <= ' ' || c >= 127 || c == '#')
			return refuse(p, 400, "character not allowed in the request target");
	}
	if (scheme > 0) {
		rest = sv_from(rest, (size_t)scheme + 3);
		while (rest.n && rest.p[0] != '/' && rest.p[0] != '?')
			rest = sv_from(rest, 1);
	}
	r->path = sv_split(&rest, '?');
	r->query = rest;
	while (r->path.n > 1 && r->path.p[r->path.n - 1] == '/')
		r->path.n--;
	if (r->path.n == 0)
		r->path = SV("/");
	return 0;
}

static int read_request_line(struct http1_parser *p)
{
	struct http_request *r = &p->request;
	const char *end = memchr(p->head.data, '\r', p->head.len);
	struct sv line = sv_make(p->head.data, (size_t)(end - p->head.data));

	if (sv_eq(line, SV("PRI * HTTP/2.0")))
		return refuse(p, 505, "HTTP/2 is not spoken here: use HTTP/1.1");
	r->method = sv_split(&line, ' ');
	r->target = sv_split(&line, ' ');
	if (r->target.n > LIMIT_TARGET_BYTES)
		return refuse(p, 414, "request target is too long");
	if (r->target.n == 0 || line.n != 8 || !sv_starts(line, SV("HTTP/")) || line.p[6] != '.' ||
		line.p[5] < '0' || line.p[5] > '9' || line.p[7] < '0' || line.p[7] > '9')
		return refuse(p, 400, "malformed request line");
	if (line.p[5] != '1' || line.p[7] > '1')
		return refuse(p, 505, "HTTP version is not supported");
	r->is_http10 = line.p[7] == '0';
	r->is_head = sv_eq(r->method, SV("HEAD"));
	r->keep_alive = !r->is_http10;
	if (sv_eq(r->method, SV("CONNECT")))
		return refuse(p, 501, "this is not a proxy: CONNECT is not supported");
	return split_target(p);
}

static int read_connection(struct http1_parser *p, struct sv value)
{
	bool close = false;

	while (value.n) {
		struct sv option = sv_trim(sv_split(&value, ','));

		if (sv_ieq(option, SV("close")))
			close = true;
		else if (sv_ieq(option, SV("keep-alive")))
			p->request.keep_alive = true;
	}
	if (close)
		p->request.keep_alive = false;
	return 0;
}

static int read_content_length(struct http1_parser *p, struct sv value)
{
	int err;

	if (p->length_seen)
		return refuse(p, 400, "more than one Content-Length");
	p->length_seen = true;
	err = sv_u64(value, &p->request.content_length);
	if (err == -ERANGE || (!err && p->request.content_length > INT64_MAX))
		return refuse(p, 413, "Content-Length is too large");
	if (err)
		return refuse(p, 400, "malformed Content-Length");
	return 0;
}

static int read_transfer_encoding(struct http1_parser *p, struct sv value)
{
	if (p->coding_seen)
		return refuse(p, 400, "more than one Transfer-Encoding");
	if (p->request.is_http10)
		return refuse(p, 400, "Transfer-Encoding in an HTTP/1.0 request");
	p->coding_seen = true;
	if (!sv_ieq(value, SV("chunked")))
		return refuse(p, 501, "the only transfer coding supported is chunked");
	p->request.chunked = true;
	return 0;
}

static int read_expect(struct http1_parser *p, struct sv value)
{
	if (!sv_ieq(value, SV("100-continue")))
		return refuse(p, 417, "unknown expectation");
	p->request.expects_continue = !p->request.is_http10;
	return 0;
}

static int read_host(struct http1_parser *p, struct sv value)
{
	(void)value;
	if (p->host_seen)
		return refuse(p, 400, "more than one Host");
	p->host_seen = true;
	return 0;
}

static const struct {
	struct sv name;
	int (*read)(struct http1_parser *p, struct sv value);
} readers[] = {
	{{"host", 4}, read_host},
	{{"connection", 10}, read_connection},
	{{"content-length", 14}, read_content_length},
	{{"transfer-encoding", 17}, read_transfer_encoding},
	{{"expect", 6}, read_expect},
};

static int read_header(struct http1_parser *p, struct http_header *header)
{
	header->value = sv_trim(header->value);
	if (!http_is_token(header->name))
		return refuse(p, 400, "malformed header name");
	if (!http_is_field_value(header->value))
		return refuse(p, 400, "control character in a header value");
	for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
		if (sv_ieq(header->name, readers[i].name))
			return readers[i].read(p, header->value);
	}
	return 0;
}

static int read_headers(struct http1_parser *p)
{
	struct http_request *r = &p->request;
	size_t total = 0;

	r->content_length = UINT64_MAX;
	for (size_t i = 0; i < r->header_count; i++) {
		if (read_header(p, &r->headers[i]))
			return -EBADMSG;
		total += r->headers[i].name.n + r->headers[i].value.n;
	}
	if (total > LIMIT_HEADERS_BYTES)
		return refuse(p, 431, "header fields are too large");
	if (!r->is_http10 && !p->host_seen)
		return refuse(p, 400, "Host is missing");
	if (p->length_seen && r->chunked)
		return refuse(p, 400, "both Content-Length and Transfer-Encoding");
	p->remaining = p->length_seen ? r->content_length : 0;
	r->has_body = r->chunked || p->remaining > 0;
	return 0;
}

static int refuse_as_llhttp(struct http1_parser *p, llhttp_errno_t code)
{
	if (p->fault.status)
		return refuse(p, p->fault.status, p->fault.message);
	switch (code) {
	case HPE_INVALID_METHOD:
		return refuse(p, 501, "method is not known");
	case HPE_INVALID_URL:
		return refuse(p, 400, "malformed request target");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
	case HPE_INVALID_CONTENT_LENGTH:
		return refuse(p, 400, "malformed or ambiguous Content-Length");
	case HPE_INVALID_TRANSFER_ENCODING:
		return refuse(p, 400, "malformed Transfer-Encoding");
	case HPE_INVALID_HEADER_TOKEN:
		return refuse(p, 400, "malformed header field");
	default:
		return refuse(p, 400,
			p->state == STATE_CHUNKED ? "malformed chunked body"
						  : "malformed request head");
	}
}

static int read_head(struct http1_parser *p)
{
	llhttp_errno_t code;

	if (read_request_line(p))
		return -EBADMSG;
	llhttp_init(&p->llhttp, HTTP_REQUEST, &settings);
	code = llhttp_execute(&p->llhttp, p->head.data, p->head.len);
	/* A header that our own rules have a better answer for is refused by them. */
	if (code == HPE_INVALID_TRANSFER_ENCODING || code == HPE_UNEXPECTED_CONTENT_LENGTH ||
		code == HPE_INVALID_CONTENT_LENGTH) {
		if (read_headers(p))
			return -EBADMSG;
	}
	if (code != HPE_PAUSED || !p->head_complete)
		return refuse_as_llhttp(p, code);
	return read_headers(p);
}

/* Bodies. */

static void complete(struct http1_parser *p)
{
	p->state = STATE_DONE;
	p->ops->on_complete(p->ctx);
}

static int feed_head(struct http1_parser *p, struct sv chunk, size_t *ret_used)
{
	bool whole = false;

	if (collect(p, chunk, ret_used, &whole))
		return -EBADMSG;
	if (!whole)
		return 0;
	if (read_head(p))
		return -EBADMSG;
	p->state = p->request.chunked ? STATE_CHUNKED : STATE_SIZED;
	if (p->request.chunked)
		llhttp_resume(&p->llhttp);
	if (p->ops->on_head(p->ctx, &p->request))
		p->state = STATE_STOPPED;
	else if (!p->request.has_body)
		complete(p);
	return 0;
}

static void feed_sized(struct http1_parser *p, struct sv chunk, size_t *ret_used)
{
	if (chunk.n > p->remaining)
		chunk.n = (size_t)p->remaining;
	*ret_used = chunk.n;
	p->remaining -= chunk.n;
	if (chunk.n && p->ops->on_body(p->ctx, chunk))
		p->state = STATE_STOPPED;
	else if (p->remaining == 0)
		complete(p);
}

static int feed_chunked(struct http1_parser *p, struct sv chunk, size_t *ret_used)
{
	llhttp_errno_t code = llhttp_execute(&p->llhttp, chunk.p, chunk.n);

	*ret_used = chunk.n;
	if (p->stopped) {
		p->state = STATE_STOPPED;
		return 0;
	}
	if (p->body_complete) {
		*ret_used = (size_t)(llhttp_get_error_pos(&p->llhttp) - chunk.p);
		complete(p);
		return 0;
	}
	return code == HPE_OK ? 0 : refuse_as_llhttp(p, code);
}

int http1_feed(
	struct http1_parser *p, struct sv chunk, size_t *ret_used, struct http_fault *ret_fault)
{
	size_t used = 0;
	int err = p->state == STATE_BROKEN ? -EBADMSG : 0;

	while (!err && used < chunk.n && p->state < STATE_DONE) {
		struct sv rest = sv_from(chunk, used);
		size_t part = 0;

		if (p->state == STATE_HEAD)
			err = feed_head(p, rest, &part);
		else if (p->state == STATE_SIZED)
			feed_sized(p, rest, &part);
		else
			err = feed_chunked(p, rest, &part);
		used += part;
	}
	if (err) {
		*ret_fault = p->fault;
		return err;
	}
	*ret_used = used;
	return 0;
}

struct http1_parser *http1_parser_new(const struct http1_ops *ops, void *ctx)
{
	struct http1_parser *p = mem_zalloc(sizeof(*p));

	p->ops = ops;
	p->ctx = ctx;
	buf_init(&p->head, HEAD_BYTES);
	return p;
}

void http1_parser_free(struct http1_parser *p)
{
	if (!p)
		return;
	buf_fini(&p->head);
	free(p);
}

void http1_parser_reset(struct http1_parser *p)
{
	const struct http1_ops *ops = p->ops;
	void *ctx = p->ctx;
	struct buf head = p->head;
	size_t request_at = offsetof(struct http1_parser, request);

	buf_reset(&head, KEEP_STORAGE_BYTES);
	/* The header table is big and needs no clearing. */
	memset(p, 0, request_at + offsetof(struct http_request, headers));
	memset(&p->request.header_count, 0,
		sizeof(p->request) - offsetof(struct http_request, header_count));
	p->ops = ops;
	p->ctx = ctx;
	p->head = head;
}

uint64_t http1_body_left(const struct http1_parser *p)
{
	return p->state == STATE_SIZED ? p->remaining : 0;
}

bool http1_is_idle(const struct http1_parser *p)
{
	return p->state == STATE_HEAD && p->head.len == 0;
}

const struct http_request *http1_request(const struct http1_parser *p)
{
	return &p->request;
}

struct sv http_request_header(const struct http_request *r, struct sv name)
{
	for (size_t i = 0; i < r->header_count; i++) {
		if (sv_ieq(r->headers[i].name, name))
			return r->headers[i].value;
	}
	return SV_NONE;
}

static const struct {
	int status;
	const char *phrase;
} reasons[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{410, "Gone"},
	{411, "Length Required"},
	{412, "Precondition Failed"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{424, "Failed Dependency"},
	{426, "Upgrade Required"},
	{428, "Precondition Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{499, "Client Closed Request"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
	{529, "Overloaded"},
};

const char *http_reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status)
			return reasons[i].phrase;
	}
	return "Unknown";
}
