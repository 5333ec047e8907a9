#include "sim/sim_model.h"

#include "base/jw.h"
#include "base/limits.h"
#include "sim/sim_accounts.h"
#include "sim/sim_blob.h"
#include "sim/sim_directive.h"
#include "sim/sim_schema.h"
#include "sim/sim_tools.h"

enum { DELTAS_WANTED = 24, PIECE_BYTES = 256 << 10, BIG_DELTA_BYTES = 1024, ANSWER_ITEMS = 80 };

struct maker {
	struct sim_txn *t;
	struct sim_request *q;
	struct sim_directive d;
	struct sim_plan *plan;
	size_t room;
	bool failed;
};

/* Texts are made in a buffer and kept in the arena. */
static struct sv keep(struct maker *m, struct buf *b)
{
	struct sv text = arena_dup(&m->t->arena, buf_sv(b));

	if (!text.p || buf_error(b))
		m->failed = true;
	buf_fini(b);
	return text.p ? text : SV_NONE;
}

static const char *const ID_PREFIXES[SIM_ITEM_KINDS] = {
	[SIM_ITEM_MESSAGE] = "msg_",
	[SIM_ITEM_REFUSAL] = "msg_",
	[SIM_ITEM_REASONING] = "rs_",
	[SIM_ITEM_FUNCTION] = "fc_",
	[SIM_ITEM_CUSTOM] = "ctc_",
	[SIM_ITEM_COMPACTION] = "cmp_",
	[SIM_ITEM_SEARCH] = "ws_",
};

static struct sim_item *add_item(struct maker *m, enum sim_item_kind kind, struct sv text)
{
	static struct sim_item spare;
	struct sim_item *item = &spare;

	if (m->plan->item_count < m->room)
		item = &m->plan->items[m->plan->item_count++];
	else
		m->failed = true;
	memset(item, 0, sizeof(*item));
	item->kind = kind;
	item->text = text;
	sim_ids_make(m->t->sim, ID_PREFIXES[kind], item->id);
	m->plan->output_bytes += text.n;
	return item;
}

/* Short texts go in words, a single word in two halves, long texts in a few dozen pieces. */
static struct sim_item *add_text(struct maker *m, struct sv text)
{
	struct sim_item *item = add_item(m, SIM_ITEM_MESSAGE, text);

	item->phase = "final_answer";
	item->delta_least = text.n / DELTAS_WANTED;
	if (text.n > 3 && !memchr(text.p, ' ', text.n))
		item->delta_bytes = (text.n + 1) / 2;
	return item;
}

static struct sv new_blob(struct maker *m)
{
	struct buf b;

	buf_init(&b, KIB(1));
	sim_blob_make(m->t->sim, m->t->account, &b);
	return keep(m, &b);
}

static void add_reasoning(struct maker *m)
{
	struct sim_item *item = add_item(
		m, SIM_ITEM_REASONING, SV("**Thinking**\n\nThe rules say what to answer."));

	item->blob = new_blob(m);
	m->plan->reasoning_bytes += item->text.n;
}

/* The text the model obeys: the last text part of the last user message. */
static struct sv last_user_text(struct maker *m)
{
	struct jv content = m->q->last_user;
	struct jv_iter it = jv_iter(content);
	struct jv text = jv_is(content, JV_STRING) ? content : JV_NONE;
	struct sv decoded;

	while (jv_is(content, JV_ARRAY) && jv_next(&it)) {
		struct jv part = jv_get(it.value, SV("text"));

		if (jv_is(part, JV_STRING))
			text = part;
	}
	if (!jv_exists(text) || jv_str(text, &m->t->arena, &decoded) < 0)
		return SV_NONE;
	return decoded;
}

static void count_parts(struct jv content, unsigned *images, unsigned *files)
{
	struct jv_iter it = jv_iter(content);

	while (jv_is(content, JV_ARRAY) && jv_next(&it)) {
		struct jv type = jv_get(it.value, SV("type"));

		*images += jv_str_eq(type, SV("input_image"));
		*files += jv_str_eq(type, SV("input_file"));
	}
}

static void add_count(struct buf *b, unsigned count, const char *noun)
{
	if (count)
		buf_addf(b, "%s%u %s%s", b->len ? ", " : "", count, noun, count > 1 ? "s" : "");
}

static void do_echo(struct maker *m)
{
	unsigned images = 0, files = 0;
	struct sv text = m->d.text;
	struct buf b;

	count_parts(m->q->last_user, &images, &files);
	if (images || files) {
		buf_init(&b, SIM_ARENA_BYTES);
		add_count(&b, images, "image");
		add_count(&b, files, "file");
		if (text.n)
			buf_add_lit(&b, ": ");
		buf_add_sv(&b, text);
		text = keep(m, &b);
	}
	add_text(m, text.n ? text : SV("Hello from the simulator."));
}

