#include "sim/sim_schema.h"

#include "base/jw.h"

enum { SCHEMA_DEPTH = 24, MAX_ITEMS = 32, MAX_LENGTH = 256 };

struct fill {
	struct jv root;
	struct buf *out;
	unsigned depth;
};

static void fill_value(struct fill *f, struct jv schema, struct sv name);

/* "#/$defs/City" and deeper. */
static struct jv resolve(struct fill *f, struct jv ref)
{
	struct sv path = jv_str_raw(ref);
	struct jv at = f->root;

	if (!sv_starts(path, SV("#/")))
		return path.n == 1 ? f->root : JV_NONE;
	path = sv_from(path, 2);
	while (path.n)
		at = jv_get(at, sv_split(&path, '/'));
	return at;
}

static bool is_required(struct jv required, struct sv key)
{
	struct jv_iter it = jv_iter(required);

	while (jv_next(&it)) {
		if (jv_str_eq(it.value, key))
			return true;
	}
	return false;
}

static void add_members(struct fill *f, struct jv schema, bool *filled)
{
	struct jv required = jv_get(schema, SV("required"));
	struct jv_iter it = jv_iter(jv_get(schema, SV("properties")));

	while (jv_next(&it)) {
		if (jv_is(required, JV_ARRAY) && !is_required(required, it.key))
			continue;
		if (*filled)
			buf_add_char(f->out, ',');
		*filled = true;
		buf_add_char(f->out, '"');
		buf_add_sv(f->out, it.key);
		buf_add_lit(f->out, "\":");
		fill_value(f, it.value, it.key);
	}
}

static void fill_object(struct fill *f, struct jv schema)
{
	struct jv_iter it = jv_iter(jv_get(schema, SV("allOf")));
	bool filled = false;

	buf_add_char(f->out, '{');
	add_members(f, schema, &filled);
	while (jv_next(&it)) {
		struct jv ref = jv_get(it.value, SV("$ref"));

		add_members(f, jv_exists(ref) ? resolve(f, ref) : it.value, &filled);
	}
	buf_add_char(f->out, '}');
}

static int64_t bound(struct jv schema, struct sv key, int64_t other)
{
	double value;

	if (jv_f64(jv_get(schema, key), &value) < 0 || value > 1e15 || value < -1e15)
		return other;
	return (int64_t)value;
}

static void fill_array(struct fill *f, struct jv schema, struct sv name)
{
	int64_t count = bound(schema, SV("minItems"), 1);
	int64_t most = bound(schema, SV("maxItems"), MAX_ITEMS);
	struct jv items = jv_get(schema, SV("items"));

	if (count < 1)
		count = 1;
	if (count > most)
		count = most;
	buf_add_char(f->out, '[');
	for (int64_t i = 0; i < count && i < MAX_ITEMS; i++) {
		if (i)
			buf_add_char(f->out, ',');
		fill_value(f, items, name);
	}
	buf_add_char(f->out, ']');
}

static void fill_number(struct fill *f, struct jv schema)
{
	int64_t least = bound(schema, SV("exclusiveMinimum"), 0) + 1;
	int64_t value;

	least = bound(schema, SV("minimum"), least);
	value = bound(schema, SV("multipleOf"), 1);
	if (value < 1)
		value = 1;
	while (value < least && value < INT32_MAX)
		value += value;
	if (value > bound(schema, SV("maximum"), INT64_MAX))
		value = bound(schema, SV("maximum"), INT64_MAX);
	buf_add_i64(f->out, value);
}

static struct sv text_of_format(struct jv schema)
{
	static const struct sv TEXTS[][2] = {
		{{"date-time", 9}, {"2026-01-02T03:04:05Z", 20}},
		{{"date", 4}, {"2026-01-02", 10}},
		{{"time", 4}, {"03:04:05Z", 9}},
		{{"email", 5}, {"sample@example.com", 18}},
		{{"uri", 3}, {"https://example.com/", 20}},
		{{"uuid", 4}, {"00000000-0000-4000-8000-000000000000", 36}},
	};

	for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
		if (jv_str_eq(jv_get(schema, SV("format")), TEXTS[i][0]))
			return TEXTS[i][1];
	}
	return SV_NONE;
}

