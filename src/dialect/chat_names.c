#include "dialect/chat_names.h"

#include "base/ident.h"

#include <errno.h>

enum { HASH_DIGITS = 16, NAME_BYTES = 1024 };

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool fits(struct sv name)
{
	if (name.n > CHAT_NAME_BYTES)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (!is_name_char(name.p[i]))
			return false;
	}
	return true;
}

/*
 * The name without escapes, which a client need not set the same way everywhere. One that does not
 * fit into buf stays raw: nobody has such names.
 */
static struct sv decoded(struct jv name, char buf[NAME_BYTES])
{
	struct sv raw = jv_str_raw(name);

	if (jv_str_is_plain(name) || raw.n >= NAME_BYTES)
		return raw;
	jv_str_copy(name, buf, NAME_BYTES);
	return sv_cstr(buf);
}

/* The start of the name, then a hash of the whole. */
static void shorten(struct jv name, struct sv whole, char out[CHAT_NAME_BYTES + 1])
{
	enum { KEPT = CHAT_NAME_BYTES - HASH_DIGITS - 1 };
	char hash[IDENT_HEX_SIZE];
	size_t n;

	jv_str_copy(name, out, KEPT + 1);
	n = strlen(out);
	for (size_t i = 0; i < n; i++) {
		if (!is_name_char(out[i]))
			out[i] = '_';
	}
	ident_fingerprint(whole, hash);
	out[n++] = '_';
	memcpy(out + n, hash, HASH_DIGITS);
	out[n + HASH_DIGITS] = '\0';
}

int chat_names_add(struct chat_names *n, struct jv name, struct arena *arena)
{
	char text[NAME_BYTES];
	struct sv whole = decoded(name, text);

	if (fits(whole))
		return 0;
	if (n->count == n->room) {
		size_t room = n->room ? n->room * 2 : 8;
		struct chat_name *grown = arena_alloc(arena, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		if (n->count)
			memcpy(grown, n->list, n->count * sizeof(*grown));
		n->list = grown;
		n->room = room;
	}
	n->list[n->count].client = jv_str_raw(name);
	shorten(name, whole, n->list[n->count].upstream);
	n->count++;
	return 0;
}

void chat_names_write(struct jv name, struct jw *w)
{
	char text[NAME_BYTES], made[CHAT_NAME_BYTES + 1];
	struct sv whole = decoded(name, text);

	if (fits(whole)) {
		jw_str_raw(w, jv_str_raw(name));
		return;
	}
	shorten(name, whole, made);
	jw_str_raw(w, sv_cstr(made));
}

struct sv chat_names_restore(const struct chat_names *n, struct sv upstream)
{
	for (size_t i = 0; i < n->count; i++) {
		if (sv_eq(sv_cstr(n->list[i].upstream), upstream))
			return n->list[i].client;
	}
	return upstream;
}
