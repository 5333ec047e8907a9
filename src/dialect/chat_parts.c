#include "dialect/chat_parts.h"

#include <errno.h>
#include <stdio.h>

/* A part of the content array that is being looked at. */
struct part {
	const struct chat_parts *of;
	size_t index;
	struct jv value;
	struct jv type;
};

static bool is_text(struct jv type)
{
	return jv_str_eq(type, SV("text")) || jv_str_eq(type, SV("input_text")) ||
	       jv_str_eq(type, SV("output_text"));
}

bool chat_parts_have_content(struct jv content)
{
	struct jv_iter it = jv_iter(content);

	if (!jv_is(content, JV_ARRAY))
		return jv_str_raw(content).n > 0;
	while (jv_next(&it)) {
		struct jv text = jv_get(it.value, SV("text"));

		if (!is_text(jv_get(it.value, SV("type"))) || !jv_is(text, JV_STRING) ||
			jv_str_raw(text).n > 0)
			return true;
	}
	return false;
}

bool chat_parts_have_media(struct jv content)
{
	struct jv_iter it = jv_iter(content);

	while (jv_is(content, JV_ARRAY) && jv_next(&it)) {
		if (!is_text(jv_get(it.value, SV("type"))))
			return true;
	}
	return false;
}

/* Fills the error of a part's member; member may be "". */
static int refuse(const struct part *p, const char *member, const char *text)
{
	char param[96];

	snprintf(param, sizeof(param), "messages[%zu].content[%zu]%s%s", p->of->message, p->index,
		member[0] ? "." : "", member);
	return api_err_param(p->of->err, param, "'%s' %s.", param, text);
}

static int refuse_content(const struct chat_parts *p, const char *text)
{
	char param[64];

	snprintf(param, sizeof(param), "messages[%zu].content", p->message);
	return api_err_param(p->err, param, "'%s' %s.", param, text);
}

int chat_parts_check_text(const struct chat_parts *p)
{
	struct jv_iter it = jv_iter(p->content);
	struct part part = {.of = p};

	if (jv_is(p->content, JV_STRING))
		return 0;
	if (!jv_is(p->content, JV_ARRAY))
		return refuse_content(p, "must be a string or an array of text parts");
	for (; jv_next(&it); part.index++) {
		if (!is_text(jv_get(it.value, SV("type"))))
			return refuse(&part, "", "must be a text part");
		if (!jv_is(jv_get(it.value, SV("text")), JV_STRING))
			return refuse(&part, "text", "must be a string");
	}
	return 0;
}

void chat_parts_add_text(struct jv content, struct jw *w)
{
	struct jv_iter it = jv_iter(content);

	if (!jv_is(content, JV_ARRAY)) {
		jw_str_add_raw(w, jv_str_raw(content));
		return;
	}
	while (jv_next(&it)) {
		if (is_text(jv_get(it.value, SV("type"))))
			jw_str_add_raw(w, jv_str_raw(jv_get(it.value, SV("text"))));
	}
}

static void write_text(struct jv text, struct sv type, struct jw *w)
{
	jw_obj(w);
	jw_key_lit(w, SV("type"));
	jw_str_raw(w, type);
	jw_key_lit(w, SV("text"));
	jw_str_raw(w, jv_str_raw(text));
	jw_end(w);
}

/* image_url is {url,detail}; many clients send the url alone. */
static int write_image(const struct part *p, struct jw *w)
{
	struct jv image = jv_get(p->value, SV("image_url"));
	struct jv url = jv_is(image, JV_OBJECT) ? jv_get(image, SV("url")) : image;
	struct jv detail = jv_get(jv_is(image, JV_OBJECT) ? image : p->value, SV("detail"));

	if (!jv_is(url, JV_STRING) || jv_str_raw(url).n == 0)
		return refuse(p, "image_url.url", "must be a URL");
	if (!jv_is_nil(detail) && !jv_is(detail, JV_STRING))
		return refuse(p, "image_url.detail", "must be a string");
	jw_obj(w);
	jw_klit(w, "type", "input_image");
	jw_kraw(w, "image_url", jv_raw(url));
	if (jv_is(detail, JV_STRING))
		jw_kraw(w, "detail", jv_raw(detail));
	jw_end(w);
	return 0;
}

static int write_file(const struct part *p, struct jw *w)
{
	static const struct sv keys[] = {
		{"file_id", 7}, {"filename", 8}, {"file_data", 9}, {"file_url", 8}};
	struct jv file = jv_get(p->value, SV("file"));
	struct jv member[ARRAY_LEN(keys)];

	if (!jv_is(file, JV_OBJECT))
		return refuse(p, "file", "must be an object");
	jv_pick(file, keys, ARRAY_LEN(keys), member);
	jw_obj(w);
	jw_klit(w, "type", "input_file");
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (jv_is_nil(member[i]))
			continue;
		if (!jv_is(member[i], JV_STRING))
			return refuse(p, "file", "must have members that are strings");
		jw_key_lit(w, keys[i]);
		jw_jv(w, member[i]);
	}
	jw_end(w);
	if (jv_is_nil(member[0]) && jv_is_nil(member[2]) && jv_is_nil(member[3]))
		return refuse(p, "file", "must have file_data, file_id or file_url");
	return 0;
}

