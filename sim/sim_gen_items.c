#include "sim/sim_gen_items.h"

#include "base/jw.h"

/* One event of an item. Steps with a delta are repeated until the text is used up. */
struct step {
	struct sv head;
	bool delta;
	bool cited; /* only for items with a citation */
	void (*write)(struct sim_gen *g, const struct sim_item *item, struct buf *out);
};

static void add_string(struct buf *out, struct sv text)
{
	buf_add_char(out, '"');
	jw_escape(out, text);
	buf_add_char(out, '"');
}

/* End of the delta that starts at from: a run of words, or a number of bytes; whole characters. */
static size_t delta_end(const struct sim_item *item, size_t from)
{
	struct sv text = item->text;
	size_t end = from + (item->delta_bytes ? item->delta_bytes : item->delta_least);

	if (!item->delta_bytes) {
		while (end < text.n && text.p[end] != ' ')
			end++;
		while (end < text.n && text.p[end] == ' ')
			end++;
	}
	if (end > text.n)
		end = text.n;
	while (end < text.n && ((unsigned char)text.p[end] & 0xC0) == 0x80)
		end++;
	return end;
}

static void add_part(const struct sim_item *item, bool complete, struct buf *out)
{
	struct sv text = complete ? item->text : SV("");

	if (item->kind == SIM_ITEM_REFUSAL) {
		buf_add_lit(out, "{\"type\":\"refusal\",\"refusal\":");
		add_string(out, text);
		buf_add_char(out, '}');
		return;
	}
	buf_add_lit(out, "{\"type\":\"output_text\",\"annotations\":[");
	if (complete && item->cite.n) {
		buf_add_lit(out,
			"{\"type\":\"url_citation\",\"start_index\":0,\"end_index\":3,\"title\":"
			"\"Source\",\"url\":");
		add_string(out, item->cite);
		buf_add_char(out, '}');
	}
	buf_add_lit(out, "],\"logprobs\":[],\"text\":");
	add_string(out, text);
	buf_add_char(out, '}');
}

static void add_message(const struct sim_item *item, bool complete, struct buf *out)
{
	buf_add_lit(out, ",\"role\":\"assistant\",\"content\":[");
	if (complete)
		add_part(item, true, out);
	buf_add_char(out, ']');
	if (item->phase) {
		buf_add_lit(out, ",\"phase\":\"");
		buf_add_cstr(out, item->phase);
		buf_add_char(out, '"');
	}
}

static void add_summary_part(const struct sim_item *item, bool complete, struct buf *out)
{
	buf_add_lit(out, "{\"type\":\"summary_text\",\"text\":");
	add_string(out, complete ? item->text : SV(""));
	buf_add_char(out, '}');
}

static void add_reasoning(const struct sim_item *item, bool complete, struct buf *out)
{
	buf_add_lit(out, ",\"summary\":[");
	if (complete)
		add_summary_part(item, true, out);
	/* What comes with output_item.added is stale, as upstream's is. */
	buf_add_lit(out, "],\"encrypted_content\":\"");
	if (complete)
		buf_add_sv(out, item->blob);
	else
		buf_add_lit(out, "gAAAAABstale");
	buf_add_char(out, '"');
}

static void add_call(const struct sim_item *item, bool complete, struct buf *out)
{
	buf_add_lit(out, ",\"call_id\":\"");
	buf_add_cstr(out, item->call_id);
	buf_add_lit(out, "\",\"name\":\"");
	buf_add_sv(out, item->name);
	if (item->space.n) {
		buf_add_lit(out, "\",\"namespace\":\"");
		buf_add_sv(out, item->space);
	}
	if (item->kind == SIM_ITEM_CUSTOM)
		buf_add_lit(out, "\",\"input\":");
	else
		buf_add_lit(out, "\",\"arguments\":");
	add_string(out, complete ? item->text : SV(""));
}

static void add_compaction(const struct sim_item *item, bool complete, struct buf *out)
{
	(void)complete;
	buf_add_lit(out, ",\"encrypted_content\":\"");
	buf_add_sv(out, item->blob);
	buf_add_char(out, '"');
}

static void add_search(const struct sim_item *item, bool complete, struct buf *out)
{
	(void)complete;
	buf_add_lit(out, ",\"action\":{\"type\":\"search\",\"query\":");
	add_string(out, item->text);
	buf_add_char(out, '}');
}

