#include "dialect/chat_answer.h"

#include <errno.h>

static int add_stop(struct turn *t, struct jv value, struct api_err *err)
{
	struct chat *c = chat_of(t);
	struct sv text;

	if (jv_str(value, t->arena, &text))
		return api_err_param(err, "stop", "'stop' must hold strings only.");
	if (text.n == 0)
		return 0;
	if (text.n > CHAT_STOP_BYTES)
		return api_err_param(
			err, "stop", "'stop' has a string over %d bytes.", CHAT_STOP_BYTES);
	if (c->stop_count == CHAT_STOPS)
		return api_err_param(err, "stop", "'stop' may hold up to %d strings.", CHAT_STOPS);
	c->stops[c->stop_count++] = text;
	return 0;
}

int chat_stops_read(struct turn *t, struct jv value, struct api_err *err)
{
	struct jv_iter it = jv_iter(value);

	if (jv_is(value, JV_STRING))
		return add_stop(t, value, err);
	while (jv_next(&it)) {
		if (add_stop(t, it.value, err))
			return -EINVAL;
	}
	return 0;
}
