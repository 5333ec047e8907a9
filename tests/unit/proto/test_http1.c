/* HTTP/1.1 requests: well-formed ones in every cut, malformed ones with their statuses. */
#include "proto/http1.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* What a parser said about one request. */
struct seen {
	struct http1_parser *parser;
	struct buf body;
	unsigned heads;
	unsigned completes;
	bool stop_at_head;
	bool stop_at_body;
};

static int on_head(void *ctx, const struct http_request *r)
{
	struct seen *seen = ctx;

	assert_ptr_equal(r, http1_request(seen->parser));
	assert_int_equal(seen->completes, 0);
	seen->heads++;
	return seen->stop_at_head;
}

static int on_body(void *ctx, struct sv bytes)
{
	struct seen *seen = ctx;

	assert_int_equal(seen->heads, 1);
	assert_int_equal(seen->completes, 0);
	assert_true(bytes.n > 0);
	buf_add_sv(&seen->body, bytes);
	return seen->stop_at_body;
}

static void on_complete(void *ctx)
{
	struct seen *seen = ctx;

	assert_int_equal(seen->heads, 1);
	seen->completes++;
}

static const struct http1_ops ops = {on_head, on_body, on_complete};

static void seen_init(struct seen *seen)
{
	*seen = (struct seen){0};
	buf_init(&seen->body, MIB(1));
	seen->parser = http1_parser_new(&ops, seen);
}

static void seen_next(struct seen *seen)
{
	http1_parser_reset(seen->parser);
	buf_reset(&seen->body, 0);
	seen->heads = 0;
	seen->completes = 0;
}

static void seen_fini(struct seen *seen)
{
	http1_parser_free(seen->parser);
	buf_fini(&seen->body);
}

/* Feeds an exact-sized heap copy, so that a sanitizer sees a read behind it. */
static int feed(struct seen *seen, struct sv chunk, size_t *used, struct http_fault *fault)
{
	char *copy = malloc(chunk.n ? chunk.n : 1);
	int err;

	memcpy(copy, chunk.p, chunk.n);
	err = http1_feed(seen->parser, sv_make(copy, chunk.n), used, fault);
	free(copy);
	return err;
}

/* Feeds pieces of at most step bytes, the first one being first bytes long. Returns the status of
 * the fault or 0, and the bytes used. */
static int feed_cut(struct seen *seen, struct sv text, size_t first, size_t step, size_t *ret_used)
{
	struct http_fault fault = {0, NULL};
	size_t total = 0;

	while (total < text.n && !seen->completes) {
		struct sv piece = sv_from(text, total);
		size_t want = total == 0 ? first : step;
		size_t used = 0;

		if (piece.n > want)
			piece.n = want;
		if (feed(seen, piece, &used, &fault)) {
			assert_true(fault.status >= 400);
			assert_non_null(fault.message);
			return fault.status;
		}
		total += used;
		if (!seen->completes)
			assert_int_equal(used, piece.n);
	}
	*ret_used = total;
	return 0;
}

struct good {
	const char *text;
	const char *method, *target, *path, *query, *body;
	bool keep_alive, chunked, expects_continue, has_body;
};