static const struct {
	struct sv type;
	bool has_status;
	void (*add)(const struct sim_item *item, bool complete, struct buf *out);
} KINDS[SIM_ITEM_KINDS] = {
	[SIM_ITEM_MESSAGE] = {{"message", 7}, true, add_message},
	[SIM_ITEM_REFUSAL] = {{"message", 7}, true, add_message},
	[SIM_ITEM_REASONING] = {{"reasoning", 9}, false, add_reasoning},
	[SIM_ITEM_FUNCTION] = {{"function_call", 13}, true, add_call},
	[SIM_ITEM_CUSTOM] = {{"custom_tool_call", 16}, true, add_call},
	[SIM_ITEM_COMPACTION] = {{"compaction", 10}, false, add_compaction},
	[SIM_ITEM_SEARCH] = {{"web_search_call", 15}, true, add_search},
};

void sim_gen_item(const struct sim_item *item, bool complete, struct buf *out)
{
	buf_add_lit(out, "{\"id\":\"");
	buf_add_cstr(out, item->id);
	buf_add_lit(out, "\",\"type\":\"");
	buf_add_sv(out, KINDS[item->kind].type);
	buf_add_char(out, '"');
	if (KINDS[item->kind].has_status) {
		buf_add_lit(out, ",\"status\":\"");
		if (complete)
			buf_add_lit(out, "completed\"");
		else
			buf_add_lit(out, "in_progress\"");
	}
	KINDS[item->kind].add(item, complete, out);
	buf_add_char(out, '}');
}

static void write_added(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	buf_add_lit(out, ",\"output_index\":");
	buf_add_u64(out, g->item);
	buf_add_lit(out, ",\"item\":");
	sim_gen_item(item, false, out);
	g->private_due = 3;
}

static void write_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	buf_add_lit(out, ",\"output_index\":");
	buf_add_u64(out, g->item);
	buf_add_lit(out, ",\"item\":");
	sim_gen_item(item, true, out);
}

static void add_place(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	buf_add_lit(out, ",\"item_id\":\"");
	buf_add_cstr(out, item->id);
	buf_add_lit(out, "\",\"output_index\":");
	buf_add_u64(out, g->item);
}

static void add_content_place(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_place(g, item, out);
	buf_add_lit(out, ",\"content_index\":0");
}

static void add_summary_place(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_place(g, item, out);
	buf_add_lit(out, ",\"summary_index\":0");
}

static void add_delta(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	buf_add_lit(out, ",\"delta\":");
	add_string(out, sv_make(item->text.p + g->offset, g->delta));
}

static void write_part_added(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	buf_add_lit(out, ",\"part\":");
	add_part(item, false, out);
}

static void write_part_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	buf_add_lit(out, ",\"part\":");
	add_part(item, true, out);
}

static void write_text_delta(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	add_delta(g, item, out);
	buf_add_lit(out, ",\"logprobs\":[]");
}

static void write_text_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	buf_add_lit(out, ",\"logprobs\":[],\"text\":");
	add_string(out, item->text);
}

static void write_annotation(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	buf_add_lit(out, ",\"annotation_index\":0,\"annotation\":{\"type\":\"url_citation\","
			 "\"start_index\":0,"
			 "\"end_index\":3,\"title\":\"Source\",\"url\":");
	add_string(out, item->cite);
	buf_add_char(out, '}');
}

static void write_refusal_delta(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	add_delta(g, item, out);
}

static void write_refusal_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_content_place(g, item, out);
	buf_add_lit(out, ",\"refusal\":");
	add_string(out, item->text);
}

static void write_summary_added(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_summary_place(g, item, out);
	buf_add_lit(out, ",\"part\":");
	add_summary_part(item, false, out);
}

static void write_summary_delta(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_summary_place(g, item, out);
	add_delta(g, item, out);
}

static void write_summary_text(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_summary_place(g, item, out);
	buf_add_lit(out, ",\"text\":");
	add_string(out, item->text);
}

static void write_summary_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_summary_place(g, item, out);
	buf_add_lit(out, ",\"part\":");
	add_summary_part(item, true, out);
}

static void write_call_delta(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_place(g, item, out);
	add_delta(g, item, out);
}

