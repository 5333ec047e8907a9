#include "codex/event_headers.h"

bool event_headers_are_of_head(const struct event *ev)
{
	return sv_eq(ev->name, SV("response.metadata")) ||
	       sv_eq(ev->name, SV("codex.response.metadata"));
}

size_t event_headers_read(
	const struct event *ev, struct arena *arena, struct http_header *out, size_t max)
{
	struct jv_iter it = jv_iter(jv_get(ev->json, SV("headers")));
	size_t count = 0;

	while (count < max && jv_next(&it)) {
		struct sv value = jv_raw(it.value);

		if (jv_is(it.value, JV_STRING) && jv_str(it.value, arena, &value))
			continue;
		if (it.key.n && http_is_token(it.key) && http_is_field_value(value))
			out[count++] = (struct http_header){it.key, value};
	}
	return count;
}
