#include "openclaw/openclaw_body.h"

#include "base/jw.h"

#include <errno.h>

enum { NAME_MAX_BYTES = 128 };

static int refuse(struct api_err *err, const char *what)
{
	return api_err_set(err, 400, "invalid_request_error", "unsupported_by_openclaw",
		"The OpenClaw gateway that serves this request cannot take %s.", what);
}

static void copy_if(struct jw *w, struct jv from, const char *name, enum jv_type type)
{
	struct jv value = jv_get(from, sv_cstr(name));

	if (!jv_is(value, type))
		return;
	jw_key(w, sv_cstr(name));
	jw_jv(w, value);
}

/* Strings in parts, or one string: "a" + "b". For what the gateway takes as a string only. */
static void write_text(struct jw *w, struct jv value)
{
	jw_str_begin(w);
	if (jv_is(value, JV_STRING)) {
		jw_str_add_raw(w, jv_str_raw(value));
	} else {
		struct jv_iter it = jv_iter(value);

		while (jv_next(&it))
			jw_str_add_raw(w, jv_str_raw(jv_get(it.value, SV("text"))));
	}
	jw_str_end(w);
}

/* "data:image/png;base64,AAAA" or a URL as {"type":"base64"|"url",…}. False: neither. */
static bool write_source(struct jw *w, struct sv raw, struct jv filename)
{
	static const struct sv marker = SV(";base64,");
	ptrdiff_t at;

	/* The raw text of a JSON string may have "\/" for a slash in a media type; then its
	 * prefix is still "data:". */
	if (!sv_istarts(raw, SV("data:"))) {
		if (!sv_istarts(raw, SV("http:")) && !sv_istarts(raw, SV("https:")))
			return false;
		jw_obj(w);
		jw_klit(w, "type", "url");
		jw_key_lit(w, SV("url"));
		jw_str_raw(w, raw);
		jw_end(w);
		return true;
	}
	raw = sv_from(raw, SV("data:").n);
	at = sv_find(raw.n > NAME_MAX_BYTES ? sv_make(raw.p, NAME_MAX_BYTES) : raw, marker);
	if (at <= 0)
		return false;
	jw_obj(w);
	jw_klit(w, "type", "base64");
	jw_key_lit(w, SV("media_type"));
	jw_str_raw(w, sv_make(raw.p, (size_t)at));
	jw_key_lit(w, SV("data"));
	jw_str_raw(w, sv_from(raw, (size_t)at + marker.n));
	if (jv_is(filename, JV_STRING)) {
		jw_key_lit(w, SV("filename"));
		jw_jv(w, filename);
	}
	jw_end(w);
	return true;
}

static int write_image(struct jw *w, struct jv part, struct api_err *err)
{
	struct jv url = jv_get(part, SV("image_url"));

	jw_obj(w);
	jw_klit(w, "type", "input_image");
	jw_key_lit(w, SV("source"));
	if (!write_source(w, jv_str_raw(url), JV_NONE))
		return refuse(err, "an image without a URL or data of its own");
	jw_end(w);
	return 0;
}

static int write_file(struct jw *w, struct jv part, struct api_err *err)
{
	struct jv data = jv_get(part, SV("file_data"));
	struct jv source = jv_is(data, JV_STRING) ? data : jv_get(part, SV("file_url"));

	jw_obj(w);
	jw_klit(w, "type", "input_file");
	jw_key_lit(w, SV("source"));
	if (!write_source(w, jv_str_raw(source), jv_get(part, SV("filename"))))
		return refuse(err, "a file without a URL or data of its own");
	jw_end(w);
	return 0;
}

static int write_part(struct jw *w, struct jv part, struct sv text_type, struct api_err *err)
{
	struct jv type = jv_get(part, SV("type"));
	struct jv text = jv_get(part, SV("text"));

	if (jv_str_eq(type, SV("input_image")))
		return write_image(w, part, err);
	if (jv_str_eq(type, SV("input_file")))
		return write_file(w, part, err);
	if (!jv_is(text, JV_STRING))
		text = jv_get(part, SV("refusal"));
	if (!jv_is(text, JV_STRING))
		return 0;
	jw_obj(w);
	jw_key_lit(w, SV("type"));
	jw_str(w, text_type);
	jw_key_lit(w, SV("text"));
	jw_jv(w, text);
	jw_end(w);
	return 0;
}

static int write_message(struct jw *w, struct jv item, struct api_err *err)
{
	struct jv role = jv_get(item, SV("role"));
	struct jv content = jv_get(item, SV("content"));
	bool is_assistant = jv_str_eq(role, SV("assistant"));
	struct jv_iter it = jv_iter(content);
	int rc = 0;

	jw_obj(w);
	jw_klit(w, "type", "message");
	jw_key_lit(w, SV("role"));
	jw_jv(w, role);
	jw_key_lit(w, SV("content"));
	if (jv_is(content, JV_STRING)) {
		jw_jv(w, content);
		jw_end(w);
		return 0;
	}
	jw_arr(w);
	while (!rc && jv_next(&it))
		rc = write_part(
			w, it.value, is_assistant ? SV("output_text") : SV("input_text"), err);
	if (rc)
		return rc;
	jw_end(w);
	jw_end(w);
	return 0;
}

