#include "proto/inflater.h"

#include "base/limits.h"

#include <brotli/decode.h>
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

enum {
	ZSTD_WINDOW_LOG = 27, /* 128 MiB, what zstd itself allows by default */
	GZIP_WINDOW_BITS = MAX_WBITS + 16,
	SCRATCH_BYTES = 32 * 1024,
	GROW_BYTES = 16 * 1024,
};

/* What lies between two codings is compressed once more, so it hardly outgrows the final output. */
#define BETWEEN_SLACK_BYTES MIB(1)
/* One call's worth for zlib, which counts in unsigned int. */
#define STEP_BYTES MIB(256)

struct stage;

/* Bytes to take, and room for what they give; a step shortens in and lessens room by what it used.
 */
struct work {
	struct sv in;
	char *out;
	size_t room;
};

struct coding {
	struct sv name;
	int (*open)(struct stage *s);
	/* Takes and gives what it can at once. -EBADMSG: corrupt, -ENOBUFS: wants too much memory.
	 */
	int (*step)(struct stage *s, struct work *w);
	void (*close)(struct stage *s);
};

/* One coding that is being undone. */
struct stage {
	const struct coding *coding;
	bool complete; /* the body may end here */
	bool detected; /* deflate: with or without zlib's header is known */
	bool has_first;
	char first; /* deflate: a byte that was not enough to tell */
	z_stream zlib;
	BrotliDecoderState *brotli;
	ZSTD_DStream *zstd;
	unsigned magic_bytes; /* zstd: how many of the frame's first four were checked */
	bool skippable;	      /* zstd: by the first of them */
};

struct inflater {
	struct stage stages[LIMIT_BODY_CODINGS]; /* the first undoes what was applied last */
	size_t count;
	char *scratch;	      /* output of the first stage, if there are two */
	size_t between_bytes; /* how much that was in all */
	int error;	      /* sticky */
};

_Static_assert(LIMIT_BODY_CODINGS == 2, "feed_chain() knows two stages");

static int gzip_open(struct stage *s)
{
	return inflateInit2(&s->zlib, GZIP_WINDOW_BITS) == Z_OK ? 0 : -ENOMEM;
}

static int deflate_open(struct stage *s)
{
	return inflateInit2(&s->zlib, MAX_WBITS) == Z_OK ? 0 : -ENOMEM;
}

static int run_zlib(struct stage *s, struct work *w)
{
	z_stream *z = &s->zlib;
	unsigned in = (unsigned)(w->in.n < STEP_BYTES ? w->in.n : STEP_BYTES);
	unsigned room = (unsigned)(w->room < STEP_BYTES ? w->room : STEP_BYTES);
	int code;

	z->next_in = (unsigned char *)(uintptr_t)w->in.p;
	z->avail_in = in;
	z->next_out = (unsigned char *)w->out;
	z->avail_out = room;
	code = inflate(z, Z_NO_FLUSH);
	w->in = sv_from(w->in, in - z->avail_in);
	w->room -= room - z->avail_out;
	s->complete = code == Z_STREAM_END;
	if (code == Z_MEM_ERROR)
		return -ENOMEM;
	return code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR ? 0 : -EBADMSG;
}

static int gzip_step(struct stage *s, struct work *w)
{
	if (s->complete && w->in.n == 0)
		return 0;
	/* Another member may follow; what is not one fails by its first bytes. */
	if (s->complete && inflateReset(&s->zlib) != Z_OK)
		return -EBADMSG;
	return run_zlib(s, w);
}

/*
 * By its standard "deflate" has zlib's header, but some clients send the bare stream. The first two
 * bytes tell: what passes for that header would be, bare, a stored block with padding bits set, and
 * no encoder sets them.
 */
static int detect_header(struct stage *s, struct work *w)
{
	struct work head = {.in = {&s->first, 1}, .out = w->out, .room = w->room};
	unsigned first;
	unsigned second;

	if (!s->has_first) {
		s->first = w->in.p[0];
		s->has_first = true;
		w->in = sv_from(w->in, 1);
	}
	if (w->in.n == 0)
		return 0;
	first = (unsigned char)s->first;
	second = (unsigned char)w->in.p[0];
	s->detected = true;
	if ((first & 15) != Z_DEFLATED || first >> 4 > 7 || (first << 8 | second) % 31 != 0) {
		if (inflateReset2(&s->zlib, -MAX_WBITS) != Z_OK)
			return -ENOMEM;
	}
	/* One byte gives no output in either form. */
	return run_zlib(s, &head);
}