static const struct good goods[] = {
	{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "/", "", "", true, false, false, false},
	{"\r\n\r\nGET /a/b?x=1&y=?2 HTTP/1.1\r\nHost:a\r\n\r\n", "GET", "/a/b?x=1&y=?2", "/a/b",
		"x=1&y=?2", "", true, false, false, false},
	{"GET /a/b/?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a/b/?q", "/a/b", "q", "", true, false,
		false, false},
	{"GET /// HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "///", "/", "", "", true, false, false,
		false},
	{"GET http://h:80/p/?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "http://h:80/p/?q", "/p", "q",
		"", true, false, false, false},
	{"GET http://h HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "http://h", "/", "", "", true, false,
		false, false},
	{"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "*", "", "", true, false, false,
		false},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET", "/", "/", "", "", false,
		false, false, false},
	{"GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", "GET", "/", "/", "", "",
		false, false, false, false},
	{"GET / HTTP/1.0\r\n\r\n", "GET", "/", "/", "", "", false, false, false, false},
	{"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "/", "", "", true, false,
		false, false},
	{"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST", "/p", "/p", "",
		"hello", true, false, false, true},
	{"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST", "/p", "/p", "", "",
		true, false, false, false},
	{"POST /p HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi",
		"POST", "/p", "/p", "", "hi", true, false, true, true},
	{"POST /p HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi", "POST", "/p",
		"/p", "", "hi", false, false, false, true},
	{"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
	 "3\r\nabc\r\n0A;x=\"q\"\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n",
		"POST", "/p", "/p", "", "abc0123456789", true, true, false, true},
	{"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "POST", "/p",
		"/p", "", "", true, true, false, true},
	/* Upgrades are ignored: with and without a body. */
	{"GET /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
	 "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n",
		"GET", "/u", "/u", "", "", true, false, false, false},
	{"POST /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
	 "Content-Length: 3\r\n\r\nabc",
		"POST", "/u", "/u", "", "abc", true, false, false, true},
	{"POST /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	 "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		"POST", "/u", "/u", "", "abc", true, true, false, true},
};

static void check_sv(struct sv got, const char *want)
{
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.n ? got.p : "", want, got.n);
}

static void check_good(struct seen *seen, const struct good *good)
{
	const struct http_request *r = http1_request(seen->parser);

	assert_int_equal(seen->heads, 1);
	assert_int_equal(seen->completes, 1);
	check_sv(r->method, good->method);
	check_sv(r->target, good->target);
	check_sv(r->path, good->path);
	check_sv(r->query, good->query);
	check_sv(buf_sv(&seen->body), good->body);
	assert_int_equal(r->keep_alive, good->keep_alive);
	assert_int_equal(r->chunked, good->chunked);
	assert_int_equal(r->expects_continue, good->expects_continue);
	assert_int_equal(r->has_body, good->has_body);
}

static void test_good_requests_in_every_cut(void **state)
{
	struct seen seen;

	(void)state;
	seen_init(&seen);
	for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
		struct sv text = sv_cstr(goods[i].text);
		size_t used = 0;

		for (size_t first = 1; first <= text.n; first++) {
			assert_int_equal(feed_cut(&seen, text, first, text.n, &used), 0);
			assert_int_equal(used, text.n);
			check_good(&seen, &goods[i]);
			seen_next(&seen);
		}
		assert_int_equal(feed_cut(&seen, text, 1, 1, &used), 0);
		check_good(&seen, &goods[i]);
		seen_next(&seen);
	}
	seen_fini(&seen);
}

static void test_pipelined_bytes_are_not_consumed(void **state)
{
	struct seen seen;
	struct buf all;

	(void)state;
	seen_init(&seen);
	buf_init(&all, MIB(1));
	for (size_t i = 0; i < ARRAY_LEN(goods); i++)
		buf_add_cstr(&all, goods[i].text);
	for (size_t step = 1; step <= all.len; step = step < 40 ? step + 1 : step * 2) {
		struct sv rest = buf_sv(&all);

		for (size_t i = 0; i < ARRAY_LEN(goods); i++) {
			size_t used = 0;

			assert_true(http1_is_idle(seen.parser));
			assert_int_equal(feed_cut(&seen, rest, step, step, &used), 0);
			assert_int_equal(used, strlen(goods[i].text));
			check_good(&seen, &goods[i]);
			/* Nothing more is taken before the reset. */
			rest = sv_from(rest, used);
			if (rest.n) {
				struct http_fault fault;

				assert_int_equal(feed(&seen, rest, &used, &fault), 0);
				assert_int_equal(used, 0);
			}
			seen_next(&seen);
		}
	}
	buf_fini(&all);
	seen_fini(&seen);
}

