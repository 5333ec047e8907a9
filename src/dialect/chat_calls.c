#include "dialect/chat_calls.h"

#include <errno.h>
#include <stdlib.h>

static struct jv calls_of(struct jv message)
{
	if (!jv_str_eq(jv_get(message, SV("role")), SV("assistant")))
		return JV_NONE;
	return jv_get(message, SV("tool_calls"));
}

static size_t count_calls(struct jv messages)
{
	struct jv_iter it = jv_iter(messages);
	size_t count = 0;

	while (jv_next(&it))
		count += jv_count(calls_of(it.value));
	return count;
}

static void list_calls(struct chat_calls *c, struct jv messages)
{
	struct jv_iter it = jv_iter(messages);

	for (size_t index = 0; jv_next(&it); index++) {
		struct jv_iter call = jv_iter(calls_of(it.value));

		while (jv_next(&call)) {
			c->calls[c->count++] = (struct chat_past_call){
				.id = jv_str_raw(jv_get(call.value, SV("id"))),
				.message = index,
				.answer = SIZE_MAX,
				.custom = jv_str_eq(jv_get(call.value, SV("type")), SV("custom")),
			};
		}
	}
}

static int compare_ids(struct sv a, struct sv b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int by_text = n ? memcmp(a.p, b.p, n) : 0;

	return by_text ? by_text : (a.n > b.n) - (a.n < b.n);
}

static int compare_calls(const void *a, const void *b)
{
	const struct chat_past_call *x = *(struct chat_past_call *const *)a;
	const struct chat_past_call *y = *(struct chat_past_call *const *)b;
	int by_id = compare_ids(x->id, y->id);

	/* Pointers into one array: its order is the history's. */
	return by_id ? by_id : (x > y) - (x < y);
}

/* Number of sorted calls that stand before (id, message): ids are reused by some clients. */
static size_t position(const struct chat_calls *c, struct sv id, size_t message)
{
	size_t low = 0, high = c->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct chat_past_call *call = c->sorted[middle];
		int by_id = compare_ids(call->id, id);

		if (by_id < 0 || (by_id == 0 && call->message < message))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The latest call with this id before the message. */
static struct chat_past_call *latest_before(
	const struct chat_calls *c, struct sv id, size_t message)
{
	size_t at = position(c, id, message);

	if (at == 0 || compare_ids(c->sorted[at - 1]->id, id) != 0)
		return NULL;
	return c->sorted[at - 1];
}

static void note_answers(struct chat_calls *c, struct jv messages)
{
	struct jv_iter it = jv_iter(messages);

	for (size_t index = 0; jv_next(&it); index++) {
		struct chat_past_call *call;

		if (!jv_str_eq(jv_get(it.value, SV("role")), SV("tool")))
			continue;
		call = latest_before(c, jv_str_raw(jv_get(it.value, SV("tool_call_id"))), index);
		if (call && call->answer == SIZE_MAX)
			call->answer = index;
	}
}

int chat_calls_build(struct chat_calls *c, struct jv messages, struct arena *arena)
{
	size_t count = count_calls(messages);

	*c = (struct chat_calls){.count = 0};
	if (count == 0)
		return 0;
	c->calls = arena_alloc(arena, count * sizeof(*c->calls));
	c->sorted = arena_alloc(arena, count * sizeof(*c->sorted));
	if (!c->calls || !c->sorted)
		return -ENOMEM;
	list_calls(c, messages);
	for (size_t i = 0; i < count; i++)
		c->sorted[i] = &c->calls[i];
	qsort(c->sorted, count, sizeof(*c->sorted), compare_calls);
	note_answers(c, messages);
	return 0;
}

const struct chat_past_call *chat_calls_answered_by(
	const struct chat_calls *c, struct sv id, size_t index)
{
	const struct chat_past_call *call = latest_before(c, id, index);

	return call && call->answer == index ? call : NULL;
}
