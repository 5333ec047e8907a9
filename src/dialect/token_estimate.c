#include "dialect/token_estimate.h"

/* Quarters of a token. */
enum {
	UNITS_A_TOKEN = 4,
	ITEM_UNITS = 4 * 4,	  /* role and borders of an item */
	REQUEST_UNITS = 3 * 4,	  /* the beginning of the answer */
	IMAGE_UNITS = 800 * 4,	  /* a picture of usual size */
	LOW_IMAGE_UNITS = 85 * 4, /* with detail "low" */
	FILE_UNITS = 1000 * 4,	  /* a file that is not in the request */
};

/* Text of a JSON string, escapes in place. */
static int64_t text_units(struct sv raw)
{
	int64_t units = 0;

	for (size_t i = 0; i < raw.n; i++) {
		unsigned char c = (unsigned char)raw.p[i];

		if (c == '\\' && i + 1 < raw.n) {
			bool long_form = raw.p[i + 1] == 'u';

			units += long_form ? 3 : 1;
			i += long_form ? 5 : 1;
		} else if (c < 0x80) {
			units++;
		} else if (c >= 0xC0) { /* the first byte of a character */
			units += c < 0xE0 ? 2 : c < 0xF0 ? 3 : 6;
		}
	}
	return units;
}

/* base64 of a text or a document: three bytes of four characters. */
static int64_t data_units(struct jv data)
{
	return (int64_t)(jv_str_raw(data).n / 4 * 3);
}

static int64_t part_units(struct jv part)
{
	static const struct sv keys[] = {SV("type"), SV("text"), SV("refusal"), SV("detail"),
		SV("file_data"), SV("filename")};
	struct jv m[ARRAY_LEN(keys)];

	jv_pick(part, keys, ARRAY_LEN(keys), m);
	if (jv_str_eq(m[0], SV("input_image")))
		return jv_str_eq(m[3], SV("low")) ? LOW_IMAGE_UNITS : IMAGE_UNITS;
	if (jv_str_eq(m[0], SV("input_file")))
		return text_units(jv_str_raw(m[5])) +
		       (jv_is(m[4], JV_STRING) ? data_units(m[4]) : FILE_UNITS);
	return text_units(jv_str_raw(m[1])) + text_units(jv_str_raw(m[2]));
}

/* A string, or a list of parts. */
static int64_t content_units(struct jv content)
{
	struct jv_iter it = jv_iter(content);
	int64_t units = text_units(jv_str_raw(content));

	while (jv_is(content, JV_ARRAY) && jv_next(&it))
		units += part_units(it.value);
	return units;
}

/* What an item says stands in these members, whatever its type. */
static int64_t item_units(struct jv item)
{
	static const struct sv keys[] = {SV("content"), SV("output"), SV("arguments"), SV("input"),
		SV("name"), SV("encrypted_content")};
	struct jv m[ARRAY_LEN(keys)];
	int64_t units = ITEM_UNITS;

	jv_pick(item, keys, ARRAY_LEN(keys), m);
	for (size_t i = 0; i < 5; i++)
		units += content_units(m[i]);
	return units + data_units(m[5]);
}

static int64_t input_units(struct jv input)
{
	struct jv_iter it = jv_iter(input);
	int64_t units = 0;

	if (jv_is(input, JV_STRING))
		return ITEM_UNITS + text_units(jv_str_raw(input));
	while (jv_is(input, JV_ARRAY) && jv_next(&it))
		units += item_units(it.value);
	return units;
}

int64_t token_estimate(struct jv request)
{
	static const struct sv keys[] = {SV("instructions"), SV("input"), SV("tools"), SV("text")};
	struct jv m[ARRAY_LEN(keys)];
	int64_t units = REQUEST_UNITS;

	jv_pick(request, keys, ARRAY_LEN(keys), m);
	if (jv_is(m[0], JV_STRING))
		units += ITEM_UNITS + text_units(jv_str_raw(m[0]));
	units += input_units(m[1]);
	/* Schemas are shown to the model as text of about the length of their JSON. */
	units += text_units(jv_raw(m[2]));
	units += text_units(jv_raw(jv_get(m[3], SV("format"))));
	return (units + UNITS_A_TOKEN - 1) / UNITS_A_TOKEN;
}
