#include "base/jskip.h"

#include "base/jscan.h"

/* From behind the opening quote to the closing one. */
const char *jskip_string(const char *p, const char *end)
{
	for (;;) {
		p = jscan_quote_or_slash(p, end);
		if (p == end || *p == '"')
			return p;
		if (end - p < 2)
			return end;
		p += 2;
	}
}

static const char *behind_string(const char *p, const char *end)
{
	p = jskip_string(p + 1, end);
	return p == end ? end : p + 1;
}

static const char *skip_container(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		char c = *p;

		if (c == '"') {
			p = behind_string(p, end);
			continue;
		}
		p++;
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			break;
	}
	return p;
}

static const char *skip_scalar(const char *p, const char *end)
{
	while (p < end && *p != ',' && *p != ']' && *p != '}' && !jscan_is_space(*p))
		p++;
	return p;
}

const char *jskip_value(const char *p, const char *end)
{
	if (p == end)
		return p;
	switch (*p) {
	case '"':
		return behind_string(p, end);
	case '{':
	case '[':
		return skip_container(p, end);
	default:
		return skip_scalar(p, end);
	}
}
