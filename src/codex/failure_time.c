#include "codex/failure_time.h"

#include "codex/failure.h"

#include <time.h>

#define DELAY_MAX_MS (INT64_C(366) * 24 * 3600 * 1000)

struct unit {
	struct sv name;
	double ms;
};

static const struct unit units[] = {
	{SV("ms"), 1},
	{SV("millisecond"), 1},
	{SV("milliseconds"), 1},
	{SV("s"), 1000},
	{SV("sec"), 1000},
	{SV("secs"), 1000},
	{SV("second"), 1000},
	{SV("seconds"), 1000},
	{SV("m"), 60e3},
	{SV("min"), 60e3},
	{SV("mins"), 60e3},
	{SV("minute"), 60e3},
	{SV("minutes"), 60e3},
	{SV("h"), 3600e3},
	{SV("hr"), 3600e3},
	{SV("hrs"), 3600e3},
	{SV("hour"), 3600e3},
	{SV("hours"), 3600e3},
	{SV("d"), 86400e3},
	{SV("day"), 86400e3},
	{SV("days"), 86400e3},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const struct unit *find_unit(struct sv name)
{
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (sv_ieq(name, units[i].name))
			return &units[i];
	}
	return NULL;
}

/* Takes digits with an optional fraction from *rest. */
static bool take_number(struct sv *rest, double *ret)
{
	size_t n = 0;

	while (n < rest->n && is_digit(rest->p[n]))
		n++;
	if (n + 1 < rest->n && rest->p[n] == '.' && is_digit(rest->p[n + 1])) {
		n++;
		while (n < rest->n && is_digit(rest->p[n]))
			n++;
	}
	if (!n || sv_f64(sv_make(rest->p, n), ret) < 0)
		return false;
	*rest = sv_from(*rest, n);
	return true;
}

static const struct unit *take_unit(struct sv *rest)
{
	size_t n = 0;
	const struct unit *unit;

	while (n < rest->n && is_letter(rest->p[n]))
		n++;
	unit = find_unit(sv_make(rest->p, n));
	if (unit)
		*rest = sv_from(*rest, n);
	return unit;
}

static void skip_filler(struct sv *rest)
{
	while (rest->n && (rest->p[0] == ' ' || rest->p[0] == ','))
		*rest = sv_from(*rest, 1);
	if (sv_istarts(*rest, SV("and ")))
		*rest = sv_from(*rest, 4);
}

/* Pairs of number and unit from the start of text; -1 when there is none. *ret_rest is behind. */
static int64_t parse_duration(struct sv text, struct sv *ret_rest)
{
	double total = -1;
	struct sv rest = text;

	for (;;) {
		double number;
		const struct unit *unit;

		skip_filler(&rest);
		if (!take_number(&rest, &number))
			break;
		while (rest.n && rest.p[0] == ' ')
			rest = sv_from(rest, 1);
		unit = take_unit(&rest);
		if (!unit)
			break;
		total = (total < 0 ? 0 : total) + number * unit->ms;
	}
	*ret_rest = rest;
	return total < (double)DELAY_MAX_MS ? (int64_t)total : -1;
}

int64_t failure_parse_try_again(struct sv text)
{
	static const struct sv lead = SV("try again in ");
	ptrdiff_t at = sv_ifind(text, lead);
	struct sv rest;
	int64_t ms;

	if (at >= 0)
		return parse_duration(sv_from(text, (size_t)at + lead.n), &rest);
	ms = parse_duration(text, &rest);
	return rest.n ? -1 : ms;
}

/* Delay from now in milliseconds to a sane time, else 0. */
static int64_t sane_until(double delay_ms, int64_t now_ms)
{
	if (!(delay_ms > 0) || delay_ms >= (double)DELAY_MAX_MS)
		return 0;
	return now_ms + (delay_ms < 1 ? 1 : (int64_t)delay_ms);
}

/* An HTTP date (RFC 9110 section 5.6.7), the one form that is still made. */
static bool parse_date(struct sv text, double *ret_s)
{
	char copy[64];
	struct tm tm = {0};
	const char *end;

	if (text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
	if (!end || *end)
		return false;
	*ret_s = (double)timegm(&tm);
	return true;
}

static int64_t from_retry_after(const struct failure_hints *h)
{
	for (size_t i = 0; i < h->header_count; i++) {
		struct sv value = sv_trim(h->headers[i].value);
		double number;

		if (!value.n || !sv_istarts(h->headers[i].name, SV("retry-after")))
			continue;
		if (sv_ieq(h->headers[i].name, SV("retry-after-ms")) && sv_f64(value, &number) == 0)
			return sane_until(number, h->now_ms);
		if (!sv_ieq(h->headers[i].name, SV("retry-after")))
			continue;
		if (sv_f64(value, &number) == 0)
			return sane_until(number * 1000, h->now_ms);
		if (parse_date(value, &number))
			return sane_until(number * 1000 - (double)h->now_ms, h->now_ms);
	}
	return 0;
}

/* The latest reset among full windows: before it the account cannot serve. */
static int64_t from_meters(const struct failure_hints *h)
{
	int64_t latest_s = 0;

	for (size_t i = 0; h->meters && i < METER_KINDS; i++) {
		const struct meter *m = &h->meters->window[i];

		if (m->known && meter_used_at(m, h->now_ms / 1000) >= 100 &&
			m->resets_at_s > latest_s)
			latest_s = m->resets_at_s;
	}
	return sane_until((double)latest_s * 1000 - (double)h->now_ms, h->now_ms);
}

int64_t failure_time_until(const struct failure_hints *h)
{
	const struct refusal *r = h->refusal;
	int64_t until = 0;

	if (r->has_resets_at)
		until = sane_until(r->resets_at_s * 1000 - (double)h->now_ms, h->now_ms);
	if (!until && r->has_resets_in)
		until = sane_until(r->resets_in_s * 1000, h->now_ms);
	if (!until)
		until = from_retry_after(h);
	if (!until)
		until = from_meters(h);
	if (!until) {
		int64_t delay = failure_parse_try_again(sv_cstr(r->message));

		until = sane_until((double)delay, h->now_ms);
	}
	return until;
}