static void write_call(struct jw *w, struct jv item)
{
	jw_obj(w);
	jw_klit(w, "type", "function_call");
	copy_if(w, item, "call_id", JV_STRING);
	copy_if(w, item, "name", JV_STRING);
	copy_if(w, item, "arguments", JV_STRING);
	jw_end(w);
}

static void write_output(struct jw *w, struct jv item)
{
	jw_obj(w);
	jw_klit(w, "type", "function_call_output");
	copy_if(w, item, "call_id", JV_STRING);
	jw_key_lit(w, SV("output"));
	write_text(w, jv_get(item, SV("output")));
	jw_end(w);
}

static bool is_message(struct jv item, struct jv type)
{
	return jv_str_eq(type, SV("message")) ||
	       (!jv_exists(type) && jv_is(jv_get(item, SV("role")), JV_STRING));
}

static bool is_call(struct jv item, struct jv type)
{
	return jv_str_eq(type, SV("function_call")) && jv_is(jv_get(item, SV("name")), JV_STRING) &&
	       jv_is(jv_get(item, SV("arguments")), JV_STRING);
}

static bool is_output(struct jv item, struct jv type)
{
	return jv_str_eq(type, SV("function_call_output")) &&
	       jv_is(jv_get(item, SV("call_id")), JV_STRING);
}

static int write_input(struct jw *w, struct jv input, struct api_err *err)
{
	struct jv_iter it = jv_iter(input);

	jw_key_lit(w, SV("input"));
	if (jv_is(input, JV_STRING)) {
		jw_jv(w, input);
		return 0;
	}
	jw_arr(w);
	while (jv_next(&it)) {
		struct jv type = jv_get(it.value, SV("type"));
		int rc = 0;

		if (is_message(it.value, type))
			rc = write_message(w, it.value, err);
		else if (is_call(it.value, type))
			write_call(w, it.value);
		else if (is_output(it.value, type))
			write_output(w, it.value);
		if (rc)
			return rc;
	}
	jw_end(w);
	return 0;
}

static bool is_function(struct jv tool)
{
	return jv_str_eq(jv_get(tool, SV("type")), SV("function")) &&
	       jv_is(jv_get(tool, SV("name")), JV_STRING);
}

/* Number of tools written. */
static size_t write_tools(struct jw *w, struct jv tools)
{
	struct jv_iter it = jv_iter(tools);
	size_t count = 0;

	while (jv_next(&it)) {
		struct jv strict = jv_get(it.value, SV("strict"));

		if (!is_function(it.value))
			continue;
		if (count++ == 0) {
			jw_key_lit(w, SV("tools"));
			jw_arr(w);
		}
		jw_obj(w);
		jw_klit(w, "type", "function");
		copy_if(w, it.value, "name", JV_STRING);
		copy_if(w, it.value, "description", JV_STRING);
		copy_if(w, it.value, "parameters", JV_OBJECT);
		if (jv_is_bool(strict)) {
			jw_key_lit(w, SV("strict"));
			jw_jv(w, strict);
		}
		jw_end(w);
	}
	if (count)
		jw_end(w);
	return count;
}

static void write_choice(struct jw *w, struct jv choice)
{
	struct jv name = jv_get(choice, SV("name"));

	if (jv_is(choice, JV_STRING)) {
		jw_key_lit(w, SV("tool_choice"));
		jw_jv(w, choice);
	} else if (is_function(choice)) {
		/* The form that all versions take. */
		jw_kobj(w, "tool_choice");
		jw_klit(w, "type", "function");
		jw_kobj(w, "function");
		jw_key_lit(w, SV("name"));
		jw_jv(w, name);
		jw_end(w);
		jw_end(w);
	}
}

static bool is_positive(struct jv value)
{
	int64_t number;

	return jv_i64(value, &number) == 0 && number > 0;
}

static void write_limits(struct jw *w, struct jv request)
{
	struct jv most = jv_get(request, SV("max_output_tokens"));

	if (is_positive(most)) {
		jw_key_lit(w, SV("max_output_tokens"));
		jw_jv(w, most);
	}
	copy_if(w, request, "temperature", JV_NUMBER);
	copy_if(w, request, "top_p", JV_NUMBER);
}

int openclaw_body_build(
	struct jv request, const char *agent_id, struct buf *out, struct api_err *err)
{
	struct jw w = jw_begin(out);
	int rc;

	jw_obj(&w);
	/* An agent, not a model: that one is named by a header. */
	jw_key_lit(&w, SV("model"));
	jw_str_begin(&w);
	jw_str_add(&w, SV("openclaw/"));
	jw_str_add(&w, sv_cstr(agent_id));
	jw_str_end(&w);
	jw_kbool(&w, "stream", true);
	copy_if(&w, request, "instructions", JV_STRING);
	rc = write_input(&w, jv_get(request, SV("input")), err);
	if (rc) {
		buf_reset(out, 0);
		return rc;
	}
	if (write_tools(&w, jv_get(request, SV("tools"))))
		write_choice(&w, jv_get(request, SV("tool_choice")));
	write_limits(&w, request);
	jw_end(&w);
	return buf_error(out);
}