static int deflate_step(struct stage *s, struct work *w)
{
	int err = 0;

	if (s->complete)
		return w->in.n ? -EBADMSG : 0;
	if (!s->detected && w->in.n)
		err = detect_header(s, w);
	return err || !s->detected ? err : run_zlib(s, w);
}

static void zlib_close(struct stage *s)
{
	inflateEnd(&s->zlib);
}

static int brotli_open(struct stage *s)
{
	s->brotli = BrotliDecoderCreateInstance(NULL, NULL, NULL);
	return s->brotli ? 0 : -ENOMEM;
}

static int brotli_error(BrotliDecoderErrorCode code)
{
	bool memory = code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES &&
		      code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;

	return memory ? -ENOMEM : -EBADMSG;
}

static int brotli_step(struct stage *s, struct work *w)
{
	const uint8_t *in = (const uint8_t *)w->in.p;
	size_t in_left = w->in.n;
	uint8_t *out = (uint8_t *)w->out;
	BrotliDecoderResult result;

	if (s->complete)
		return w->in.n ? -EBADMSG : 0;
	result = BrotliDecoderDecompressStream(s->brotli, &in_left, &in, &w->room, &out, NULL);
	w->in = sv_from(w->in, w->in.n - in_left);
	s->complete = result == BROTLI_DECODER_RESULT_SUCCESS;
	if (result == BROTLI_DECODER_RESULT_ERROR)
		return brotli_error(BrotliDecoderGetErrorCode(s->brotli));
	return 0;
}

static void brotli_close(struct stage *s)
{
	BrotliDecoderDestroyInstance(s->brotli);
}

static int zstd_open(struct stage *s)
{
	s->zstd = ZSTD_createDStream();
	if (!s->zstd)
		return -ENOMEM;
	if (ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
		ZSTD_freeDStream(s->zstd);
		return -ENOMEM;
	}
	return 0;
}

static int zstd_error(size_t code)
{
	switch (ZSTD_getErrorCode(code)) {
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		return -ENOBUFS;
	default:
		return -EBADMSG;
	}
}

/*
 * Is this the start of a frame as RFC 8878 has it? The library also reads what zstd wrote before
 * its format was settled, by old code that nobody needs to reach from outside.
 */
static bool has_zstd_magic(struct stage *s, struct sv in)
{
	static const char magics[2][4] = {
		{'\x28', '\xb5', '\x2f', '\xfd'}, {'\x50', '\x2a', '\x4d', '\x18'}};

	for (; in.n && s->magic_bytes < 4; in = sv_from(in, 1)) {
		unsigned i = s->magic_bytes++;

		/* Sixteen magics, 0x50 to 0x5f, begin a frame that is skipped. */
		if (i == 0)
			s->skippable = (in.p[0] & 0xf0) == 0x50;
		if ((i == 0 && s->skippable ? in.p[0] & 0xf0 : in.p[0]) != magics[s->skippable][i])
			return false;
	}
	return true;
}

static int zstd_step(struct stage *s, struct work *w)
{
	ZSTD_inBuffer in = {.src = w->in.p, .size = w->in.n};
	ZSTD_outBuffer out = {.dst = w->out, .size = w->room};
	size_t hint;

	/* A call without input behind a frame would begin the next one. */
	if (s->complete && w->in.n == 0)
		return 0;
	if (!has_zstd_magic(s, w->in))
		return -EBADMSG;
	hint = ZSTD_decompressStream(s->zstd, &out, &in);
	if (ZSTD_isError(hint))
		return zstd_error(hint);
	w->in = sv_from(w->in, in.pos);
	w->room -= out.pos;
	s->complete = hint == 0;
	if (s->complete)
		s->magic_bytes = 0;
	return 0;
}

static void zstd_close(struct stage *s)
{
	ZSTD_freeDStream(s->zstd);
}

static const struct coding codings[] = {
	{{"gzip", 4}, gzip_open, gzip_step, zlib_close},
	{{"x-gzip", 6}, gzip_open, gzip_step, zlib_close},
	{{"deflate", 7}, deflate_open, deflate_step, zlib_close},
	{{"br", 2}, brotli_open, brotli_step, brotli_close},
	{{"zstd", 4}, zstd_open, zstd_step, zstd_close},
};

