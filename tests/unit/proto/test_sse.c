#include "proto/sse.h"

#include "base/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct expected {
	const char *name;
	const char *data;
	const char *raw; /* NULL: none */
};

enum { MAX_EVENTS = 4, MAX_PIECES = 4 };

struct row {
	const char *stream;
	struct expected events[MAX_EVENTS]; /* up to one without data */
};

static const struct row rows[] = {
	/* The plain forms, which may be forwarded. */
	{"data: x\n\n", {{"", "x", "data: x\n\n"}}},
	{"event: e\ndata: x\n\n", {{"e", "x", "event: e\ndata: x\n\n"}}},
	{"event:e\ndata:x\n\n", {{"e", "x", "event:e\ndata:x\n\n"}}},
	{"event: e\ndata: {\"a\":1}\n\nevent: f\ndata: {\"b\":2}\n\n",
		{{"e", "{\"a\":1}", "event: e\ndata: {\"a\":1}\n\n"},
			{"f", "{\"b\":2}", "event: f\ndata: {\"b\":2}\n\n"}}},
	{"data: [DONE]\n\n", {{"", "[DONE]", "data: [DONE]\n\n"}}},
	{"data\n\n", {{"", "", "data\n\n"}}},
	{"data:\n\n", {{"", "", "data:\n\n"}}},
	{"event\ndata: x\n\n", {{"", "x", "event\ndata: x\n\n"}}},
	{"event:\ndata: x\n\n", {{"", "x", "event:\ndata: x\n\n"}}},
	/* Only one space goes; a tab stays; a colon in the value stays. */
	{"data:  x \n\n", {{"", " x ", "data:  x \n\n"}}},
	{"data:\tx\n\n", {{"", "\tx", "data:\tx\n\n"}}},
	{"data: a: b\n\n", {{"", "a: b", "data: a: b\n\n"}}},
	{"data: \n\n", {{"", "", "data: \n\n"}}},
	/* U+2028, U+0085 and form feed are data. */
	{"data: a\xe2\x80\xa8"
	 "b\xc2\x85"
	 "c\f\n\n",
		{{"",
			"a\xe2\x80\xa8"
			"b\xc2\x85"
			"c\f",
			"data: a\xe2\x80\xa8"
			"b\xc2\x85"
			"c\f\n\n"}}},
	/* Blank lines around events belong to none. */
	{"\n\ndata: x\n\n\n\ndata: y\n\n", {{"", "x", "data: x\n\n"}, {"", "y", "data: y\n\n"}}},
	/* Other line ends. */
	{"data: x\r\n\r\n", {{"", "x", NULL}}},
	{"data: x\r\r", {{"", "x", NULL}}},
	{"data: x\r\n\n", {{"", "x", NULL}}},
	{"data: x\n\r\n", {{"", "x", NULL}}},
	{"data: x\n\r", {{"", "x", NULL}}},
	{"data: x\r\n\r", {{"", "x", NULL}}},
	{"event: e\r\ndata: x\n\n", {{"e", "x", NULL}}},
	{"event: e\r\ndata: x\r\n\r\nevent: f\r\ndata: y\r\n\r\n",
		{{"e", "x", NULL}, {"f", "y", NULL}}},
	{"data: x\r\r\ndata: y\n\n", {{"", "x", NULL}, {"", "y", "data: y\n\n"}}},
	{"data: x\r\r\n\ndata: y\n\n", {{"", "x", NULL}, {"", "y", "data: y\n\n"}}},
	{"\r\n\r\r\n\ndata: y\n\n", {{"", "y", "data: y\n\n"}}},
	{"data: a\rdata: b\rdata: c\r\r", {{"", "a\nb\nc", NULL}}},
	/* Several data lines. */
	{"data: a\ndata: b\n\n", {{"", "a\nb", NULL}}},
	{"data: a\ndata: b\ndata: c\n\ndata: d\n\n",
		{{"", "a\nb\nc", NULL}, {"", "d", "data: d\n\n"}}},
	{"data\ndata\n\n", {{"", "\n", NULL}}},
	{"data: YHOO\ndata: +2\ndata: 10\n\n", {{"", "YHOO\n+2\n10", NULL}}},
	{"event: e\r\ndata: a\r\ndata: b\r\n\r\n", {{"e", "a\nb", NULL}}},
	/* What stands beside name and data. */
	{": hello\n\ndata: x\n\n", {{"", "x", "data: x\n\n"}}},
	{": hello\ndata: x\n\n", {{"", "x", NULL}}},
	{"data: x\n: hello\n\n", {{"", "x", NULL}}},
	{":\n:\n:\n\n:\r\n:\rdata: x\n\n", {{"", "x", NULL}}},
	{"id: 1\ndata: x\n\n", {{"", "x", NULL}}},
	{"data: x\nid: 1\n\n", {{"", "x", NULL}}},
	{"event: e\nretry: 10\ndata: x\n\n", {{"e", "x", NULL}}},
	{"data: x\nevent: e\n\n", {{"e", "x", NULL}}},
	{"event: e\nevent: f\ndata: x\n\n", {{"f", "x", NULL}}},
	{"event: e\nevent\ndata: x\n\n", {{"", "x", NULL}}},
	{"nothing\ndata: x\n\n", {{"", "x", NULL}}},
	{" data: y\ndata: x\n\n", {{"", "x", NULL}}},
	{"data : y\ndatax: y\ndat: y\nDATA: y\ndata: x\n\n", {{"", "x", NULL}}},
	{"datax\n\n", {{NULL}}},
	/* Events without data are none, and leave nothing behind. */
	{"event: e\n\ndata: x\n\n", {{"", "x", "data: x\n\n"}}},
	{"event: e\r\n\r\ndata: x\n\n", {{"", "x", "data: x\n\n"}}},
	{"id: 1\n\n", {{NULL}}},
	{"", {{NULL}}},
	{"\n", {{NULL}}},
	{"\r\n\r\n", {{NULL}}},
	/* What the end cuts is not delivered. */
	{"data: x", {{NULL}}},
	{"data: x\n", {{NULL}}},
	{"data: x\r\n", {{NULL}}},
	{"data: x\n\ndata: y\n", {{"", "x", "data: x\n\n"}}},
	/* A BOM at the start is skipped, a second one or a part of one is not. */
	{"\xef\xbb\xbf"
	 "data: x\n\n",
		{{"", "x", "data: x\n\n"}}},
	{"\xef\xbb\xbf\n\ndata: x\n\n", {{"", "x", "data: x\n\n"}}},
	{"\xef\xbb\xbf\xef\xbb\xbf"
	 "data: y\n\ndata: x\n\n",
		{{"", "x", "data: x\n\n"}}},
	{"data: x\n\n\xef\xbb\xbf"
	 "data: y\n\n",
		{{"", "x", "data: x\n\n"}}},
	{"\xef\xbb"
	 "data: y\ndata: x\n\n",
		{{"", "x", NULL}}},
	{"\xef\ndata: x\n\n", {{"", "x", NULL}}},
	{"\xef\xbb\xbf", {{NULL}}},
	{"\xef\xbb\xbf: c\r\rdata: x\n\n", {{"", "x", "data: x\n\n"}}},
};

