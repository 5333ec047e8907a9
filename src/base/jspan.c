#include "base/jspan.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_SPANS = 64 };

struct span {
	const char *start;
	const char *behind;
};

struct jspan_index {
	struct jspan_index *next, **prev; /* in listed; prev is NULL before */
	struct sv text;
	struct span *spans; /* by start */
	size_t count;
	size_t room;
};

/* The documents of this thread: a view does not know which one it belongs to. */
static _Thread_local struct jspan_index *listed;

struct jspan_index *jspan_new(struct sv text)
{
	struct jspan_index *x;

	if (text.n < JSPAN_DOCUMENT_MIN)
		return NULL;
	x = mem_try_alloc(sizeof(*x));
	if (x)
		*x = (struct jspan_index){.text = text};
	return x;
}

static void unlist(struct jspan_index *x)
{
	if (!x->prev)
		return;
	*x->prev = x->next;
	if (x->next)
		x->next->prev = x->prev;
	x->prev = NULL;
}

void jspan_list(struct jspan_index *x)
{
	unlist(x);
	x->next = listed;
	x->prev = &listed;
	if (x->next)
		x->next->prev = &x->next;
	listed = x;
}

void jspan_free(struct jspan_index *x)
{
	if (!x)
		return;
	unlist(x);
	free(x->spans);
	free(x);
}

size_t jspan_min_bytes(const struct jspan_index *x)
{
	return x ? JSPAN_VALUE_MIN : SIZE_MAX;
}

static bool grow(struct jspan_index *x)
{
	size_t room = x->room ? x->room * 2 : FIRST_SPANS;
	struct span *grown;

	if (room > JSPAN_MAX)
		return false;
	grown = mem_try_alloc(room * sizeof(*grown));
	if (!grown)
		return false;
	if (x->count)
		memcpy(grown, x->spans, x->count * sizeof(*grown));
	free(x->spans);
	x->spans = grown;
	x->room = room;
	return true;
}

/* A container comes behind what it holds, and belongs before it. */
void jspan_note(struct jspan_index *x, const char *start, const char *behind)
{
	size_t at = x->count;

	if (x->count == x->room && !grow(x))
		return;
	while (at > 0 && x->spans[at - 1].start > start)
		at--;
	memmove(x->spans + at + 1, x->spans + at, (x->count - at) * sizeof(*x->spans));
	x->spans[at] = (struct span){start, behind};
	x->count++;
}

bool jspan_is_any(void)
{
	return listed != NULL;
}

static const char *find_in(const struct jspan_index *x, const char *start)
{
	size_t low = 0, high = x->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (x->spans[middle].start < start)
			low = middle + 1;
		else
			high = middle;
	}
	return low < x->count && x->spans[low].start == start ? x->spans[low].behind : NULL;
}

/* Compared as numbers: start may point into any memory. */
static bool holds(const struct jspan_index *x, const char *start)
{
	return (uintptr_t)start - (uintptr_t)x->text.p < x->text.n;
}

const char *jspan_find(const char *start)
{
	struct jspan_index *x = listed;

	while (x && !holds(x, start))
		x = x->next;
	if (!x)
		return NULL;
	if (x != listed) /* the same request asks again soon */
		jspan_list(x);
	return find_in(x, start);
}
