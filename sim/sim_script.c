#include "sim/sim_script.h"

#include "proto/sse.h"
#include "proto/ws.h"
#include "sim/sim_accounts.h"

#include <errno.h>
#include <stdlib.h>

#define SCRIPT_BYTES ((size_t)SIM_BODY_BYTES)
enum { SCRIPT_HEADERS = 64 };

struct sim_scripts {
	struct sim_script *first, **last;
	size_t count;
};

static int64_t next_id;

struct sim_scripts *sim_scripts_new(void)
{
	struct sim_scripts *q = mem_zalloc(sizeof(*q));

	q->last = &q->first;
	return q;
}

void sim_scripts_free(struct sim_scripts *q)
{
	if (!q)
		return;
	sim_scripts_clear(q);
	free(q);
}

void sim_scripts_clear(struct sim_scripts *q)
{
	while (q->first) {
		struct sim_script *s = q->first;

		q->first = s->next;
		sim_script_unref(s);
	}
	q->last = &q->first;
	q->count = 0;
}

size_t sim_scripts_count(const struct sim_scripts *q)
{
	return q->count;
}

json_t *sim_scripts_json(const struct sim_scripts *q)
{
	json_t *list = json_array();

	for (const struct sim_script *s = q->first; s; s = s->next)
		json_array_append_new(
			list, json_pack("{s:I,s:I,s:I,s:s,s:i}", "id", s->id, "left", s->left,
				      "used", s->used, "path", s->path, "status", s->status));
	return list;
}

static void free_messages(struct sim_messages *m)
{
	for (size_t i = 0; i < m->count; i++)
		buf_fini(&m->at[i]);
	free(m->at);
}

void sim_script_unref(struct sim_script *s)
{
	if (!s || --s->refs > 0)
		return;
	for (size_t i = 0; i < s->event_count; i++)
		buf_fini(&s->events[i]);
	free(s->events);
	free_messages(&s->before);
	free_messages(&s->after);
	free(s->path);
	free(s->match);
	free(s->headers);
	free(s->header_text);
	free(s->directive);
	buf_fini(&s->body);
	buf_fini(&s->failure);
	buf_fini(&s->usage);
	free(s);
}

static struct sim_script *script_new(void)
{
	struct sim_script *s = mem_zalloc(sizeof(*s));

	s->refs = 1;
	s->id = ++next_id;
	s->left = 1;
	s->pace_ms = -1;
	s->stall_after_events = -1;
	s->reset_after_events = -1;
	s->cut_after_events = -1;
	s->bad_json_at = -1;
	s->fail_after_events = -1;
	s->output_in_terminal = -1;
	buf_init(&s->body, SCRIPT_BYTES);
	buf_init(&s->failure, SCRIPT_BYTES);
	buf_init(&s->usage, SCRIPT_BYTES);
	return s;
}

static void dump_json(json_t *value, struct buf *out)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	buf_add_cstr(out, text);
	free(text);
}

/* Setters of the single members; false: wrong type or value. */

static bool set_int(json_t *v, int64_t *to)
{
	if (!json_is_integer(v))
		return false;
	*to = json_integer_value(v);
	return true;
}

static bool set_bool(json_t *v, bool *to)
{
	if (!json_is_boolean(v))
		return false;
	*to = json_is_true(v);
	return true;
}

static bool set_text(json_t *v, char **to)
{
	if (!json_is_string(v))
		return false;
	free(*to);
	*to = mem_strdup(json_string_value(v));
	return true;
}

static bool on_repeat(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->left) && (s->left > 0 || s->left == -1);
}

static bool on_path(struct sim_script *s, json_t *v)
{
	return set_text(v, &s->path);
}

/* A match that begins with a slash is a path. */
static bool on_match(struct sim_script *s, json_t *v)
{
	const char *text = json_string_value(v);

	return set_text(v, text && text[0] == '/' ? &s->path : &s->match);
}

static bool on_skip_checks(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->skip_checks);
}

static bool on_delay_ms(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->delay_ms) && s->delay_ms >= 0;
}

