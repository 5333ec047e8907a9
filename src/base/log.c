#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { END_WAIT_MS = 250 };

static struct {
	bool is_open;
	int fd;
	bool is_file; /* regular files take any write at once */
	bool is_cut;  /* the last line that reached fd misses its end */
	bool in_line; /* between log_begin() and log_end() */
	bool skip;    /* and that line is not wanted */
	enum log_level least;
	enum log_level level; /* of the line that is being made */
	struct buf line;      /* the line that is being made */
	struct buf batch;     /* whole lines not written yet; the first may have lost its start */
	uint64_t dropped;     /* lines lost and not told yet */
	uint64_t told;	      /* lines that a note in the batch tells of */
	int64_t second;	      /* that stamp shows */
	char stamp[CLOCK_ISO_SIZE];
} g_log;

void log_set_level(enum log_level least)
{
	g_log.least = least;
}

void log_init(int fd, enum log_level least)
{
	struct stat st;

	log_fini();
	g_log.is_open = true;
	g_log.fd = fd;
	g_log.is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	g_log.is_cut = false;
	g_log.least = least;
	g_log.second = -1;
	buf_init(&g_log.line, LIMIT_LOG_BATCH_BYTES);
	buf_init(&g_log.batch, LIMIT_LOG_BATCH_BYTES);
}

static uint64_t count_lines(struct sv text)
{
	uint64_t count = 0;

	while (text.n) {
		if (sv_split(&text, '\n').n)
			count++;
	}
	return count;
}

/* The descriptor takes nothing any more: what waits for it is lost. */
static void discard_batch(void)
{
	g_log.dropped += count_lines(buf_sv(&g_log.batch));
	if (g_log.told) {
		g_log.dropped += g_log.told - 1; /* the note itself was no loss */
		g_log.told = 0;
	}
	buf_reset(&g_log.batch, SIZE_MAX);
}

/*
 * How much may be written now without blocking on a slow reader. The descriptor is often shared
 * with other processes, so O_NONBLOCK is not ours to set; what poll() promises is room for a
 * pipe's atomic write.
 */
static size_t writable_bytes(size_t wanted, int wait_ms)
{
	struct pollfd p = {.fd = g_log.fd, .events = POLLOUT};
	int n;

	if (g_log.is_file)
		return wanted;
	do
		n = poll(&p, 1, wait_ms);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	return wanted < PIPE_BUF ? wanted : PIPE_BUF;
}

/* Writes the batch as far as the descriptor takes it within wait_ms. True when nothing is left. */
static bool write_batch(int wait_ms)
{
	struct sv left = buf_sv(&g_log.batch);
	int64_t deadline = wait_ms ? clock_mono_ms() + wait_ms : 0;

	while (left.n) {
		int64_t wait = wait_ms ? deadline - clock_mono_ms() : 0;
		size_t n = writable_bytes(left.n, wait > 0 ? (int)wait : 0);
		ssize_t done;

		if (n == 0)
			break;
		done = write(g_log.fd, left.p, n);
		if (done > 0) {
			g_log.is_cut = left.p[done - 1] != '\n';
			left = sv_from(left, (size_t)done);
		} else if (done < 0 && errno == EAGAIN && wait <= 0) {
			break;
		} else if (done == 0 || (errno != EINTR && errno != EAGAIN)) {
			buf_consume(&g_log.batch, g_log.batch.len - left.n);
			discard_batch();
			return false;
		}
	}
	buf_consume(&g_log.batch, g_log.batch.len - left.n);
	if (left.n)
		return false;
	g_log.told = 0;
	return true;
}

/* Moves the finished line to the batch. */
static void keep_line(void)
{
	/* A line that was cut by a lost descriptor must not swallow the start of the next. */
	size_t need = g_log.line.len + 1;

	if (!buf_error(&g_log.line) && g_log.batch.cap - g_log.batch.len < need)
		write_batch(0);
	if (buf_error(&g_log.line) || g_log.batch.cap - g_log.batch.len < need ||
		buf_reserve(&g_log.batch, need)) {
		g_log.dropped++;
		return;
	}
	if (g_log.is_cut && g_log.batch.len == 0)
		buf_add_char(&g_log.batch, '\n');
	buf_add_sv(&g_log.batch, buf_sv(&g_log.line));
}

