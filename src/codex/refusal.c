#include "codex/refusal.h"

#include "base/limits.h"

/* As far into a body as marks of a page are looked for. */
enum { SNIFF_BYTES = 4096 };

static const struct sv page_marks[] = {
	SV("<html"), SV("<!doctype"), SV("cloudflare"),
	SV("error code: 1"), /* Cloudflare's plain text form */
};

static bool is_page(struct sv text)
{
	struct sv head = sv_make(text.p, text.n < SNIFF_BYTES ? text.n : SNIFF_BYTES);

	for (size_t i = 0; i < ARRAY_LEN(page_marks); i++) {
		if (sv_ifind(head, page_marks[i]) >= 0)
			return true;
	}
	return false;
}

static bool has_markup(const char *message)
{
	struct sv text = sv_cstr(message);

	return sv_ifind(text, page_marks[0]) >= 0 || sv_ifind(text, page_marks[1]) >= 0;
}

static bool number_of(struct jv v, double *ret)
{
	if (jv_is(v, JV_STRING))
		return sv_f64(jv_str_raw(v), ret) == 0;
	return jv_f64(v, ret) == 0;
}

static void read_status(struct jv v, struct refusal *ret)
{
	int64_t status;

	if (jv_i64(v, &status) == 0 && status >= 400 && status <= 599 && ret->status < 400)
		ret->status = (int)status;
}

static void read_object(struct jv object, struct refusal *ret)
{
	static const struct sv keys[] = {SV("code"), SV("type"), SV("param"), SV("message"),
		SV("plan_type"), SV("resets_at"), SV("resets_in_seconds")};
	struct jv v[ARRAY_LEN(keys)];

	jv_pick(object, keys, ARRAY_LEN(keys), v);
	if (!jv_str_copy(v[0], ret->code, sizeof(ret->code)))
		read_status(v[0], ret); /* some put the status there */
	jv_str_copy(v[1], ret->type, sizeof(ret->type));
	jv_str_copy(v[2], ret->param, sizeof(ret->param));
	jv_str_copy(v[3], ret->message, sizeof(ret->message));
	jv_str_copy(v[4], ret->plan_type, sizeof(ret->plan_type));
	ret->has_resets_at = number_of(v[5], &ret->resets_at_s);
	ret->has_resets_in = number_of(v[6], &ret->resets_in_s);
}

/* A flat event says its own type where an error object says the error's. */
static void read_flat(struct jv root, struct refusal *ret)
{
	read_object(root, ret);
	if (strcmp(ret->type, "error") == 0 || strcmp(ret->type, "response.failed") == 0)
		ret->type[0] = '\0';
}

/* A text, an object, or a list of what is wrong with the request. */
static bool read_detail(struct jv detail, struct refusal *ret)
{
	struct jv_iter it = jv_iter(detail);

	switch (jv_type(detail)) {
	case JV_STRING:
		return jv_str_copy(detail, ret->message, sizeof(ret->message));
	case JV_OBJECT:
		read_object(detail, ret);
		return true;
	case JV_ARRAY:
		return jv_next(&it) &&
		       jv_str_copy(jv_get(it.value, SV("msg")), ret->message, sizeof(ret->message));
	default:
		return false;
	}
}

static bool read_error(struct jv error, struct refusal *ret)
{
	if (jv_is(error, JV_OBJECT)) {
		read_object(error, ret);
		return true;
	}
	/* {"error":"code","error_description":…} or a bare sentence */
	if (!jv_is(error, JV_STRING))
		return false;
	if (memchr(error.p, ' ', error.n))
		return jv_str_copy(error, ret->message, sizeof(ret->message));
	return jv_str_copy(error, ret->code, sizeof(ret->code));
}

void refusal_read_json(struct jv root, int status, struct refusal *ret)
{
	static const struct sv keys[] = {SV("error"), SV("response"), SV("body"), SV("detail"),
		SV("status"), SV("status_code")};
	struct jv v[ARRAY_LEN(keys)];

	*ret = (struct refusal){.status = status, .json = true};
	jv_pick(root, keys, ARRAY_LEN(keys), v);
	read_status(v[4], ret);
	read_status(v[5], ret);
	if (!read_error(v[0], ret) && !read_error(jv_get(v[1], SV("error")), ret) &&
		!read_error(jv_get(v[2], SV("error")), ret) && !read_detail(v[3], ret))
		read_flat(root, ret);
	if (!has_markup(ret->message))
		return;
	ret->page = true;
	ret->message[0] = '\0';
}

void refusal_read_body(struct sv body, int status, struct refusal *ret)
{
	struct sv text = sv_trim(body);
	struct jv root;

	if (jv_parse(text, LIMIT_JSON_DEPTH, &root, NULL) == 0 && jv_is(root, JV_OBJECT)) {
		refusal_read_json(root, status, ret);
		return;
	}
	*ret = (struct refusal){.status = status, .page = is_page(text)};
}
