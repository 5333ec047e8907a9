#include "proto/ws.h"
#include "proto/ws_handshake.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { CAP = 1024, CONTINUES = 0x100 };

/* What a decoder says, in a notation for the tables: text, ping, pong, close, and its failure. */
static void put_frame(struct buf *out, int rc, const struct ws_frame *f)
{
	static const char *const kinds[] = {"text", "ping", "pong", "close"};

	if (rc < 0)
		buf_addf(out, "fail %d;", f->code);
	else if (f->kind == WS_CLOSED)
		buf_addf(out, "close %d(%.*s);", f->code, SV_ARG(f->payload));
	else
		buf_addf(out, "%s(%.*s);", kinds[f->kind], SV_ARG(f->payload));
}

/* Feeds a copy of exactly the piece's size, so that the sanitizers know its end. */
static int feed(struct ws *w, struct sv piece, struct buf *out)
{
	char *copy = malloc(piece.n ? piece.n : 1);
	struct ws_frame f;
	int rc;

	assert_non_null(copy);
	if (piece.n)
		memcpy(copy, piece.p, piece.n);
	ws_feed(w, sv_make(copy, piece.n));
	while ((rc = ws_next(w, &f)) == 1)
		put_frame(out, rc, &f);
	if (rc < 0)
		put_frame(out, rc, &f);
	free(copy);
	return rc;
}

static void decode(
	enum ws_role role, struct sv stream, const size_t *cuts, size_t count, struct buf *out)
{
	struct ws *w = ws_new(role, CAP);
	size_t from = 0;
	int rc = 0;

	for (size_t i = 0; i <= count && rc >= 0; i++) {
		size_t to = i < count ? cuts[i] : stream.n;

		rc = feed(w, sv_make(stream.p + from, to - from), out);
		from = to;
	}
	ws_free(w);
}

static void check_same(struct buf *got, const char *expected)
{
	assert_string_equal(buf_cstr(got), expected);
	buf_reset(got, CAP);
}

/* Whole, byte by byte, and cut in two everywhere. */
static void check_all_cuts(enum ws_role role, struct sv stream, const char *expected)
{
	size_t *every = malloc((stream.n + 1) * sizeof(*every));
	struct buf got;

	assert_non_null(every);
	buf_init(&got, KIB(64));
	decode(role, stream, NULL, 0, &got);
	check_same(&got, expected);
	for (size_t i = 0; i < stream.n; i++)
		every[i] = i;
	decode(role, stream, every, stream.n, &got);
	check_same(&got, expected);
	for (size_t i = 0; i <= stream.n; i++) {
		decode(role, stream, &i, 1, &got);
		check_same(&got, expected);
	}
	buf_fini(&got);
	free(every);
}

/* What a client sends is written here by hand, with the mask 1 2 3 4. */
static void put_masked(struct buf *out, unsigned head, struct sv payload)
{
	buf_add_char(out, (char)head);
	if (payload.n < 126) {
		buf_add_char(out, (char)(0x80 | payload.n));
	} else {
		buf_add_char(out, (char)(0x80 | 126));
		buf_add_char(out, (char)(payload.n >> 8));
		buf_add_char(out, (char)payload.n);
	}
	buf_add_lit(out, "\1\2\3\4");
	for (size_t i = 0; i < payload.n; i++)
		buf_add_char(out, (char)(payload.p[i] ^ (char)(1 + i % 4)));
}

struct piece {
	unsigned head; /* first byte: FIN, reserved bits, opcode; 0: none, CONTINUES: all zero */
	struct sv payload;
};

#define P(head, lit)                            \
	{                                       \
		head,                           \
		{                               \
			"" lit, sizeof(lit) - 1 \
		}                               \
	}