static void put_sv(struct buf *out, struct sv s)
{
	if (!s.p) {
		buf_add_lit(out, "-");
		return;
	}
	buf_add_u64(out, s.n);
	buf_add_char(out, ':');
	buf_add_sv(out, s);
}

static void put_event(struct buf *out, const struct sse_event *e)
{
	buf_add_lit(out, "<");
	/* An empty view may have any address. */
	put_sv(out, e->name.n ? e->name : SV(""));
	put_sv(out, e->data.n ? e->data : SV(""));
	put_sv(out, e->raw);
	buf_add_lit(out, ">");
}

/* Feeds one piece, copied so that the sanitizers know its borders and its end. */
static int feed_piece(struct sse_decoder *d, struct sv piece, struct buf *out)
{
	char *copy = malloc(piece.n ? piece.n : 1);
	struct sse_event e;
	int n;

	assert_non_null(copy);
	if (piece.n)
		memcpy(copy, piece.p, piece.n);
	sse_feed(d, sv_make(copy, piece.n));
	while ((n = sse_next(d, &e)) == 1)
		put_event(out, &e);
	free(copy);
	return n;
}

/* Feeds the stream cut at the given places (rising) and appends what comes out. */
static void feed_cut(
	struct sv stream, const size_t *cuts, size_t count, size_t max, struct buf *out)
{
	struct sse_decoder d;
	size_t from = 0;
	int err = 0;

