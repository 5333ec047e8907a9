#include "relay/session_key.h"

#include "base/ident.h"
#include "codex/body.h"
#include "codex/headers.h"

static struct sv usable(const struct turn *t, struct sv key)
{
	char derived[IDENT_UUID_SIZE];

	/* It becomes a header and the cache key. */
	if (key.n <= CODEX_CACHE_KEY_BYTES && http_is_field_value(key))
		return arena_dup(t->arena, key);
	ident_derived_uuid(&key, 1, derived);
	return arena_dup(t->arena, sv_cstr(derived));
}

struct sv session_key_of(
	const struct turn *t, const struct http_request *request, struct sv recalled)
{
	struct sv key = codex_client_session(request);
	char derived[IDENT_UUID_SIZE];

	if (key.n)
		return usable(t, key);
	if (!jv_str(jv_get(t->upstream, SV("prompt_cache_key")), t->arena, &key) && key.n)
		return usable(t, key);
	if (recalled.n)
		return recalled;
	codex_body_derive_key(t->upstream, derived);
	return arena_dup(t->arena, sv_cstr(derived));
}