static const struct {
	struct piece pieces[6];
	const char *expected;
} client_rows[] = {
	{{P(0x81, "hello")}, "text(hello);"},
	{{P(0x81, "")}, "text();"},
	{{P(0x81, "a"), P(0x81, "b")}, "text(a);text(b);"},
	{{P(0x81, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80")},
		"text(gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80);"},
	/* Fragments; a character may be cut between them; control frames come between. */
	{{P(0x01, "he"), P(CONTINUES, "l"), P(0x80, "lo")}, "text(hello);"},
	{{P(0x01, ""), P(0x80, "")}, "text();"},
	{{P(0x01, "\xc3"), P(0x80, "\xbc")}, "text(\xc3\xbc);"},
	{{P(0x01, "he"), P(0x89, "p"), P(0x8a, "q"), P(0x80, "llo")},
		"ping(p);pong(q);text(hello);"},
	{{P(0x89, "")}, "ping();"},
	{{P(0x8a, "x")}, "pong(x);"},
	/* Closing; nothing comes behind it. */
	{{P(0x88, "")}, "close 1005();"},
	{{P(0x88, "\x03\xe8")}, "close 1000();"},
	{{P(0x88, "\x03\xe9"
		  "bye")},
		"close 1001(bye);"},
	{{P(0x88, "\x03\xe8"), P(0x81, "late")}, "close 1000();"},
	{{P(0x01, "he"), P(0x88, "\x0b\xb8")}, "close 3000();"},
	{{P(0x88, "\x03")}, "fail 1002;"},
	{{P(0x88, "\x03\xed")}, "fail 1002;"},
	{{P(0x88, "\x00\x01")}, "fail 1002;"},
	{{P(0x88, "\x13\x88")}, "fail 1002;"},
	{{P(0x88, "\x03\xe8\xff")}, "fail 1007;"},
	/* Broken rules. */
	{{P(0x82, "x")}, "fail 1003;"},
	{{P(0x02, "x")}, "fail 1003;"},
	{{P(0x80, "x")}, "fail 1002;"},
	{{P(0x01, "x"), P(0x81, "y")}, "fail 1002;"},
	{{P(0x01, "x"), P(0x82, "y")}, "fail 1003;"},
	{{P(0x83, "x")}, "fail 1002;"},
	{{P(0x8b, "x")}, "fail 1002;"},
	{{P(0x09, "x")}, "fail 1002;"},
	{{P(0xc1, "x")}, "fail 1002;"},
	{{P(0xa1, "x")}, "fail 1002;"},
	{{P(0x91, "x")}, "fail 1002;"},
	{{P(0x81, "\xff")}, "fail 1007;"},
	{{P(0x81, "\xed\xa0\x80")}, "fail 1007;"},
	{{P(0x81, "\xc3")}, "fail 1007;"},
	{{P(0x81, "a"), P(0x82, "x"), P(0x81, "b")}, "text(a);fail 1003;"},
};

static void test_what_clients_send(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(client_rows); i++) {
		struct buf stream;

		buf_init(&stream, KIB(64));
		for (size_t j = 0; j < 6 && client_rows[i].pieces[j].head; j++)
			put_masked(&stream, client_rows[i].pieces[j].head & 0xff,
				client_rows[i].pieces[j].payload);
		check_all_cuts(WS_SERVER, buf_sv(&stream), client_rows[i].expected);
		buf_fini(&stream);
	}
}

static void test_masking_depends_on_the_role(void **state)
{
	(void)state;
	check_all_cuts(WS_CLIENT, SV("\x81\x02hi"), "text(hi);");
	check_all_cuts(WS_CLIENT, SV("\x81\x82\1\2\3\4ii"), "fail 1002;");
	check_all_cuts(WS_SERVER, SV("\x81\x02hi"), "fail 1002;");
}

static void test_lengths_are_written_the_shortest_way(void **state)
{
	(void)state;
	check_all_cuts(WS_CLIENT, SV("\x81\x7e\x00\x02hi"), "fail 1002;");
	check_all_cuts(WS_CLIENT, SV("\x81\x7f\x00\x00\x00\x00\x00\x00\x00\x02hi"), "fail 1002;");
	check_all_cuts(WS_CLIENT, SV("\x81\x7f\xff\x00\x00\x00\x00\x00\x00\x02hi"), "fail 1002;");
	check_all_cuts(WS_CLIENT, SV("\x89\x7e\x00\x80hi"), "fail 1002;");
}

static void test_large_messages_are_refused_before_they_came(void **state)
{
	char text[CAP + 1];
	struct buf stream;

	(void)state;
	memset(text, 'x', sizeof(text));
	buf_init(&stream, KIB(64));
	put_masked(&stream, 0x81, sv_make(text, CAP + 1));
	/* The head and one byte are enough to know. */
	check_all_cuts(WS_SERVER, sv_make(stream.data, 9), "fail 1009;");
	buf_reset(&stream, CAP);
	put_masked(&stream, 0x01, sv_make(text, CAP));
	put_masked(&stream, 0x80, SV("x"));
	check_all_cuts(WS_SERVER, buf_sv(&stream), "fail 1009;");
	buf_fini(&stream);
}

static void test_a_message_as_large_as_allowed_passes(void **state)
{
	struct ws *w = ws_new(WS_SERVER, CAP);
	struct buf stream, text;
	struct ws_frame f;
	char bytes[CAP];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	buf_init(&stream, KIB(64));
	put_masked(&stream, 0x81, sv_make(bytes, sizeof(bytes)));
	put_masked(&stream, 0x81, SV("next"));
	ws_feed(w, buf_sv(&stream));
	assert_int_equal(ws_next(w, &f), 1);
	assert_int_equal(f.payload.n, CAP);
	ws_take_text(w, &text);
	assert_int_equal(ws_next(w, &f), 1);
	assert_true(sv_eq(f.payload, SV("next")));
	assert_int_equal(ws_next(w, &f), 0);
	assert_int_equal(text.len, CAP);
	buf_fini(&text);
	buf_fini(&stream);
	ws_free(w);
}

static void test_a_failure_stays(void **state)
{
	struct ws *w = ws_new(WS_CLIENT, CAP);
	struct ws_frame f;

	(void)state;
	ws_feed(w, SV("\x82\x01x\x81\x01y"));
	assert_int_equal(ws_next(w, &f), -EPROTO);
	assert_int_equal(ws_next(w, &f), -EPROTO);
	ws_feed(w, SV("\x81\x01y"));
	assert_int_equal(ws_next(w, &f), -EPROTO);
	assert_int_equal(f.code, WS_CLOSE_UNSUPPORTED);
	assert_true(f.payload.n > 0);
	ws_free(w);
}

/* One role's frames, read by the other. */
static void check_written(enum ws_role from, enum ws_role to)
{
	static const size_t sizes[] = {0, 1, 125, 126, 127, CAP};
	struct ws *w = ws_new(from, CAP);
	struct buf out, expected;
	char text[CAP];

	memset(text, 'y', sizeof(text));
	buf_init(&out, KIB(64));
	buf_init(&expected, KIB(64));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		ws_write_text(w, sv_make(text, sizes[i]), &out);
		buf_addf(&expected, "text(%.*s);", (int)sizes[i], text);
	}
	ws_write_ping(w, SV("p"), &out);
	ws_write_pong(w, SV(""), &out);
	ws_write_close(w, WS_CLOSE_TOO_BIG, SV("why"), &out);
	buf_add_lit(&expected, "ping(p);pong();close 1009(why);");
	check_all_cuts(to, buf_sv(&out), buf_cstr(&expected));
	buf_fini(&expected);
	buf_fini(&out);
	ws_free(w);
}