	sse_decoder_init(&d, max);
	for (size_t i = 0; i <= count && !err; i++) {
		size_t to = i < count ? cuts[i] : stream.n;

		err = feed_piece(&d, sv_make(stream.p + from, to - from), out);
		from = to;
	}
	if (err) {
		struct sse_event e;

		buf_add_lit(out, "error");
		buf_add_i64(out, err);
		assert_int_equal(sse_next(&d, &e), err);
		sse_feed(&d, SV("data: x\n\n"));
		assert_int_equal(sse_next(&d, &e), err);
	}
	sse_decoder_fini(&d);
}

static void assert_same(struct buf *expected, struct buf *got)
{
	assert_string_equal(buf_cstr(got), buf_cstr(expected));
	assert_int_equal(got->len, expected->len);
	assert_memory_equal(got->data, expected->data, got->len);
	buf_reset(got, SIZE_MAX);
}

/* All ways to cut in two, every way to cut a short stream in three, and byte by byte. */
static void check_all_cuts(struct sv stream, size_t max, struct buf *expected)
{
	size_t *all = calloc(stream.n + 1, sizeof(*all));
	struct buf got;

	buf_init(&got, MIB(1));
	feed_cut(stream, NULL, 0, max, &got);
	assert_same(expected, &got);
	for (size_t i = 0; i <= stream.n; i++) {
		all[i] = i;
		feed_cut(stream, &i, 1, max, &got);
		assert_same(expected, &got);
		for (size_t k = i; k <= stream.n && stream.n < 64; k++) {
			size_t cuts[2] = {i, k};

			feed_cut(stream, cuts, 2, max, &got);
			assert_same(expected, &got);
		}
	}
	feed_cut(stream, all, stream.n + 1, max, &got);
	assert_same(expected, &got);
	buf_fini(&got);
	free(all);
}

static void decodes_every_row_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf expected;

		buf_init(&expected, MIB(1));
		for (size_t k = 0; k < MAX_EVENTS && rows[i].events[k].data; k++) {
			struct sse_event e = {sv_cstr(rows[i].events[k].name),
				sv_cstr(rows[i].events[k].data), sv_cstr(rows[i].events[k].raw)};

			put_event(&expected, &e);
		}
		check_all_cuts(sv_cstr(rows[i].stream), 1024, &expected);
		buf_fini(&expected);
	}
}

static void nul_bytes_are_data(void **state)
{
	static const char stream[] = "event: a\0b\ndata: c\0d\n\n";
	struct sv whole = {stream, sizeof(stream) - 1};
	struct sse_event e = {SV("a\0b"), SV("c\0d"), {stream, sizeof(stream) - 1}};
	struct buf expected;

	(void)state;
	buf_init(&expected, 1024);
	put_event(&expected, &e);
	check_all_cuts(whole, 1024, &expected);
	buf_fini(&expected);
}

static bool lies_in(struct sv piece, struct sv whole)
{
	return piece.p >= whole.p && piece.p + piece.n <= whole.p + whole.n;
}

static void an_event_within_a_chunk_is_not_copied(void **state)
{
	static const char stream[] =
		"event: a\ndata: b\n\nevent: c\r\ndata: d\r\n\r\ndata: e\n\ndata";
	struct sv whole = {stream, sizeof(stream) - 1};
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, 1024);
	sse_feed(&d, whole);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(sse_next(&d, &e), 1);
		assert_true(e.name.n == 0 || lies_in(e.name, whole));
		assert_true(lies_in(e.data, whole));
		assert_true(e.raw.p == NULL || lies_in(e.raw, whole));
		assert_null(d.pending.data);
		assert_null(d.joined.data);
	}
	assert_int_equal(sse_next(&d, &e), 0);
	assert_int_equal(d.pending.len, 4);
	sse_decoder_fini(&d);
}

