#include "conf/json_file.h"

#include "base/durable.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *problem_of(const json_error_t *e)
{
	switch (json_error_code(e)) {
	case json_error_premature_end_of_input:
		return "ends too early";
	case json_error_end_of_input_expected:
		return "something follows the end";
	case json_error_invalid_utf8:
		return "not UTF-8";
	case json_error_duplicate_key:
		return "a key that is there already";
	case json_error_numeric_overflow:
		return "number out of range";
	case json_error_null_character:
	case json_error_null_byte_in_key:
		return "NUL in a string";
	case json_error_stack_overflow:
		return "nested too deep";
	case json_error_out_of_memory:
		return "out of memory";
	default:
		return "syntax error";
	}
}

int json_file_parse(struct sv text, json_t **ret, char *err, size_t err_size)
{
	static const struct sv mark = SV("\xEF\xBB\xBF");
	json_error_t e;
	json_t *value;

	if (sv_starts(text, mark))
		text = sv_from(text, mark.n);
	value = json_loadb(
		text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);
	if (!value) {
		snprintf(err, err_size, "line %d, column %d: %s", e.line, e.column, problem_of(&e));
		return -EINVAL;
	}
	if (!json_is_object(value)) {
		json_decref(value);
		snprintf(err, err_size, "must be a JSON object");
		return -EINVAL;
	}
	*ret = value;
	return 0;
}

int json_file_read(const char *path, size_t cap, json_t **ret, char *err, size_t err_size)
{
	struct buf text;
	int result;

	buf_init(&text, cap);
	result = durable_read(path, &text);
	if (result)
		snprintf(err, err_size, "%s", strerror(-result));
	else
		result = json_file_parse(buf_sv(&text), ret, err, err_size);
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	return result;
}

static char *dump(const json_t *value, size_t *ret_n)
{
	char *text = json_dumps(value, JSON_INDENT(2));
	size_t n;

	if (!text)
		return NULL;
	n = strlen(text);
	text[n] = '\n'; /* takes the place of the NUL: written by length */
	*ret_n = n + 1;
	return text;
}

int json_file_write(const char *path, const json_t *value)
{
	size_t n;
	char *text = dump(value, &n);
	int result;

	if (!text)
		return -ENOMEM;
	result = durable_write(path, sv_make(text, n), 0600);
	secret_wipe(text, n);
	free(text);
	return result;
}

int json_file_create(const char *path, const json_t *value)
{
	if (access(path, F_OK) == 0)
		return -EEXIST;
	return json_file_write(path, value);
}
