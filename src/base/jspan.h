/*
 * Where the long values of large documents end, so that whoever steps over one need not read it
 * again. A document's index is filled while it is validated and then listed for this thread; the
 * skipping functions (jskip.h) look long values up in what is listed. Private to the JSON reader;
 * others use jv_parse_indexed().
 */
#ifndef BASE_JSPAN_H
#define BASE_JSPAN_H

#include "base/sv.h"

enum {
	JSPAN_DOCUMENT_MIN =
		16 * 1024, /* bytes; smaller documents are read faster than looked up */
	JSPAN_VALUE_MIN = 2 * 1024,
	JSPAN_PROBE = 256, /* bytes of a value that are read before it is looked up */
	JSPAN_MAX = 8192,  /* values noted of one document; those that do not fit are read */
};

struct jspan_index;

/* Not listed yet. NULL when there is no memory, or the text is too small to be worth it. */
struct jspan_index *jspan_new(struct sv text);
/* NULL is accepted. */
void jspan_free(struct jspan_index *x);
/* Of values that are noted. */
size_t jspan_min_bytes(const struct jspan_index *x);
/* A value of the text; each is noted behind all that it holds. */
void jspan_note(struct jspan_index *x, const char *start, const char *behind);
void jspan_list(struct jspan_index *x);

/* Is any document listed? */
bool jspan_is_any(void);
/* The first byte behind the value that starts at start, or NULL when that is not known. */
const char *jspan_find(const char *start);

#endif
