#include "relay/head_notes.h"

#include "base/clock.h"
#include "relay/relay.h"
#include "slots/slot_table.h"
#include "slots/upkeep.h"

enum { HEADERS_MAX = 16 };

static struct sv find(const struct http_header *headers, size_t count, struct sv name)
{
	struct sv value = SV_NONE;

	for (size_t i = 0; i < count; i++) {
		if (sv_ieq(headers[i].name, name))
			value = headers[i].value;
	}
	return value;
}

void head_notes_take(
	struct relay *relay, struct slot *slot, const struct http_header *headers, size_t count)
{
	struct sv turn_state = find(headers, count, SV("x-codex-turn-state"));
	struct sv models_etag = find(headers, count, SV("x-models-etag"));

	if (models_etag.n)
		upkeep_note_models(relay->upkeep, slot, models_etag);
	if (turn_state.n)
		slot_table_remember(relay->slots, turn_state, slot, clock_wall_ms());
}

void head_notes_event(
	struct relay *relay, struct slot *slot, const struct event *ev, struct answer *answer)
{
	struct http_header headers[HEADERS_MAX];
	struct arena arena;
	struct sv turn_state;
	size_t count;

	if (!event_headers_are_of_head(ev))
		return;
	arena_init(&arena, LIMIT_RESPONSE_HEAD_BYTES);
	count = event_headers_read(ev, &arena, headers, HEADERS_MAX);
	head_notes_take(relay, slot, headers, count);
	turn_state = find(headers, count, SV("x-codex-turn-state"));
	if (turn_state.n)
		answer_set_header(answer, SV("x-codex-turn-state"), turn_state);
	arena_fini(&arena);
}