static bool on_stall(struct sim_script *s, json_t *v)
{
	const char *text = json_string_value(v);

	s->stall = SIM_STALL_BEFORE_HEAD;
	if (json_is_true(v) || (text && strcmp(text, "before_head") == 0))
		return true;
	s->stall = SIM_STALL_AFTER_HEAD;
	return text && strcmp(text, "after_head") == 0;
}

static bool on_reset(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->reset);
}

static bool on_status(struct sim_script *s, json_t *v)
{
	int64_t status = 0;

	if (!set_int(v, &status) || status < 200 || status > 599)
		return false;
	s->status = (int)status;
	return true;
}

static bool on_body(struct sim_script *s, json_t *v)
{
	s->body_is_json = !json_is_string(v);
	if (s->body_is_json)
		dump_json(v, &s->body);
	else
		buf_add(&s->body, json_string_value(v), json_string_length(v));
	return true;
}

static bool add_header(struct sim_script *s, struct buf *text, const char *name, json_t *value)
{
	const char *content = json_string_value(value);

	if (s->header_count == SCRIPT_HEADERS || !content || !http_is_token(sv_cstr(name)) ||
		!http_is_field_value(sv_cstr(content)))
		return false;
	if (sv_istarts(sv_cstr(name), SV("x-codex-")))
		s->own_limits = true;
	s->headers[s->header_count].name = sv_make(NULL, strlen(name));
	s->headers[s->header_count].value = sv_make(NULL, strlen(content));
	buf_add_cstr(text, name);
	buf_add_cstr(text, content);
	s->header_count++;
	return true;
}

static bool on_headers(struct sim_script *s, json_t *v)
{
	struct buf text;
	const char *name;
	json_t *value;
	size_t at = 0;
	bool ok = json_is_object(v);

	s->headers = mem_zalloc(SCRIPT_HEADERS * sizeof(*s->headers));
	buf_init(&text, SCRIPT_BYTES);
	json_object_foreach(v, name, value) ok = ok && add_header(s, &text, name, value);
	s->header_text = mem_strndup(text.len ? text.data : "", text.len);
	buf_fini(&text);
	for (size_t i = 0; i < s->header_count; i++) {
		s->headers[i].name.p = s->header_text + at;
		at += s->headers[i].name.n;
		s->headers[i].value.p = s->header_text + at;
		at += s->headers[i].value.n;
	}
	return ok;
}

static bool on_directive(struct sim_script *s, json_t *v)
{
	return set_text(v, &s->directive);
}

static bool on_pace_ms(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->pace_ms) && s->pace_ms >= 0;
}

static bool on_stall_after_events(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->stall_after_events);
}

static bool on_reset_after_events(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->reset_after_events);
}

static bool on_cut_after_events(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->cut_after_events);
}

static bool on_cut_mid_event(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->cut_mid_event);
}

static bool on_cut_clean(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->cut_clean);
}

static bool on_close_code(struct sim_script *s, json_t *v)
{
	int64_t code = 0;

	if (!set_int(v, &code) || !ws_close_code_is_valid((int)code))
		return false;
	s->close_code = (int)code;
	return true;
}

static bool on_on_upgrade(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->on_upgrade);
}

static bool on_bad_json_at(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->bad_json_at);
}

static bool on_fail_after_events(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->fail_after_events) && s->fail_after_events >= 0;
}

static bool on_failure(struct sim_script *s, json_t *v)
{
	if (!json_is_object(v))
		return false;
	buf_reset(&s->failure, 0);
	dump_json(v, &s->failure);
	return true;
}

static bool on_failure_form(struct sim_script *s, json_t *v)
{
	static const char *const FORMS[] = {"response.failed", "error", "error_flat"};

	for (size_t i = 0; i < ARRAY_LEN(FORMS); i++) {
		if (json_is_string(v) && strcmp(json_string_value(v), FORMS[i]) == 0) {
			s->failure_form = (enum sim_failure_form)i;
			return true;
		}
	}
	return false;
}