static const struct coding *find_coding(struct sv name)
{
	for (size_t i = 0; i < ARRAY_LEN(codings); i++) {
		if (sv_ieq(codings[i].name, name))
			return &codings[i];
	}
	return NULL;
}

/* The codings in the order of the header, which is the order in which they were applied. */
static int parse_header(struct sv header, const struct coding **ret, size_t *ret_count)
{
	size_t count = 0;

	while (header.n) {
		struct sv name = sv_trim(sv_split(&header, ','));

		if (name.n == 0 || sv_ieq(name, SV("identity")))
			continue;
		if (count == LIMIT_BODY_CODINGS)
			return -ENOTSUP;
		ret[count] = find_coding(name);
		if (!ret[count++])
			return -ENOTSUP;
	}
	*ret_count = count;
	return 0;
}

int inflater_new(struct sv header, struct inflater **ret)
{
	const struct coding *applied[LIMIT_BODY_CODINGS];
	struct inflater *f;
	size_t count;
	int err = parse_header(header, applied, &count);

	if (err)
		return err;
	if (count == 0) {
		*ret = NULL;
		return 0;
	}
	f = mem_zalloc(sizeof(*f));
	while (count) {
		struct stage *s = &f->stages[f->count];

		s->coding = applied[--count];
		err = s->coding->open(s);
		if (err) {
			inflater_free(f);
			return err;
		}
		f->count++;
	}
	if (f->count > 1)
		f->scratch = mem_zalloc(SCRATCH_BYTES);
	*ret = f;
	return 0;
}

void inflater_free(struct inflater *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++)
		f->stages[i].coding->close(&f->stages[i]);
	free(f->scratch);
	free(f);
}

/* One step, which must get on: a stage that does nothing with its input would be asked forever. */
static int step(struct stage *s, struct work *w)
{
	size_t in = w->in.n;
	size_t room = w->room;
	int err = s->coding->step(s, w);

	if (!err && in && w->in.n == in && w->room == room && !s->complete)
		err = -EBADMSG;
	return err;
}

/* The last stage: all that in gives goes to out. */
static int feed_last(struct stage *s, struct sv in, struct buf *out)
{
	struct work w = {.in = in};

	do {
		bool full = out->len == out->cap;
		size_t left = out->cap - out->len;
		char beyond; /* a byte more than out may hold, to see whether there is one */
		int err;

		if (out->len == out->size && !full &&
			buf_reserve(out, left < GROW_BYTES ? left : GROW_BYTES))
			return buf_error(out);
		w.out = full ? &beyond : out->data + out->len;
		w.room = full ? 1 : out->size - out->len;
		left = w.room;
		err = step(s, &w);
		if (full && w.room == 0)
			return buf_reserve(out, 1);
		out->len += left - w.room;
		if (err)
			return err;
	} while (w.in.n || w.room == 0);
	return 0;
}

/* Two stages: what the first gives goes to the second piece by piece. */
static int feed_chain(struct inflater *f, struct sv in, struct buf *out)
{
	struct work w = {.in = in};

	do {
		struct sv between;
		int err;
		int last_err = 0;

		w.out = f->scratch;
		w.room = SCRATCH_BYTES;
		err = step(&f->stages[0], &w);
		between = sv_make(f->scratch, SCRATCH_BYTES - w.room);
		f->between_bytes += between.n;
		/* Else a small body could cost the time of decoding without an end. */
		if (f->between_bytes > BETWEEN_SLACK_BYTES &&
			f->between_bytes - BETWEEN_SLACK_BYTES > out->cap)
			return -ENOBUFS;
		if (between.n)
			last_err = feed_last(&f->stages[1], between, out);
		if (last_err || err)
			return last_err ? last_err : err;
	} while (w.in.n || w.room == 0);
	return 0;
}

int inflater_feed(struct inflater *f, struct sv chunk, struct buf *out)
{
	if (!f->error)
		f->error = buf_error(out);
	if (!f->error && chunk.n)
		f->error = f->count > 1 ? feed_chain(f, chunk, out)
					: feed_last(&f->stages[0], chunk, out);
	return f->error;
}

int inflater_finish(struct inflater *f, struct buf *out)
{
	/* Every step gives all that it can, so nothing is left to append. */
	(void)out;
	for (size_t i = 0; i < f->count && !f->error; i++) {
		if (!f->stages[i].complete)
			f->error = -EBADMSG;
	}
	return f->error;
}
