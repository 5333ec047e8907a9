#include "relay/recall.h"

#include "base/clock.h"
#include "base/jw.h"
#include "base/limits.h"
#include "base/log.h"
#include "codex/items.h"

#include <errno.h>
#include <stdio.h>

enum { SHOWN_ID_MAX = 128 };

struct expansion {
	struct recall *recall;
	struct turn *turn;
	struct api_err *err;
	struct jv previous_id, input;
	const struct kept_answer *previous; /* NULL none */
	int64_t now_ms;
};

static int shown(struct sv id)
{
	return id.n > SHOWN_ID_MAX ? SHOWN_ID_MAX : (int)id.n;
}

int recall_refuse_previous(struct sv id, struct api_err *err)
{
	api_err_param(err, "previous_response_id", "Previous response with id '%.*s' not found.",
		shown(id), id.p);
	snprintf(err->code, sizeof(err->code), "previous_response_not_found");
	return -EINVAL;
}

static int refuse_item(size_t index, struct sv id, struct api_err *err)
{
	char param[32];

	snprintf(param, sizeof(param), "input[%zu].id", index);
	return api_err_param(err, param,
		"Item with id '%.*s' not found. Items are found as long as an answer that "
		"they belong to is kept; send the item itself otherwise.",
		shown(id), id.p);
}

static int refuse_size(struct api_err *err)
{
	return api_err_set(err, 413, "invalid_request_error", "payload_too_large",
		"The request is too large with all items that it refers to.");
}

static int find_previous(struct expansion *x)
{
	struct recall *r = x->recall;
	struct sv id;

	if (jv_is_nil(x->previous_id))
		return 0;
	if (jv_str(x->previous_id, x->turn->arena, &id))
		return api_err_param(
			x->err, "previous_response_id", "'previous_response_id' must be a string.");
	x->previous = continuation_get(r->continuation, r->owner, id, x->now_ms);
	if (!x->previous)
		return recall_refuse_previous(id, x->err);
	r->session = arena_dup(x->turn->arena, sv_cstr(x->previous->session));
	return 0;
}

static bool has_reference(struct jv input)
{
	struct jv_iter it = jv_iter(input);

	if (!jv_is(input, JV_ARRAY))
		return false;
	while (jv_next(&it)) {
		if (jv_exists(items_reference(it.value)))
			return true;
	}
	return false;
}

static int write_item(struct expansion *x, struct jw *w, struct jv item, size_t index)
{
	struct jv reference = items_reference(item);
	struct jv found;
	struct sv id;

	if (!jv_exists(reference)) {
		jw_jv(w, item);
		return 0;
	}
	if (jv_str(reference, x->turn->arena, &id))
		return api_err_param(x->err, "input", "The id of an item must be a string.");
	found = continuation_item(x->recall->continuation, x->recall->owner, id, x->now_ms);
	if (!jv_exists(found))
		return refuse_item(index, id, x->err);
	jw_jv(w, found);
	return 0;
}

/* The items of the former answer as its account got them: its prompt cache knows them. */
static void write_previous(const struct kept_answer *previous, struct jw *w)
{
	for (size_t i = 0; i < previous->item_count; i++) {
		struct jv item = kept_item_json(previous->items[i]);

		if (i >= previous->stale_count ||
			!jv_str_eq(jv_get(item, SV("type")), SV("reasoning")))
			jw_jv(w, item);
	}
}

static int write_input(struct expansion *x, struct jw *w)
{
	struct jv_iter it = jv_iter(x->input);
	int rc = 0;

	jw_arr(w);
	if (x->previous)
		write_previous(x->previous, w);
	if (jv_is(x->input, JV_STRING))
		items_write_text(w, x->input);
	for (size_t i = 0; !rc && !buf_error(w->out) && jv_next(&it); i++)
		rc = write_item(x, w, it.value, i);
	jw_end(w);
	return rc;
}

/* The internal form with all items; every other member keeps its bytes. */
static int write_expanded(struct expansion *x, struct buf *out)
{
	struct jv_iter it = jv_iter(x->turn->upstream);
	struct jw w = jw_begin(out);
	int rc;

	jw_obj(&w);
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, SV("input")))
			continue;
		jw_key_lit(&w, it.key);
		jw_jv(&w, it.value);
	}
	jw_key_lit(&w, SV("input"));
	rc = write_input(x, &w);
	if (rc)
		return rc;
	jw_end(&w);
	return buf_error(out) ? refuse_size(x->err) : 0;
}

static int expand(struct expansion *x)
{
	struct turn *t = x->turn;
	struct buf out;
	int rc = find_previous(x);

	if (rc || (!x->previous && !has_reference(x->input)))
		return rc;
	buf_init(&out, LIMIT_EXPANDED_BODY_BYTES);
	rc = write_expanded(x, &out);
	if (rc) {
		buf_fini(&out);
		return rc;
	}
	buf_fini(&t->built);
	buf_move(&out, &t->built);
	t->upstream = jv_trusted(buf_sv(&t->built));
	x->recall->input = jv_get(t->upstream, SV("input"));
	return 0;
}

static void decide_to_keep(struct recall *r, struct turn *t, struct jv store)
{
	size_t cap = continuation_answer_cap(r->continuation);

	t->store = t->dialect->stores && continuation_is_enabled(r->continuation) &&
		   !jv_is(store, JV_FALSE) && r->input.n < cap;
	if (t->store) {
		buf_fini(&t->stored);
		buf_init(&t->stored, cap);
	}
}

int recall_expand(struct recall *recall, struct continuation *continuation, struct sv token,
	struct turn *t, struct api_err *err)
{
	static const struct sv keys[] = {SV("previous_response_id"), SV("input"), SV("store")};
	struct jv member[ARRAY_LEN(keys)];
	struct expansion x = {.recall = recall, .turn = t, .err = err, .now_ms = clock_mono_ms()};
	int rc;

	if (t->native)
		return 0;
	*recall = (struct recall){
		.continuation = continuation,
		.owner = continuation_owner(continuation, token),
	};
	jv_pick(t->upstream, keys, ARRAY_LEN(keys), member);
	x.previous_id = member[0];
	x.input = recall->input = member[1];
	rc = expand(&x);
	if (rc)
		return rc;
	decide_to_keep(recall, t, member[2]);
	return 0;
}

static void put(
	struct recall *recall, struct jv object, struct jv input, struct sv session, bool stripped)
{
	struct continuation_put put = {
		.owner = recall->owner,
		.session = session,
		.input = input,
		.stale_input = stripped,
		.object = object,
	};
	int rc = continuation_put(recall->continuation, &put, clock_mono_ms());

	if (rc)
		log_warn("continuation.not_kept", SV("the answer cannot be gone on from"), rc);
}

void recall_keep(struct recall *recall, struct turn *t, struct sv session, bool stripped)
{
	struct buf list;
	struct jw w;

	if (!t->store || !t->stored.len || buf_error(&t->stored))
		return;
	if (jv_is(recall->input, JV_ARRAY)) {
		put(recall, jv_trusted(buf_sv(&t->stored)), recall->input, session, stripped);
		return;
	}
	buf_init(&list, LIMIT_EXPANDED_BODY_BYTES);
	w = jw_begin(&list);
	jw_arr(&w);
	items_write_text(&w, recall->input);
	jw_end(&w);
	if (!buf_error(&list))
		put(recall, jv_trusted(buf_sv(&t->stored)), jv_trusted(buf_sv(&list)), session,
			stripped);
	buf_fini(&list);
}
