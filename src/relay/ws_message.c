#include "relay/ws_message.h"

#include "base/jw.h"
#include "base/limits.h"
#include "base/secret.h"
#include "codex/items.h"

#include <errno.h>
#include <stdlib.h>

enum { TYPE, INPUT, METADATA, PREVIOUS, GENERATE, LANE, MEMBERS };

/* A member "ws_request_header_x_a" of client_metadata is the header x-a. */
#define HEADER_PREFIX "ws_request_header_"

/* Members of client_metadata that are headers over HTTP, and change from turn to turn. */
static const struct sv metadata_headers[] = {
	SV("x-codex-turn-metadata"),
	SV("x-codex-turn-state"),
	SV("x-codex-window-id"),
};

int ws_message_read(
	struct sv text, struct arena *arena, struct ws_message *ret, struct api_err *err)
{
	static const struct sv keys[MEMBERS] = {
		[TYPE] = SV("type"),
		[INPUT] = SV("input"),
		[METADATA] = SV("client_metadata"),
		[PREVIOUS] = SV("previous_response_id"),
		[GENERATE] = SV("generate"),
		[LANE] = SV("stream_id"),
	};
	struct jv member[MEMBERS];
	struct jv_error where;

	*ret = (struct ws_message){.json = JV_NONE};
	if (jv_parse(text, LIMIT_JSON_DEPTH, &ret->json, &where))
		return api_err_set(err, 400, "invalid_request_error", "invalid_json",
			"The message is not valid JSON: %s at byte %zu.", where.message,
			where.offset);
	jv_pick(ret->json, keys, MEMBERS, member);
	if (!jv_str_eq(member[TYPE], SV("response.create")))
		return api_err_param(err, "type",
			"A message must be a JSON object whose 'type' is 'response.create'.");
	ret->input = jv_is_nil(member[INPUT]) ? JV_NONE : member[INPUT];
	ret->metadata = member[METADATA];
	ret->warm_up = jv_is(member[GENERATE], JV_FALSE);
	if (!jv_is_nil(member[LANE]) && !jv_is(member[LANE], JV_STRING))
		return api_err_param(err, "stream_id", "'stream_id' must be a string.");
	if (!jv_is_nil(member[LANE]))
		ret->lane = member[LANE];
	if (jv_is_nil(member[PREVIOUS]))
		return 0;
	ret->previous = member[PREVIOUS];
	if (jv_str(ret->previous, arena, &ret->previous_id))
		return api_err_param(
			err, "previous_response_id", "'previous_response_id' must be a string.");
	return 0;
}

/* --- body --- */

static struct sv inside_of(struct jv array)
{
	return sv_trim(sv_make(array.p + 1, array.n - 2));
}

void ws_message_add_input(const struct ws_message *m, struct buf *items)
{
	struct sv more = SV_NONE;
	struct buf made;
	struct jw w;

	buf_init(&made, items->cap);
	if (jv_is(m->input, JV_ARRAY)) {
		more = inside_of(m->input);
	} else if (jv_is(m->input, JV_STRING)) {
		w = jw_begin(&made);
		items_write_text(&w, m->input);
		more = buf_sv(&made);
	}
	if (items->len && more.n)
		buf_add_char(items, ',');
	buf_add_sv(items, more);
	if (buf_error(&made))
		items->error = buf_error(&made);
	buf_fini(&made);
}

static bool is_left_out(struct sv key, bool with_previous)
{
	static const struct sv names[] = {
		SV("type"), SV("generate"), SV("stream"), SV("background"), SV("stream_id")};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (jv_key_eq(key, names[i]))
			return true;
	}
	return !with_previous && jv_key_eq(key, SV("previous_response_id"));
}

static void write_input(struct jw *w, struct sv key, const struct buf *items)
{
	jw_key_lit(w, key);
	/* The writer splices values; a list of items becomes one by its brackets. */
	jw_raw(w, SV("["));
	buf_add_sv(w->out, buf_sv(items));
	buf_add_char(w->out, ']');
}

void ws_message_write_body(const struct ws_message *m, const struct buf *items, struct buf *out)
{
	struct jv_iter it = jv_iter(m->json);
	struct jw w = jw_begin(out);
	bool has_input = false;

	jw_obj(&w);
	while (jv_next(&it)) {
		bool is_input = jv_key_eq(it.key, SV("input"));

		if (is_left_out(it.key, !items) || (is_input && has_input))
			continue;
		has_input = has_input || is_input;
		if (is_input && items) {
			write_input(&w, it.key, items);
			continue;
		}
		jw_key_lit(&w, it.key);
		jw_jv(&w, it.value);
	}
	if (!has_input && items && items->len)
		write_input(&w, SV("input"), items);
	jw_kbool(&w, "stream", true);
	jw_end(&w);
}

