/* Any request: a body that is valid JSON with no member that the gateway does not know, or an
 * error.
 */
#include "openclaw/openclaw_body.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_members(struct jv body)
{
	static const struct sv known[] = {SV("model"), SV("stream"), SV("instructions"),
		SV("input"), SV("tools"), SV("tool_choice"), SV("max_output_tokens"),
		SV("temperature"), SV("top_p")};
	struct jv_iter it = jv_iter(body);

	while (jv_next(&it)) {
		size_t i = 0;

		while (i < ARRAY_LEN(known) && !jv_key_eq(it.key, known[i]))
			i++;
		assert(i < ARRAY_LEN(known));
	}
	assert(jv_str_eq(jv_get(body, SV("model")), SV("openclaw/relay")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct api_err err = {0};
	struct jv request, body;
	struct buf out;
	int rc;

	if (jv_parse(sv_make((const char *)data, size), LIMIT_JSON_DEPTH, &request, NULL) != 0)
		return 0;
	buf_init(&out, MIB(4));
	rc = openclaw_body_build(request, "relay", &out, &err);
	if (rc == 0) {
		assert(jv_parse(buf_sv(&out), LIMIT_JSON_DEPTH, &body, NULL) == 0);
		check_members(body);
	} else {
		assert(rc == -EINVAL ? err.status == 400 : rc == -ENOBUFS);
	}
	buf_fini(&out);
	return 0;
}
