#include "base/log.h"

#include "base/clock.h"
#include "base/jv.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { PIPE_BYTES = 4096 };

/* A pipe of one page, the log's end blocking or not, the test's never. */
struct sink {
	int reader;
	int writer;
	struct buf got;
};

static void sink_open(struct sink *s, bool blocking)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	s->reader = ends[0];
	s->writer = ends[1];
	assert_int_equal(fcntl(s->writer, F_SETPIPE_SZ, PIPE_BYTES), PIPE_BYTES);
	if (blocking)
		assert_int_equal(fcntl(s->writer, F_SETFL, 0), 0);
	buf_init(&s->got, MIB(1));
}

static void sink_close(struct sink *s)
{
	close(s->reader);
	close(s->writer);
	buf_fini(&s->got);
}

/* Takes what is in the pipe; returns how much it was. */
static size_t sink_read(struct sink *s)
{
	size_t before = s->got.len;
	ssize_t n;

	do {
		assert_int_equal(buf_reserve(&s->got, PIPE_BYTES), 0);
		n = read(s->reader, s->got.data + s->got.len, PIPE_BYTES);
		s->got.len += n > 0 ? (size_t)n : 0;
	} while (n > 0);
	return s->got.len - before;
}

static void sink_drain(struct sink *s)
{
	do
		log_flush();
	while (sink_read(s));
}

/* Takes the next line off and parses it; it must be one JSON object. */
static struct jv next_line(struct sv *rest)
{
	struct sv line = sv_split(rest, '\n');
	struct jv v;

	assert_int_equal(jv_parse(line, 8, &v, NULL), 0);
	assert_int_equal(jv_type(v), JV_OBJECT);
	return v;
}

static void assert_member(struct jv line, struct sv key, struct sv expected)
{
	assert_true(sv_eq(jv_raw(jv_get(line, key)), expected));
}

static int64_t member_i64(struct jv line, struct sv key)
{
	int64_t value;

	assert_int_equal(jv_i64(jv_get(line, key), &value), 0);
	return value;
}

static void put_line(enum log_level level, int64_t number)
{
	log_begin(level, "test.line");
	log_i64("n", number);
	log_end();
}

static void writes_one_object_a_line(void **state)
{
	struct sink s;
	struct sv rest;
	struct jv line;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_DEBUG);
	log_begin(LOG_INFO, "request.finish");
	log_str("slot", SV("slot-1"));
	log_str("odd", SV("\"\\\n\x01\xff\xc3\xa9"));
	log_i64("status", -200);
	log_bool("yes", true);
	log_bool("no", false);
	log_raw("raw", SV("{\"a\":[1,2]}"));
	log_raw("none", SV_NONE);
	log_end();
	put_line(LOG_WARN, INT64_MIN);
	sink_drain(&s);
	rest = buf_sv(&s.got);
	line = next_line(&rest);
	assert_member(line, SV("level"), SV("\"info\""));
	assert_member(line, SV("event"), SV("\"request.finish\""));
	assert_member(line, SV("slot"), SV("\"slot-1\""));
	assert_true(jv_str_eq(jv_get(line, SV("odd")), SV("\"\\\n\x01\xef\xbf\xbd\xc3\xa9")));
	assert_member(line, SV("status"), SV("-200"));
	assert_member(line, SV("yes"), SV("true"));
	assert_member(line, SV("no"), SV("false"));
	assert_member(line, SV("raw"), SV("{\"a\":[1,2]}"));
	assert_member(line, SV("none"), SV("null"));
	assert_int_equal(jv_count(line), 10);
	line = next_line(&rest);
	assert_member(line, SV("level"), SV("\"warn\""));
	assert_member(line, SV("n"), SV("-9223372036854775808"));
	assert_int_equal(rest.n, 0);
	log_fini();
	sink_close(&s);
}