static void do_say(struct maker *m)
{
	add_text(m, m->d.text);
}

static void do_count(struct maker *m)
{
	struct buf b;
	struct sim_item *item;

	buf_init(&b, SIM_ARENA_BYTES);
	for (uint64_t i = 1; i <= m->d.count; i++) {
		if (i > 1)
			buf_add_char(&b, ' ');
		buf_add_u64(&b, i);
	}
	item = add_text(m, keep(m, &b));
	item->delta_least = 0;
	item->delta_bytes = 0;
}

/* Filler text, shared by all: lines of 63 letters and digits. */
static struct sv filler(void)
{
	static char text[PIECE_BYTES];

	if (!text[0]) {
		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = i % 64 == 63 ? '\n' : (char)('a' + i % 26);
	}
	return sv_make(text, sizeof(text));
}

/* Many messages: no single event may grow beyond what readers accept. */
static void do_big(struct maker *m)
{
	uint64_t left = m->d.count;
	size_t count = (size_t)(left / PIECE_BYTES) + 1 + m->plan->item_count;
	struct sim_item *items = arena_alloc(&m->t->arena, count * sizeof(*items));

	if (!items) {
		m->failed = true;
		return;
	}
	memcpy(items, m->plan->items, m->plan->item_count * sizeof(*items));
	m->plan->items = items;
	m->room = count;
	do {
		size_t n = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

		add_text(m, sv_make(filler().p, n))->delta_bytes = BIG_DELTA_BYTES;
		left -= n;
	} while (left);
}

static void do_huge(struct maker *m, size_t bytes)
{
	char *text = arena_alloc(&m->t->arena, bytes);

	if (!text) {
		m->failed = true;
		return;
	}
	memset(text, 'h', bytes);
	add_text(m, sv_make(text, bytes))->delta_bytes = bytes;
}

static void do_messages(struct maker *m)
{
	for (uint64_t i = 1; i <= m->d.count; i++) {
		struct buf b;

		buf_init(&b, KIB(1));
		buf_addf(&b, "message %llu of %llu. ", (unsigned long long)i,
			(unsigned long long)m->d.count);
		if (i < m->d.count)
			add_text(m, keep(m, &b))->phase = "commentary";
		else
			add_text(m, keep(m, &b));
	}
}

static void do_cite(struct maker *m)
{
	struct sim_item *item = add_text(m, SV("See the source."));

	item->cite = m->d.text;
}

static void do_search(struct maker *m)
{
	add_item(m, SIM_ITEM_SEARCH, m->d.text);
	add_text(m, SV("Searched the web and found nothing."));
}

static void do_refuse(struct maker *m)
{
	add_item(m, SIM_ITEM_REFUSAL, SV("I cannot help with that."));
}

static void do_incomplete(struct maker *m)
{
	add_text(m, SV("This answer stops in the"));
	m->plan->incomplete = true;
}

static void do_fail(struct maker *m)
{
	m->plan->failure = m->d.text;
}

/* A tool output is a string, or a list of parts. */
static void quote_output(struct jv output, struct buf *b)
{
	struct jv_iter it = jv_iter(output);

	if (jv_is(output, JV_STRING)) {
		jv_str_decode(output, b);
		return;
	}
	while (jv_next(&it)) {
		if (jv_exists(jv_get(it.value, SV("text"))))
			jv_str_decode(jv_get(it.value, SV("text")), b);
		else
			buf_add_lit(b, "[image]");
	}
}

static void do_outputs(struct maker *m)
{
	struct buf b;

	buf_init(&b, SIM_ARENA_BYTES);
	buf_add_lit(&b, "tool said: ");
	for (unsigned i = 0; i < m->q->output_count; i++) {
		if (i)
			buf_add_lit(&b, " | ");
		quote_output(m->q->outputs[i], &b);
	}
	add_text(m, keep(m, &b));
}

static struct sv sample_arguments(struct maker *m, const struct sim_tool *tool)
{
	struct jv parameters = jv_get(tool->definition, SV("parameters"));
	struct buf b;

	buf_init(&b, KIB(64));
	if (tool->custom)
		buf_addf(&b, "sample input for %.*s", SV_ARG(tool->name));
	else if (jv_is(parameters, JV_OBJECT))
		sim_schema_fill(parameters, &b);
	else
		buf_add_lit(&b, "{}");
	return keep(m, &b);
}

