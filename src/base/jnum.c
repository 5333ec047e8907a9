#include "base/jnum.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A number taken apart: digits of the whole and fractional parts, and the exponent. */
struct decimal {
	struct sv whole;
	struct sv fraction;
	bool negative;
	int64_t exponent; /* saturated far beyond any text's length */
};

static struct sv take_digits(struct sv *s)
{
	struct sv digits = {s->p, 0};

	while (digits.n < s->n && s->p[digits.n] >= '0' && s->p[digits.n] <= '9')
		digits.n++;
	*s = sv_from(*s, digits.n);
	return digits;
}

static int64_t read_exponent(struct sv s)
{
	const int64_t most = INT64_C(1) << 60;
	bool negative = s.n && s.p[0] == '-';
	int64_t value = 0;

	if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
		s = sv_from(s, 1);
	for (size_t i = 0; i < s.n; i++) {
		if (value < most / 16)
			value = value * 10 + (s.p[i] - '0');
		else
			value = most;
	}
	return negative ? -value : value;
}

static struct decimal decimal_of(struct sv s)
{
	struct decimal d = {.negative = s.n && s.p[0] == '-'};

	if (d.negative)
		s = sv_from(s, 1);
	d.whole = take_digits(&s);
	if (s.n && s.p[0] == '.') {
		s = sv_from(s, 1);
		d.fraction = take_digits(&s);
	}
	if (s.n && (s.p[0] | 0x20) == 'e')
		d.exponent = read_exponent(sv_from(s, 1));
	return d;
}

/* Digit i of whole and fraction written behind each other. */
static unsigned digit_at(const struct decimal *d, size_t i)
{
	char c = i < d->whole.n ? d->whole.p[i] : d->fraction.p[i - d->whole.n];

	return (unsigned)(c - '0') & 0xf;
}

static int decimal_i64(const struct decimal *d, int64_t *ret)
{
	size_t first = 0;
	size_t last = d->whole.n + d->fraction.n;
	int64_t digits; /* before the decimal point, counted from first */
	uint64_t value = 0;

	while (first < last && digit_at(d, first) == 0)
		first++;
	while (last > first && digit_at(d, last - 1) == 0)
		last--;
	if (first == last) {
		*ret = 0;
		return 0;
	}
	digits = d->exponent + (int64_t)d->whole.n - (int64_t)first;
	if (digits < (int64_t)(last - first))
		return -EINVAL;
	if (digits > 19)
		return -ERANGE;
	for (int64_t i = 0; i < digits; i++) {
		size_t at = first + (size_t)i;

		value = value * 10 + (at < last ? digit_at(d, at) : 0);
	}
	if (value > (uint64_t)INT64_MAX + d->negative)
		return -ERANGE;
	*ret = d->negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

int jnum_i64(struct sv text, int64_t *ret)
{
	struct decimal d = decimal_of(text);

	return decimal_i64(&d, ret);
}

enum { DOUBLE_DIGITS = 800 }; /* no double needs more than 768, and one to round by */

/* The same value with few enough digits for a small array: those behind only count as "more". */
static double decimal_f64(const struct decimal *d)
{
	char text[DOUBLE_DIGITS + 40];
	size_t total = d->whole.n + d->fraction.n;
	size_t first = 0;
	size_t n = 0;
	bool more = false;
	double value;

	while (first < total && digit_at(d, first) == 0)
		first++;
	if (first == total)
		return d->negative ? -0.0 : 0.0;
	for (size_t i = first; i < total && !more; i++) {
		if (i - first < DOUBLE_DIGITS)
			text[n++] = (char)('0' + digit_at(d, i));
		else
			more = digit_at(d, i) != 0;
	}
	if (more)
		text[n++] = '1';
	snprintf(text + n, sizeof(text) - n, "e%lld",
		(long long)(d->exponent + (int64_t)d->whole.n - (int64_t)first - (int64_t)n));
	value = strtod(text, NULL);
	return d->negative ? -value : value;
}

int jnum_f64(struct sv text, double *ret)
{
	char copy[40];
	double value;

	if (text.n < sizeof(copy)) {
		memcpy(copy, text.p, text.n);
		copy[text.n] = '\0';
		value = strtod(copy, NULL);
	} else {
		struct decimal d = decimal_of(text);

		value = decimal_f64(&d);
	}
	if (!isfinite(value))
		return -ERANGE;
	*ret = value;
	return 0;
}
