/*
 * The value of a JSON number whose grammar was checked already, however long its text is. The
 * program never calls setlocale(), so the C library's decimal point is JSON's.
 */
#ifndef BASE_JNUM_H
#define BASE_JNUM_H

#include "base/sv.h"

/* 0, -EINVAL (a fraction that is not zero) or -ERANGE. */
int jnum_i64(struct sv text, int64_t *ret) MUST_CHECK;
/* Correctly rounded: 0 or -ERANGE (too big; too small is zero). */
int jnum_f64(struct sv text, double *ret) MUST_CHECK;

#endif
