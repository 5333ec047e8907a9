#include "base/clock.h"

#include <errno.h>
#include <time.h>

#define DAY_MS INT64_C(86400000)
/* 9999-12-31T23:59:59.999Z */
#define LAST_MS INT64_C(253402300799999)

static int64_t read_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t clock_mono_ms(void)
{
	return read_us(CLOCK_MONOTONIC) / 1000;
}

int64_t clock_mono_us(void)
{
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_wall_ms(void)
{
	return read_us(CLOCK_REALTIME) / 1000;
}

struct civil {
	int year;
	int month; /* 1 to 12 */
	int day;   /* 1 to 31 */
};

/* Days are counted in a calendar whose years begin in March, so that the leap day is a year's last.
 * An era is the 400 years after which that calendar repeats. */
enum { ERA_DAYS = 146097, EPOCH_DAYS = 719468 /* 0000-03-01 to 1970-01-01 */ };

static struct civil civil_from_days(int64_t days)
{
	int64_t since = days + EPOCH_DAYS; /* not negative: the callers clamp to 1970 */
	int64_t era = since / ERA_DAYS;
	int day_of_era = (int)(since % ERA_DAYS);
	int year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int march_month = (5 * day_of_year + 2) / 153;
	struct civil c;

	c.day = day_of_year - (153 * march_month + 2) / 5 + 1;
	c.month = march_month < 10 ? march_month + 3 : march_month - 9;
	c.year = (int)(era * 400) + year_of_era + (c.month <= 2);
	return c;
}

static int64_t days_from_civil(struct civil c)
{
	int64_t year = (int64_t)c.year + 400 - (c.month <= 2); /* shifted, so that year 0 is fine */
	int64_t era = year / 400;
	int64_t year_of_era = year % 400;
	int64_t march_month = c.month > 2 ? c.month - 3 : c.month + 9;
	int64_t day_of_year = (153 * march_month + 2) / 5 + c.day - 1;
	int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

	return (era - 1) * ERA_DAYS + day_of_era - EPOCH_DAYS;
}

static int days_in_month(int year, int month)
{
	static const char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static void put_digits(char *at, int count, int value)
{
	while (count--) {
		at[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void clock_format_iso(int64_t wall_ms, char out[CLOCK_ISO_SIZE])
{
	int64_t ms = wall_ms < 0 ? 0 : wall_ms > LAST_MS ? LAST_MS : wall_ms;
	int in_day = (int)(ms % DAY_MS);
	struct civil c = civil_from_days(ms / DAY_MS);

	memcpy(out, "0000-00-00T00:00:00.000Z", CLOCK_ISO_SIZE);
	put_digits(out, 4, c.year);
	put_digits(out + 5, 2, c.month);
	put_digits(out + 8, 2, c.day);
	put_digits(out + 11, 2, in_day / 3600000);
	put_digits(out + 14, 2, in_day / 60000 % 60);
	put_digits(out + 17, 2, in_day / 1000 % 60);
	put_digits(out + 20, 3, in_day % 1000);
}

/* Takes a number of exactly count digits off the front. */
static bool take_digits(struct sv *rest, unsigned count, int *ret)
{
	int value = 0;

	if (rest->n < count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		unsigned digit = (unsigned)(unsigned char)rest->p[i] - '0';

		if (digit > 9)
			return false;
		value = value * 10 + (int)digit;
	}
	*rest = sv_from(*rest, count);
	*ret = value;
	return true;
}

/* Takes one character off the front if it is among allowed. */
static bool take_one_of(struct sv *rest, const char *allowed)
{
	if (rest->n == 0 || rest->p[0] == '\0' || !strchr(allowed, rest->p[0]))
		return false;
	*rest = sv_from(*rest, 1);
	return true;
}

static bool take_date(struct sv *rest, int64_t *ret_days)
{
	struct civil c;

	if (!take_digits(rest, 4, &c.year) || !take_one_of(rest, "-") ||
		!take_digits(rest, 2, &c.month) || !take_one_of(rest, "-") ||
		!take_digits(rest, 2, &c.day))
		return false;
	if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > days_in_month(c.year, c.month))
		return false;
	*ret_days = days_from_civil(c);
	return true;
}

/* ".5", ".123", ".123456789": any number of digits, those behind the third are cut off. */
static bool take_fraction(struct sv *rest, int *ret_ms)
{
	int scale = 100;
	int digit;

	*ret_ms = 0;
	if (!take_one_of(rest, ".,"))
		return true;
	if (!take_digits(rest, 1, &digit))
		return false;
	do {
		*ret_ms += digit * scale;
		scale /= 10;
	} while (take_digits(rest, 1, &digit));
	return true;
}

static bool take_time(struct sv *rest, int64_t *ret_ms)
{
	int hour;
	int minute;
	int second;
	int ms;

	if (!take_digits(rest, 2, &hour) || !take_one_of(rest, ":") ||
		!take_digits(rest, 2, &minute) || !take_one_of(rest, ":") ||
		!take_digits(rest, 2, &second) || !take_fraction(rest, &ms))
		return false;
	/* 60 is a leap second: it falls together with the second behind it. */
	if (hour > 23 || minute > 59 || second > 60)
		return false;
	*ret_ms = ((int64_t)hour * 60 + minute) * 60000 + (int64_t)second * 1000 + ms;
	return true;
}

/* "Z", "+01:00", "-0130", "+02". */
static bool take_offset(struct sv *rest, int64_t *ret_ms)
{
	bool negative = rest->n && rest->p[0] == '-';
	int hour;
	int minute = 0;

	*ret_ms = 0;
	if (take_one_of(rest, "Zz"))
		return true;
	if (!take_one_of(rest, "+-") || !take_digits(rest, 2, &hour))
		return false;
	if (take_one_of(rest, ":") || rest->n) {
		if (!take_digits(rest, 2, &minute))
			return false;
	}
	if (hour > 23 || minute > 59)
		return false;
	*ret_ms = ((int64_t)hour * 60 + minute) * (negative ? -60000 : 60000);
	return true;
}

int clock_parse_iso(struct sv text, int64_t *ret_wall_ms)
{
	int64_t days;
	int64_t in_day;
	int64_t offset;

	if (!take_date(&text, &days) || !take_one_of(&text, "Tt ") || !take_time(&text, &in_day) ||
		!take_offset(&text, &offset) || text.n)
		return -EINVAL;
	*ret_wall_ms = days * DAY_MS + in_day - offset;
	return 0;
}
