/*
 * From the start of a JSON value to its end, in text that is known to be valid. In text that is not
 * the results are wrong too, but nothing at or behind end is read. No recursion.
 */
#ifndef BASE_JSKIP_H
#define BASE_JSKIP_H

/* From behind an opening quote to the closing one. */
const char *jskip_string(const char *p, const char *end);
/* From the first byte of a value to the first one behind it. */
const char *jskip_value(const char *p, const char *end);

#endif