/* --- head --- */

/* Of the handshake alone, of no turn. */
static bool is_of_handshake(struct sv name)
{
	static const struct sv names[] = {SV("connection"), SV("upgrade"), SV("host"),
		SV("openai-beta"), SV("x-codex-turn-state")};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (sv_ieq(name, names[i]))
			return true;
	}
	return sv_istarts(name, SV("sec-websocket-"));
}

static char *put(char *at, struct sv from, struct sv *to)
{
	*to = sv_make(at, from.n);
	if (from.n)
		memcpy(at, from.p, from.n);
	return at + from.n;
}

void ws_head_copy(const struct http_request *handshake, struct ws_head *ret)
{
	size_t count = 0, text = handshake->path.n + handshake->query.n;
	char *at;

	for (size_t i = 0; i < handshake->header_count; i++) {
		if (is_of_handshake(handshake->headers[i].name))
			continue;
		count++;
		text += handshake->headers[i].name.n + handshake->headers[i].value.n;
	}
	ret->count = 0;
	ret->bytes = count * sizeof(struct http_header) + text;
	ret->headers = mem_zalloc(ret->bytes + 1);
	at = (char *)(ret->headers + count);
	at = put(at, handshake->path, &ret->path);
	at = put(at, handshake->query, &ret->query);
	for (size_t i = 0; i < handshake->header_count; i++) {
		struct http_header *h = &ret->headers[ret->count];

		if (is_of_handshake(handshake->headers[i].name))
			continue;
		at = put(at, handshake->headers[i].name, &h->name);
		at = put(at, handshake->headers[i].value, &h->value);
		ret->count++;
	}
}

void ws_head_free(struct ws_head *head)
{
	if (head->headers)
		secret_wipe(head->headers, head->bytes);
	free(head->headers);
	*head = (struct ws_head){.headers = NULL};
}

static void set_header(struct http_request *r, struct sv name, struct sv value)
{
	for (size_t i = 0; i < r->header_count; i++) {
		if (sv_ieq(r->headers[i].name, name)) {
			r->headers[i].value = value;
			return;
		}
	}
	if (r->header_count < ARRAY_LEN(r->headers))
		r->headers[r->header_count++] = (struct http_header){name, value};
}

/* The header that a member stands for; empty: none. -ENOMEM. */
static int header_name(struct sv key, struct arena *arena, struct sv *ret)
{
	char *name;

	*ret = SV_NONE;
	for (size_t i = 0; i < ARRAY_LEN(metadata_headers); i++) {
		if (jv_key_eq(key, metadata_headers[i]))
			*ret = metadata_headers[i];
	}
	if (!sv_starts(key, SV(HEADER_PREFIX)) || !http_is_token(key))
		return 0;
	key = sv_from(key, sizeof(HEADER_PREFIX) - 1);
	name = arena_alloc(arena, key.n + 1);
	if (!name)
		return -ENOMEM;
	for (size_t i = 0; i < key.n; i++)
		name[i] = key.p[i] == '_' ? '-' : key.p[i];
	*ret = sv_make(name, key.n);
	return 0;
}

/* Not what says who the client is: that was settled at the handshake. */
static bool may_be_set(struct sv name)
{
	return sv_istarts(name, SV("x-codex-")) || sv_istarts(name, SV("x-openai-internal-")) ||
	       sv_istarts(name, SV("x-responsesapi-"));
}

static int take_metadata(const struct ws_message *m, struct arena *arena, struct http_request *r)
{
	struct jv_iter it = jv_iter(m->metadata);

	while (jv_is(m->metadata, JV_OBJECT) && jv_next(&it)) {
		struct sv name, value;

		if (!jv_is(it.value, JV_STRING))
			continue;
		if (header_name(it.key, arena, &name))
			return -ENOMEM;
		if (!may_be_set(name))
			continue;
		if (jv_str(it.value, arena, &value))
			return -ENOMEM;
		if (!value.n || value.n > LIMIT_HEADERS_BYTES || !http_is_field_value(value))
			continue;
		value = arena_dup(arena, value);
		if (!value.p)
			return -ENOMEM;
		set_header(r, name, value);
	}
	return 0;
}

int ws_message_request(const struct ws_message *m, const struct ws_head *head, struct arena *arena,
	struct http_request *ret)
{
	*ret = (struct http_request){
		.method = SV("POST"),
		.target = head->path,
		.path = head->path,
		.query = head->query,
		.content_length = UINT64_MAX,
		.has_body = true,
		.keep_alive = true,
		.header_count = head->count,
	};
	if (head->count)
		memcpy(ret->headers, head->headers, head->count * sizeof(*head->headers));
	return take_metadata(m, arena, ret);
}
