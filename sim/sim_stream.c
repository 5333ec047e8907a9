#include "sim/sim_stream.h"

#include "base/limits.h"
#include "sim/sim_script.h"
#include "sim/sim_socket.h"
#include "sim/sim_wait.h"

enum { PIECE_BYTES = 64 << 10, RESET_DELAY_MS = 5 };
#define OUT_BYTES MIB(72)

struct sim_stream {
	struct sim_gen gen;
	struct buf out; /* encoded, not yet sent */
	size_t byte;	/* of out, when written byte by byte */
	int64_t pace_ms;
	size_t events;	  /* put into out, the cut one not counted */
	bool ended;	  /* nothing more will be generated */
	enum sim_end end; /* how it ends once out is sent */
	bool single;	  /* a fault or a pace: one event at a time */
};

/* Line ends of the last event (from offset) as the script wants them. */
static void reframe(struct buf *out, size_t from, enum sim_framing framing)
{
	struct buf copy;

	buf_init(&copy, OUT_BYTES);
	for (size_t i = from; i < out->len; i++) {
		if (out->data[i] != '\n')
			buf_add_char(&copy, out->data[i]);
		else if (framing == SIM_FRAMING_CR)
			buf_add_char(&copy, '\r');
		else
			buf_add_lit(&copy, "\r\n");
	}
	buf_truncate(out, from);
	buf_add_sv(out, buf_sv(&copy));
	buf_fini(&copy);
}

static void spoil_json(struct buf *out, size_t from)
{
	buf_truncate(out, from);
	buf_add_lit(out,
		"event: response.output_text.delta\ndata: {\"type\":\"response.output_text."
		"delta\",\"delta\":\"unfinis\n\n");
}

/* What happens instead of event number `events`. True when the stream ends here. */
static bool strike(struct sim_stream *s, const struct sim_script *script)
{
	int64_t events = (int64_t)s->events;

	if (script->stall_after_events >= 0 && events >= script->stall_after_events)
		s->end = SIM_END_NONE;
	else if (script->reset_after_events >= 0 && events >= script->reset_after_events)
		s->end = SIM_END_RESET;
	else if (script->cut_after_events >= 0 && events >= script->cut_after_events)
		s->end = script->cut_clean ? SIM_END_FINISHED : SIM_END_ABORTED;
	else
		return false;
	if (script->cut_mid_event && script->cut_after_events >= 0) {
		size_t from = s->out.len;

		if (sim_gen_next(&s->gen, &s->out))
			buf_truncate(&s->out, from + (s->out.len - from) / 2);
	}
	s->ended = true;
	return true;
}

/* One event more into out. False when there is none. */
static bool generate(struct sim_txn *t, struct sim_stream *s)
{
	const struct sim_script *script = t->script;
	size_t from = s->out.len;

	if (script && strike(s, script))
		return false;
	if (!sim_gen_next(&s->gen, &s->out)) {
		s->ended = true;
		return false;
	}
	if (script && script->bad_json_at == (int64_t)s->events)
		spoil_json(&s->out, from);
	if (script && script->framing != SIM_FRAMING_LF)
		reframe(&s->out, from, script->framing);
	s->events++;
	t->sim->stats.events++;
	if (t->entry)
		t->entry->events = s->events;
	return true;
}

static void flush(struct sim_txn *t, struct sim_stream *s)
{
	if (s->out.len)
		sim_txn_send(t, buf_sv(&s->out));
	buf_reset(&s->out, PIECE_BYTES);
}

static void say(struct sim_txn *t, const struct sim_messages *m)
{
	for (size_t i = 0; t->socket && i < m->count; i++)
		sim_socket_say(t->socket, buf_sv(&m->at[i]));
}

static void end(struct sim_txn *t, struct sim_stream *s)
{
	switch (s->end) {
	case SIM_END_NONE:
	case SIM_END_GONE:
		break; /* silence until the client gives up */
	case SIM_END_RESET:
		/* A reset drops what is queued: the events before it must be out. */
		sim_txn_later(t, RESET_DELAY_MS, sim_txn_reset);
		break;
	case SIM_END_ABORTED:
		sim_txn_abort(t);
		break;
	case SIM_END_FINISHED:
		if (t->script)
			say(t, &t->script->after);
		sim_txn_finish(t);
		break;
	}
}

static void pump(struct sim_txn *t);

/* One byte a loop turn, so that each is a packet of its own. */
static void pump_bytes(struct sim_txn *t)
{
	struct sim_stream *s = t->out;

	if (s->byte == s->out.len) {
		s->byte = 0;
		buf_reset(&s->out, PIECE_BYTES);
		if (!s->ended)
			generate(t, s);
		if (!s->out.len) {
			end(t, s);
			return;
		}
	}
	sim_txn_send(t, sv_make(s->out.data + s->byte++, 1));
	sim_wait_poke(t->sim);
	sim_txn_later(t, 0, pump_bytes);
}

static void pump(struct sim_txn *t)
{
	struct sim_stream *s = t->out;

	while (!s->ended) {
		if (sim_txn_is_congested(t))
			return; /* on_drain goes on */
		while (generate(t, s) && !s->single && s->out.len < PIECE_BYTES)
			;
		flush(t, s);
		if (s->single)
			sim_wait_poke(t->sim);
		if (!s->ended && s->pace_ms > 0) {
			sim_txn_later(t, s->pace_ms, pump);
			return;
		}
	}
	end(t, s);
}

static int64_t pace_of(const struct sim_txn *t, const struct sim_plan *plan)
{
	if (t->script && t->script->pace_ms >= 0)
		return t->script->pace_ms;
	return plan->pace_ms >= 0 ? plan->pace_ms : t->sim->settings.pace_ms;
}

static void begin(struct sim_txn *t)
{
	sim_txn_head(t, t->script && t->script->status ? t->script->status : 200,
		SV("text/event-stream; charset=utf-8"));
	if (t->script)
		say(t, &t->script->before);
	if (t->script && t->script->write_bytes)
		pump_bytes(t);
	else
		pump(t);
}

void sim_stream_start(struct sim_txn *t, const struct sim_plan *plan)
{
	struct sim_stream *s = arena_alloc(&t->arena, sizeof(*s));

	if (!s || !sim_gen_init(&s->gen, t, plan)) {
		sim_txn_detail(t, 500, "out of memory");
		return;
	}
	buf_init(&s->out, OUT_BYTES);
	s->byte = 0;
	s->events = 0;
	s->ended = false;
	s->end = SIM_END_FINISHED;
	s->pace_ms = pace_of(t, plan);
	s->single = s->pace_ms > 0 || t->script;
	t->out = s;
	if (plan->delay_ms > 0)
		sim_txn_later(t, plan->delay_ms, begin);
	else
		begin(t);
}

void sim_stream_hang(struct sim_txn *t)
{
	sim_txn_head(t, 200, SV("text/event-stream; charset=utf-8"));
	sim_wait_poke(t->sim);
}

void sim_stream_on_drain(struct sim_txn *t)
{
	struct sim_stream *s = t->out;

	if (s && !s->ended && !timer_is_active(&t->timer) && !(t->script && t->script->write_bytes))
		pump(t);
}

void sim_stream_fini(struct sim_stream *s)
{
	if (s)
		buf_fini(&s->out);
}