static void test_each_role_reads_the_other(void **state)
{
	(void)state;
	check_written(WS_SERVER, WS_CLIENT);
	check_written(WS_CLIENT, WS_SERVER);
}

static void test_frames_longer_than_64_kib(void **state)
{
	struct ws *from = ws_new(WS_CLIENT, MIB(1)), *to = ws_new(WS_SERVER, MIB(1));
	struct buf text, out;
	struct ws_frame f;

	(void)state;
	buf_init(&text, MIB(1));
	buf_init(&out, MIB(2));
	for (int i = 0; i < 70000; i++)
		buf_add_char(&text, (char)('a' + i % 26));
	ws_write_text(from, buf_sv(&text), &out);
	assert_true(sv_starts(buf_sv(&out), SV("\x81\xff\x00\x00\x00\x00\x00\x01\x11\x70")));
	ws_feed(to, buf_sv(&out));
	assert_int_equal(ws_next(to, &f), 1);
	assert_true(sv_eq(f.payload, buf_sv(&text)));
	buf_fini(&text);
	buf_fini(&out);
	ws_free(from);
	ws_free(to);
}

static void test_close_reasons_are_cut_at_a_character(void **state)
{
	struct ws *w = ws_new(WS_SERVER, CAP);
	struct buf reason, out;

	(void)state;
	buf_init(&reason, CAP);
	buf_init(&out, CAP);
	for (int i = 0; i < 100; i++)
		buf_add_lit(&reason, "\xc3\xbc");
	ws_write_close(w, WS_CLOSE_POLICY, buf_sv(&reason), &out);
	/* 123 bytes are left for the reason: 61 characters of two. */
	assert_int_equal(out.len, 2 + 2 + 122);
	buf_reset(&out, CAP);
	ws_write_close(w, WS_CLOSE_NO_CODE, SV_NONE, &out);
	assert_true(sv_eq(buf_sv(&out), SV("\x88\x00")));
	buf_fini(&reason);
	buf_fini(&out);
	ws_free(w);
}

