/* Any bytes as relay.json: what is taken is within its limits, and reads back as it was written. */
#include "conf/conf.h"

#include "base/limits.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_error err = {""};
	struct conf *c, *again;
	struct buf text;

	if (conf_parse(sv_make((const char *)data, size), "/r", NULL, &c, &err) != 0) {
		assert(err.message[0]);
		return 0;
	}
	assert(c->slot_concurrency >= 1 && c->slot_concurrency <= 1000);
	assert(c->min_5h_pct >= 0 && c->min_5h_pct <= 100);
	assert(c->alias_count <= CONF_ALIASES_MAX);
	buf_init(&text, MIB(4));
	conf_write(c, true, &text);
	assert(buf_error(&text) == 0);
	if (conf_parse(buf_sv(&text), "/r", NULL, &again, &err) != 0)
		assert(!"what was written is refused");
	assert(again->max_body_bytes == c->max_body_bytes);
	assert(again->unknown_count == 0);
	conf_unref(again);
	buf_fini(&text);
	conf_unref(c);
	return 0;
}
