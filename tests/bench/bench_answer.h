/*
 * What benchmarks of answers share: a stream as upstream sends it, and its way to a client without
 * connections. Ends the program when something is wrong.
 */
#ifndef BENCH_ANSWER_H
#define BENCH_ANSWER_H

#include "dialect/dialect.h"

struct bench_scenario {
	const char *name;
	const struct dialect *dialect;
	bool native;
	const char *request;
};

#define BENCH_CHAT "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]"
#define BENCH_RESPONSES "{\"model\":\"m\",\"input\":\"x\",\"stream\":true}"

/* A word a delta, obfuscation and all. */
void bench_answer_stream(struct buf *out, int deltas);
/* Decodes the stream and answers with it; returns the bytes for the client. */
size_t bench_answer(const struct bench_scenario *s, struct sv stream);

#endif