static void write_arguments_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_place(g, item, out);
	buf_add_lit(out, ",\"arguments\":");
	add_string(out, item->text);
}

static void write_input_done(struct sim_gen *g, const struct sim_item *item, struct buf *out)
{
	add_place(g, item, out);
	buf_add_lit(out, ",\"input\":");
	add_string(out, item->text);
}

#define HEAD(type)                                                                    \
	{                                                                             \
		"event: " type "\ndata: {\"type\":\"" type "\",\"sequence_number\":", \
			sizeof("event: " type "\ndata: {\"type\":\"" type             \
			       "\",\"sequence_number\":") -                           \
				1                                                     \
	}
#define STEP(type, write)                       \
	{                                       \
		HEAD(type), false, false, write \
	}
#define DELTA(type, write)                     \
	{                                      \
		HEAD(type), true, false, write \
	}
#define CITED(type, write)                     \
	{                                      \
		HEAD(type), false, true, write \
	}
#define END                                   \
	{                                     \
		{NULL, 0}, false, false, NULL \
	}
enum { STEPS = 10 };

static const struct step MACHINE[SIM_ITEM_KINDS][STEPS] = {
	[SIM_ITEM_MESSAGE] = {STEP("response.output_item.added", write_added),
		STEP("response.content_part.added", write_part_added),
		DELTA("response.output_text.delta", write_text_delta),
		CITED("response.output_text.annotation.added", write_annotation),
		STEP("response.output_text.done", write_text_done),
		STEP("response.content_part.done", write_part_done),
		STEP("response.output_item.done", write_done), END},
	[SIM_ITEM_REFUSAL] = {STEP("response.output_item.added", write_added),
		STEP("response.content_part.added", write_part_added),
		DELTA("response.refusal.delta", write_refusal_delta),
		STEP("response.refusal.done", write_refusal_done),
		STEP("response.content_part.done", write_part_done),
		STEP("response.output_item.done", write_done), END},
	[SIM_ITEM_REASONING] = {STEP("response.output_item.added", write_added),
		STEP("response.reasoning_summary_part.added", write_summary_added),
		DELTA("response.reasoning_summary_text.delta", write_summary_delta),
		STEP("response.reasoning_summary_text.done", write_summary_text),
		STEP("response.reasoning_summary_part.done", write_summary_done),
		STEP("response.output_item.done", write_done), END},
	[SIM_ITEM_FUNCTION] = {STEP("response.output_item.added", write_added),
		DELTA("response.function_call_arguments.delta", write_call_delta),
		STEP("response.function_call_arguments.done", write_arguments_done),
		STEP("response.output_item.done", write_done), END},
	[SIM_ITEM_CUSTOM] = {STEP("response.output_item.added", write_added),
		DELTA("response.custom_tool_call_input.delta", write_call_delta),
		STEP("response.custom_tool_call_input.done", write_input_done),
		STEP("response.output_item.done", write_done), END},
	[SIM_ITEM_COMPACTION] = {STEP("response.output_item.added", write_added),
		STEP("response.output_item.done", write_done), END},
	[SIM_ITEM_SEARCH] = {STEP("response.output_item.added", write_added),
		STEP("response.web_search_call.in_progress", add_place),
		STEP("response.web_search_call.searching", add_place),
		STEP("response.web_search_call.completed", add_place),
		STEP("response.output_item.done", write_done), END},
};

/* Passes over steps that have nothing to say for this item. */
static const struct step *present_step(struct sim_gen *g, const struct sim_item *item)
{
	const struct step *step = &MACHINE[item->kind][g->step];

	while ((step->delta && g->offset >= item->text.n) || (step->cited && !item->cite.n)) {
		g->step++;
		step++;
	}
	return step;
}

void sim_gen_item_event(struct sim_gen *g, struct buf *out)
{
	const struct sim_item *item = &g->plan->items[g->item];
	const struct step *step = present_step(g, item);

	buf_add_sv(out, step->head);
	buf_add_u64(out, g->sequence++);
	if (step->delta)
		g->delta = delta_end(item, g->offset) - g->offset;
	step->write(g, item, out);
	buf_add_lit(out, "}\n\n");
	if (step->delta) {
		g->offset += g->delta;
		return;
	}
	g->step++;
	if (!MACHINE[item->kind][g->step].write) {
		g->item++;
		g->step = 0;
		g->offset = 0;
	}
}
