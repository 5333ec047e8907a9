/* Any bytes as a credential file: what is taken can be put into a header. */
#include "slots/auth_file.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_visible(struct sv text)
{
	for (size_t i = 0; i < text.n; i++)
		assert(text.p[i] > ' ' && text.p[i] <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_make((const char *)data, size);
	struct auth_grant claims = {0}, g = {0};
	char err[256] = "";
	int64_t exp_ms = 0;

	if (jwt_claims(text, &claims, &exp_ms) == 0)
		check_visible(sv_cstr(claims.account_id));
	auth_grant_fini(&claims);
	if (auth_grant_parse(text, &g, err, sizeof(err)) != 0) {
		assert(err[0]);
		return 0;
	}
	assert(!secret_is_empty(&g.access));
	check_visible(secret_expose(&g.access));
	check_visible(secret_expose(&g.refresh));
	check_visible(sv_cstr(g.account_id));
	assert(g.expires_ms >= 0);
	auth_grant_fini(&g);
	return 0;
}
