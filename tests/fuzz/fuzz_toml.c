/* Any config.toml: what the relay puts into it, it takes out again, to the byte. */
#include "base/limits.h"
#include "cli/codex_toml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct sv text, enum codex_toml_mode mode)
{
	const struct codex_toml_wish wish = {
		.mode = mode, .url = SV("http://127.0.0.1:8787"), .model = SV("m")};
	struct codex_toml_found found;
	struct buf clean, wired, back;
	size_t line;

	buf_init(&clean, MIB(1));
	buf_init(&wired, MIB(1));
	buf_init(&back, MIB(1));
	if (codex_toml_unwire(text, &clean, &found, &line) == 0 &&
		codex_toml_wire(text, &wish, &wired, &line) == 0) {
		int err = codex_toml_unwire(buf_sv(&wired), &back, &found, &line);

		assert(err == 0 && found.wired);
		assert(sv_eq(buf_sv(&back), buf_sv(&clean)));
	}
	buf_fini(&clean);
	buf_fini(&wired);
	buf_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_make((const char *)data, size);

	if (size > KIB(64))
		return 0;
	check(text, CODEX_TOML_API_KEY);
	check(text, CODEX_TOML_CHATGPT_TLS);
	return 0;
}
