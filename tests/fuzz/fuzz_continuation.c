/*
 * Three lines: an answer's object, the input that it answers, a query or a further request.
 * Whatever is kept comes back byte for byte, lists are valid JSON and bounded, and a request that
 * goes on has all items in front of its own. When all has gone, no memory is in use.
 */
#include "base/limits.h"
#include "relay/recall.h"
#include "relay/response_list.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct continuation_limits limits = {true, 4, MIB(1), 10};

/* The object with the items of its output close together. */
static void write_wanted(struct jv object, struct buf *out)
{
	struct jv output = jv_get(object, SV("output"));
	struct jv_iter it = jv_iter(output);
	const char *behind = output.p + output.n;
	bool first = true;

	buf_add(out, object.p, (size_t)(output.p - object.p));
	buf_add_char(out, '[');
	for (; jv_next(&it); first = false) {
		if (!first)
			buf_add_char(out, ',');
		buf_add_sv(out, jv_raw(it.value));
	}
	buf_add_char(out, ']');
	buf_add(out, behind, (size_t)(object.p + object.n - behind));
}

static void check_object(const struct kept_answer *a, struct jv object)
{
	struct buf out, wanted;

	buf_init(&out, MIB(1));
	buf_init(&wanted, MIB(1));
	continuation_write_object(a, &out);
	write_wanted(object, &wanted);
	assert(sv_eq(buf_sv(&out), buf_sv(&wanted)));
	buf_fini(&wanted);
	buf_fini(&out);
}

static void check_list(struct continuation *c, const struct kept_answer *a, struct sv query)
{
	struct api_err err = {0};
	struct buf out;
	struct jv list;
	int rc;

	buf_init(&out, MIB(8));
	rc = response_list_write(c, a, query, &out, &err);
	assert(rc == 0 || (rc == -EINVAL && err.status == 400 && err.param[0]));
	if (!rc) {
		rc = jv_parse(buf_sv(&out), LIMIT_JSON_DEPTH + 8, &list, NULL);
		assert(rc == 0);
		assert(jv_count(jv_get(list, SV("data"))) <= 100);
		assert(jv_count(jv_get(list, SV("data"))) <= a->input_count);
	}
	buf_fini(&out);
}

static void check_request(struct continuation *c, struct sv text)
{
	struct api_err err = {0};
	struct recall recall;
	struct arena arena;
	struct turn turn;
	struct jv again;
	int rc;

	arena_init(&arena, MIB(1));
	turn_init(&turn, &dialect_responses, &arena);
	if (!jv_parse(text, LIMIT_JSON_DEPTH, &turn.request, NULL) &&
		jv_is(turn.request, JV_OBJECT)) {
		turn.upstream = turn.request;
		rc = recall_expand(&recall, c, SV("token"), &turn, &err);
		assert(rc == 0 || (rc == -EINVAL && err.status >= 400 && err.message[0]));
		rc = jv_parse(jv_raw(turn.upstream), LIMIT_JSON_DEPTH, &again, NULL);
		assert(rc == 0);
	}
	turn_fini(&turn);
	arena_fini(&arena);
}

static void run(struct continuation *c, struct jv object, struct jv input, struct sv rest)
{
	struct continuation_put put = {
		.owner = continuation_owner(c, SV("token")),
		.session = SV("s"),
		.input = input,
		.object = object,
	};
	const struct kept_answer *a;
	int rc = continuation_put(c, &put, 0);

	if (!rc)
		rc = continuation_put(c, &put, 1);
	if (rc)
		return;
	a = continuation_get(c, put.owner, jv_str_raw(jv_get(object, SV("id"))), 2);
	assert(a && continuation_count(c) == 1);
	check_object(a, object);
	check_list(c, a, rest);
	check_request(c, rest);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv rest = sv_make((const char *)data, size);
	struct sv first = sv_split(&rest, '\n');
	struct sv second = sv_split(&rest, '\n');
	struct continuation *c;
	struct jv object, input;

	if (jv_parse(first, LIMIT_JSON_DEPTH, &object, NULL) || !jv_is(object, JV_OBJECT) ||
		jv_parse(second, LIMIT_JSON_DEPTH, &input, NULL) || !jv_is(input, JV_ARRAY))
		return 0;
	c = continuation_new();
	continuation_configure(c, &limits);
	run(c, object, input, rest);
	continuation_expire(c, 1000);
	assert(continuation_count(c) == 0 && continuation_bytes(c) == 0);
	continuation_free(c);
	return 0;
}