static void the_time_is_now(void **state)
{
	struct sink s;
	struct sv rest;
	struct sv text;
	int64_t before = clock_wall_ms();
	int64_t stamp;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	for (int i = 0; i < 20; i++)
		put_line(LOG_INFO, i);
	sink_drain(&s);
	rest = buf_sv(&s.got);
	for (int i = 0; i < 20; i++) {
		text = jv_str_raw(jv_get(next_line(&rest), SV("time")));
		assert_int_equal(text.n, CLOCK_ISO_SIZE - 1);
		assert_int_equal(clock_parse_iso(text, &stamp), 0);
		assert_true(before <= stamp && stamp <= clock_wall_ms());
		before = stamp;
	}
	log_fini();
	sink_close(&s);
}

static void milliseconds_have_three_decimals(void **state)
{
	static const struct {
		int64_t us;
		struct sv text;
	} rows[] = {
		{0, {"0.000", 5}},
		{7, {"0.007", 5}},
		{1000, {"1.000", 5}},
		{12345678, {"12345.678", 9}},
		{-1, {"-0.001", 6}},
		{-12345, {"-12.345", 7}},
		{INT64_MIN, {"-9223372036854775.808", 21}},
	};
	struct sink s;
	struct sv rest;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		log_begin(LOG_INFO, "test");
		log_ms("ms", rows[i].us);
		log_end();
	}
	sink_drain(&s);
	rest = buf_sv(&s.got);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_member(next_line(&rest), SV("ms"), rows[i].text);
	log_fini();
	sink_close(&s);
}

static void lines_below_the_level_cost_nothing(void **state)
{
	struct sink s;
	struct sv rest;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_WARN);
	put_line(LOG_DEBUG, 1);
	log_begin(LOG_INFO, "test");
	log_str("a", SV("b"));
	log_i64("n", 2);
	log_bool("a", true);
	log_ms("a", 1);
	log_raw("a", SV("1"));
	log_end();
	put_line(LOG_WARN, 3);
	put_line(LOG_ERROR, 4);
	sink_drain(&s);
	rest = buf_sv(&s.got);
	assert_int_equal(member_i64(next_line(&rest), SV("n")), 3);
	assert_int_equal(member_i64(next_line(&rest), SV("n")), 4);
	assert_int_equal(rest.n, 0);
	log_fini();
	sink_close(&s);
}

static void long_values_are_cut_between_characters(void **state)
{
	static const struct sv ellipsis = {"\xe2\x80\xa6", 3};
	char value[LIMIT_LOG_VALUE_BYTES + 1];
	struct sink s;
	struct sv rest;
	struct sv even;
	struct sv odd;
	struct jv line;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	/* Characters of two bytes, from an even and from an odd start. */
	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = "\xc3\xa9"[i % 2];
	log_begin(LOG_INFO, "test");
	log_str("even", sv_make(value, sizeof(value)));
	log_str("whole", sv_make(value, LIMIT_LOG_VALUE_BYTES));
	value[0] = 'x';
	for (size_t i = 1; i < sizeof(value); i++)
		value[i] = "\xc3\xa9"[(i - 1) % 2];
	log_str("odd", sv_make(value, sizeof(value)));
	log_end();
	sink_drain(&s);
	rest = buf_sv(&s.got);
	line = next_line(&rest);
	even = jv_str_raw(jv_get(line, SV("even")));
	odd = jv_str_raw(jv_get(line, SV("odd")));
	assert_int_equal(even.n, LIMIT_LOG_VALUE_BYTES + ellipsis.n);
	assert_true(sv_ends(even, ellipsis));
	assert_int_equal(odd.n, LIMIT_LOG_VALUE_BYTES - 1 + ellipsis.n);
	assert_true(sv_ends(odd, ellipsis));
	assert_int_equal(jv_str_raw(jv_get(line, SV("whole"))).n, LIMIT_LOG_VALUE_BYTES);
	log_fini();
	sink_close(&s);
}

static void bytes_that_are_no_text_are_cut_too(void **state)
{
	char value[2 * LIMIT_LOG_VALUE_BYTES];
	struct sink s;
	struct sv rest;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	memset(value, 0x80, sizeof(value));
	log_begin(LOG_INFO, "test");
	log_str("v", sv_make(value, sizeof(value)));
	log_end();
	sink_drain(&s);
	rest = buf_sv(&s.got);
	assert_true(jv_str_raw(jv_get(next_line(&rest), SV("v"))).n <= 4 * LIMIT_LOG_VALUE_BYTES);
	log_fini();
	sink_close(&s);
}

