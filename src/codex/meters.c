#include "codex/meters.h"

enum {
	MINUTES_5H_MAX = 24 * 60,
	MINUTES_MONTH_MIN = 28 * 24 * 60,
	RESET_MAX_S = 366 * 24 * 3600,
	PLACES = 2, /* primary, secondary */
};

/* One window as told, before it is known by its length. */
struct told {
	bool has_used, has_reset_at, has_reset_after;
	double used;
	double minutes;
	double reset_at_s;
	double reset_after_s;
};

/* Header names behind "x-codex-", "primary-" or "secondary-"; values are numbers. */
enum field { FIELD_USED, FIELD_MINUTES, FIELD_SECONDS, FIELD_RESET_AT, FIELD_RESET_AFTER };
struct told_name {
	struct sv name;
	enum field field;
};

static const struct told_name header_names[] = {
	{SV("used-percent"), FIELD_USED},
	{SV("window-minutes"), FIELD_MINUTES},
	{SV("reset-at"), FIELD_RESET_AT},
	{SV("reset-after-seconds"), FIELD_RESET_AFTER},
};

/* Members of a window object, in events and in wham/usage. */
static const struct told_name member_names[] = {
	{SV("used_percent"), FIELD_USED},
	{SV("window_minutes"), FIELD_MINUTES},
	{SV("limit_window_seconds"), FIELD_SECONDS},
	{SV("reset_at"), FIELD_RESET_AT},
	{SV("resets_at"), FIELD_RESET_AT},
	{SV("reset_after_seconds"), FIELD_RESET_AFTER},
};

enum meter_kind meter_kind_of(int64_t window_minutes, bool secondary)
{
	if (window_minutes <= 0)
		return secondary ? METER_WEEK : METER_5H;
	if (window_minutes <= MINUTES_5H_MAX)
		return METER_5H;
	return window_minutes >= MINUTES_MONTH_MIN ? METER_MONTH : METER_WEEK;
}

double meter_used_at(const struct meter *m, int64_t now_s)
{
	return m->resets_at_s > 0 && now_s >= m->resets_at_s ? 0 : m->used_percent;
}

static void told_set(struct told *t, enum field field, double value)
{
	switch (field) {
	case FIELD_USED:
		t->has_used = true;
		t->used = value;
		break;
	case FIELD_MINUTES:
		t->minutes = value;
		break;
	case FIELD_SECONDS:
		t->minutes = value / 60;
		break;
	case FIELD_RESET_AT:
		t->has_reset_at = true;
		t->reset_at_s = value;
		break;
	case FIELD_RESET_AFTER:
		t->has_reset_after = true;
		t->reset_after_s = value;
		break;
	}
}

static bool is_sane_delay(double seconds)
{
	return seconds > 0 && seconds < RESET_MAX_S;
}

static int64_t told_reset(const struct told *t, int64_t now_s)
{
	if (t->has_reset_at && is_sane_delay(t->reset_at_s - (double)now_s))
		return (int64_t)t->reset_at_s;
	if (t->has_reset_after && is_sane_delay(t->reset_after_s))
		return now_s + (int64_t)t->reset_after_s + (t->reset_after_s < 1);
	return 0;
}

/* A reset in the past, and no other one: the window is a new one, of which nothing was used. */
static bool told_is_over(const struct told *t, int64_t now_s)
{
	return t->has_reset_at && t->reset_at_s > 0 && t->reset_at_s <= (double)now_s &&
	       !t->has_reset_after;
}

static double clamp(double value, double least, double most)
{
	if (value < least)
		return least;
	return value > most ? most : value;
}

/*
 * All zeroes is how upstream says that there is no such window. Two windows of one kind: the fuller
 * one counts.
 */
static bool take_window(struct meters *m, const struct told *t, bool secondary, int64_t now_s)
{
	struct meter meter = {.known = true};
	struct meter *place;

	if (!t->has_used || (t->used == 0 && t->minutes == 0 && !t->has_reset_at))
		return false;
	meter.used_percent = told_is_over(t, now_s) ? 0 : clamp(t->used, 0, 100);
	meter.window_minutes = (int64_t)clamp(t->minutes, 0, 1e9);
	meter.resets_at_s = told_reset(t, now_s);
	place = &m->window[meter_kind_of(meter.window_minutes, secondary)];
	if (!place->known || place->used_percent <= meter.used_percent)
		*place = meter;
	return true;
}

static bool copy_plan(struct meters *m, struct sv plan)
{
	if (!plan.n || plan.n >= sizeof(m->plan_type))
		return false;
	for (size_t i = 0; i < plan.n; i++) {
		if (plan.p[i] <= ' ' || plan.p[i] > '~' || plan.p[i] == '"')
			return false;
	}
	memcpy(m->plan_type, plan.p, plan.n);
	m->plan_type[plan.n] = '\0';
	return true;
}

/* 1 or 0; -1: says neither. */
static int flag_of(struct sv text)
{
	if (sv_ieq(text, SV("true")) || sv_eq(text, SV("1")))
		return 1;
	return sv_ieq(text, SV("false")) || sv_eq(text, SV("0")) ? 0 : -1;
}

/* Both must be told, or the credits are unknown. */
static bool take_credits(struct meters *m, int has, int unlimited)
{
	if (has < 0 || unlimited < 0)
		return false;
	m->has_credits_known = true;
	m->has_credits = has;
	m->credits_unlimited = unlimited;
	return true;
}

