/* Any bytes as what comes back from the browser: a code is one, and nothing else is taken. */
#include "slots/oauth_paste.h"

#include <assert.h>
#include <stdlib.h>

#define STATE "state-of-this-login"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct oauth_paste *p)
{
	struct sv code = secret_expose(&p->code);

	assert((p->kind == OAUTH_PASTE_CODE) == (code.n != 0));
	assert((p->kind == OAUTH_PASTE_CODE) == (p->message[0] == '\0'));
	assert(p->error[0] == '\0' || p->kind == OAUTH_PASTE_DENIED ||
		p->kind == OAUTH_PASTE_ERROR);
	for (size_t i = 0; i < code.n; i++)
		assert(code.p[i] > ' ' && code.p[i] <= '~');
	oauth_paste_fini(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_make((const char *)data, size);
	struct oauth_paste p;

	oauth_paste_read(text, STATE, &p);
	check(&p);
	oauth_paste_read_callback(text, STATE, &p);
	/* Nobody gets in without the state. */
	assert(p.kind == OAUTH_PASTE_WRONG_STATE || sv_find(text, SV("state=")) >= 0);
	check(&p);
	return 0;
}
