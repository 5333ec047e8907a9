#include "dialect/response_object.h"

enum source {
	FROM_REQUEST,  /* what the client sent, else upstream's, else the default */
	FROM_UPSTREAM, /* upstream's, else what the client sent, else the default */
	FROM_RELAY,    /* store: upstream keeps nothing itself */
	SPECIAL,       /* written by a function of its own */
};

/* Members that a nested object must have (open-responses.json), each with its JSON if missing. */
struct filler {
	struct sv key;
	const char *json;
};

enum { FILLERS = 3 };

static const struct filler reasoning_fill[FILLERS] = {
	{{"effort", 6}, "null"},
	{{"summary", 7}, "null"},
};
static const struct filler text_fill[FILLERS] = {
	{{"format", 6}, "{\"type\":\"text\"}"},
};
/* Functions are strict unless the client said otherwise. */
static const struct filler function_fill[FILLERS] = {
	{{"description", 11}, "null"},
	{{"parameters", 10}, "null"},
	{{"strict", 6}, "true"},
};

struct member {
	struct sv key;
	enum source source;
	const char *fallback;	   /* JSON */
	const struct filler *fill; /* of an object, or of the functions in an array; or NULL */
};

#define ROW(text, source, fallback) FILLED_ROW(text, source, fallback, NULL)
#define FILLED_ROW(text, source, fallback, fill)                 \
	{                                                        \
		{text, sizeof(text) - 1}, source, fallback, fill \
	}

enum special { ID, CREATED_AT, COMPLETED_AT, STATUS, MODEL, ERROR, OUTPUT, USAGE };

/* Specials first, in the order of the enum. */
static const struct member members[] = {
	ROW("id", SPECIAL, NULL),
	ROW("created_at", SPECIAL, NULL),
	ROW("completed_at", SPECIAL, NULL),
	ROW("status", SPECIAL, NULL),
	ROW("model", SPECIAL, NULL),
	ROW("error", SPECIAL, NULL),
	ROW("output", SPECIAL, NULL),
	ROW("usage", SPECIAL, NULL),
	ROW("object", FROM_UPSTREAM, "\"response\""),
	ROW("incomplete_details", FROM_UPSTREAM, "null"),
	ROW("previous_response_id", FROM_REQUEST, "null"),
	ROW("instructions", FROM_REQUEST, "null"),
	FILLED_ROW("tools", FROM_REQUEST, "[]", function_fill),
	ROW("tool_choice", FROM_REQUEST, "\"auto\""),
	ROW("truncation", FROM_REQUEST, "\"disabled\""),
	ROW("parallel_tool_calls", FROM_REQUEST, "true"),
	FILLED_ROW("text", FROM_REQUEST, "{\"format\":{\"type\":\"text\"}}", text_fill),
	ROW("top_p", FROM_REQUEST, "1"),
	ROW("presence_penalty", FROM_REQUEST, "0"),
	ROW("frequency_penalty", FROM_REQUEST, "0"),
	ROW("top_logprobs", FROM_REQUEST, "0"),
	ROW("temperature", FROM_REQUEST, "1"),
	FILLED_ROW(
		"reasoning", FROM_UPSTREAM, "{\"effort\":null,\"summary\":null}", reasoning_fill),
	ROW("max_output_tokens", FROM_REQUEST, "null"),
	ROW("max_tool_calls", FROM_REQUEST, "null"),
	ROW("store", FROM_RELAY, NULL),
	ROW("background", FROM_UPSTREAM, "false"),
	ROW("service_tier", FROM_UPSTREAM, "\"default\""),
	ROW("metadata", FROM_REQUEST, "{}"),
	ROW("safety_identifier", FROM_REQUEST, "null"),
	ROW("prompt_cache_key", FROM_REQUEST, "null"),
	ROW("user", FROM_REQUEST, NULL),
};

_Static_assert(ARRAY_LEN(members) == RESPONSE_MEMBERS, "one echo slot a member");

enum { KEY_SLOTS = 128 }; /* a power of two, so many that chains are short */

static size_t key_slot(struct sv key)
{
	unsigned first = key.n ? (unsigned char)key.p[0] : 0;
	unsigned last = key.n ? (unsigned char)key.p[key.n - 1] : 0;

	return (key.n * 9 + first + last * 4) % KEY_SLOTS;
}

/* Where members[] has a key: 1 + its index in the slot of the key or in one behind; 0 ends. */
static const uint8_t *key_table(void)
{
	static uint8_t slots[KEY_SLOTS];
	static bool made;

	for (size_t i = 0; i < RESPONSE_MEMBERS && !made; i++) {
		size_t at = key_slot(members[i].key);

		while (slots[at])
			at = (at + 1) % KEY_SLOTS;
		slots[at] = (uint8_t)(i + 1);
	}
	made = true;
	return slots;
}