static void start_line(enum log_level level, const char *event)
{
	static const struct sv names[] = {SV("debug"), SV("info"), SV("warn"), SV("error")};
	int64_t now = clock_wall_ms();
	int ms = (int)(now % 1000);
	struct buf *line = &g_log.line;

	if (now / 1000 != g_log.second) {
		g_log.second = now / 1000;
		clock_format_iso(now, g_log.stamp);
	}
	g_log.stamp[20] = (char)('0' + ms / 100);
	g_log.stamp[21] = (char)('0' + ms / 10 % 10);
	g_log.stamp[22] = (char)('0' + ms % 10);
	buf_reset(line, SIZE_MAX);
	buf_add_lit(line, "{\"time\":\"");
	buf_add(line, g_log.stamp, CLOCK_ISO_SIZE - 1);
	buf_add_lit(line, "\",\"level\":\"");
	buf_add_sv(line, names[level]);
	buf_add_lit(line, "\",\"event\":\"");
	buf_add_cstr(line, event);
	buf_add_char(line, '"');
}

/* After a loss: says how much is missing, once the descriptor works again. */
static void tell_dropped(void)
{
	uint64_t count = g_log.dropped;

	start_line(LOG_WARN, "log.dropped");
	buf_add_lit(&g_log.line, ",\"lines\":");
	buf_add_u64(&g_log.line, count);
	buf_add_lit(&g_log.line, "}\n");
	g_log.dropped = 0;
	g_log.told = count;
	keep_line();
	write_batch(0);
}

void log_flush(void)
{
	if (!g_log.is_open || g_log.in_line)
		return;
	if (write_batch(0) && g_log.dropped)
		tell_dropped();
}

void log_fini(void)
{
	if (!g_log.is_open)
		return;
	log_flush();
	write_batch(END_WAIT_MS);
	buf_fini(&g_log.line);
	buf_fini(&g_log.batch);
	g_log.is_open = false;
	g_log.in_line = false;
	g_log.dropped = 0;
	g_log.told = 0;
}

void log_begin(enum log_level level, const char *event)
{
	assert(!g_log.in_line);
	g_log.in_line = true;
	g_log.level = level;
	g_log.skip = !g_log.is_open || level < g_log.least;
	if (!g_log.skip)
		start_line(level, event);
}

/* Starts a member; false when the line is not wanted. */
static bool put_key(const char *key)
{
	assert(g_log.in_line);
	if (g_log.skip)
		return false;
	buf_add_lit(&g_log.line, ",\"");
	buf_add_cstr(&g_log.line, key);
	buf_add_lit(&g_log.line, "\":");
	return true;
}

void log_str(const char *key, struct sv value)
{
	bool cut = value.n > LIMIT_LOG_VALUE_BYTES;

	if (!put_key(key))
		return;
	if (cut) {
		value.n = LIMIT_LOG_VALUE_BYTES;
		/* Not within a character: back to before its first byte. */
		while (value.n && ((unsigned char)value.p[value.n] & 0xc0) == 0x80)
			value.n--;
	}
	buf_add_char(&g_log.line, '"');
	jw_escape(&g_log.line, value);
	if (cut)
		buf_add_lit(&g_log.line, "\xe2\x80\xa6");
	buf_add_char(&g_log.line, '"');
}

void log_i64(const char *key, int64_t value)
{
	if (put_key(key))
		buf_add_i64(&g_log.line, value);
}

void log_f64(const char *key, double value)
{
	struct jw w = jw_begin(&g_log.line);

	if (put_key(key))
		jw_f64(&w, value);
}

void log_bool(const char *key, bool value)
{
	if (put_key(key))
		buf_add_sv(&g_log.line, value ? SV("true") : SV("false"));
}

void log_ms(const char *key, int64_t value_us)
{
	uint64_t us = value_us < 0 ? -(uint64_t)value_us : (uint64_t)value_us;
	unsigned rest = (unsigned)(us % 1000);
	char fraction[4] = {'.', (char)('0' + rest / 100), (char)('0' + rest / 10 % 10),
		(char)('0' + rest % 10)};

	if (!put_key(key))
		return;
	if (value_us < 0)
		buf_add_char(&g_log.line, '-');
	buf_add_u64(&g_log.line, us / 1000);
	buf_add(&g_log.line, fraction, sizeof(fraction));
}

void log_raw(const char *key, struct sv json)
{
	if (put_key(key))
		buf_add_sv(&g_log.line, json.n ? json : SV("null"));
}

void log_end(void)
{
	assert(g_log.in_line);
	g_log.in_line = false;
	if (g_log.skip)
		return;
	buf_add_lit(&g_log.line, "}\n");
	keep_line();
	if (g_log.level >= LOG_ERROR)
		log_flush();
}

static void log_message(enum log_level level, const char *event, struct sv message, int err)
{
	log_begin(level, event);
	log_str("message", message);
	if (err < 0)
		log_str("error", sv_cstr(strerror(-err)));
	log_end();
}

void log_error(const char *event, struct sv message, int err)
{
	log_message(LOG_ERROR, event, message, err);
}

void log_warn(const char *event, struct sv message, int err)
{
	log_message(LOG_WARN, event, message, err);
}
