/* The fast part of checking the inside of JSON strings. Private to the JSON reader. */
#ifndef BASE_JTEXT_H
#define BASE_JTEXT_H

/*
 * From p, where a character or an escape begins, over whole ones that are right: stops where
 * something has to be looked at by itself (a quote that ends the string, what is wrong, or what is
 * cut by the end of a block), before a block of plain ASCII, or when less than a block is left.
 */
const char *jtext_skip(const char *p, const char *end);

/* The same, compiled for AVX2; only with JTEXT_AVX2. */
const char *jtext_skip_avx2(const char *p, const char *end);

#endif