/* A failure behind created and in_progress, before any output. */
static bool on_first_event_failure(struct sim_script *s, json_t *v)
{
	s->fail_after_events = 2;
	return on_failure(s, v);
}

static bool on_bare(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->fail_bare);
}

static bool on_framing(struct sim_script *s, json_t *v)
{
	static const char *const FRAMINGS[] = {"lf", "crlf", "cr"};

	for (size_t i = 0; i < ARRAY_LEN(FRAMINGS); i++) {
		if (json_is_string(v) && strcmp(json_string_value(v), FRAMINGS[i]) == 0) {
			s->framing = (enum sim_framing)i;
			return true;
		}
	}
	return false;
}

static bool on_write(struct sim_script *s, json_t *v)
{
	s->write_bytes = json_is_string(v) && strcmp(json_string_value(v), "bytes") == 0;
	return s->write_bytes;
}

static bool on_huge_event_bytes(struct sim_script *s, json_t *v)
{
	return set_int(v, &s->huge_event_bytes) && s->huge_event_bytes > 0 &&
	       s->huge_event_bytes <= (64 << 20);
}

static bool on_usage(struct sim_script *s, json_t *v)
{
	dump_json(v, &s->usage);
	return json_is_object(v) || json_is_null(v);
}

static bool encode_event(json_t *v, struct buf *out)
{
	const char *type = json_string_value(json_object_get(v, "type"));
	struct buf data;

	if (json_is_string(v)) {
		buf_add(out, json_string_value(v), json_string_length(v));
		return true;
	}
	buf_init(&data, SCRIPT_BYTES);
	dump_json(v, &data);
	sse_encode(out, sv_cstr(type), buf_sv(&data));
	buf_fini(&data);
	return json_is_object(v);
}

static bool on_events(struct sim_script *s, json_t *v)
{
	bool ok = json_is_array(v) && json_array_size(v) > 0;
	size_t count = json_array_size(v);

	s->events = mem_zalloc((count + 1) * sizeof(*s->events));
	for (size_t i = 0; i < count; i++) {
		buf_init(&s->events[i], SCRIPT_BYTES);
		ok = encode_event(json_array_get(v, i), &s->events[i]) && ok;
	}
	s->event_count = count;
	return ok;
}

static bool set_messages(struct sim_messages *m, json_t *v)
{
	size_t count = json_array_size(v);

	if (!count || m->at)
		return false;
	m->at = mem_zalloc(count * sizeof(*m->at));
	m->count = count;
	for (size_t i = 0; i < count; i++) {
		buf_init(&m->at[i], SCRIPT_BYTES);
		dump_json(json_array_get(v, i), &m->at[i]);
	}
	return true;
}

static bool on_before_events(struct sim_script *s, json_t *v)
{
	return set_messages(&s->before, v);
}

static bool on_after_events(struct sim_script *s, json_t *v)
{
	return set_messages(&s->after, v);
}

static bool on_private_events(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->private_events);
}

static bool on_output_in_terminal(struct sim_script *s, json_t *v)
{
	s->output_in_terminal = json_is_true(v);
	return json_is_boolean(v);
}

static bool on_no_terminal(struct sim_script *s, json_t *v)
{
	return set_bool(v, &s->no_terminal);
}

static const struct {
	const char *name;
	bool (*set)(struct sim_script *s, json_t *v);
} MEMBERS[] = {
	{"repeat", on_repeat},
	{"path", on_path},
	{"match", on_match},
	{"skip_checks", on_skip_checks},
	{"on_upgrade", on_on_upgrade},
	{"delay_ms", on_delay_ms},
	{"stall", on_stall},
	{"reset", on_reset},
	{"status", on_status},
	{"body", on_body},
	{"headers", on_headers},
	{"directive", on_directive},
	{"pace_ms", on_pace_ms},
	{"stall_after_events", on_stall_after_events},
	{"reset_after_events", on_reset_after_events},
	{"cut_after_events", on_cut_after_events},
	{"cut_mid_event", on_cut_mid_event},
	{"cut_clean", on_cut_clean},
	{"close_code", on_close_code},
	{"bad_json_at", on_bad_json_at},
	{"fail_after_events", on_fail_after_events},
	{"failure", on_failure},
	{"failure_form", on_failure_form},
	{"first_event_failure", on_first_event_failure},
	{"bare", on_bare},
	{"framing", on_framing},
	{"write", on_write},
	{"huge_event_bytes", on_huge_event_bytes},
	{"usage", on_usage},
	{"events", on_events},
	{"before_events", on_before_events},
	{"after_events", on_after_events},
	{"private_events", on_private_events},
	{"output_in_terminal", on_output_in_terminal},
	{"no_terminal", on_no_terminal},
};