/* --- handshake --- */

/* The example of RFC 6455, 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static const struct {
	struct http_header headers[6];
	int status; /* 0: accepted */
} handshakes[] = {
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("13")}, {SV("Sec-WebSocket-Key"), SV(KEY)}},
		0},
	{{{SV("upgrade"), SV("h2c, WebSocket")}, {SV("connection"), SV("keep-alive, upgrade")},
		 {SV("sec-websocket-version"), SV("13")}, {SV("sec-websocket-key"), SV(KEY)},
		 {SV("sec-websocket-extensions"), SV("permessage-deflate")}},
		0},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("keep-alive")},
		 {SV("Connection"), SV("Upgrade")}, {SV("Sec-WebSocket-Version"), SV("13")},
		 {SV("Sec-WebSocket-Key"), SV(KEY)}},
		0},
	{{{SV("Upgrade"), SV("websockets")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("13")}, {SV("Sec-WebSocket-Key"), SV(KEY)}},
		400},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("close")},
		 {SV("Sec-WebSocket-Version"), SV("13")}, {SV("Sec-WebSocket-Key"), SV(KEY)}},
		400},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("8")}, {SV("Sec-WebSocket-Key"), SV(KEY)}},
		426},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Key"), SV(KEY)}},
		426},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("13")}},
		400},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("13")}, {SV("Sec-WebSocket-Key"), SV("short==")}},
		400},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("13")},
		 {SV("Sec-WebSocket-Key"), SV("dGhlIHNhbXBsZSBub25jZ?==")}},
		400},
	{{{SV("Upgrade"), SV("websocket")}, {SV("Connection"), SV("Upgrade")},
		 {SV("Sec-WebSocket-Version"), SV("13")}, {SV("Sec-WebSocket-Key"), SV(KEY)},
		 {SV("Sec-WebSocket-Key"), SV(KEY)}},
		400},
};

static void test_handshakes_are_checked(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(handshakes); i++) {
		struct http_request r = {.method = SV("GET")};
		struct http_fault fault = {0};
		char accept[WS_ACCEPT_SIZE] = "";
		int rc;

		for (size_t j = 0; j < 6 && handshakes[i].headers[j].name.n; j++)
			r.headers[r.header_count++] = handshakes[i].headers[j];
		rc = ws_check_request(&r, accept, &fault);
		assert_int_equal(fault.status, handshakes[i].status);
		assert_int_equal(rc, handshakes[i].status ? -EINVAL : 0);
		if (!handshakes[i].status)
			assert_string_equal(accept, ACCEPT);
		r.method = SV("POST");
		assert_int_equal(ws_check_request(&r, accept, &fault), -EINVAL);
	}
}

static void test_answers_are_checked(void **state)
{
	struct http_header good[] = {{SV("Upgrade"), SV("websocket")},
		{SV("Connection"), SV("Upgrade")}, {SV("Sec-WebSocket-Accept"), SV(ACCEPT)},
		{SV("X-More"), SV("1")}};
	char key[WS_KEY_SIZE], other[WS_KEY_SIZE];

	(void)state;
	assert_true(ws_check_answer(101, good, 4, KEY));
	assert_false(ws_check_answer(200, good, 4, KEY));
	assert_false(ws_check_answer(101, good, 2, KEY));
	assert_false(ws_check_answer(101, good + 1, 3, KEY));
	ws_make_key(key);
	ws_make_key(other);
	assert_string_not_equal(key, other);
	assert_false(ws_check_answer(101, good, 4, key));
	good[3] = (struct http_header){SV("Sec-WebSocket-Extensions"), SV("permessage-deflate")};
	assert_false(ws_check_answer(101, good, 4, KEY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_clients_send),
		cmocka_unit_test(test_masking_depends_on_the_role),
		cmocka_unit_test(test_lengths_are_written_the_shortest_way),
		cmocka_unit_test(test_large_messages_are_refused_before_they_came),
		cmocka_unit_test(test_a_message_as_large_as_allowed_passes),
		cmocka_unit_test(test_a_failure_stays),
		cmocka_unit_test(test_each_role_reads_the_other),
		cmocka_unit_test(test_frames_longer_than_64_kib),
		cmocka_unit_test(test_close_reasons_are_cut_at_a_character),
		cmocka_unit_test(test_handshakes_are_checked),
		cmocka_unit_test(test_answers_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