static void lines_wait_for_a_flush_but_errors_do_not(void **state)
{
	struct sink s;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	put_line(LOG_WARN, 1);
	assert_int_equal(sink_read(&s), 0);
	log_flush();
	assert_true(sink_read(&s) > 0);
	put_line(LOG_INFO, 2);
	put_line(LOG_ERROR, 3);
	assert_true(sink_read(&s) > 0);
	log_flush();
	assert_int_equal(sink_read(&s), 0);
	log_fini();
	sink_close(&s);
}

static void a_full_batch_goes_out(void **state)
{
	struct buf text;
	struct sv rest;
	off_t written;
	int fd = memfd_create("log", MFD_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	buf_init(&text, MIB(1));
	log_init(fd, LOG_INFO);
	for (int i = 0; i < 2000; i++)
		put_line(LOG_INFO, i);
	written = lseek(fd, 0, SEEK_CUR);
	assert_true(written > 0);
	log_fini();
	assert_true(lseek(fd, 0, SEEK_CUR) > written);
	assert_int_equal(buf_reserve(&text, MIB(1)), 0);
	text.len = (size_t)pread(fd, text.data, text.size, 0);
	rest = buf_sv(&text);
	for (int i = 0; i < 2000; i++)
		assert_int_equal(member_i64(next_line(&rest), SV("n")), i);
	assert_int_equal(rest.n, 0);
	buf_fini(&text);
	close(fd);
}

static void a_flush_within_a_line_waits_for_its_end(void **state)
{
	static const char big[LIMIT_LOG_BATCH_BYTES];
	struct sink s;
	struct sv rest;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	/* A loss is to be told, for which the line that is being made is no place. */
	log_begin(LOG_INFO, "test");
	log_raw("big", sv_make(big, sizeof(big)));
	log_end();
	log_begin(LOG_INFO, "test");
	log_flush();
	log_i64("n", 1);
	log_end();
	sink_drain(&s);
	rest = buf_sv(&s.got);
	assert_int_equal(member_i64(next_line(&rest), SV("n")), 1);
	assert_int_equal(member_i64(next_line(&rest), SV("lines")), 1);
	assert_int_equal(rest.n, 0);
	log_fini();
	sink_close(&s);
}

static void fini_writes_what_is_left(void **state)
{
	struct sink s;
	struct sv rest;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	put_line(LOG_INFO, 1);
	log_fini();
	sink_read(&s);
	rest = buf_sv(&s.got);
	assert_int_equal(member_i64(next_line(&rest), SV("n")), 1);
	assert_int_equal(rest.n, 0);
	sink_close(&s);
}

static void without_init_lines_go_nowhere(void **state)
{
	(void)state;
	log_fini();
	put_line(LOG_ERROR, 1);
	log_error("test", SV("message"), -EIO);
	log_flush();
	log_fini();
}

static void messages_carry_the_error_text(void **state)
{
	struct sink s;
	struct sv rest;
	struct jv line;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	log_error("slots.save", SV("state not saved"), -ENOSPC);
	log_warn("slots.load", SV("odd"), 0);
	sink_drain(&s);
	rest = buf_sv(&s.got);
	line = next_line(&rest);
	assert_member(line, SV("level"), SV("\"error\""));
	assert_member(line, SV("event"), SV("\"slots.save\""));
	assert_member(line, SV("message"), SV("\"state not saved\""));
	assert_member(line, SV("error"), SV("\"No space left on device\""));
	line = next_line(&rest);
	assert_member(line, SV("level"), SV("\"warn\""));
	assert_false(jv_exists(jv_get(line, SV("error"))));
	log_fini();
	sink_close(&s);
}

/* Reads lines 0, 1, …: returns how many are there or told to be missing. */
static int64_t count_with_gaps(struct sv rest, int64_t *ret_dropped)
{
	int64_t count = 0;

	*ret_dropped = 0;
	while (rest.n) {
		struct jv line = next_line(&rest);

		if (jv_str_eq(jv_get(line, SV("event")), SV("log.dropped"))) {
			assert_member(line, SV("level"), SV("\"warn\""));
			*ret_dropped += member_i64(line, SV("lines"));
			count += member_i64(line, SV("lines"));
			continue;
		}
		assert_int_equal(member_i64(line, SV("n")), count);
		count++;
	}
	return count;
}

static void slow_reader(bool blocking)
{
	struct sink s;
	int64_t dropped;

	/* A write that blocks would hang here for ever. */
	alarm(30);
	sink_open(&s, blocking);
	log_init(s.writer, LOG_INFO);
	for (int i = 0; i < 3000; i++) {
		put_line(LOG_INFO, i);
		if (i % 10 == 0)
			log_flush();
	}
	sink_drain(&s);
	assert_int_equal(count_with_gaps(buf_sv(&s.got), &dropped), 3000);
	assert_true(dropped > 0 && dropped < 3000);
	/* And told once only. */
	put_line(LOG_INFO, 3000);
	sink_drain(&s);
	assert_int_equal(count_with_gaps(buf_sv(&s.got), &dropped), 3001);
	log_fini();
	sink_close(&s);
	alarm(0);
}

static void a_slow_reader_blocks_nothing(void **state)
{
	(void)state;
	slow_reader(false);
}

static void a_slow_reader_blocks_nothing_on_a_blocking_pipe(void **state)
{
	(void)state;
	slow_reader(true);
}

static void a_reader_that_reads_little_gets_whole_lines(void **state)
{
	struct sink s;
	int64_t dropped;

	(void)state;
	sink_open(&s, false);
	log_init(s.writer, LOG_INFO);
	for (int i = 0; i < 500; i++) {
		put_line(LOG_INFO, i);
		log_flush();
		if (i % 7 == 0)
			sink_read(&s);
	}
	sink_drain(&s);
	assert_int_equal(count_with_gaps(buf_sv(&s.got), &dropped), 500);
	assert_int_equal(dropped, 0);
	log_fini();
	sink_close(&s);
}

static void a_reader_that_went_loses_lines_until_another_comes(void **state)
{
	struct sink gone;
	struct sink s;
	int64_t dropped;

	(void)state;
	sink_open(&gone, true);
	sink_open(&s, true);
	log_init(gone.writer, LOG_INFO);
	close(gone.reader);
	for (int i = 0; i < 5; i++)
		put_line(LOG_INFO, i);
	log_flush();
	put_line(LOG_ERROR, 5);
	/* The descriptor is led elsewhere, as after a rotation. */
	assert_int_equal(dup2(s.writer, gone.writer), gone.writer);
	log_flush();
	put_line(LOG_INFO, 6);
	sink_drain(&s);
	assert_int_equal(count_with_gaps(buf_sv(&s.got), &dropped), 7);
	assert_int_equal(dropped, 6);
	log_fini();
	close(gone.writer);
	buf_fini(&gone.got);
	sink_close(&s);
}

static void a_loss_is_told_though_the_note_was_lost(void **state)
{
	char filler[PIPE_BYTES] = {0};
	struct sink gone;
	struct sink s;
	struct sv rest;
	int fd;

	(void)state;
	sink_open(&gone, true);
	sink_open(&s, false);
	close(gone.reader);
	fd = dup(gone.writer);
	log_init(fd, LOG_INFO);
	put_line(LOG_ERROR, 0);
	put_line(LOG_ERROR, 1);
	/* The note waits for a full pipe, then the reader goes again. */
	assert_int_equal(write(s.writer, filler, sizeof(filler)), sizeof(filler));
	assert_int_equal(dup2(s.writer, fd), fd);
	log_flush();
	assert_int_equal(dup2(gone.writer, fd), fd);
	log_flush();
	assert_int_equal(sink_read(&s), PIPE_BYTES);
	s.got.len = 0;
	assert_int_equal(dup2(s.writer, fd), fd);
	sink_drain(&s);
	rest = buf_sv(&s.got);
	assert_int_equal(member_i64(next_line(&rest), SV("lines")), 2);
	assert_int_equal(rest.n, 0);
	log_fini();
	close(fd);
	close(gone.writer);
	buf_fini(&gone.got);
	sink_close(&s);
}

static void a_cut_line_does_not_swallow_the_next(void **state)
{
	char filler[PIPE_BYTES];
	struct sink s;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int writer;
	int whole;
	struct sv rest;

	(void)state;
	memset(filler, ' ', sizeof(filler));
	sink_open(&s, false);
	writer = dup(s.writer);
	log_init(s.writer, LOG_INFO);
	/* More than the pipe takes: the last line that gets through is cut. */
	for (int i = 0; i < 100; i++)
		put_line(LOG_INFO, i);
	log_flush();
	assert_int_equal(sink_read(&s), PIPE_BYTES);
	assert_true(s.got.data[s.got.len - 1] != '\n');
	rest = buf_sv(&s.got);
	for (whole = 0; memchr(rest.p, '\n', rest.n); whole++)
		next_line(&rest);
	assert_int_equal(dup2(full, s.writer), s.writer);
	log_flush();
	assert_int_equal(dup2(writer, s.writer), s.writer);
	put_line(LOG_INFO, 7);
	s.got.len = 0;
	sink_drain(&s);
	rest = buf_sv(&s.got);
	assert_int_equal(rest.p[0], '\n');
	rest = sv_from(rest, 1);
	assert_int_equal(member_i64(next_line(&rest), SV("n")), 7);
	assert_int_equal(member_i64(next_line(&rest), SV("lines")), 100 - whole);
	assert_int_equal(rest.n, 0);
	log_fini();
	close(full);
	close(writer);
	sink_close(&s);
}

static void a_line_that_is_too_long_is_told_as_missing(void **state)
{
	static char big[LIMIT_LOG_BATCH_BYTES];
	struct sink s;
	struct sv rest;

	(void)state;
	sink_open(&s, true);
	log_init(s.writer, LOG_INFO);
	memset(big, ' ', sizeof(big));
	big[0] = '1';
	log_begin(LOG_INFO, "test");
	log_raw("big", sv_make(big, sizeof(big)));
	log_end();
	put_line(LOG_INFO, 1);
	sink_drain(&s);
	rest = buf_sv(&s.got);
	assert_int_equal(member_i64(next_line(&rest), SV("n")), 1);
	assert_int_equal(member_i64(next_line(&rest), SV("lines")), 1);
	assert_int_equal(rest.n, 0);
	log_fini();
	sink_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_one_object_a_line),
		cmocka_unit_test(the_time_is_now),
		cmocka_unit_test(milliseconds_have_three_decimals),
		cmocka_unit_test(lines_below_the_level_cost_nothing),
		cmocka_unit_test(long_values_are_cut_between_characters),
		cmocka_unit_test(bytes_that_are_no_text_are_cut_too),
		cmocka_unit_test(lines_wait_for_a_flush_but_errors_do_not),
		cmocka_unit_test(a_full_batch_goes_out),
		cmocka_unit_test(a_flush_within_a_line_waits_for_its_end),
		cmocka_unit_test(fini_writes_what_is_left),
		cmocka_unit_test(without_init_lines_go_nowhere),
		cmocka_unit_test(messages_carry_the_error_text),
		cmocka_unit_test(a_slow_reader_blocks_nothing),
		cmocka_unit_test(a_slow_reader_blocks_nothing_on_a_blocking_pipe),
		cmocka_unit_test(a_reader_that_reads_little_gets_whole_lines),
		cmocka_unit_test(a_reader_that_went_loses_lines_until_another_comes),
		cmocka_unit_test(a_loss_is_told_though_the_note_was_lost),
		cmocka_unit_test(a_cut_line_does_not_swallow_the_next),
		cmocka_unit_test(a_line_that_is_too_long_is_told_as_missing),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
