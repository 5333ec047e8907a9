/*
 * Fixed work for tests/bench/callgrind, which counts the instructions that run below measured():
 *	bench_counts             prints how it was built
 *	bench_counts <workload>
 */
#include "base/limits.h"
#include "bench_answer.h"
#include "bench_slots.h"
#include "proto/sse.h"

#include <stdio.h>
#include <stdlib.h>

enum { DOCUMENT_BYTES = 1 << 20, EVENTS = 1000, SLOTS = 64, PICKS = 100 };

void measured(void (*run)(void));

static size_t sink; /* keeps results alive */
static struct buf text;

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* A client's request: one large message like a source file, many small ones with it. */
static void make_document(void)
{
	buf_init(&text, MIB(2));
	buf_add_lit(&text, "{\"model\":\"gpt-5.5\",\"stream\":true,\"input\":[");
	while (text.len < DOCUMENT_BYTES / 2)
		buf_add_lit(&text, "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
				   "\"input_text\",\"text\":\"a short question\"}]},");
	buf_add_lit(&text, "{\"type\":\"message\",\"role\":\"user\",\"content\":\"");
	while (text.len < DOCUMENT_BYTES)
		buf_add_lit(&text, "\\tif (name == \\\"gr\u00f6\u00dfe\\\") "
				   "{\\n\\t\\tprintf(\\\"%s: %d\\\\n\\\", "
				   "name, value); /* ok */\\n\\t}\\n");
	buf_add_lit(&text, "\"}],\"store\":false}");
	must(!buf_error(&text));
}

static void scan_document(void)
{
	struct jspan_index *index = NULL;
	struct jv v;

	must(!jv_parse_indexed(buf_sv(&text), LIMIT_JSON_DEPTH, &v, NULL, &index));
	sink += jv_count(jv_get(v, SV("input")));
	must(jv_is(jv_get(v, SV("store")), JV_FALSE));
	jv_index_free(index);
}

static void make_stream(void)
{
	buf_init(&text, MIB(2));
	bench_answer_stream(&text, EVENTS);
}

static void decode_stream(void)
{
	struct sv rest = buf_sv(&text);
	struct sse_decoder decoder;
	struct sse_event event;

	sse_decoder_init(&decoder, LIMIT_EVENT_BYTES);
	while (rest.n) {
		size_t n = rest.n < KIB(16) ? rest.n : KIB(16);

		sse_feed(&decoder, sv_make(rest.p, n));
		while (sse_next(&decoder, &event) == 1)
			sink += event.data.n;
		rest = sv_from(rest, n);
	}
	sse_decoder_fini(&decoder);
}

static void translate_native(void)
{
	static const struct bench_scenario s = {"", &dialect_responses, true, BENCH_RESPONSES};

	sink += bench_answer(&s, buf_sv(&text));
}

static void translate_responses(void)
{
	static const struct bench_scenario s = {"", &dialect_responses, false, BENCH_RESPONSES};

	sink += bench_answer(&s, buf_sv(&text));
}

static void translate_chat(void)
{
	static const struct bench_scenario s = {
		"", &dialect_chat, false, BENCH_CHAT ",\"stream\":true}"};

	sink += bench_answer(&s, buf_sv(&text));
}

static struct slot_table *tables[CONF_POLICIES];

static void make_tables(void)
{
	for (int policy = 0; policy < CONF_POLICIES; policy++)
		tables[policy] = bench_slots(SLOTS, (enum conf_policy)policy);
}

static void lease_slots(void)
{
	static const struct slot_verdict verdict = {.kind = VERDICT_CANCELLED};
	struct lease_request request = {.model = SV("gpt-5.5"), .now_ms = BENCH_NOW_MS};

	for (int i = 0; i < PICKS * CONF_POLICIES; i++) {
		struct lease_report report;
		struct lease lease = {0};

		must(!slot_table_lease(tables[i % CONF_POLICIES], &request, &lease, &report));
		sink += (size_t)report.pick.chosen;
		lease_release(&lease, &verdict, BENCH_NOW_MS);
	}
}

static const struct {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
} workloads[] = {
	{"jv-scan", make_document, scan_document},
	{"sse-decode", make_stream, decode_stream},
	{"native-events", make_stream, translate_native},
	{"responses-events", make_stream, translate_responses},
	{"chat-events", make_stream, translate_chat},
	{"pick-64", make_tables, lease_slots},
};

/* A function of its own, under a name that callgrind can see. */
__attribute__((noinline)) void measured(void (*run)(void))
{
	run();
	__asm__ volatile("" ::: "memory"); /* no tail call */
}

static int describe(void)
{
#ifdef __OPTIMIZE__
	static const char optimized[] = "true";
#else
	static const char optimized[] = "false";
#endif
#ifdef __x86_64__
	static const char architecture[] = "x86_64";
#elif defined(__aarch64__)
	static const char architecture[] = "aarch64";
#else
	static const char architecture[] = "other";
#endif

	printf("{\"architecture\":\"%s\",\"compiler\":\"%s\",\"optimized\":%s,\"workloads\":[",
		architecture, __VERSION__, optimized);
	for (size_t i = 0; i < ARRAY_LEN(workloads); i++)
		printf("%s\"%s\"", i ? "," : "", workloads[i].name);
	puts("]}");
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return describe();
	for (size_t i = 0; i < ARRAY_LEN(workloads); i++) {
		if (strcmp(argv[1], workloads[i].name) != 0)
			continue;
		workloads[i].prepare();
		measured(workloads[i].run);
		return sink == 0;
	}
	fprintf(stderr, "bench_counts: no such workload: %s\n", argv[1]);
	return 2;
}
