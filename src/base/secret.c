#include "base/secret.h"

#include <openssl/crypto.h>
#include <stdlib.h>

void secret_wipe(void *p, size_t n)
{
	if (n)
		OPENSSL_cleanse(p, n);
}

void secret_set(struct secret *s, struct sv text)
{
	/* Copied before the old value goes: text may be a view of it. */
	char *bytes = text.n ? mem_strndup(text.p, text.n) : NULL;

	secret_fini(s);
	s->bytes = bytes;
	s->n = text.n;
}

void secret_copy(struct secret *to, const struct secret *from)
{
	secret_set(to, secret_expose(from));
}

void secret_fini(struct secret *s)
{
	if (!s)
		return;
	secret_wipe(s->bytes, s->n);
	free(s->bytes);
	*s = (struct secret){NULL, 0};
}

bool secret_is_empty(const struct secret *s)
{
	return s->n == 0;
}

bool secret_equals(const struct secret *s, struct sv text)
{
	return s->n != 0 && s->n == text.n && CRYPTO_memcmp(s->bytes, text.p, text.n) == 0;
}

struct sv secret_expose(const struct secret *s)
{
	return sv_make(s->bytes, s->n);
}
