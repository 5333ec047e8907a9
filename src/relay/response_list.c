#include "relay/response_list.h"

#include "base/jw.h"
#include "proto/url.h"

#include <errno.h>

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100, ID_BYTES = KEPT_ID_MAX + 16, VALUE_BYTES = 256 };

struct page {
	struct continuation *continuation;
	const struct kept_answer *answer;
	size_t limit;
	bool descending;
	size_t first, count; /* in the order of the list */
};

/* Place in the answer's items of what stands at a place of the list. */
static size_t item_at(const struct page *p, size_t place)
{
	return p->descending ? p->answer->input_count - 1 - place : place;
}

/* --- the query --- */

static int read_limit(struct page *p, struct sv text, struct api_err *err)
{
	uint64_t limit;

	p->limit = LIMIT_DEFAULT;
	if (!text.n)
		return 0;
	if (sv_u64(text, &limit) || limit < 1 || limit > LIMIT_MAX)
		return api_err_param(err, "limit", "'limit' must be between 1 and %d.", LIMIT_MAX);
	p->limit = (size_t)limit;
	return 0;
}

static int read_order(struct page *p, struct sv text, struct api_err *err)
{
	p->descending = true;
	if (!text.n || sv_eq(text, SV("desc")))
		return 0;
	p->descending = false;
	if (sv_eq(text, SV("asc")))
		return 0;
	return api_err_param(err, "order", "'order' must be 'asc' or 'desc'.");
}

static bool has_id(const struct page *p, size_t place, struct sv id)
{
	struct buf text;
	bool equal;

	buf_init(&text, ID_BYTES);
	continuation_item_id(p->continuation, p->answer, item_at(p, place), &text);
	equal = sv_eq(buf_sv(&text), id);
	buf_fini(&text);
	return equal;
}

/* Of several items with one id the last one counts, so that a client that goes on gets to the end.
 */
static int read_after(struct page *p, struct sv raw, struct api_err *err)
{
	size_t place = p->answer->input_count;
	struct buf id;
	bool good;

	p->first = 0;
	if (!raw.n)
		return 0;
	buf_init(&id, VALUE_BYTES);
	good = url_unescape(raw, &id) == 0 && !buf_error(&id);
	while (good && place > 0 && !has_id(p, place - 1, buf_sv(&id)))
		place--;
	buf_fini(&id);
	if (!good || !place)
		return api_err_param(
			err, "after", "'after' must be the id of an item of this response.");
	p->first = place;
	return 0;
}

static int read_query(struct page *p, struct sv query, struct api_err *err)
{
	int rc = read_limit(p, url_query_get(query, SV("limit")), err);
	size_t left;

	if (!rc)
		rc = read_order(p, url_query_get(query, SV("order")), err);
	if (!rc)
		rc = read_after(p, url_query_get(query, SV("after")), err);
	if (rc)
		return rc;
	left = p->answer->input_count - p->first;
	p->count = left < p->limit ? left : p->limit;
	return 0;
}

/* --- items --- */

static void write_parts(struct jw *w, struct jv content, bool assistant)
{
	if (!jv_is(content, JV_STRING)) {
		jw_raw(w, jv_exists(content) ? jv_raw(content) : SV("[]"));
		return;
	}
	jw_arr(w);
	jw_obj(w);
	if (assistant)
		jw_klit(w, "type", "output_text");
	else
		jw_klit(w, "type", "input_text");
	jw_key_lit(w, SV("text"));
	jw_jv(w, content);
	if (assistant) {
		jw_kraw(w, "annotations", SV("[]"));
		jw_kraw(w, "logprobs", SV("[]"));
	}
	jw_end(w);
	jw_end(w);
}

/* Is the member written apart, or not at all? */
static bool is_apart(const struct jv_iter *it, bool message)
{
	return jv_key_eq(it->key, SV("id")) || (message && jv_key_eq(it->key, SV("type"))) ||
	       (jv_key_eq(it->key, SV("status")) && jv_is_nil(it->value));
}

/* Clients may send a message without its type, and its text as a string. */
static void write_members(struct jw *w, struct jv item, bool message)
{
	struct jv_iter it = jv_iter(item);
	bool assistant = jv_str_eq(jv_get(item, SV("role")), SV("assistant"));

	while (jv_next(&it)) {
		if (is_apart(&it, message))
			continue;
		jw_key_lit(w, it.key);
		if (message && jv_key_eq(it.key, SV("content")))
			write_parts(w, it.value, assistant);
		else
			jw_jv(w, it.value);
	}
}

static void write_item(const struct page *p, struct jw *w, size_t place, struct buf *id)
{
	size_t index = item_at(p, place);
	struct jv item = kept_item_json(p->answer->items[index]);
	struct jv type = jv_get(item, SV("type"));
	bool message = jv_is_nil(type) || jv_str_eq(type, SV("message"));
	bool tool = sv_ends(jv_str_raw(type), SV("_call")) ||
		    sv_ends(jv_str_raw(type), SV("_call_output"));

	buf_reset(id, ID_BYTES);
	continuation_item_id(p->continuation, p->answer, index, id);
	jw_obj(w);
	jw_kstr(w, "id", buf_sv(id));
	if (message)
		jw_klit(w, "type", "message");
	write_members(w, item, message);
	if ((message || tool) && jv_is_nil(jv_get(item, SV("status"))))
		jw_klit(w, "status", "completed");
	jw_end(w);
}

static void write_border(const struct page *p, struct jw *w, const char *key, size_t place)
{
	struct buf id;

	jw_key_lit(w, sv_cstr(key));
	if (!p->count) {
		jw_null(w);
		return;
	}
	buf_init(&id, ID_BYTES);
	continuation_item_id(p->continuation, p->answer, item_at(p, place), &id);
	jw_str(w, buf_sv(&id));
	buf_fini(&id);
}

int response_list_write(struct continuation *c, const struct kept_answer *a, struct sv query,
	struct buf *out, struct api_err *err)
{
	struct page p = {.continuation = c, .answer = a};
	struct jw w = jw_begin(out);
	struct buf id;
	int rc = read_query(&p, query, err);

	if (rc)
		return rc;
	buf_init(&id, ID_BYTES);
	jw_obj(&w);
	jw_klit(&w, "object", "list");
	jw_karr(&w, "data");
	for (size_t i = 0; i < p.count; i++)
		write_item(&p, &w, p.first + i, &id);
	jw_end(&w);
	write_border(&p, &w, "first_id", p.first);
	write_border(&p, &w, "last_id", p.first + p.count - 1);
	jw_kbool(&w, "has_more", p.first + p.count < a->input_count);
	jw_end(&w);
	buf_fini(&id);
	return 0;
}