static void views_live_until_the_next_call(void **state)
{
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, 1024);
	sse_feed(&d, SV("event: a\ndata: fir"));
	assert_int_equal(sse_next(&d, &e), 0);
	sse_feed(&d, SV("st\n\ndata: x\ndata: y\n\n"));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_true(sv_eq(e.name, SV("a")));
	assert_true(sv_eq(e.data, SV("first")));
	assert_true(sv_eq(e.raw, SV("event: a\ndata: first\n\n")));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_true(sv_eq(e.data, SV("x\ny")));
	assert_int_equal(sse_next(&d, &e), 0);
	assert_int_equal(sse_next(&d, &e), 0);
	sse_decoder_fini(&d);
}

static void a_chunk_may_follow_its_last_event_at_once(void **state)
{
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, 1024);
	sse_feed(&d, SV("event: a\ndata: x\r\r"));
	assert_int_equal(sse_next(&d, &e), 1);
	sse_feed(&d, SV("\ndata: y\n\n"));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_int_equal(e.name.n, 0);
	assert_true(sv_eq(e.raw, SV("data: y\n\n")));
	assert_int_equal(sse_next(&d, &e), 0);
	sse_decoder_fini(&d);
}

static void the_rest_of_a_chunk_may_be_fed_again(void **state)
{
	static const char stream[] = "data: a\n\nevent: e\r\ndata: b\r\n\r\ndata: c\n\ndata: d";
	struct sv rest = {stream, sizeof(stream) - 1};
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, 1024);
	for (int i = 0; i < 3; i++) {
		sse_feed(&d, rest);
		assert_int_equal(sse_next(&d, &e), 1);
		rest = sse_take_rest(&d);
		assert_int_equal(e.data.n, 1);
		assert_int_equal(e.data.p[0], 'a' + i);
		assert_int_equal(sse_next(&d, &e), 0);
	}
	assert_true(sv_eq(rest, SV("data: d")));
	assert_int_equal(d.pending.len, 0);
	sse_decoder_fini(&d);
}

/* The event is delivered by the CR already; it must not wait for a byte that may never come. */
static void a_cr_at_the_end_of_a_chunk_ends_the_event(void **state)
{
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, 1024);
	sse_feed(&d, SV("data: x\r\n\r"));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_true(sv_eq(e.data, SV("x")));
	assert_int_equal(sse_next(&d, &e), 0);
	sse_feed(&d, SV("\ndata: y\n\n"));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_true(sv_eq(e.raw, SV("data: y\n\n")));
	assert_int_equal(sse_next(&d, &e), 0);
	sse_decoder_fini(&d);
}

static void feeding_nothing_changes_nothing(void **state)
{
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, 1024);
	assert_int_equal(sse_next(&d, &e), 0);
	sse_feed(&d, SV_NONE);
	assert_int_equal(sse_next(&d, &e), 0);
	sse_feed(&d, SV("data: x\r"));
	assert_int_equal(sse_next(&d, &e), 0);
	sse_feed(&d, SV_NONE);
	assert_int_equal(sse_next(&d, &e), 0);
	sse_feed(&d, SV("\n\n"));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_int_equal(sse_next(&d, &e), 0);
	sse_decoder_fini(&d);
	sse_decoder_fini(NULL);
}

static void reset_forgets_everything(void **state)
{
	struct sse_decoder d;
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	sse_decoder_init(&d, 32);
	assert_int_equal(feed_piece(&d, SV("event: e\ndata: a\ndata: b\r"), &out), 0);
	sse_decoder_reset(&d);
	assert_int_equal(feed_piece(&d, SV("\xef\xbb\xbf\ndata: x\n\n"), &out), 0);
	assert_string_equal(buf_cstr(&out), "<0:1:x9:data: x\n\n>");
	assert_int_equal(
		feed_piece(&d, SV("data: 3456789 123456789 123456789\n"), &out), -EMSGSIZE);
	sse_decoder_reset(&d);
	buf_reset(&out, 0);
	assert_int_equal(feed_piece(&d, SV("data: y\n\n"), &out), 0);
	assert_string_equal(buf_cstr(&out), "<0:1:y9:data: y\n\n>");
	/* In the middle of a chunk too. */
	sse_feed(&d, SV("data: z\n\ndata: z\n\n"));
	sse_decoder_reset(&d);
	buf_reset(&out, 0);
	assert_int_equal(feed_piece(&d, SV("data: v\n\n"), &out), 0);
	assert_string_equal(buf_cstr(&out), "<0:1:v9:data: v\n\n>");
	sse_decoder_fini(&d);
	buf_fini(&out);
}

