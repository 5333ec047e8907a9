#include "dialect/api_err.h"

#include "base/jw.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Cuts in front of a character that does not fit whole: the text stays UTF-8. */
static void copy_text(char *dst, size_t size, const char *src)
{
	size_t n = strlen(src);

	if (n >= size) {
		n = size - 1;
		while (n > 0 && ((unsigned char)src[n] & 0xC0) == 0x80)
			n--;
	}
	memcpy(dst, src, n);
	dst[n] = '\0';
}

static void PRINTF_LIKE(2, 0) format_message(struct api_err *err, const char *fmt, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof(text), fmt, args);
	copy_text(err->message, sizeof(err->message), text);
}

int api_err_set(
	struct api_err *err, int status, const char *type, const char *code, const char *fmt, ...)
{
	va_list args;

	*err = (struct api_err){.status = status};
	copy_text(err->type, sizeof(err->type), type);
	copy_text(err->code, sizeof(err->code), code);
	va_start(args, fmt);
	format_message(err, fmt, args);
	va_end(args);
	return -EINVAL;
}

int api_err_param(struct api_err *err, const char *param, const char *fmt, ...)
{
	va_list args;

	*err = (struct api_err){.status = 400};
	copy_text(err->type, sizeof(err->type), "invalid_request_error");
	copy_text(err->param, sizeof(err->param), param);
	va_start(args, fmt);
	format_message(err, fmt, args);
	va_end(args);
	return -EINVAL;
}

static bool is_text_or_null(struct jv v)
{
	return jv_is(v, JV_STRING) || jv_is(v, JV_NULL);
}

bool api_err_body_fits(struct sv body)
{
	static const struct sv keys[] = {SV("message"), SV("type"), SV("param"), SV("code")};
	struct jv member[ARRAY_LEN(keys)];
	struct jv json;

	if (jv_parse(body, 64, &json, NULL))
		return false;
	jv_pick(jv_get(json, SV("error")), keys, ARRAY_LEN(keys), member);
	return jv_is(member[0], JV_STRING) && jv_is(member[1], JV_STRING) &&
	       is_text_or_null(member[2]) && is_text_or_null(member[3]);
}

static void write_text_or_null(struct jw *w, struct sv key, const char *text)
{
	jw_key_lit(w, key);
	if (text[0])
		jw_str(w, sv_cstr(text));
	else
		jw_null(w);
}

void api_err_write(const struct api_err *err, int64_t now_s, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_obj(&w);
	jw_kobj(&w, "error");
	jw_kstr(&w, "message", sv_cstr(err->message));
	jw_kstr(&w, "type", sv_cstr(err->type));
	write_text_or_null(&w, SV("param"), err->param);
	write_text_or_null(&w, SV("code"), err->code);
	if (err->plan_type[0])
		jw_kstr(&w, "plan_type", sv_cstr(err->plan_type));
	if (err->resets_at_s) {
		jw_ki64(&w, "resets_at", err->resets_at_s);
		jw_ki64(&w, "resets_in_seconds",
			err->resets_at_s > now_s ? err->resets_at_s - now_s : 0);
	}
	jw_end(&w);
	jw_end(&w);
}