static void test_headers_are_found_and_trimmed(void **state)
{
	struct seen seen;
	size_t used = 0;
	const struct http_request *r;

	(void)state;
	seen_init(&seen);
	assert_int_equal(
		feed_cut(&seen,
			SV("GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX-Blank:   \r\n"
			   "X-One: \t v w \t\r\nx-one: second\r\nX-High: \xc3\xa9\r\n\r\n"),
			7, 3, &used),
		0);
	r = http1_request(seen.parser);
	assert_int_equal(r->header_count, 6);
	check_sv(r->headers[1].name, "X-Empty");
	check_sv(http_request_header(r, SV("x-empty")), "");
	check_sv(http_request_header(r, SV("X-BLANK")), "");
	check_sv(http_request_header(r, SV("x-one")), "v w");
	check_sv(http_request_header(r, SV("x-high")), "\xc3\xa9");
	assert_null(http_request_header(r, SV("x-none")).p);
	assert_true(r->content_length == UINT64_MAX);
	seen_fini(&seen);
}

struct bad {
	int status;
	const char *text;
};

#define HEAD "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED HEAD "Transfer-Encoding: chunked\r\n\r\n"

static const struct bad bads[] = {
	/* Request lines. */
	{400, "\x16\x03\x01\x02"},
	{400, "GET\r\n"},
	{400, "GET /\r\nHost: a\r\n\r\n"},
	{400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET / http/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET / HTTP/1\r\nHost: a\r\n\r\n"},
	{400, "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
	{400, "GET / HTTX/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "GET /#f HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{400, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},
	{400, "\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{501, "BREW / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{501, "get / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{501, "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n"},
	{505, "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
	{505, "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
	{505, "GET / HTTP/1.2\r\nHost: a\r\n\r\n"},
	{505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	/* Header lines. */
	{400, "GET / HTTP/1.1\nHost: a\n\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\n\rX"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n: a\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\nX(y): z\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\nX y: z\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\n\r\n"},
	{400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
	{417, HEAD "Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx"},
	/* Framing: what two readers might understand differently. */
	{400, HEAD "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
	{400, HEAD "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
	{400, HEAD "Content-Length: 5, 5\r\n\r\nhello"},
	{400, HEAD "Content-Length: +5\r\n\r\nhello"},
	{400, HEAD "Content-Length: -5\r\n\r\nhello"},
	{400, HEAD "Content-Length: 0x5\r\n\r\nhello"},
	{400, HEAD "Content-Length: 5 5\r\n\r\nhello"},
	{400, HEAD "Content-Length: \r\n\r\nhello"},
	{400, HEAD "Content-Length: 5\x0b\r\n\r\nhello"},
	{400, HEAD "Content-Length : 5\r\n\r\nhello"},
	{413, HEAD "Content-Length: 9999999999999999999\r\n\r\n"},
	{413, HEAD "Content-Length: 99999999999999999999999\r\n\r\n"},
	{400, HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
	{501, HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
	{501, HEAD "Transfer-Encoding: gzip\r\n\r\n"},
	{501, HEAD "Transfer-Encoding: identity\r\n\r\n"},
	{501, HEAD "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{501, HEAD "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding: \x0b"
		   "chunked\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
	{400, HEAD "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
	{400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	/* Chunks. */
	{400, CHUNKED "x\r\n"},
	{400, CHUNKED "\r\n"},
	{400, CHUNKED "-1\r\n"},
	{400, CHUNKED "+1\r\na\r\n"},
	{400, CHUNKED "0x1\r\na\r\n"},
	{400, CHUNKED " 1\r\na\r\n"},
	{400, CHUNKED "1 \r\na\r\n"},
	{400, CHUNKED "1\na\r\n"},
	{400, CHUNKED "1\rXa\r\n"},
	{400, CHUNKED "1\r\nab\r\n"},
	{400, CHUNKED "1\r\na\n0\r\n\r\n"},
	{400, CHUNKED "1\r\na\rX0\r\n\r\n"},
	{400, CHUNKED "fffffffffffffffff\r\na\r\n"},
	{400, CHUNKED "1;\r\na\r\n"},
	{400, CHUNKED "1;a=\x01\r\na\r\n"},
	{400, CHUNKED "0\r\nTrailer\r\n\r\n"},
	{400, CHUNKED "0\r\n\rX"},
};

static void test_malformed_requests_are_refused(void **state)
{
	struct seen seen;

	(void)state;
	seen_init(&seen);
	for (size_t i = 0; i < ARRAY_LEN(bads); i++) {
		struct sv text = sv_cstr(bads[i].text);
		struct http_fault fault;
		size_t used = 0;

		for (size_t first = 1; first <= text.n; first++) {
			int status = feed_cut(&seen, text, first, text.n, &used);

			if (status != bads[i].status)
				fail_msg("%d instead of %d, cut at %zu: %s", status, bads[i].status,
					first, bads[i].text);
			assert_int_equal(seen.completes, 0);
			/* A refused parser stays so. */
			assert_int_equal(feed(&seen, SV("GET "), &used, &fault), -EBADMSG);
			assert_int_equal(fault.status, bads[i].status);
			seen_next(&seen);
		}
		assert_int_equal(feed_cut(&seen, text, 1, 1, &used), bads[i].status);
		seen_next(&seen);
	}
	seen_fini(&seen);
}

/* A NUL cannot stand in the table. */
static void test_nul_is_refused(void **state)
{
	static const struct sv texts[] = {
		{"GET /\0 HTTP/1.1\r\n", 17},
		{"GET / HTTP/1.1\r\nHo\0st: a\r\n", 26},
		{"GET / HTTP/1.1\r\nHost: \0a\r\n", 26},
	};
	struct seen seen;
	size_t used = 0;

	(void)state;
	seen_init(&seen);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		assert_int_equal(feed_cut(&seen, texts[i], texts[i].n, 1, &used), 400);
		seen_next(&seen);
	}
	seen_fini(&seen);
}

static void fill(struct buf *out, char c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_add_char(out, c);
}

static int status_of(struct seen *seen, struct buf *text)
{
	size_t used = 0;
	int status = feed_cut(seen, buf_sv(text), 1000, 1000, &used);

	assert_int_equal(buf_error(text), 0);
	if (!status)
		assert_int_equal(seen->completes, 1);
	seen_next(seen);
	buf_reset(text, 0);
	return status;
}

static void test_target_limit(void **state)
{
	struct seen seen;
	struct buf text;

	(void)state;
	seen_init(&seen);
	buf_init(&text, MIB(2));
	for (int over = 0; over < 2; over++) {
		buf_add_lit(&text, "GET /");
		fill(&text, 'a', LIMIT_TARGET_BYTES - 1 + (size_t)over);
		buf_add_lit(&text, " HTTP/1.1\r\nHost: a\r\n\r\n");
		assert_int_equal(status_of(&seen, &text), over ? 414 : 0);
	}
	/* One that never ends. */
	buf_add_lit(&text, "GET /");
	fill(&text, 'a', MIB(1));
	assert_int_equal(status_of(&seen, &text), 414);
	buf_fini(&text);
	seen_fini(&seen);
}

static void test_header_size_limit(void **state)
{
	struct seen seen;
	struct buf text;

	(void)state;
	seen_init(&seen);
	buf_init(&text, MIB(2));
	for (int over = 0; over < 2; over++) {
		buf_add_lit(&text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
		fill(&text, 'a', LIMIT_HEADERS_BYTES - 6 + (size_t)over);
		buf_add_lit(&text, "\r\n\r\n");
		assert_int_equal(status_of(&seen, &text), over ? 431 : 0);
	}
	buf_add_lit(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
	fill(&text, 'a', MIB(1));
	assert_int_equal(status_of(&seen, &text), 431);
	buf_fini(&text);
	seen_fini(&seen);
}

static void test_header_count_limit(void **state)
{
	struct seen seen;
	struct buf text;

	(void)state;
	seen_init(&seen);
	buf_init(&text, MIB(2));
	for (int over = 0; over < 2; over++) {
		buf_add_lit(&text, "GET / HTTP/1.1\r\nHost: a\r\n");
		for (int i = 1; i < LIMIT_HEADERS_COUNT + over; i++)
			buf_add_lit(&text, "a: b\r\n");
		buf_add_lit(&text, "\r\n");
		assert_int_equal(status_of(&seen, &text), over ? 431 : 0);
	}
	buf_fini(&text);
	seen_fini(&seen);
}

static void test_chunk_overhead_limits(void **state)
{
	struct seen seen;
	struct buf text;

	(void)state;
	seen_init(&seen);
	buf_init(&text, MIB(2));
	buf_add_lit(&text, CHUNKED "1;");
	fill(&text, 'a', MIB(1));
	assert_int_equal(status_of(&seen, &text), 400);
	buf_add_lit(&text, CHUNKED);
	for (int i = 0; i < 100000; i++)
		buf_add_lit(&text, "1;a=b\r\nx\r\n");
	assert_int_equal(status_of(&seen, &text), 400);
	buf_add_lit(&text, CHUNKED "0\r\nX: ");
	fill(&text, 'a', MIB(1));
	assert_int_equal(status_of(&seen, &text), 431);
	buf_fini(&text);
	seen_fini(&seen);
}

static void test_callbacks_stop_the_parser(void **state)
{
	static const char *const texts[] = {
		HEAD "Content-Length: 4\r\n\r\nabcd",
		CHUNKED "4\r\nabcd\r\n",
	};
	struct seen seen;

	(void)state;
	seen_init(&seen);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (int at_head = 0; at_head < 2; at_head++) {
			struct http_fault fault;
			size_t used = 0;

			seen.stop_at_head = at_head;
			seen.stop_at_body = !at_head;
			assert_int_equal(feed(&seen, sv_cstr(texts[i]), &used, &fault), 0);
			assert_int_equal(seen.heads, 1);
			assert_int_equal(seen.completes, 0);
			assert_int_equal(seen.body.len, at_head ? 0 : 4);
			assert_int_equal(feed(&seen, SV("more"), &used, &fault), 0);
			assert_int_equal(used, 0);
			seen_next(&seen);
		}
	}
	seen_fini(&seen);
}

static void test_idle_until_the_first_byte(void **state)
{
	struct seen seen;
	struct http_fault fault;
	size_t used = 0;

	(void)state;
	seen_init(&seen);
	assert_true(http1_is_idle(seen.parser));
	assert_int_equal(feed(&seen, SV("\r\n"), &used, &fault), 0);
	assert_int_equal(used, 2);
	assert_true(http1_is_idle(seen.parser));
	assert_int_equal(feed(&seen, SV("G"), &used, &fault), 0);
	assert_false(http1_is_idle(seen.parser));
	seen_fini(&seen);
}

static void test_characters(void **state)
{
	static const char token[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	(void)state;
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;

		assert_int_equal(http_is_token(sv_make(&byte, 1)), c && strchr(token, c));
		assert_int_equal(http_is_field_value(sv_make(&byte, 1)),
			c == '\t' || (c >= ' ' && c != 127));
	}
	assert_false(http_is_token(SV("")));
	assert_true(http_is_field_value(SV("")));
	assert_string_equal(http_reason(404), "Not Found");
	assert_string_equal(http_reason(799), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_requests_in_every_cut),
		cmocka_unit_test(test_pipelined_bytes_are_not_consumed),
		cmocka_unit_test(test_headers_are_found_and_trimmed),
		cmocka_unit_test(test_malformed_requests_are_refused),
		cmocka_unit_test(test_nul_is_refused),
		cmocka_unit_test(test_target_limit),
		cmocka_unit_test(test_header_size_limit),
		cmocka_unit_test(test_header_count_limit),
		cmocka_unit_test(test_chunk_overhead_limits),
		cmocka_unit_test(test_callbacks_stop_the_parser),
		cmocka_unit_test(test_idle_until_the_first_byte),
		cmocka_unit_test(test_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
