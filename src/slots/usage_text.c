#include "slots/usage_text.h"

#include <stdio.h>

enum { MINUTE_S = 60, HOUR_S = 60 * MINUTE_S, DAY_S = 24 * HOUR_S, SPAN_MAX_S = 366 * DAY_S };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int64_t unit_seconds(char c)
{
	switch (c) {
	case 'w':
		return 7 * DAY_S;
	case 'd':
		return DAY_S;
	case 'h':
		return HOUR_S;
	case 'm':
		return MINUTE_S;
	case 's':
		return 1;
	default:
		return 0;
	}
}

/* "6d 23h" in front of text; 0 when there is no such thing. */
static int64_t span_seconds(struct sv text)
{
	int64_t total = 0;

	for (;;) {
		size_t digits = 0;
		uint64_t number;
		int64_t unit;

		text = sv_trim(text);
		while (digits < text.n && is_digit(text.p[digits]))
			digits++;
		if (!digits || digits == text.n || sv_u64(sv_make(text.p, digits), &number) != 0)
			return total;
		unit = unit_seconds(text.p[digits]);
		if (!unit || number > (uint64_t)(SPAN_MAX_S / unit))
			return 0;
		total += (int64_t)number * unit;
		if (total > SPAN_MAX_S)
			return 0;
		text = sv_from(text, digits + 1);
	}
}

static int64_t reset_of(struct sv text, int64_t base_ms)
{
	ptrdiff_t at = sv_ifind(text, SV("resets"));
	struct sv rest;
	int64_t span_s;

	if (at < 0 || base_ms <= 0)
		return 0;
	rest = sv_trim(sv_from(text, (size_t)at + SV("resets").n));
	if (sv_istarts(rest, SV("in ")))
		rest = sv_from(rest, 3);
	if (sv_istarts(rest, SV("now")))
		return base_ms / 1000;
	span_s = span_seconds(rest);
	return span_s ? base_ms / 1000 + span_s : 0;
}

bool usage_text_parse(struct sv text, int64_t base_ms, struct meter *ret)
{
	struct sv rest = sv_trim(text);
	struct sv number = sv_trim(sv_split(&rest, '%'));
	double percent;
	bool used;

	if (number.n == sv_trim(text).n || sv_f64(number, &percent) != 0)
		return false;
	if (percent < 0 || percent > 100)
		return false;
	used = sv_istarts(sv_trim(rest), SV("used"));
	*ret = (struct meter){
		.known = true,
		.used_percent = used ? percent : 100 - percent,
		.resets_at_s = reset_of(rest, base_ms),
	};
	return true;
}

int usage_text_percent(double left)
{
	if (left <= 0)
		return 0;
	if (left < 1)
		return 1;
	return left >= 100 ? 100 : (int)(left + 0.5);
}

void usage_text_span(int64_t ms, char out[USAGE_SPAN_SIZE])
{
	long long minutes = (ms + 59999) / 60000;
	long long hours = minutes / 60, days = hours / 24;

	if (ms <= 0)
		snprintf(out, USAGE_SPAN_SIZE, "now");
	else if (hours == 0)
		snprintf(out, USAGE_SPAN_SIZE, "%lldm", minutes);
	else if (days == 0 && minutes % 60)
		snprintf(out, USAGE_SPAN_SIZE, "%lldh %lldm", hours, minutes % 60);
	else if (days == 0)
		snprintf(out, USAGE_SPAN_SIZE, "%lldh", hours);
	else
		snprintf(out, USAGE_SPAN_SIZE, "%lldd %lldh", days, hours % 24);
}

void usage_text_format(const struct meter *m, int64_t base_ms, char out[USAGE_TEXT_SIZE])
{
	int left = usage_text_percent(100 - meter_used_at(m, base_ms / 1000));
	char span[USAGE_SPAN_SIZE];

	if (m->resets_at_s * 1000 <= base_ms) {
		snprintf(out, USAGE_TEXT_SIZE, "%d%% left", left);
		return;
	}
	usage_text_span(m->resets_at_s * 1000 - base_ms, span);
	snprintf(out, USAGE_TEXT_SIZE, "%d%% left · resets %s", left, span);
}
