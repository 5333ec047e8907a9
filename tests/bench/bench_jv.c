/*
 * Prints MB/s of jv and jw, best of several rounds, over texts made here and over files:
 *	bench_jv [file.json ...]
 */
#include "base/jw.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TEXT_BYTES = 16 << 20, TEXT_CAP = 1 << 30, ROUNDS = 7 };

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t sink; /* keeps results alive */

static void run_validate(struct sv text, struct buf *out)
{
	struct jv v;

	(void)out;
	if (jv_parse(text, 1024, &v, NULL))
		abort();
	sink += v.n;
}

static void run_count(struct sv text, struct buf *out)
{
	(void)out;
	sink += jv_count(jv_trusted(text));
}

static void run_pick(struct sv text, struct buf *out)
{
	static const struct sv keys[] = {
		{"model", 5}, {"input", 5}, {"tools", 5}, {"stream", 6}, {"none", 4}};
	struct jv picked[ARRAY_LEN(keys)];

	(void)out;
	jv_pick(jv_trusted(text), keys, ARRAY_LEN(keys), picked);
	sink += picked[1].n;
}

static void decode_all(struct jv v, struct buf *out)
{
	struct jv_iter it = jv_iter(v);

	if (jv_is(v, JV_STRING)) {
		buf_reset(out, SIZE_MAX);
		jv_str_decode(v, out);
		sink += out->len;
	}
	while (jv_next(&it))
		decode_all(it.value, out);
}

static void run_decode(struct sv text, struct buf *out)
{
	decode_all(jv_trusted(text), out);
}

static void run_escape(struct sv text, struct buf *out)
{
	buf_reset(out, SIZE_MAX);
	jw_escape(out, text);
	sink += out->len;
}

static const struct {
	const char *name;
	void (*run)(struct sv text, struct buf *out);
} passes[] = {
	{"validate", run_validate},
	{"count", run_count},
	{"pick", run_pick},
	{"decode", run_decode},
	{"escape", run_escape},
};

static void measure(const char *name, struct sv text)
{
	struct buf out;

	buf_init(&out, TEXT_CAP);
	printf("%-24s %6.1f MB ", name, (double)text.n / 1e6);
	for (size_t i = 0; i < ARRAY_LEN(passes); i++) {
		double best = 1e9;

		if (passes[i].run == run_pick && text.p[0] != '{') {
			printf("  pick      -");
			continue;
		}
		for (int round = 0; round < ROUNDS; round++) {
			double start = now_s();
			double took;

			passes[i].run(text, &out);
			took = now_s() - start;
			if (took < best)
				best = took;
		}
		printf("  %s %6.0f", passes[i].name, (double)text.n / 1e6 / best);
	}
	printf("  MB/s\n");
	buf_fini(&out);
}

/* A request like a coding agent's: many messages of one kind of text. */
static void measure_request(const char *name, struct sv message)
{
	struct buf text;
	struct jw w;

	buf_init(&text, TEXT_CAP);
	w = jw_begin(&text);
	jw_obj(&w);
	jw_kstr(&w, "model", SV("gpt-5"));
	jw_kbool(&w, "stream", true);
	jw_karr(&w, "input");
	while (text.len < TEXT_BYTES) {
		jw_obj(&w);
		jw_klit(&w, "role", "user");
		jw_karr(&w, "content");
		jw_obj(&w);
		jw_klit(&w, "type", "input_text");
		jw_kstr(&w, "text", message);
		jw_end(&w);
		jw_end(&w);
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	measure(name, buf_sv(&text));
	buf_fini(&text);
}

static void repeat(struct buf *message, struct sv text, size_t bytes)
{
	buf_init(message, TEXT_CAP);
	while (message->len < bytes)
		buf_add_sv(message, text);
}

static void measure_texts(void)
{
	static const struct {
		const char *name;
		struct sv text;
		size_t bytes;
	} kinds[] = {
		{"plain", SV("The quick brown fox jumps over the lazy dog. "), 4000},
		{"code", SV("\tif (buf_reserve(b, n))\n\t\treturn \"no room\";\n\n"), 4000},
		{"short messages", SV("ok, go on"), 1},
		{"accents",
			SV("Les \xc3\xa9l\xc3\xa8ves fran\xc3\xa7"
			   "ais d\xc3\xa9j\xc3\xa0 l\xc3\xa0. "),
			4000},
		{"cyrillic",
			SV("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82, "
			   "\xd0\xbc\xd0\xb8\xd1\x80! "),
			4000},
		{"chinese", SV("\xe4\xb8\xad\xe6\x96\x87\xe5\xad\x97\xe7\xac\xa6\xef\xbc\x8c"),
			4000},
		{"base64 image", SV("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"), 4000000},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct buf message;

		repeat(&message, kinds[i].text, kinds[i].bytes);
		measure_request(kinds[i].name, buf_sv(&message));
		buf_fini(&message);
	}
}

static void measure_numbers(void)
{
	struct buf text;
	struct jw w;

	buf_init(&text, TEXT_CAP);
	w = jw_begin(&text);
	jw_arr(&w);
	for (int i = 0; text.len < TEXT_BYTES; i++)
		jw_f64(&w, i / 7.0);
	jw_end(&w);
	measure("numbers", buf_sv(&text));
	buf_fini(&text);
}

static void measure_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct buf text;
	size_t got;

	if (!file) {
		perror(path);
		exit(1);
	}
	buf_init(&text, TEXT_CAP);
	do {
		if (buf_reserve(&text, 65536))
			abort();
		got = fread(text.data + text.len, 1, 65536, file);
		text.len += got;
	} while (got);
	fclose(file);
	measure(path, sv_trim(buf_sv(&text)));
	buf_fini(&text);
}

int main(int argc, char **argv)
{
	measure_texts();
	measure_numbers();
	for (int i = 1; i < argc; i++)
		measure_file(argv[i]);
	return sink == 0;
}
