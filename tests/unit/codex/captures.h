/*
 * Reads tests/captures/: requests of the real Codex CLI, one by one. The directory of the tests is
 * told by the environment (TESTS_DIR). For unit tests; include it before cmocka.h.
 */
#ifndef TESTS_UNIT_CODEX_CAPTURES_H
#define TESTS_UNIT_CODEX_CAPTURES_H

#include "base/durable.h"
#include "base/jv.h"
#include "base/limits.h"
#include "proto/http1.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const capture_names[] = {
	"01_custom_provider_bearer",
	"03_custom_provider_gpt55",
	"130_tool_exec_command",
	"132_tool_apply_patch",
	"137_two_reasoning_resume",
	"140_image_input",
	"173_subagent",
	"50_http_429_usage_limit",
	"94_turn_state",
	"old_0.98.0_custom_tool",
};

struct capture {
	struct buf text;
	struct arena arena;
	struct jv_iter at;
};

static inline void capture_open(struct capture *c, const char *name)
{
	const char *dir = getenv("TESTS_DIR");
	char path[512];
	struct jv root;

	snprintf(path, sizeof(path), "%s/captures/%s.json", dir ? dir : "tests", name);
	buf_init(&c->text, MIB(4));
	arena_init(&c->arena, MIB(1));
	if (durable_read(path, &c->text) < 0 ||
		jv_parse(buf_sv(&c->text), LIMIT_JSON_DEPTH, &root, NULL) < 0)
		assert(!"capture cannot be read");
	c->at = jv_iter(jv_get(root, SV("traffic")));
}

static inline void capture_close(struct capture *c)
{
	buf_fini(&c->text);
	arena_fini(&c->arena);
}

static inline struct sv capture_text(struct capture *c, struct jv v)
{
	struct sv text = SV_NONE;

	if (jv_str(v, &c->arena, &text) < 0)
		assert(!"no text");
	return text;
}

/* {"headers":[[name, value], …]} */
static inline void capture_head(struct capture *c, struct jv exchange, struct http_request *ret)
{
	struct jv_iter it = jv_iter(jv_get(exchange, SV("headers")));

	memset(ret, 0, sizeof(*ret));
	while (jv_next(&it)) {
		struct jv_iter pair = jv_iter(it.value);
		struct http_header *header = &ret->headers[ret->header_count++];

		jv_next(&pair);
		header->name = capture_text(c, pair.value);
		jv_next(&pair);
		header->value = capture_text(c, pair.value);
	}
}

/* The next POST of a turn with a body; ret_head may be NULL. */
static inline bool capture_next_turn(
	struct capture *c, struct http_request *ret_head, struct jv *ret_body)
{
	while (jv_next(&c->at)) {
		struct jv path = jv_get(c->at.value, SV("path"));

		*ret_body = jv_get(c->at.value, SV("body"));
		if (!sv_ends(jv_str_raw(path), SV("/responses")) || !jv_is(*ret_body, JV_OBJECT))
			continue;
		if (ret_head)
			capture_head(c, c->at.value, ret_head);
		return true;
	}
	return false;
}

#endif