static int write_refusal(const struct part *p, struct sv text_type, struct jw *w)
{
	struct jv refusal = jv_get(p->value, SV("refusal"));

	if (!sv_eq(text_type, SV("output_text")))
		return refuse(p, "type", "is not supported in this role");
	if (!jv_is(refusal, JV_STRING))
		return refuse(p, "refusal", "must be a string");
	jw_obj(w);
	jw_klit(w, "type", "refusal");
	jw_kraw(w, "refusal", jv_raw(refusal));
	jw_end(w);
	return 0;
}

static int write_media(const struct part *p, struct jw *w)
{
	if (jv_str_eq(p->type, SV("image_url")))
		return write_image(p, w);
	if (jv_str_eq(p->type, SV("file")))
		return write_file(p, w);
	if (jv_str_eq(p->type, SV("input_image")) || jv_str_eq(p->type, SV("input_file"))) {
		jw_jv(w, p->value);
		return 0;
	}
	if (jv_str_eq(p->type, SV("input_audio")))
		return refuse(p, "", "is audio, which these models do not take");
	return refuse(p, "type", "is not a known type of content part");
}

static int write_part(const struct part *p, struct sv text_type, struct jw *w)
{
	struct jv text = jv_get(p->value, SV("text"));

	if (!jv_is(p->type, JV_STRING))
		return refuse(p, "type", "must be a string");
	if (is_text(p->type)) {
		if (!jv_is(text, JV_STRING))
			return refuse(p, "text", "must be a string");
		if (jv_str_raw(text).n > 0)
			write_text(text, text_type, w);
		return 0;
	}
	if (jv_str_eq(p->type, SV("refusal")))
		return write_refusal(p, text_type, w);
	if (sv_eq(text_type, SV("output_text")))
		return 0;
	return write_media(p, w);
}

static bool is_picture(struct jv type)
{
	return jv_str_eq(type, SV("image_url")) || jv_str_eq(type, SV("file")) ||
	       jv_str_eq(type, SV("input_image")) || jv_str_eq(type, SV("input_file"));
}

static bool is_thought(struct jv type)
{
	return jv_str_eq(type, SV("thinking")) || jv_str_eq(type, SV("redacted_thinking")) ||
	       jv_str_eq(type, SV("reasoning"));
}

int chat_parts_write(const struct chat_parts *p, struct sv text_type, struct jw *w)
{
	struct jv_iter it = jv_iter(p->content);
	struct part part = {.of = p};

	if (jv_is(p->content, JV_STRING)) {
		write_text(p->content, text_type, w);
		return 0;
	}
	if (!jv_is(p->content, JV_ARRAY))
		return refuse_content(p, "must be a string or an array of parts");
	for (; jv_next(&it); part.index++) {
		part.value = it.value;
		part.type = jv_get(it.value, SV("type"));
		if (write_part(&part, text_type, w))
			return -EINVAL;
	}
	return 0;
}

int chat_parts_check_assistant(const struct chat_parts *p)
{
	struct jv_iter it = jv_iter(p->content);
	struct part part = {.of = p};

	for (; jv_is(p->content, JV_ARRAY) && jv_next(&it); part.index++) {
		struct jv type = jv_get(it.value, SV("type"));

		if (!is_text(type) && !jv_str_eq(type, SV("refusal")) && !is_picture(type) &&
			!is_thought(type))
			return refuse(&part, "type", "is not supported in an assistant message");
	}
	return 0;
}

bool chat_parts_have_said(struct jv content)
{
	struct jv_iter it = jv_iter(content);

	if (!jv_is(content, JV_ARRAY))
		return jv_str_raw(content).n > 0;
	while (jv_next(&it)) {
		struct jv type = jv_get(it.value, SV("type"));
		struct jv text = jv_get(it.value, SV("text"));

		/* A part that is wrong counts: writing it tells. */
		if (jv_str_eq(type, SV("refusal")))
			return true;
		if (is_text(type) && (!jv_is(text, JV_STRING) || jv_str_raw(text).n > 0))
			return true;
	}
	return false;
}

bool chat_parts_have_pictures(struct jv content)
{
	struct jv_iter it = jv_iter(content);

	while (jv_is(content, JV_ARRAY) && jv_next(&it)) {
		if (is_picture(jv_get(it.value, SV("type"))))
			return true;
	}
	return false;
}

int chat_parts_write_pictures(const struct chat_parts *p, struct jw *w)
{
	struct jv_iter it = jv_iter(p->content);
	struct part part = {.of = p};

	for (; jv_next(&it); part.index++) {
		part.value = it.value;
		part.type = jv_get(it.value, SV("type"));
		if (is_picture(part.type) && write_media(&part, w))
			return -EINVAL;
	}
	return 0;
}
