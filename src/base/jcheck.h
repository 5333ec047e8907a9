/*
 * The validation behind jv_parse(): RFC 8259 grammar, strict UTF-8, a depth limit. One pass, no
 * recursion, no allocation.
 */
#ifndef BASE_JCHECK_H
#define BASE_JCHECK_H

#include "base/jspan.h"
#include "base/jv.h"

enum { JCHECK_DEPTH_LIMIT = 1024 }; /* the most that max_depth may be */

/* What is noted on the way; each may be NULL. */
struct jcheck_notes {
	struct jv_outline *outline;
	struct jspan_index *spans;
};

/* Contract of jv_parse(); *ret is the value without the white space around it. */
int jcheck_document(struct sv text, unsigned max_depth, const struct jcheck_notes *notes,
	struct sv *ret, struct jv_error *err) MUST_CHECK;

#endif