static void the_limit_is_exact_at_every_cut(void **state)
{
	/* Sizes count the blank line, but not the LF of its CRLF, nor comments before. */
	static const struct {
		const char *stream;
		size_t size;
	} cases[] = {
		{"data: 123\n\n", 11},
		{"event: e\ndata: 123\n\n", 20},
		{"data: 1\ndata: 2\ndata: 3\n\n", 25},
		{"data: 1\r\ndata: 2\r\n\r\n", 19},
		{"data: 1\rdata: 2\r\r", 17},
		{": c\n: d\r\ndata: 123456789\r\n\r\n", 18},
		{"data: 1\n: comment\n\n", 19},
		{"id: 1\r\n\r\ndata: 123\n\n", 11},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sv stream = sv_cstr(cases[i].stream);
		struct buf expected;

		buf_init(&expected, 4096);
		feed_cut(stream, NULL, 0, cases[i].size, &expected);
		assert_int_equal(expected.data[0], '<');
		assert_true(sv_find(buf_sv(&expected), SV("error")) < 0);
		check_all_cuts(stream, cases[i].size, &expected);
		buf_reset(&expected, SIZE_MAX);
		buf_add_lit(&expected, "error");
		buf_add_i64(&expected, -EMSGSIZE);
		check_all_cuts(stream, cases[i].size - 1, &expected);
		buf_fini(&expected);
	}
}

static void a_part_of_a_bom_counts_when_it_is_none(void **state)
{
	struct buf expected;

	(void)state;
	buf_init(&expected, 1024);
	check_all_cuts(SV("\xef\xbb"), 1, &expected);
	buf_add_lit(&expected, "error");
	buf_add_i64(&expected, -EMSGSIZE);
	check_all_cuts(SV("\xef\xbb:"), 1, &expected);
	buf_fini(&expected);
}

static void events_before_one_that_is_too_big_arrive(void **state)
{
	struct buf expected;

	(void)state;
	buf_init(&expected, 4096);
	buf_add_lit(&expected, "<0:1:x9:data: x\n\n>error");
	buf_add_i64(&expected, -EMSGSIZE);
	check_all_cuts(SV("data: x\n\ndata: 12345\n\ndata: y\n\n"), 10, &expected);
	/* Without any line end, too: memory stays bounded. */
	check_all_cuts(SV("data: x\n\ndata: 12345"), 10, &expected);
	buf_fini(&expected);
}

static void comments_may_come_for_ever(void **state)
{
	struct sse_decoder d;
	struct buf out;

	(void)state;
	buf_init(&out, 1024);
	sse_decoder_init(&d, 16);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(feed_piece(&d, SV(": keepalive\n: ke"), &out), 0);
		assert_int_equal(feed_piece(&d, SV("ep\r"), &out), 0);
		assert_int_equal(feed_piece(&d, SV("\n"), &out), 0);
	}
	assert_int_equal(feed_piece(&d, SV("data: x\n\n"), &out), 0);
	assert_string_equal(buf_cstr(&out), "<0:1:x->");
	sse_decoder_fini(&d);
	buf_fini(&out);
}

static void the_storage_of_a_huge_event_is_given_back(void **state)
{
	struct sv line = SV("data: 0123456789012345678901234567890123456789\n");
	struct sse_decoder d;
	struct sse_event e;

	(void)state;
	sse_decoder_init(&d, MIB(1));
	for (int i = 0; i < 10000; i++) {
		sse_feed(&d, line);
		assert_int_equal(sse_next(&d, &e), 0);
	}
	sse_feed(&d, SV("\n"));
	assert_int_equal(sse_next(&d, &e), 1);
	assert_int_equal(e.data.n, 10000 * (line.n - 6) - 1);
	assert_int_equal(sse_next(&d, &e), 0);
	assert_true(d.pending.size + d.joined.size <= 64 * 1024);
	sse_decoder_fini(&d);
}

