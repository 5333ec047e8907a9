#include "dialect/chat_names.h"

#include "base/ident.h"

#include <errno.h>

enum { HASH_DIGITS = 16 };

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

static bool fits(struct jv name)
{
	struct sv raw = jv_str_raw(name);

	if (raw.n > CHAT_NAME_BYTES)
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		if (!is_name_char(raw.p[i]))
			return false;
	}
	return true;
}

/* The start of the name, then a hash of the raw whole. */
static void shorten(struct jv name, char out[CHAT_NAME_BYTES + 1])
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
	ident_fingerprint(jv_str_raw(name), hash);
	out[n++] = '_';
	memcpy(out + n, hash, HASH_DIGITS);
	out[n + HASH_DIGITS] = '\0';
}

int chat_names_add(struct chat_names *n, struct jv name, struct arena *arena)
{
	if (fits(name))
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
	shorten(name, n->list[n->count].upstream);
	n->count++;
	return 0;
}

void chat_names_write(struct jv name, struct jw *w)
{
	char text[CHAT_NAME_BYTES + 1];

	if (fits(name)) {
		jw_str_raw(w, jv_str_raw(name));
		return;
	}
	shorten(name, text);
	jw_str_raw(w, sv_cstr(text));
}

struct sv chat_names_restore(const struct chat_names *n, struct sv upstream)
{
	for (size_t i = 0; i < n->count; i++) {
		if (sv_eq(sv_cstr(n->list[i].upstream), upstream))
			return n->list[i].client;
	}
	return upstream;
}
