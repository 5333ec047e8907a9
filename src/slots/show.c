#include "slots/show.h"

#include "base/clock.h"

#include <string.h>

json_t *show_text(const char *text)
{
	size_t n = text ? strlen(text) : 0;
	json_t *value = NULL;

	if (!n)
		return json_null();
	/* A character has at most four bytes. */
	for (size_t cut = 0; cut < 4 && cut < n && !value; cut++)
		value = json_stringn(text, n - cut);
	return value ? value : json_string("(not UTF-8)");
}

json_t *show_time(int64_t wall_ms)
{
	char iso[CLOCK_ISO_SIZE];

	if (!wall_ms)
		return json_null();
	clock_format_iso(wall_ms, iso);
	return json_string(iso);
}

char *show_dump(const json_t *value)
{
	/* 17 digits, the default, tell 0.634 as 0.63400000000000001. */
	return json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
}

json_t *show_ms(int64_t us)
{
	return json_real((double)us / 1000.0);
}
