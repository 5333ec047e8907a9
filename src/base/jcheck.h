/*
 * The validation behind jv_parse(): RFC 8259 grammar, strict UTF-8, a depth limit. One pass, no
 * recursion, no allocation.
 */
#ifndef BASE_JCHECK_H
#define BASE_JCHECK_H

#include "base/jv.h"

enum { JCHECK_DEPTH_LIMIT = 1024 }; /* the most that max_depth may be */

/* Contract of jv_parse(); *ret is the value without the white space around it. */
int jcheck_document(
	struct sv text, unsigned max_depth, struct sv *ret, struct jv_error *err) MUST_CHECK;

#endif
