#include "proto/http1_answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CAP = 16 };

/* "status name=value;…|body|bytes behind it", "fail" or "more". With the peer's end after it when
 * ends. */
static void read_answer(struct sv stream, size_t step, bool ends, struct buf *out)
{
	struct http1_answer *a = http1_answer_new(CAP);
	size_t count, used;
	int rc = 0;

	while (stream.n && rc == 0) {
		size_t n = step < stream.n ? step : stream.n;
		char *copy = malloc(n);

		memcpy(copy, stream.p, n);
		rc = http1_answer_feed(a, sv_make(copy, n), &used);
		free(copy);
		stream = sv_from(stream, rc > 0 ? used : n);
	}
	if (rc == 0 && ends)
		rc = http1_answer_end(a);
	if (rc > 0) {
		const struct http_header *headers = http1_answer_headers(a, &count);

		buf_addf(out, "%d ", http1_answer_status(a));
		for (size_t i = 0; i < count; i++)
			buf_addf(out, "%.*s=%.*s;", SV_ARG(headers[i].name),
				SV_ARG(headers[i].value));
		buf_addf(out, "|%.*s|", SV_ARG(http1_answer_body(a)));
		buf_add_sv(out, stream);
	} else {
		buf_add_cstr(out, rc ? "fail" : "more");
	}
	http1_answer_free(a);
}

static const struct {
	const char *stream;
	bool ends;
	const char *told;
} rows[] = {
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nA:  b c \r\n\r\nhiNEXT", false,
		"200 Content-Length=2;A=b c;|hi|NEXT"},
	{"HTTP/1.1 429 \r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n3;x=y\r\nyou\r\n0\r\nT: "
	 "1\r\n\r\nNEXT",
		false, "429 Transfer-Encoding=chunked;|hiyou|NEXT"},
	{"HTTP/1.1 500 X\r\nA: 1\r\n\r\nuntil close", true, "500 A=1;|until close|"},
	{"HTTP/1.0 500 X\r\n\r\nuntil close", false, "more"},
	{"HTTP/1.1 204 No\r\nA: 1\r\n\r\nNEXT", false, "204 A=1;||NEXT"},
	/* 1xx is skipped, 101 is the end of HTTP. */
	{"HTTP/1.1 100 Continue\r\nX: y\r\n\r\nHTTP/1.1 103 Hints\r\nL: 1\r\n\r\nHTTP/1.1 200 "
	 "OK\r\n"
	 "Content-Length: 0\r\nB: 2\r\n\r\n",
		false, "200 Content-Length=0;B=2;||"},
	{"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi",
		false, "101 Upgrade=websocket;Connection=Upgrade;||\x81\x02hi"},
	/* Lengths of bodies that there are not. */
	{"HTTP/1.1 102 Wait\r\nContent-Length: 3\r\n\r\nHTTP/1.1 304 Same\r\nContent-Length: "
	 "9\r\n\r\nNEXT",
		false, "304 Content-Length=9;||NEXT"},
	{"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\nNEXT", false,
		"204 Transfer-Encoding=chunked;||NEXT"},
	{"HTTP/1.1 101 Switching\r\nA: 1\r\n\r\nNEXT", false, "101 A=1;||NEXT"},
	{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 S\r\nA: \r\n\r\n", false, "101 A=;||"},
	/* Cut. */
	{"", true, "fail"},
	{"HTTP/1.1 200 OK\r\nContent-Le", true, "fail"},
	{"HTTP/1.1 100 Continue\r\n\r\n", true, "fail"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", true, "fail"},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true, "fail"},
	/* Wrong. */
	{"SSH-2.0-OpenSSH\r\n", false, "fail"},
	{"GET / HTTP/1.1\r\n\r\n", false, "fail"},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		"fail"},
	{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", false, "fail"},
	{"HTTP/1.1 200 OK\r\na b: x\r\n\r\n", false, "fail"},
	{"HTTP/1.1 20 OK\r\n\r\n", false, "fail"},
	{"HTTP/1.1 200 OK\r\n: x\r\n\r\n", false, "fail"},
	{"HTTP/1.1 050 X\r\nContent-Length: 0\r\n\r\nHTTP/1.1 204 No\r\n\r\n", false, "fail"},
	{"HTTP/1.1 050 X\r\n\r\n0123456789abcdef", false, "fail"},
	{"HTTP/1.1 100 C\r\nContent-Length: 16\r\n\r\n0123456789abcdef", false, "fail"},
};

static void test_answers_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sv stream = sv_cstr(rows[i].stream);

		for (size_t step = 1; step <= stream.n + 1; step++) {
			struct buf told;

			buf_init(&told, KIB(4));
			read_answer(stream, step, rows[i].ends, &told);
			if (strcmp(buf_cstr(&told), rows[i].told) != 0)
				fail_msg("row %zu in steps of %zu: %s", i, step, buf_cstr(&told));
			buf_fini(&told);
		}
	}
}

