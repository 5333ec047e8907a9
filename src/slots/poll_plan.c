#include "slots/poll_plan.h"

#include "base/sv.h"

enum {
	BACKOFF_FIRST_MS = 30 * 1000,
	BACKOFF_MOST_MS = 3600 * 1000,
	WISH_MOST_MS = 24 * 3600 * 1000,
};

void poll_note_answer(struct poll_state *p, int64_t now_ms)
{
	*p = (struct poll_state){.answered_ms = now_ms};
}

void poll_note_failure(struct poll_state *p, int64_t retry_at_ms, int64_t now_ms)
{
	p->failed_ms = now_ms;
	p->failures++;
	p->not_before_ms = retry_at_ms;
	if (p->not_before_ms > now_ms + WISH_MOST_MS)
		p->not_before_ms = now_ms + WISH_MOST_MS;
}

int64_t poll_jitter_ms(int64_t span_ms, uint64_t seed, int64_t base_ms)
{
	struct sv bytes = sv_make((const char *)&base_ms, sizeof(base_ms));
	int64_t fifth = span_ms / 5;

	if (fifth <= 0)
		return span_ms;
	/* The low bits of the hash depend on the last byte alone too much. */
	return span_ms - fifth / 2 + (int64_t)((sv_hash(bytes, seed) >> 20) % (uint64_t)fifth);
}

int64_t poll_retry_ms(const struct poll_state *p, uint64_t seed)
{
	int64_t wait_ms = BACKOFF_FIRST_MS;
	int64_t at;

	if (!p->failures)
		return 0;
	for (unsigned i = 1; i < p->failures && wait_ms < BACKOFF_MOST_MS; i++)
		wait_ms *= 2;
	if (wait_ms > BACKOFF_MOST_MS)
		wait_ms = BACKOFF_MOST_MS;
	at = p->failed_ms + poll_jitter_ms(wait_ms, seed, p->failed_ms);
	return at > p->not_before_ms ? at : p->not_before_ms;
}