static void add_call(struct maker *m, const struct sim_tool *tool, struct sv arguments)
{
	struct sv text = arguments.n ? arguments : sample_arguments(m, tool);
	struct sim_item *item =
		add_item(m, tool->custom ? SIM_ITEM_CUSTOM : SIM_ITEM_FUNCTION, text);

	item->name = tool->name;
	item->space = tool->space;
	item->delta_least = text.n / DELTAS_WANTED;
	if (text.n > 1 && !memchr(text.p, ' ', text.n))
		item->delta_bytes = (text.n + 1) / 2;
	sim_ids_make(m->t->sim, "call_", item->call_id);
}

static void say_undeclared(struct maker *m, struct sv name)
{
	struct buf b;

	buf_init(&b, KIB(4));
	buf_addf(&b, "No tool named %.*s was declared.", SV_ARG(name));
	add_text(m, keep(m, &b));
}

static void do_call(struct maker *m)
{
	for (unsigned i = 0; i < m->d.call_count; i++) {
		struct sim_tool tool;

		if (sim_tools_find(m->q, m->d.calls[i].name, &tool))
			add_call(m, &tool, m->d.calls[i].arguments);
		else
			say_undeclared(m, m->d.calls[i].name);
	}
}

static void do_use_tool(struct maker *m)
{
	struct sim_tool tool;

	if (sim_tools_find(m->q, SV_NONE, &tool))
		add_call(m, &tool, SV_NONE);
	else
		do_echo(m);
}

static void (*const ACTIONS[])(struct maker *m) = {
	[SIM_D_ECHO] = do_echo,
	[SIM_D_SAY] = do_say,
	[SIM_D_COUNT] = do_count,
	[SIM_D_BIG] = do_big,
	[SIM_D_CALL] = do_call,
	[SIM_D_USE_TOOL] = do_use_tool,
	[SIM_D_OUTPUTS] = do_outputs,
	[SIM_D_REFUSE] = do_refuse,
	[SIM_D_INCOMPLETE] = do_incomplete,
	[SIM_D_FAIL] = do_fail,
	[SIM_D_MESSAGES] = do_messages,
	[SIM_D_CITE] = do_cite,
	[SIM_D_SEARCH] = do_search,
};

/* text.format: the answer as JSON. False when the request wants plain text. */
static bool do_format(struct maker *m)
{
	struct jv format = jv_get(m->q->param[SIM_P_TEXT], SV("format"));
	struct jv type = jv_get(format, SV("type"));
	struct buf b;

	if (jv_str_eq(type, SV("json_object"))) {
		add_text(m, SV("{\"ok\":true}"));
		return true;
	}
	if (!jv_str_eq(type, SV("json_schema")))
		return false;
	buf_init(&b, KIB(64));
	sim_schema_fill(jv_get(format, SV("schema")), &b);
	add_text(m, keep(m, &b));
	return true;
}

/* What the request demands goes before what the text says. */
static void act(struct maker *m)
{
	struct sim_tool tool;
	bool calls = m->d.kind == SIM_D_CALL || m->d.kind == SIM_D_USE_TOOL;
	int demanded = sim_tools_demanded(m->q, &tool);

	if (calls && demanded < 0) {
		calls = false;
		m->d.kind = SIM_D_ECHO;
	}
	if (m->q->ends_in_output && !calls)
		m->d.kind = SIM_D_OUTPUTS;
	if (demanded > 0 && !calls && !m->q->ends_in_output) {
		add_call(m, &tool, SV_NONE);
		return;
	}
	if (m->d.kind == SIM_D_OUTPUTS && !m->q->ends_in_output)
		m->d.kind = SIM_D_ECHO;
	if ((m->d.kind == SIM_D_ECHO || m->d.kind == SIM_D_OUTPUTS) && do_format(m))
		return;
	ACTIONS[m->d.kind](m);
}

bool sim_model_plan(
	struct sim_txn *t, const char *script_directive, int64_t huge_bytes, struct sim_plan *ret)
{
	struct maker m = {.t = t, .q = t->request, .plan = ret, .room = ANSWER_ITEMS};

	memset(ret, 0, sizeof(*ret));
	ret->items = arena_alloc(&t->arena, ANSWER_ITEMS * sizeof(*ret->items));
	if (!ret->items)
		return false;
	sim_directive_parse(script_directive ? sv_cstr(script_directive) : last_user_text(&m),
		m.q->rounds, &m.d);
	ret->delay_ms = m.d.delay_ms;
	ret->pace_ms = m.d.pace_ms;
	if (m.q->wants_compaction) {
		add_item(&m, SIM_ITEM_COMPACTION, SV_NONE)->blob = new_blob(&m);
		return !m.failed;
	}
	if (m.d.think)
		add_reasoning(&m);
	if (huge_bytes > 0)
		do_huge(&m, (size_t)huge_bytes);
	else
		act(&m);
	return !m.failed;
}