static int find_member(struct sv raw_key)
{
	const uint8_t *slots = key_table();

	for (size_t at = key_slot(raw_key); slots[at]; at = (at + 1) % KEY_SLOTS) {
		if (sv_eq(members[slots[at] - 1].key, raw_key))
			return slots[at] - 1;
	}
	return -1;
}

/* With escapes resolved, as clients may write a key. */
static int find_escaped(struct sv raw_key)
{
	for (size_t i = 0; i < RESPONSE_MEMBERS; i++) {
		if (jv_key_eq(raw_key, members[i].key))
			return (int)i;
	}
	return -1;
}

void response_echo_pick(struct response_echo *e, struct jv request)
{
	struct jv_iter it = jv_iter(request);

	memset(e, 0, sizeof(*e));
	while (it.object && jv_next(&it)) {
		int at = it.escaped ? find_escaped(it.key) : find_member(it.key);

		if (at >= 0)
			e->member[at] = it.value;
	}
}

/* Sorts upstream's members into theirs[]; returns how many others there are. */
static size_t sort_members(struct jv upstream, struct jv theirs[RESPONSE_MEMBERS])
{
	struct jv_iter it = jv_iter(upstream);
	size_t others = 0;

	memset(theirs, 0, RESPONSE_MEMBERS * sizeof(*theirs));
	while (jv_next(&it)) {
		int at = find_member(it.key);

		if (at >= 0)
			theirs[at] = it.value;
		else
			others++;
	}
	return others;
}

static void write_others(struct jv upstream, size_t others, struct jw *w)
{
	struct jv_iter it = jv_iter(upstream);

	while (others && jv_next(&it)) {
		if (find_member(it.key) >= 0)
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
		others--;
	}
}

static void write_error(const struct response_object *o, struct jv upstream, struct jw *w)
{
	if (!o->err) {
		jw_jv(w, upstream);
		return;
	}
	jw_obj(w);
	jw_kstr(w, "code", sv_cstr(o->err->code[0] ? o->err->code : "server_error"));
	jw_kstr(w, "message", sv_cstr(o->err->message));
	jw_end(w);
}

static void write_output(const struct response_object *o, struct jv upstream, struct jw *w)
{
	if (jv_count(upstream) > 0 || o->output.n == 0) {
		jw_raw(w, jv_is(upstream, JV_ARRAY) ? jv_raw(upstream) : SV("[]"));
		return;
	}
	jw_arr(w);
	jw_raw(w, o->output);
	jw_end(w);
}

