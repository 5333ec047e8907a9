/*
 * Any client body becomes an upstream body that is valid JSON and right by the same rules: building
 * it again changes nothing. Natively, without options, it is the same bytes.
 */
#include "base/limits.h"
#include "codex/body.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool build(struct jv request, const struct codex_body_options *options, struct buf *out)
{
	struct api_err err = {0};
	int r;

	buf_init(out, MIB(16));
	r = codex_body_build(request, options, out, &err);
	assert(r == 0 || (r == -EINVAL && err.status == 400 && err.message[0]));
	return r == 0;
}

static struct jv parse(const struct buf *text)
{
	struct jv v;
	int r = jv_parse(buf_sv(text), LIMIT_JSON_DEPTH + 8, &v, NULL);

	assert(r == 0);
	(void)r;
	return v;
}

static void check_rebuilt(struct jv request, const struct codex_body_options *options)
{
	struct buf first, second;

	if (build(request, options, &first)) {
		bool ok = build(parse(&first), options, &second);

		assert(ok && sv_eq(buf_sv(&first), buf_sv(&second)));
		(void)ok;
		buf_fini(&second);
	}
	buf_fini(&first);
}

static void check_native(struct jv request)
{
	struct codex_body_options options = {.native = true};
	struct buf out;

	if (build(request, &options, &out))
		assert(sv_eq(buf_sv(&out), jv_raw(request)));
	buf_fini(&out);
	options.model = SV("m");
	options.drop_reasoning = true;
	if (build(request, &options, &out))
		parse(&out);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct codex_body_options options = {.prompt_cache_key = SV("k")};
	struct jv request;
	char key[37];

	if (jv_parse(sv_make((const char *)data, size), LIMIT_JSON_DEPTH, &request, NULL) < 0)
		return 0;
	check_rebuilt(request, &options);
	options.model = SV("m");
	options.drop_reasoning = true;
	check_rebuilt(request, &options);
	check_native(request);
	codex_body_derive_key(request, key);
	return 0;
}
