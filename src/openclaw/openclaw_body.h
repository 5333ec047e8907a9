/*
 * A request body for the gateway's own /v1/responses, from the internal form. The gateway refuses
 * members and items that it does not know (seen with 2026.4.15), so what it takes is written anew:
 * instructions, function tools, tool_choice, max_output_tokens, temperature, top_p, and messages
 * with text, images and files. Reasoning items, built-in tools and the rest of the Responses API
 * are left out: the gateway has nothing to do with them. Pure.
 */
#ifndef OPENCLAW_OPENCLAW_BODY_H
#define OPENCLAW_OPENCLAW_BODY_H

#include "base/jv.h"
#include "dialect/api_err.h"

/* 0, -EINVAL with *err (400: a thing that the gateway cannot carry), or out's error. */
int openclaw_body_build(
	struct jv request, const char *agent_id, struct buf *out, struct api_err *err) MUST_CHECK;

#endif
