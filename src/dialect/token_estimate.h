/*
 * How many tokens a request has, roughly: there is no tokenizer here, and upstream tells only what
 * an answer has cost. Texts count about four characters a token, CJK about one and a half; an image
 * and a file count by what is usual. Good for "does it fit", not for an invoice. Pure.
 */
#ifndef DIALECT_TOKEN_ESTIMATE_H
#define DIALECT_TOKEN_ESTIMATE_H

#include "base/jv.h"

/* Of a Responses document: instructions, input, tools and the format of text. */
int64_t token_estimate(struct jv request);

#endif
