#include "codex/ws_frame.h"

#include "base/jw.h"

#define HEADER_PREFIX "ws_request_header_"

static bool is_one_of(struct sv key, const struct sv *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (jv_key_eq(key, names[i]))
			return true;
	}
	return false;
}

/* Members that the frame has in another way, or not at all. */
static bool is_left_out(struct sv key)
{
	static const struct sv names[] = {SV("type"), SV("stream"), SV("background"),
		SV("previous_response_id"), SV("generate"), SV("client_metadata")};

	return is_one_of(key, names, ARRAY_LEN(names));
}

static void chain_add(struct ws_frame_chain *c, struct sv text)
{
	unsigned char both[2 * IDENT_SHA256_BYTES];

	memcpy(both, c->hash, IDENT_SHA256_BYTES);
	ident_sha256(text, both + IDENT_SHA256_BYTES);
	ident_sha256(sv_make((const char *)both, sizeof(both)), c->hash);
	c->count++;
}

static bool chain_eq(const struct ws_frame_chain *a, const struct ws_frame_chain *b)
{
	return a->count == b->count && memcmp(a->hash, b->hash, sizeof(a->hash)) == 0;
}

void ws_frame_add_item(struct ws_frame_memory *m, struct jv item)
{
	chain_add(&m->items, jv_raw(item));
}

/* Members in their order: another order is another request. */
static void note_others(struct jv body, struct ws_frame_chain *others)
{
	struct jv_iter it = jv_iter(body);

	while (jv_next(&it)) {
		if (is_left_out(it.key) || jv_key_eq(it.key, SV("input")))
			continue;
		chain_add(others, it.key);
		chain_add(others, jv_raw(it.value));
	}
}

/* Notes all items. What stands behind those of before, if it begins with them; else SV_NONE. */
static struct sv note_items(
	struct jv input, const struct ws_frame_memory *before, struct ws_frame_chain *items)
{
	struct jv_iter it = jv_iter(input);
	struct sv rest = SV_NONE;
	bool goes_on = before && before->id[0] && before->items.count == 0;

	/* A text stands for a message. */
	if (jv_exists(input) && !jv_is(input, JV_ARRAY))
		chain_add(items, jv_raw(input));
	while (jv_next(&it)) {
		if (goes_on)
			rest = sv_make(it.value.p, (size_t)(input.p + input.n - 1 - it.value.p));
		chain_add(items, jv_raw(it.value));
		goes_on = before && before->id[0] && chain_eq(items, &before->items);
	}
	return rest;
}

/* The name in client_metadata, as the Codex CLI gives it; false: the header is not of a turn. */
static bool metadata_name(struct sv name, char *out, size_t size)
{
	static const struct sv plain[] = {
		SV("x-codex-turn-metadata"), SV("x-codex-turn-state"), SV("x-codex-window-id")};

	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (sv_ieq(name, plain[i])) {
			sv_cut(plain[i], out, size);
			return true;
		}
	}
	if (!sv_istarts(name, SV("x-openai-internal-")) || name.n + sizeof(HEADER_PREFIX) > size)
		return false;
	memcpy(out, HEADER_PREFIX, sizeof(HEADER_PREFIX) - 1);
	sv_cut(name, out + sizeof(HEADER_PREFIX) - 1, size - (sizeof(HEADER_PREFIX) - 1));
	for (char *p = out; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
		else if (*p == '-')
			*p = '_';
	}
	return true;
}

bool ws_frame_is_of_turn(struct sv name)
{
	char out[128];

	return metadata_name(name, out, sizeof(out));
}

/* Those of the body, but the turn state: the headers say whether the slot may see it. */
static void write_metadata(struct jw *w, struct jv metadata, const struct ws_frame_options *options)
{
	struct jv_iter it = jv_iter(metadata);
	char name[128];

	if (jv_exists(metadata) && !jv_is(metadata, JV_OBJECT)) {
		jw_kraw(w, "client_metadata", jv_raw(metadata));
		return;
	}
	jw_kobj(w, "client_metadata");
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("x-codex-turn-state")))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	for (size_t i = 0; i < options->header_count; i++) {
		if (!metadata_name(options->headers[i].name, name, sizeof(name)) ||
			(!sv_eq(sv_cstr(name), SV("x-codex-turn-state")) &&
				jv_exists(jv_get(metadata, sv_cstr(name)))))
			continue;
		jw_key(w, sv_cstr(name));
		jw_str(w, options->headers[i].value);
	}
	jw_end(w);
}

static bool has_metadata(struct jv metadata, const struct ws_frame_options *options)
{
	if (jv_exists(metadata))
		return true;
	for (size_t i = 0; i < options->header_count; i++) {
		if (ws_frame_is_of_turn(options->headers[i].name))
			return true;
	}
	return false;
}

static void write_members(struct jw *w, struct jv body, struct sv rest)
{
	struct jv_iter it = jv_iter(body);

	while (jv_next(&it)) {
		if (is_left_out(it.key))
			continue;
		jw_key_lit(w, it.key);
		if (!rest.p || !jv_key_eq(it.key, SV("input"))) {
			jw_jv(w, it.value);
			continue;
		}
		jw_raw(w, SV("["));
		buf_add_sv(w->out, rest);
		buf_add_char(w->out, ']');
	}
}

void ws_frame_build(struct jv body, const struct ws_frame_options *options, struct buf *out,
	struct ws_frame_memory *ret, bool *ret_incremental)
{
	const struct ws_frame_memory *before = options->before;
	struct jv metadata = jv_get(body, SV("client_metadata"));
	struct jw w = jw_begin(out);
	struct sv rest;

	*ret = (struct ws_frame_memory){.id = ""};
	note_others(body, &ret->others);
	if (before && !chain_eq(&before->others, &ret->others))
		before = NULL;
	rest = note_items(jv_get(body, SV("input")), before, &ret->items);
	*ret_incremental = rest.p != NULL;
	jw_obj(&w);
	jw_klit(&w, "type", "response.create");
	if (rest.p)
		jw_kstr(&w, "previous_response_id", sv_cstr(before->id));
	write_members(&w, body, rest);
	if (has_metadata(metadata, options))
		write_metadata(&w, metadata, options);
	jw_end(&w);
}
