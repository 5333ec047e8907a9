#include "sim/sim_refusal.h"

#include "base/jw.h"

#include <stdarg.h>
#include <stdio.h>

enum { MESSAGE_BYTES = 4096 };

void sim_refusal_init(struct sim_refusal *r)
{
	r->status = 0;
	buf_init(&r->body, SIM_REFUSAL_BYTES);
}

void sim_refusal_fini(struct sim_refusal *r)
{
	buf_fini(&r->body);
}

bool sim_refuse_detail(struct sim_refusal *r, int status, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list args;
	struct jw w;

	if (r->status)
		return false;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	r->status = status;
	w = jw_begin(&r->body);
	jw_obj(&w);
	jw_kstr(&w, "detail", sv_cstr(text));
	jw_end(&w);
	return false;
}

static void nullable(struct jw *w, const char *key, const char *text)
{
	jw_key_lit(w, sv_cstr(key));
	if (text)
		jw_str(w, sv_cstr(text));
	else
		jw_null(w);
}

static bool refuse(
	struct sim_refusal *r, int status, const char *param, const char *code, const char *message)
{
	struct jw w;

	if (r->status)
		return false;
	r->status = status;
	w = jw_begin(&r->body);
	jw_obj(&w);
	jw_kobj(&w, "error");
	jw_kstr(&w, "message", sv_cstr(message));
	jw_klit(&w, "type", "invalid_request_error");
	nullable(&w, "param", param);
	nullable(&w, "code", code);
	jw_end(&w);
	jw_end(&w);
	return false;
}

bool sim_refuse(struct sim_refusal *r, const char *param, const char *code, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return refuse(r, 400, param, code, text);
}

bool sim_refuse_with_status(
	struct sim_refusal *r, int status, const char *param, const char *fmt, ...)
{
	char text[MESSAGE_BYTES];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return refuse(r, status, param, NULL, text);
}

bool sim_refuse_missing(struct sim_refusal *r, const char *param)
{
	return sim_refuse(
		r, param, "missing_required_parameter", "Missing required parameter: '%s'.", param);
}

bool sim_refuse_type(struct sim_refusal *r, const char *param, const char *wanted, struct jv got)
{
	static const char *const NAMES[] = {[JV_MISSING] = "nothing",
		[JV_NULL] = "null",
		[JV_FALSE] = "a boolean",
		[JV_TRUE] = "a boolean",
		[JV_NUMBER] = "a number",
		[JV_STRING] = "a string",
		[JV_ARRAY] = "an array",
		[JV_OBJECT] = "an object"};

	return sim_refuse(r, param, "invalid_type",
		"Invalid type for '%s': expected %s, but got %s instead.", param, wanted,
		NAMES[jv_type(got)]);
}

bool sim_refuse_value(
	struct sim_refusal *r, const char *param, struct sv value, const char *supported)
{
	return sim_refuse(r, param, "invalid_value",
		"Invalid value: '%.*s'. Supported values are: %s.", SV_ARG(value), supported);
}

bool sim_refuse_length(struct sim_refusal *r, const char *param, size_t most, size_t got)
{
	return sim_refuse(r, param, "string_above_max_length",
		"Invalid '%s': string too long. Expected a string with maximum length %zu, but got "
		"a "
		"string with length %zu instead.",
		param, most, got);
}