static void test_body_is_cut_at_the_cap(void **state)
{
	static const char *const heads[] = {
		"Content-Length: 20\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n14\r\n",
		"\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct buf stream, told;

		buf_init(&stream, KIB(4));
		buf_init(&told, KIB(4));
		buf_addf(&stream, "HTTP/1.1 400 Bad\r\n%s0123456789abcdefghij", heads[i]);
		read_answer(buf_sv(&stream), 7, true, &told);
		assert_non_null(strstr(buf_cstr(&told), "|0123456789abcdef|"));
		buf_fini(&stream);
		buf_fini(&told);
	}
}

/* One more than the limit fails, the limit does not. */
static void test_limits_of_the_head(void **state)
{
	static const struct {
		size_t headers, value_bytes;
		bool fits;
	} limits[] = {
		{LIMIT_RESPONSE_HEADERS_COUNT - 1, 1, true},
		{LIMIT_RESPONSE_HEADERS_COUNT, 1, false},
		{1, LIMIT_RESPONSE_HEAD_BYTES - 64, true},
		{1, LIMIT_RESPONSE_HEAD_BYTES, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct buf stream, told;

		buf_init(&stream, MIB(1));
		buf_init(&told, MIB(1));
		buf_add_lit(&stream, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n");
		for (size_t j = 0; j < limits[i].headers; j++) {
			buf_add_lit(&stream, "A: ");
			for (size_t k = 0; k < limits[i].value_bytes; k++)
				buf_add_char(&stream, 'b');
			buf_add_lit(&stream, "\r\n");
		}
		buf_add_lit(&stream, "\r\n");
		read_answer(buf_sv(&stream), 1000, false, &told);
		assert_int_equal(strcmp(buf_cstr(&told), "fail") != 0, limits[i].fits);
		buf_fini(&stream);
		buf_fini(&told);
	}
}

static void add_times(struct buf *out, const char *text, size_t bytes)
{
	for (size_t end = out->len + bytes; out->len < end;)
		buf_add_cstr(out, text);
}

/* However the bytes came, the final head must be within the limit. */
static void test_the_cut_does_not_move_the_limit(void **state)
{
	static const struct {
		size_t interim_bytes, reason_bytes;
		bool fits;
	} heads[] = {
		{0, LIMIT_RESPONSE_HEAD_BYTES - 64, true},
		{0, LIMIT_RESPONSE_HEAD_BYTES, false},
		{LIMIT_RESPONSE_HEAD_BYTES - 64, 0, true},
		{LIMIT_RESPONSE_HEAD_BYTES, 0, false},
	};
	static const size_t steps[] = {1, 1000, KIB(64), MIB(1)};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads) * ARRAY_LEN(steps); i++) {
		size_t row = i / ARRAY_LEN(steps), step = steps[i % ARRAY_LEN(steps)];
		struct buf stream, told;

		buf_init(&stream, MIB(1));
		buf_init(&told, MIB(1));
		add_times(&stream, "HTTP/1.1 102 W\r\n\r\n", heads[row].interim_bytes);
		buf_add_lit(&stream, "HTTP/1.1 200 ");
		add_times(&stream, "x", heads[row].reason_bytes);
		buf_add_lit(&stream, "\r\n\r\n");
		add_times(&stream, "y", LIMIT_RESPONSE_HEAD_BYTES);
		read_answer(buf_sv(&stream), step, false, &told);
		if (!sv_eq(buf_sv(&told), SV("fail")) != heads[row].fits)
			fail_msg("row %zu in steps of %zu", row, step);
		buf_fini(&stream);
		buf_fini(&told);
	}
}

static void test_endless_interim_answers_fail(void **state)
{
	struct http1_answer *a = http1_answer_new(CAP);
	size_t used;
	int rc = 0;

	(void)state;
	for (size_t i = 0; i < LIMIT_RESPONSE_HEAD_BYTES && rc == 0; i++)
		rc = http1_answer_feed(a, SV("HTTP/1.1 102 Wait\r\n\r\n"), &used);
	assert_int_equal(rc, -EBADMSG);
	http1_answer_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers_cut_anywhere),
		cmocka_unit_test(test_body_is_cut_at_the_cap),
		cmocka_unit_test(test_limits_of_the_head),
		cmocka_unit_test(test_the_cut_does_not_move_the_limit),
		cmocka_unit_test(test_endless_interim_answers_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