static void told_header(struct told *t, struct sv name, struct sv value)
{
	double number;

	for (size_t i = 0; i < ARRAY_LEN(header_names); i++) {
		if (sv_ieq(name, header_names[i].name) && sv_f64(value, &number) == 0)
			told_set(t, header_names[i].field, number);
	}
}

bool meters_from_headers(
	const struct http_header *headers, size_t count, int64_t now_s, struct meters *ret)
{
	static const struct sv family = SV("x-codex-");
	static const struct sv places[PLACES] = {SV("primary-"), SV("secondary-")};
	struct told told[PLACES] = {{0}};
	struct meters m = {0};
	int has = -1, unlimited = -1;
	bool any = false;

	for (size_t i = 0; i < count; i++) {
		struct sv name, value;

		if (!sv_istarts(headers[i].name, family))
			continue;
		name = sv_from(headers[i].name, family.n);
		value = sv_trim(headers[i].value);
		for (size_t p = 0; p < PLACES; p++) {
			if (sv_istarts(name, places[p]))
				told_header(&told[p], sv_from(name, places[p].n), value);
		}
		if (sv_ieq(name, SV("credits-has-credits")))
			has = flag_of(value);
		else if (sv_ieq(name, SV("credits-unlimited")))
			unlimited = flag_of(value);
		else if (sv_ieq(name, SV("plan-type")))
			any |= copy_plan(&m, value);
	}
	for (size_t p = 0; p < PLACES; p++)
		any |= take_window(&m, &told[p], p == 1, now_s);
	any |= take_credits(&m, has, unlimited);
	if (any)
		*ret = m;
	return any;
}

/* A number, or a string that holds one. */
static bool number_of(struct jv v, double *ret)
{
	if (jv_is(v, JV_STRING))
		return sv_f64(jv_str_raw(v), ret) == 0;
	return jv_f64(v, ret) == 0;
}

static bool take_object(struct meters *m, struct jv window, bool secondary, int64_t now_s)
{
	struct told told = {0};
	double number;

	for (size_t i = 0; i < ARRAY_LEN(member_names); i++) {
		if (number_of(jv_get(window, member_names[i].name), &number))
			told_set(&told, member_names[i].field, number);
	}
	return take_window(m, &told, secondary, now_s);
}

static int flag_member(struct jv object, struct sv key)
{
	struct jv v = jv_get(object, key);

	if (jv_is_bool(v))
		return jv_is_true(v);
	return flag_of(jv_is(v, JV_STRING) ? jv_str_raw(v) : jv_raw(v));
}

static bool take_common(struct meters *m, struct jv body)
{
	struct jv credits = jv_get(body, SV("credits"));
	bool any = copy_plan(m, jv_str_raw(jv_get(body, SV("plan_type"))));

	return take_credits(m, flag_member(credits, SV("has_credits")),
		       flag_member(credits, SV("unlimited"))) ||
	       any;
}

/* Other limits of the account are told by events of the same type. */
static bool is_other_limit(struct jv event)
{
	static const struct sv keys[] = {
		SV("limit_id"), SV("metered_limit_name"), SV("limit_name")};
	struct jv found[ARRAY_LEN(keys)];

	jv_pick(event, keys, ARRAY_LEN(keys), found);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!jv_is_nil(found[i]) && !sv_ieq(jv_str_raw(found[i]), SV("codex")))
			return true;
	}
	return false;
}

bool meters_from_event(struct jv event, int64_t now_s, struct meters *ret)
{
	struct jv limits = jv_get(event, SV("rate_limits"));
	struct meters m = {0};
	bool any;

	if (is_other_limit(event) || is_other_limit(limits))
		return false;
	any = take_object(&m, jv_get(limits, SV("primary")), false, now_s);
	any |= take_object(&m, jv_get(limits, SV("secondary")), true, now_s);
	any |= take_common(&m, event);
	if (any)
		*ret = m;
	return any;
}

/* {"available_count":2}; more than anybody was ever given makes no sense. */
static bool take_resets(struct meters *m, struct jv body)
{
	struct jv count =
		jv_get(jv_get(body, SV("rate_limit_reset_credits")), SV("available_count"));
	int64_t available;

	if (jv_i64(count, &available) || available < 0 || available > 1000000)
		return false;
	m->has_resets_known = true;
	m->resets_available = available;
	return true;
}

bool meters_from_usage(struct jv body, int64_t now_s, struct meters *ret)
{
	struct jv limit = jv_get(body, SV("rate_limit"));
	struct meters m = {0};
	bool any;

	any = take_object(&m, jv_get(limit, SV("primary_window")), false, now_s);
	any |= take_object(&m, jv_get(limit, SV("secondary_window")), true, now_s);
	any |= take_common(&m, body);
	any |= take_resets(&m, body);
	if (any)
		*ret = m;
	return any;
}

bool meters_usage_is_refusing(struct jv body)
{
	struct jv limit = jv_get(body, SV("rate_limit"));

	return jv_is_true(jv_get(limit, SV("limit_reached"))) ||
	       jv_is(jv_get(limit, SV("allowed")), JV_FALSE);
}

void meters_merge(struct meters *m, const struct meters *news)
{
	for (size_t i = 0; i < METER_KINDS; i++) {
		if (news->window[i].known)
			m->window[i] = news->window[i];
	}
	if (news->has_credits_known)
		take_credits(m, news->has_credits, news->credits_unlimited);
	if (news->has_resets_known) {
		m->has_resets_known = true;
		m->resets_available = news->resets_available;
	}
	if (news->plan_type[0])
		memcpy(m->plan_type, news->plan_type, sizeof(m->plan_type));
}