/* Sets one member; its name when it is unknown or wrong, else NULL. */
static const char *set_member(struct sim_script *s, const char *name, json_t *value)
{
	for (size_t i = 0; i < ARRAY_LEN(MEMBERS); i++) {
		if (strcmp(MEMBERS[i].name, name) == 0)
			return MEMBERS[i].set(s, value) ? NULL : MEMBERS[i].name;
	}
	return "an unknown member";
}

static const char *check_script(struct sim_script *s)
{
	if (s->body.len && !s->status)
		s->status = 200;
	if (s->cut_mid_event && s->cut_after_events < 0)
		s->cut_after_events = 2;
	if (s->close_code && s->cut_after_events < 0)
		s->cut_after_events = 0;
	if (s->fail_bare)
		s->fail_after_events = 0;
	if (s->fail_after_events >= 0 && s->failure.len == 0)
		return "fail_after_events without failure";
	if (!s->path)
		s->path = mem_strdup("/codex/responses");
	return NULL;
}

int64_t sim_scripts_add(struct sim_scripts *q, json_t *json, const char **ret_why)
{
	struct sim_script *s = script_new();
	const char *why = json_is_object(json) ? NULL : "a script must be an object";
	const char *name;
	json_t *value;

	json_object_foreach(json, name, value)
	{
		if (!why)
			why = set_member(s, name, value);
	}
	if (!why)
		why = check_script(s);
	if (why) {
		*ret_why = why;
		sim_script_unref(s);
		return -EINVAL;
	}
	*q->last = s;
	q->last = &s->next;
	q->count++;
	return s->id;
}

static bool matches(const struct sim_script *s, bool upgrade, struct sv path, struct sv body)
{
	if (s->on_upgrade != upgrade)
		return false;
	if (sv_find(path, sv_cstr(s->path)) < 0)
		return false;
	return !s->match || sv_find(body, sv_cstr(s->match)) >= 0;
}

static struct sim_script *take_from(
	struct sim_scripts *q, bool upgrade, struct sv path, struct sv body)
{
	struct sim_script **at = &q->first;
	struct sim_script *s;

	while (*at && !matches(*at, upgrade, path, body))
		at = &(*at)->next;
	s = *at;
	if (!s)
		return NULL;
	s->used++;
	if (s->left > 0 && --s->left == 0) {
		*at = s->next;
		if (!*at)
			q->last = at;
		s->next = NULL;
		q->count--;
		return s; /* the queue's reference goes to the caller */
	}
	s->refs++;
	return s;
}

static struct sim_script *take(
	struct sim *sim, struct sim_account *a, bool upgrade, struct sv path, struct sv body)
{
	struct sim_script *s = NULL;

	if (a && a->scripts && sim_scripts_count(a->scripts))
		s = take_from(a->scripts, upgrade, path, body);
	if (!s && sim_scripts_count(sim->any_scripts))
		s = take_from(sim->any_scripts, upgrade, path, body);
	return s;
}

struct sim_script *sim_script_take(
	struct sim *sim, struct sim_account *a, struct sv path, struct sv body)
{
	return take(sim, a, false, path, body);
}

struct sim_script *sim_script_take_upgrade(struct sim *sim, struct sim_account *a, struct sv path)
{
	return take(sim, a, true, path, SV_NONE);
}