static void fill_string(struct fill *f, struct jv schema, struct sv name)
{
	int64_t least = bound(schema, SV("minLength"), 0);
	int64_t most = bound(schema, SV("maxLength"), MAX_LENGTH);
	struct sv format = text_of_format(schema);
	char text[MAX_LENGTH];
	size_t n = 0;

	if (format.n) {
		buf_add_char(f->out, '"');
		buf_add_sv(f->out, format);
		buf_add_char(f->out, '"');
		return;
	}
	memcpy(text, "sample ", 7);
	n = 7;
	for (size_t i = 0; i < name.n && n < 64 && name.p[i] != '\\' && name.p[i] > 0; i++)
		text[n++] = name.p[i];
	if (name.n == 0)
		n = 6;
	while ((int64_t)n < least && n < MAX_LENGTH)
		text[n++] = 'x';
	if ((int64_t)n > most)
		n = most < 0 ? 0 : (size_t)most;
	buf_add_char(f->out, '"');
	jw_escape(f->out, sv_make(text, n));
	buf_add_char(f->out, '"');
}

/* The first of the types that is not null. */
static struct sv type_name(struct jv schema)
{
	struct jv type = jv_get(schema, SV("type"));
	struct jv_iter it = jv_iter(type);

	if (jv_is(type, JV_STRING))
		return jv_str_raw(type);
	while (jv_is(type, JV_ARRAY) && jv_next(&it)) {
		if (!jv_str_eq(it.value, SV("null")))
			return jv_str_raw(it.value);
	}
	if (jv_exists(jv_get(schema, SV("properties"))) || jv_exists(jv_get(schema, SV("allOf"))))
		return SV("object");
	if (jv_exists(jv_get(schema, SV("items"))))
		return SV("array");
	return jv_exists(type) ? SV("null") : SV("string");
}

static void fill_typed(struct fill *f, struct jv schema, struct sv name)
{
	struct sv type = type_name(schema);

	if (sv_eq(type, SV("object")))
		fill_object(f, schema);
	else if (sv_eq(type, SV("array")))
		fill_array(f, schema, name);
	else if (sv_eq(type, SV("integer")) || sv_eq(type, SV("number")))
		fill_number(f, schema);
	else if (sv_eq(type, SV("boolean")))
		buf_add_lit(f->out, "true");
	else if (sv_eq(type, SV("null")))
		buf_add_lit(f->out, "null");
	else
		fill_string(f, schema, name);
}

/* A member that says the value outright. */
static struct jv given_value(struct jv schema)
{
	struct jv_iter it = jv_iter(jv_get(schema, SV("enum")));
	struct jv value = jv_get(schema, SV("const"));

	if (!jv_exists(value) && jv_next(&it))
		value = it.value;
	if (!jv_exists(value))
		value = jv_get(schema, SV("default"));
	return value;
}

static struct jv first_choice(struct jv schema)
{
	static const struct sv KEYS[] = {{"anyOf", 5}, {"oneOf", 5}};

	for (size_t i = 0; i < ARRAY_LEN(KEYS); i++) {
		struct jv_iter it = jv_iter(jv_get(schema, KEYS[i]));

		if (jv_next(&it))
			return it.value;
	}
	return JV_NONE;
}

static void fill_value(struct fill *f, struct jv schema, struct sv name)
{
	struct jv ref = jv_get(schema, SV("$ref"));
	struct jv given = given_value(schema);
	struct jv choice = first_choice(schema);

	if (f->depth >= SCHEMA_DEPTH) {
		buf_add_lit(f->out, "null");
		return;
	}
	f->depth++;
	if (jv_exists(given))
		buf_add_sv(f->out, jv_raw(given));
	else if (jv_exists(ref))
		fill_value(f, resolve(f, ref), name);
	else if (jv_exists(choice))
		fill_value(f, choice, name);
	else
		fill_typed(f, schema, name);
	f->depth--;
}

void sim_schema_fill(struct jv schema, struct buf *out)
{
	struct fill f = {schema, out, 0};

	fill_value(&f, schema, SV_NONE);
}
