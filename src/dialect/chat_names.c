#include "dialect/chat_internal.h"

#include <ctype.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 64, KEPT_BYTES = 48 };

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static bool is_accepted(struct sv raw)
{
	if (raw.n == 0 || raw.n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		if (!is_name_char(raw.p[i]))
			return false;
	}
	return true;
}

static struct chat_name *names_add(struct chat_names *names, struct arena *arena)
{
	if (names->count == names->room) {
		size_t room = names->room ? names->room * 2 : 8;
		struct chat_name *grown = arena_alloc(arena, room * sizeof(*grown));

		if (!grown)
			return NULL;
		if (names->count)
			memcpy(grown, names->list, names->count * sizeof(*grown));
		names->list = grown;
		names->room = room;
	}
	return &names->list[names->count++];
}

/* What is legible of the name, and a hash of all of it: unique and the same in every turn. */
static struct sv make_short(struct arena *arena, struct sv raw)
{
	char text[NAME_MAX_BYTES + 1];
	size_t n = 0;

	for (size_t i = 0; i < raw.n && n < KEPT_BYTES; i++)
		text[n++] = is_name_char(raw.p[i]) ? raw.p[i] : '_';
	n += (size_t)snprintf(text + n, sizeof(text) - n, "_%014llx",
		(unsigned long long)(sv_hash(raw, SV_HASH_SEED) >> 8));
	return arena_dup(arena, sv_make(text, n));
}

struct sv chat_names_shorten(struct chat_names *names, struct arena *arena, struct sv raw)
{
	struct chat_name *name;

	if (is_accepted(raw))
		return raw;
	for (size_t i = 0; i < names->count; i++) {
		if (sv_eq(names->list[i].original, raw))
			return names->list[i].short_name;
	}
	name = names_add(names, arena);
	if (!name)
		return SV_NONE;
	name->original = raw;
	name->short_name = make_short(arena, raw);
	return name->short_name;
}

struct sv chat_names_restore(const struct chat_names *names, struct sv raw)
{
	for (size_t i = 0; i < names->count; i++) {
		if (sv_eq(names->list[i].short_name, raw))
			return names->list[i].original;
	}
	return raw;
}