static void expect_encoded(struct sv name, struct sv data, const char *expected)
{
	/* Copied so that the sanitizers know its end. */
	char *copy = malloc(data.n ? data.n : 1);
	struct buf out;

	assert_non_null(copy);
	if (data.n)
		memcpy(copy, data.p, data.n);
	buf_init(&out, 1024);
	sse_encode(&out, name, sv_make(copy, data.n));
	assert_string_equal(buf_cstr(&out), expected);
	buf_fini(&out);
	free(copy);
}

static void encodes(void **state)
{
	struct buf out;

	(void)state;
	expect_encoded(SV_NONE, SV("{}"), "data: {}\n\n");
	expect_encoded(SV("e"), SV("{}"), "event: e\ndata: {}\n\n");
	expect_encoded(SV("e"), SV_NONE, "event: e\ndata: \n\n");
	expect_encoded(SV_NONE, SV("a\nb"), "data: a\ndata: b\n\n");
	expect_encoded(SV_NONE, SV("a\n"), "data: a\ndata: \n\n");
	expect_encoded(SV_NONE, SV("a\r\n"), "data: a\ndata: \n\n");
	expect_encoded(SV_NONE, SV("\n\n"), "data: \ndata: \ndata: \n\n");
	expect_encoded(SV_NONE, SV("a\r\nb\rc\n\rd\r"),
		"data: a\ndata: b\ndata: c\ndata: \ndata: d\ndata: \n\n");
	expect_encoded(SV("bad\nname"), SV("x"), "event: bad\ndata: x\n\n");
	expect_encoded(SV("bad\rname"), SV(" x"), "event: bad\ndata:  x\n\n");
	buf_init(&out, 1024);
	sse_encode_comment(&out, SV("keepalive"));
	sse_encode_comment(&out, SV_NONE);
	sse_encode_comment(&out, SV("a\ndata: b"));
	assert_string_equal(buf_cstr(&out), ": keepalive\n\n: \n\n: a\n: data: b\n\n");
	buf_fini(&out);
}

static void what_is_encoded_is_decoded_again(void **state)
{
	static const struct sv texts[] = {{"x", 1}, {" x ", 3}, {"", 0}, {"a\nb\n\nc", 6},
		{"\n", 1}, {"data: y", 7}, {":", 1}, {"\xef\xbb\xbf", 3}, {"a\0b", 3}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sse_event e = {SV("name"), texts[i], SV_NONE};
		struct buf stream;
		struct buf expected;

		buf_init(&stream, 1024);
		buf_init(&expected, 1024);
		sse_encode(&stream, e.name, e.data);
		if (!memchr(texts[i].p, '\n', texts[i].n))
			e.raw = buf_sv(&stream);
		put_event(&expected, &e);
		check_all_cuts(buf_sv(&stream), 1024, &expected);
		buf_fini(&stream);
		buf_fini(&expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_every_row_at_every_cut),
		cmocka_unit_test(nul_bytes_are_data),
		cmocka_unit_test(an_event_within_a_chunk_is_not_copied),
		cmocka_unit_test(views_live_until_the_next_call),
		cmocka_unit_test(a_chunk_may_follow_its_last_event_at_once),
		cmocka_unit_test(the_rest_of_a_chunk_may_be_fed_again),
		cmocka_unit_test(a_cr_at_the_end_of_a_chunk_ends_the_event),
		cmocka_unit_test(feeding_nothing_changes_nothing),
		cmocka_unit_test(reset_forgets_everything),
		cmocka_unit_test(the_limit_is_exact_at_every_cut),
		cmocka_unit_test(a_part_of_a_bom_counts_when_it_is_none),
		cmocka_unit_test(events_before_one_that_is_too_big_arrive),
		cmocka_unit_test(comments_may_come_for_ever),
		cmocka_unit_test(the_storage_of_a_huge_event_is_given_back),
		cmocka_unit_test(encodes),
		cmocka_unit_test(what_is_encoded_is_decoded_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
