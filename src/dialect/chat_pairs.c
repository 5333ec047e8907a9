#include "dialect/chat_pairs.h"

#include <errno.h>
#include <stdlib.h>

static const struct {
	struct sv name;
	enum chat_role role;
} roles[] = {
	{{"user", 4}, CHAT_ROLE_USER},
	{{"assistant", 9}, CHAT_ROLE_ASSISTANT},
	{{"tool", 4}, CHAT_ROLE_TOOL},
	{{"system", 6}, CHAT_ROLE_SYSTEM},
	{{"developer", 9}, CHAT_ROLE_DEVELOPER},
	{{"function", 8}, CHAT_ROLE_FUNCTION},
};

struct chat_message chat_message_read(struct jv message)
{
	static const struct sv keys[] = {
		{"role", 4},
		{"content", 7},
		{"tool_calls", 10},
		{"function_call", 13},
		{"tool_call_id", 12},
		{"name", 4},
		{"refusal", 7},
	};
	struct jv member[ARRAY_LEN(keys)];
	struct chat_message m = {.role = CHAT_ROLE_NONE};

	jv_pick(message, keys, ARRAY_LEN(keys), member);
	for (size_t i = 0; i < ARRAY_LEN(roles); i++) {
		if (jv_str_eq(member[0], roles[i].name))
			m.role = roles[i].role;
	}
	m.content = member[1];
	m.tool_calls = member[2];
	m.function_call = member[3];
	m.tool_call_id = member[4];
	m.name = member[5];
	m.refusal = member[6];
	return m;
}

/* Room for one more: a doubled copy in the arena. */
static void *grown(struct arena *arena, void *old, size_t count, size_t size, size_t *room)
{
	size_t wanted = *room ? *room * 2 : 16;
	void *list;

	if (count < *room)
		return old;
	list = arena_alloc(arena, wanted * size);
	if (list && count)
		memcpy(list, old, count * size);
	if (list)
		*room = wanted;
	return list;
}

static int add_call(
	struct chat_pairs *p, struct arena *arena, struct jv id, struct chat_call template)
{
	struct chat_call *list =
		grown(arena, p->calls, p->call_count, sizeof(*list), &p->call_room);

	if (!list)
		return -ENOMEM;
	p->calls = list;
	list += p->call_count;
	*list = template;
	list->order = p->call_count;
	if (jv_str(id, arena, &list->id) == -ENOMEM)
		return -ENOMEM;
	p->call_count++;
	return 0;
}

static int add_reply(
	struct chat_pairs *p, struct arena *arena, struct jv id, size_t message, bool legacy)
{
	struct chat_reply *list =
		grown(arena, p->replies, p->reply_count, sizeof(*list), &p->reply_room);

	if (!list)
		return -ENOMEM;
	p->replies = list;
	list += p->reply_count;
	*list = (struct chat_reply){.message = message, .legacy = legacy};
	if (jv_str(id, arena, &list->id) == -ENOMEM)
		return -ENOMEM;
	p->reply_count++;
	return 0;
}

static int add_calls(
	struct chat_pairs *p, struct arena *arena, const struct chat_message *m, size_t message)
{
	struct jv_iter it = jv_iter(m->tool_calls);
	int err = 0;

	while (!err && jv_is(m->tool_calls, JV_ARRAY) && jv_next(&it)) {
		struct chat_call call = {.message = message};

		call.custom = jv_str_eq(jv_get(it.value, SV("type")), SV("custom"));
		err = add_call(p, arena, jv_get(it.value, SV("id")), call);
	}
	if (!err && jv_is(m->function_call, JV_OBJECT)) {
		struct chat_call call = {.message = message, .legacy = true};

		err = add_call(p, arena, jv_get(m->function_call, SV("name")), call);
	}
	return err;
}

static int collect(struct chat_pairs *p, struct jv messages, struct arena *arena)
{
	struct jv_iter it = jv_iter(messages);
	int err = 0;

	for (size_t i = 0; !err && jv_next(&it); i++) {
		struct chat_message m = chat_message_read(it.value);

		if (m.role == CHAT_ROLE_ASSISTANT)
			err = add_calls(p, arena, &m, i);
		else if (m.role == CHAT_ROLE_TOOL)
			err = add_reply(p, arena, m.tool_call_id, i, false);
		else if (m.role == CHAT_ROLE_FUNCTION)
			err = add_reply(p, arena, m.name, i, true);
	}
	return err;
}

static int compare_ids(struct sv a, bool a_legacy, struct sv b, bool b_legacy)
{
	int order;

	if (a_legacy != b_legacy)
		return a_legacy ? 1 : -1;
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	order = a.n ? memcmp(a.p, b.p, a.n) : 0;
	return order;
}

static int compare_calls(const void *a, const void *b)
{
	const struct chat_call *x = *(struct chat_call *const *)a;
	const struct chat_call *y = *(struct chat_call *const *)b;
	int order = compare_ids(x->id, x->legacy, y->id, y->legacy);

	if (order)
		return order;
	return x->order < y->order ? -1 : 1;
}

/* The first of all calls with this id, which keeps their stack; NULL: there is none. */
static struct chat_call *find_group(
	struct chat_call **sorted, size_t count, struct sv id, bool legacy)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct chat_call *c = sorted[middle];

		if (compare_ids(c->id, c->legacy, id, legacy) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == count || compare_ids(sorted[low]->id, sorted[low]->legacy, id, legacy) != 0)
		return NULL;
	return sorted[low];
}

static void open_call(struct chat_pairs *p, struct chat_call **sorted, struct chat_call *call)
{
	struct chat_call *group = find_group(sorted, p->call_count, call->id, call->legacy);

	call->below = group->top;
	group->top = call;
}

/*
 * In the order of the document a reply answers the last call with its id that is open: clients that
 * use ids again mean the nearest one.
 */
static void match(struct chat_pairs *p, struct chat_call **sorted)
{
	size_t next = 0;

	for (size_t i = 0; i < p->reply_count; i++) {
		struct chat_reply *reply = &p->replies[i];
		struct chat_call *group;

		while (next < p->call_count && p->calls[next].message < reply->message)
			open_call(p, sorted, &p->calls[next++]);
		group = find_group(sorted, p->call_count, reply->id, reply->legacy);
		if (!group || !group->top)
			continue;
		reply->call = group->top;
		group->top->answered = true;
		group->top = group->top->below;
	}
}

int chat_pairs_find(struct chat_pairs *p, struct jv messages, struct arena *arena)
{
	struct chat_call **sorted;

	*p = (struct chat_pairs){.calls = NULL};
	if (collect(p, messages, arena))
		return -ENOMEM;
	if (p->call_count == 0)
		return 0;
	sorted = arena_alloc(arena, p->call_count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < p->call_count; i++)
		sorted[i] = &p->calls[i];
	qsort(sorted, p->call_count, sizeof(struct chat_call *), compare_calls);
	match(p, sorted);
	return 0;
}