static void write_detail(struct jw *w, struct jv details, struct sv key)
{
	struct jv count = jv_get(details, key);
	struct jv_iter it = jv_iter(details);

	jw_obj(w);
	jw_key_lit(w, key);
	jw_raw(w, jv_is(count, JV_NUMBER) ? jv_raw(count) : SV("0"));
	while (jv_next(&it)) {
		if (jv_key_eq(it.key, key))
			continue;
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	jw_end(w);
}

/* SDKs require both detail objects (PROTOCOL 4). */
void response_usage_write(struct jv upstream, struct jw *w)
{
	struct jv member[USAGE_MEMBERS];
	int64_t input, output;

	if (!jv_is(upstream, JV_OBJECT)) {
		jw_null(w);
		return;
	}
	event_usage_pick(upstream, member);
	input = event_token_count(member[USAGE_INPUT]);
	output = event_token_count(member[USAGE_OUTPUT]);
	jw_obj(w);
	jw_ki64(w, "input_tokens", input);
	jw_key_lit(w, SV("input_tokens_details"));
	write_detail(w, member[USAGE_INPUT_DETAILS], SV("cached_tokens"));
	jw_ki64(w, "output_tokens", output);
	jw_key_lit(w, SV("output_tokens_details"));
	write_detail(w, member[USAGE_OUTPUT_DETAILS], SV("reasoning_tokens"));
	jw_ki64(w, "total_tokens",
		jv_is(member[USAGE_TOTAL], JV_NUMBER) ? event_token_count(member[USAGE_TOTAL])
						      : input + output);
	jw_end(w);
}

static struct sv status_of(const struct response_object *o, struct jv upstream)
{
	if (o->status)
		return sv_cstr(o->status);
	if (jv_is(upstream, JV_STRING))
		return jv_str_raw(upstream);
	return o->default_status ? sv_cstr(o->default_status) : SV("in_progress");
}

static bool is_ended(const struct response_object *o, struct jv status)
{
	struct sv text = status_of(o, status);

	return sv_eq(text, SV("completed")) || sv_eq(text, SV("incomplete"));
}

static void write_created(const struct response_object *o, struct jv upstream, struct jw *w)
{
	if (jv_is(upstream, JV_NUMBER))
		jw_jv(w, upstream);
	else
		jw_i64(w, o->created_at ? o->created_at : o->now_s);
}

/* Never before it was created: now_s is the request's time. */
static void write_completed(const struct response_object *o, const struct jv *theirs, struct jw *w)
{
	int64_t created;

	if (jv_is(theirs[COMPLETED_AT], JV_NUMBER)) {
		jw_jv(w, theirs[COMPLETED_AT]);
		return;
	}
	if (!is_ended(o, theirs[STATUS])) {
		jw_null(w);
		return;
	}
	if (jv_i64(theirs[CREATED_AT], &created) || created < o->now_s)
		created = o->now_s;
	jw_i64(w, created);
}

static void write_text(struct jw *w, struct jv upstream, struct sv fallback)
{
	if (jv_is(upstream, JV_STRING))
		jw_jv(w, upstream);
	else
		jw_str(w, fallback);
}

static void write_special(
	const struct response_object *o, enum special which, const struct jv *theirs, struct jw *w)
{
	switch (which) {
	case ID:
		write_text(w, theirs[ID], o->id);
		break;
	case CREATED_AT:
		write_created(o, theirs[CREATED_AT], w);
		break;
	case COMPLETED_AT:
		write_completed(o, theirs, w);
		break;
	case STATUS:
		jw_str_raw(w, status_of(o, theirs[STATUS]));
		break;
	case MODEL:
		write_text(w, theirs[MODEL], o->model);
		break;
	case ERROR:
		write_error(o, theirs[ERROR], w);
		break;
	case OUTPUT:
		write_output(o, theirs[OUTPUT], w);
		break;
	case USAGE:
		response_usage_write(theirs[USAGE], w);
		break;
	}
}

static void write_filled(struct jw *w, struct jv object, const struct filler *fill)
{
	struct jv_iter it = jv_iter(object);
	bool there[FILLERS] = {false};

	jw_obj(w);
	while (jv_next(&it)) {
		for (size_t i = 0; i < FILLERS && fill[i].json; i++)
			there[i] |= jv_key_eq(it.key, fill[i].key);
		jw_key_lit(w, it.key);
		jw_jv(w, it.value);
	}
	for (size_t i = 0; i < FILLERS && fill[i].json; i++) {
		if (there[i])
			continue;
		jw_key_lit(w, fill[i].key);
		jw_raw(w, sv_cstr(fill[i].json));
	}
	jw_end(w);
}

static void write_echoed(struct jw *w, struct jv value, const struct filler *fill)
{
	struct jv_iter it = jv_iter(value);

	if (jv_is(value, JV_OBJECT)) {
		write_filled(w, value, fill);
		return;
	}
	jw_arr(w);
	while (jv_next(&it)) {
		if (jv_str_eq(jv_get(it.value, SV("type")), SV("function")))
			write_filled(w, it.value, fill);
		else
			jw_jv(w, it.value);
	}
	jw_end(w);
}

static void write_plain(const struct member *m, struct jv ours, struct jv theirs, struct jw *w)
{
	struct jv first = m->source == FROM_REQUEST ? ours : theirs;
	struct jv second = m->source == FROM_REQUEST ? theirs : ours;
	struct jv value = jv_is_nil(first) ? second : first;

	if (jv_is_nil(value) && !m->fallback)
		return;
	jw_key_lit(w, m->key);
	if (jv_is_nil(value))
		jw_raw(w, sv_cstr(m->fallback));
	else if (m->fill && (jv_is(value, JV_OBJECT) || jv_is(value, JV_ARRAY)))
		write_echoed(w, value, m->fill);
	else
		jw_jv(w, value);
}

void response_object_write(const struct response_object *o, struct jw *w)
{
	struct jv theirs[RESPONSE_MEMBERS];
	size_t others = sort_members(o->upstream, theirs);

	jw_obj(w);
	for (size_t i = 0; i < RESPONSE_MEMBERS; i++) {
		switch (members[i].source) {
		case SPECIAL:
			jw_key_lit(w, members[i].key);
			write_special(o, (enum special)i, theirs, w);
			break;
		case FROM_RELAY:
			jw_key_lit(w, members[i].key);
			jw_bool(w, o->store);
			break;
		default:
			write_plain(&members[i], o->echo->member[i], theirs[i], w);
			break;
		}
	}
	write_others(o->upstream, others, w);
	jw_end(w);
}
