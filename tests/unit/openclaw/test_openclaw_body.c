/* openclaw_body: from the internal form to what the gateway takes. */
#include "base/limits.h"
#include "openclaw/openclaw_body.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct body_case {
	const char *name, *request;
	const char *body; /* NULL: refused */
};

#define HEAD "{\"model\":\"openclaw/relay\",\"stream\":true"

static const struct body_case cases[] = {
	{"a text", "{\"model\":\"m\",\"input\":\"hi\\n\"}", HEAD ",\"input\":\"hi\\n\"}"},
	{"members that the gateway does not know are left out",
		"{\"input\":[],\"instructions\":\"be\",\"store\":false,\"include\":[\"x\"],"
		"\"text\":{},"
		"\"reasoning\":{\"effort\":\"xhigh\"},\"prompt_cache_key\":\"k\",\"metadata\":{}}",
		HEAD ",\"instructions\":\"be\",\"input\":[]}"},
	{"numbers that make sense stay",
		"{\"input\":[],\"max_output_tokens\":9,\"temperature\":0.5,\"top_p\":1}",
		HEAD ",\"input\":[],\"max_output_tokens\":9,\"temperature\":0.5,\"top_p\":1}"},
	{"others do not",
		"{\"input\":[],\"max_output_tokens\":0,\"temperature\":\"a\",\"top_p\":null}",
		HEAD ",\"input\":[]}"},
	{"a message without type, ids and status dropped",
		"{\"input\":[{\"role\":\"user\",\"content\":\"x\"},{\"type\":\"message\",\"id\":"
		"\"msg_1\","
		"\"status\":\"completed\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_"
		"text\","
		"\"text\":\"y\",\"annotations\":[]},{\"type\":\"refusal\",\"refusal\":\"no\"}]}]}",
		HEAD
		",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":\"x\"},{\"type\":"
		"\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\","
		"\"text\":\"y\"},{\"type\":\"output_text\",\"text\":\"no\"}]}]}"},
	{"an image with its data",
		"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"detail\":"
		"\"low\","
		"\"image_url\":\"data:image/png;base64,QQ==\"}]}]}",
		HEAD ",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
		     "\"input_image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\","
		     "\"data\":\"QQ==\"}}]}]}"},
	{"an image by its URL",
		"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\","
		"\"image_url\":\"https://h/i.png\"}]}]}",
		HEAD
		",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
		"\"input_image\",\"source\":{\"type\":\"url\",\"url\":\"https://h/i.png\"}}]}]}"},
	{"a file with its name",
		"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\",\"filename\":"
		"\"a\","
		"\"file_data\":\"data:text/plain;base64,QQ==\"}]}]}",
		HEAD ",\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":"
		     "\"input_file\",\"source\":{\"type\":\"base64\",\"media_type\":\"text/plain\","
		     "\"data\":\"QQ==\",\"filename\":\"a\"}}]}]}"},
	{"an image that only the backend has",
		"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_image\",\"file_id\":"
		"\"f\"}]}]}",
		NULL},
	{"a file of no known form",
		"{\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_file\","
		"\"file_data\":\"data:,x\"}]}]}",
		NULL},
	{"calls and their outputs, which may be in parts",
		"{\"input\":[{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\","
		"\"name\":\"f\","
		"\"arguments\":\"{}\",\"status\":\"completed\"},{\"type\":\"function_call_output\","
		"\"call_id\":\"c\",\"output\":[{\"type\":\"input_text\",\"text\":\"a\\n\"},{"
		"\"type\":"
		"\"input_text\",\"text\":\"b\"}]}]}",
		HEAD ",\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\","
		     "\"arguments\":\"{}\"},{\"type\":\"function_call_output\",\"call_id\":\"c\","
		     "\"output\":\"a\\nb\"}]}"},
	{"items of the backend are left out",
		"{\"input\":[{\"type\":\"reasoning\",\"encrypted_content\":\"x\"},{\"type\":"
		"\"compaction\"},"
		"{\"type\":\"item_reference\",\"id\":\"i\"},7,null,{}]}",
		HEAD ",\"input\":[]}"},
	{"function tools alone, with a choice",
		"{\"input\":[],\"tools\":[{\"type\":\"web_search\"},{\"type\":\"function\","
		"\"name\":\"f\","
		"\"description\":null,\"parameters\":{\"a\":1},\"strict\":false,\"x\":1}],"
		"\"tool_choice\":{\"type\":\"function\",\"name\":\"f\"}}",
		HEAD
		",\"input\":[],\"tools\":[{\"type\":\"function\",\"name\":\"f\",\"parameters\":"
		"{\"a\":1},\"strict\":false}],\"tool_choice\":{\"type\":\"function\",\"function\":"
		"{\"name\":\"f\"}}}"},
	{"no tools, no choice",
		"{\"input\":[],\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"required\"}",
		HEAD ",\"input\":[]}"},
	{"a choice in a word",
		"{\"input\":[],\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],\"tool_choice\":"
		"\"none\"}",
		HEAD ",\"input\":[],\"tools\":[{\"type\":\"function\",\"name\":\"f\"}],"
		     "\"tool_choice\":\"none\"}"},
};

static void test_every_body(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct body_case *c = &cases[i];
		struct api_err err = {0};
		struct jv request, again;
		struct buf out;
		int rc;

		buf_init(&out, KIB(64));
		assert_int_equal(jv_parse(sv_cstr(c->request), 32, &request, NULL), 0);
		rc = openclaw_body_build(request, "relay", &out, &err);
		if (!c->body) {
			assert_int_equal(rc, -EINVAL);
			assert_int_equal(err.status, 400);
			assert_string_equal(err.code, "unsupported_by_openclaw");
			assert_int_equal(out.len, 0);
		} else {
			assert_int_equal(rc, 0);
			if (strcmp(buf_cstr(&out), c->body) != 0)
				fail_msg("%s: %s", c->name, buf_cstr(&out));
			assert_int_equal(jv_parse(buf_sv(&out), 32, &again, NULL), 0);
		}
		buf_fini(&out);
	}
}

static void test_body_over_the_cap_is_an_error(void **state)
{
	struct api_err err;
	struct jv request;
	struct buf out;

	(void)state;
	buf_init(&out, 16);
	assert_int_equal(jv_parse(SV("{\"input\":\"hello\"}"), 32, &request, NULL), 0);
	assert_int_equal(openclaw_body_build(request, "relay", &out, &err), -ENOBUFS);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_body),
		cmocka_unit_test(test_body_over_the_cap_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
