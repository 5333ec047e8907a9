#include "slots/stamp.h"

#include "base/clock.h"

#include <stdio.h>

enum { ISO_MAX = 40 };

/* Seconds of the year 5138, or milliseconds of 1973: nothing else can be meant on either side. */
static const double seconds_below = 1e11;
static const double last_ms = 253402300799999.0; /* 9999-12-31 */

static int64_t from_number(double value)
{
	double ms = value < seconds_below ? value * 1000 : value;

	return ms > 0 && ms <= last_ms ? (int64_t)ms : 0;
}

/* Without a zone, UTC is meant. */
static int64_t from_iso(struct sv text)
{
	char with_zone[ISO_MAX];
	int64_t ms;

	if (clock_parse_iso(text, &ms) == 0)
		return ms > 0 ? ms : 0;
	if (text.n + 2 > sizeof(with_zone))
		return 0;
	snprintf(with_zone, sizeof(with_zone), "%.*sZ", SV_ARG(text));
	if (clock_parse_iso(sv_cstr(with_zone), &ms) != 0)
		return 0;
	return ms > 0 ? ms : 0;
}

int64_t stamp_parse(struct sv text)
{
	double number;

	text = sv_trim(text);
	if (sv_f64(text, &number) == 0)
		return from_number(number);
	return from_iso(text);
}

int64_t stamp_read(const json_t *value)
{
	if (json_is_number(value))
		return from_number(json_number_value(value));
	if (json_is_string(value))
		return stamp_parse(sv_make(json_string_value(value), json_string_length(value)));
	return 0;
}

static json_t *write_like(int64_t wall_ms, const json_t *model)
{
	char text[ISO_MAX];

	if (json_is_number(model)) {
		double was = json_number_value(model);

		/* A 0 tells the type alone; milliseconds are what the original counts in. */
		if (was == 0 || was >= seconds_below)
			return json_integer(wall_ms);
		if (json_is_real(model))
			return json_real((double)wall_ms / 1000);
		return json_integer(wall_ms / 1000);
	}
	clock_format_iso(wall_ms, text);
	return json_string(text);
}

json_t *stamp_write(int64_t wall_ms, const json_t *old, const json_t *sibling)
{
	bool typed = json_is_number(old) || json_is_string(old);

	if (wall_ms <= 0)
		return json_is_number(old) && json_number_value(old) == 0 ? json_integer(0)
									  : json_null();
	return write_like(wall_ms, typed ? old : sibling);
}
