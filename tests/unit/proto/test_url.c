#include "proto/url.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void assert_sv(struct sv got, const char *expected)
{
	assert_int_equal(got.n, strlen(expected));
	assert_true(sv_eq(got, sv_cstr(expected)));
}

/* A copy without a NUL, so that the sanitizers know its end; to be freed. */
static struct sv exact_copy(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	memcpy(copy, text, n);
	return sv_make(copy, n);
}

static void parses_absolute_urls(void **state)
{
	static const struct {
		const char *text;
		const char *scheme;
		const char *host;
		uint16_t port;
		const char *path;
	} rows[] = {
		{"http://h", "http", "h", 80, ""},
		{"https://h", "https", "h", 443, ""},
		{"https://h/", "https", "h", 443, "/"},
		{"https://chatgpt.com/backend-api/codex", "https", "chatgpt.com", 443,
			"/backend-api/codex"},
		{"http://127.0.0.1:8787/v1", "http", "127.0.0.1", 8787, "/v1"},
		{"http://[::1]:1/x", "http", "::1", 1, "/x"},
		{"https://[fe80::1]", "https", "fe80::1", 443, ""},
		{"http://[::ffff:1.2.3.4]/", "http", "::ffff:1.2.3.4", 80, "/"},
		{"https://h:65535", "https", "h", 65535, ""},
		{"https://h:0080/", "https", "h", 80, "/"},
		{"https://h?x=/1", "https", "h", 443, ""},
		{"https://h/p?x=1&y=%20", "https", "h", 443, "/p"},
		{"https://my_host-1.local./a%2Fb/~c;d=e@f:g", "https", "my_host-1.local.", 443,
			"/a%2Fb/~c;d=e@f:g"},
		{"https://UPPER.Example/Path", "https", "UPPER.Example", 443, "/Path"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct url u;

		assert_int_equal(url_parse(sv_cstr(rows[i].text), &u), 0);
		assert_sv(u.scheme, rows[i].scheme);
		assert_sv(u.host, rows[i].host);
		assert_int_equal(u.port, rows[i].port);
		assert_sv(u.path, rows[i].path);
	}
}

static void refuses_other_urls(void **state)
{
	static const char *const rows[] = {
		"",
		"h",
		"//h/",
		"/path",
		"http:",
		"http:/h",
		"http://",
		"http:///path",
		"https://?x",
		"HTTP://h",
		"Https://h",
		"ftp://h",
		"ws://h",
		"httpss://h",
		" http://h",
		"http://h ",
		"http://h /",
		"http://h/a b",
		"http://h/a\tb",
		"http://h/a\nb",
		"http://h\r\n",
		"http://h/\x7f",
		"http://h/\xc3\xa9",
		"http://h\xc3\xa9/",
		"http://h/#f",
		"http://h#f",
		"http://h/?a#f",
		"http://user@h/",
		"http://user:pass@h/",
		"http://h:80@evil/",
		"http://h:",
		"http://h:/",
		"http://h:0/",
		"http://h:65536/",
		"http://h:99999999999999999999/",
		"http://h:8 0/",
		"http://h:+80/",
		"http://h:80:90/",
		"http://:80/",
		"http://::1/",
		"http://[::1/",
		"http://[]/",
		"http://[::1]x/",
		"http://[::1]80/",
		"http://[h]/",
		"http://[::1%25eth0]/",
		"http://[1:2:3:4:5:6:7:8:9]/",
		"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/",
		"http://a..b/",
		"http://.a/",
		"http://-a/",
		"http://a,b/",
		"http://a\\b/",
		"http://h\\@evil/",
		"http://h/a\\b",
		"http://h/%",
		"http://h/%4",
		"http://h/%4g",
		"http://h/%g4",
		"http://h/%41 ",
		"http://h/?%zz",
		"http://h/<x>",
		"http://h/\"",
		"http://h/{x}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct url u = {.port = 42};
		struct sv text = exact_copy(rows[i]);

		if (url_parse(text, &u) != -EINVAL)
			fail_msg("accepted: %s", rows[i]);
		assert_int_equal(u.port, 42);
		free((char *)(uintptr_t)text.p);
	}
}

static void a_nul_is_no_part_of_a_url(void **state)
{
	struct url u;

	(void)state;
	assert_int_equal(url_parse(SV("http://h\0/"), &u), -EINVAL);
	assert_int_equal(url_parse(SV("http://h/\0"), &u), -EINVAL);
	assert_int_equal(url_parse(SV("http://h:8\0"), &u), -EINVAL);
	assert_int_equal(url_parse(SV("http://[::1\0]/"), &u), -EINVAL);
}

static void long_hosts_are_refused(void **state)
{
	char text[8 + 254 + 1] = "https://";
	struct url u;

	(void)state;
	memset(text + 8, 'a', 254);
	assert_int_equal(url_parse(sv_make(text, 8 + 253), &u), 0);
	assert_int_equal(url_parse(sv_make(text, 8 + 254), &u), -EINVAL);
}

static void parses_listen_addresses(void **state)
{
	static const struct {
		const char *text;
		const char *host;
		uint16_t port;
	} rows[] = {
		{"127.0.0.1:8787", "127.0.0.1", 8787},
		{"localhost:0", "localhost", 0},
		{"[::1]:8787", "::1", 8787},
		{"[::]:65535", "::", 65535},
		{":8787", "", 8787},
		{":0", "", 0},
		{"8787", "127.0.0.1", 8787},
		{"0", "127.0.0.1", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[64];
		uint16_t port = 42;

		assert_int_equal(
			url_parse_listen(sv_cstr(rows[i].text), host, sizeof(host), &port), 0);
		assert_string_equal(host, rows[i].host);
		assert_int_equal(port, rows[i].port);
	}
}

static void refuses_other_listen_addresses(void **state)
{
	static const char *const rows[] = {
		"",
		":",
		"h",
		"h:",
		"127.0.0.1",
		"[::1]",
		"[::1]:",
		"[::1",
		"[]:80",
		"::1:80",
		"::",
		"h:80:",
		"h:65536",
		"h:-1",
		"h:80 ",
		" h:80",
		"h:http",
		"65536",
		"http://h:80",
		"h/x:80",
		"*:80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[64] = "kept";
		uint16_t port = 42;
		struct sv text = exact_copy(rows[i]);

		if (url_parse_listen(text, host, sizeof(host), &port) != -EINVAL)
			fail_msg("accepted: %s", rows[i]);
		free((char *)(uintptr_t)text.p);
		assert_string_equal(host, "kept");
		assert_int_equal(port, 42);
	}
}

static void a_listen_host_must_fit(void **state)
{
	char host[4];
	uint16_t port;

	(void)state;
	assert_int_equal(url_parse_listen(SV("abc:1"), host, sizeof(host), &port), 0);
	assert_string_equal(host, "abc");
	assert_int_equal(url_parse_listen(SV("abcd:1"), host, sizeof(host), &port), -EINVAL);
	assert_int_equal(url_parse_listen(SV("1"), host, sizeof(host), &port), -EINVAL);
}

static void listeners_have_a_kind(void **state)
{
	struct listen_address at = {.port = 42};
	char long_path[200] = "unix:";

	(void)state;
	assert_int_equal(url_parse_listener(SV("[::1]:80"), &at), 0);
	assert_int_equal(at.kind, LISTEN_TCP);
	assert_string_equal(at.host, "::1");
	assert_int_equal(at.port, 80);
	assert_int_equal(url_parse_listener(SV("tls://:8443"), &at), 0);
	assert_int_equal(at.kind, LISTEN_TLS);
	assert_string_equal(at.host, "");
	assert_int_equal(at.port, 8443);
	assert_int_equal(url_parse_listener(SV("unix:/run/a b.sock"), &at), 0);
	assert_int_equal(at.kind, LISTEN_UNIX);
	assert_string_equal(at.path, "/run/a b.sock");
	memset(long_path + 5, 'x', LISTEN_PATH_SIZE - 1);
	assert_int_equal(url_parse_listener(sv_cstr(long_path), &at), 0);
	assert_int_equal(strlen(at.path), LISTEN_PATH_SIZE - 1);
	memset(long_path + 5, 'x', LISTEN_PATH_SIZE);
	assert_int_equal(url_parse_listener(sv_cstr(long_path), &at), -ENAMETOOLONG);
}

static void refuses_other_listeners(void **state)
{
	static const char *const rows[] = {"", "unix:", "unix:/", "unix:/run/", "unix:/a\nb",
		"tls:", "tls://", "tls://h", "TLS://h:1", "tls://tls://h:1", "https://h:1", "unix",
		"tls://unix:/a"};
	struct listen_address at = {.port = 42};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sv text = exact_copy(rows[i]);

		if (url_parse_listener(text, &at) != -EINVAL)
			fail_msg("accepted: %s", rows[i]);
		free((char *)(uintptr_t)text.p);
		assert_int_equal(at.port, 42);
	}
}

static void finds_the_base_of_every_form(void **state)
{
	static const char *const rows[][2] = {
		{"https://chatgpt.com/backend-api", "https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api/", "https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api///", "https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api/codex", "https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api/codex/", "https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api//codex//", "https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api/codex/responses",
			"https://chatgpt.com/backend-api"},
		{"https://chatgpt.com/backend-api/codex/responses/",
			"https://chatgpt.com/backend-api"},
		{"http://[::1]:9000/codex/responses", "http://[::1]:9000"},
		{"http://h:9000", "http://h:9000"},
		{"http://h/", "http://h"},
		{"http://h/codex", "http://h"},
		{"https://api.openai.com/v1", "https://api.openai.com/v1"},
		{"https://api.openai.com/v1/responses", "https://api.openai.com/v1/responses"},
		{"http://h/mycodex", "http://h/mycodex"},
		{"http://h/codex/other", "http://h/codex/other"},
		{"http://h/CODEX", "http://h/CODEX"},
		{"http://codex", "http://codex"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out;

		buf_init(&out, 256);
		assert_int_equal(url_backend_base(sv_cstr(rows[i][0]), &out), 0);
		assert_string_equal(buf_cstr(&out), rows[i][1]);
		buf_fini(&out);
	}
}

static void a_base_must_be_a_url_without_query(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 8);
	assert_int_equal(url_backend_base(SV("chatgpt.com/backend-api"), &out), -EINVAL);
	assert_int_equal(url_backend_base(SV("https://h/codex?x=1"), &out), -EINVAL);
	assert_int_equal(url_backend_base(SV("https://h/codex?"), &out), -EINVAL);
	assert_int_equal(out.len, 0);
	assert_int_equal(url_backend_base(SV("https://long.example"), &out), -ENOBUFS);
	buf_fini(&out);
}

static void unescapes_query_values(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{"", ""},
		{"plain", "plain"},
		{"a+b", "a b"},
		{"a%2Bb%2fc", "a+b/c"},
		{"%e2%82%AC", "\xe2\x82\xac"},
		{"%25%2541", "%%41"},
		{"%41", "A"},
	};
	static const char *const bad[] = {"%", "a%", "%4", "a%4", "%4g", "%g4", "%%41", "ok%20%"};
	struct buf out;

	(void)state;
	buf_init(&out, 64);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(url_unescape(sv_cstr(rows[i].text), &out), 0);
		assert_string_equal(buf_cstr(&out), rows[i].expected);
		buf_reset(&out, SIZE_MAX);
	}
	buf_add_lit(&out, "kept");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct sv text = exact_copy(bad[i]);

		assert_int_equal(url_unescape(text, &out), -EBADMSG);
		free((char *)(uintptr_t)text.p);
		assert_string_equal(buf_cstr(&out), "kept");
	}
	assert_int_equal(url_unescape(SV("%00"), &out), 0);
	assert_int_equal(out.len, 5);
	assert_int_equal(out.data[4], '\0');
	buf_fini(&out);
}

static void escapes_all_but_unreserved(void **state)
{
	char bytes[256];
	struct buf escaped;
	struct buf back;

	(void)state;
	buf_init(&escaped, 1024);
	buf_init(&back, 1024);
	url_escape(SV("aZ09-._~ +/?&=%\xc3\xa9\0"), &escaped);
	assert_string_equal(buf_cstr(&escaped), "aZ09-._~%20%2B%2F%3F%26%3D%25%C3%A9%00");
	buf_reset(&escaped, SIZE_MAX);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)i;
	url_escape(sv_make(bytes, sizeof(bytes)), &escaped);
	assert_int_equal(escaped.len, 66 + 190 * 3);
	assert_int_equal(url_unescape(buf_sv(&escaped), &back), 0);
	assert_int_equal(back.len, sizeof(bytes));
	assert_memory_equal(back.data, bytes, sizeof(bytes));
	buf_fini(&back);
	buf_fini(&escaped);
}

static void finds_query_values(void **state)
{
	struct sv query = SV("a=1&b=&c&d=x=y&a=2&&=e&slot=slot-1");

	(void)state;
	assert_sv(url_query_get(query, SV("a")), "1");
	assert_sv(url_query_get(query, SV("d")), "x=y");
	assert_sv(url_query_get(query, SV("slot")), "slot-1");
	assert_sv(url_query_get(query, SV("b")), "");
	assert_non_null(url_query_get(query, SV("b")).p);
	assert_sv(url_query_get(query, SV("c")), "");
	assert_non_null(url_query_get(query, SV("c")).p);
	assert_null(url_query_get(query, SV("slo")).p);
	assert_null(url_query_get(query, SV("slot-1")).p);
	assert_null(url_query_get(query, SV("A")).p);
	assert_null(url_query_get(query, SV("e")).p);
	assert_null(url_query_get(SV_NONE, SV("a")).p);
	assert_null(url_query_get(SV(""), SV("a")).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_absolute_urls),
		cmocka_unit_test(refuses_other_urls),
		cmocka_unit_test(a_nul_is_no_part_of_a_url),
		cmocka_unit_test(long_hosts_are_refused),
		cmocka_unit_test(parses_listen_addresses),
		cmocka_unit_test(refuses_other_listen_addresses),
		cmocka_unit_test(a_listen_host_must_fit),
		cmocka_unit_test(listeners_have_a_kind),
		cmocka_unit_test(refuses_other_listeners),
		cmocka_unit_test(finds_the_base_of_every_form),
		cmocka_unit_test(a_base_must_be_a_url_without_query),
		cmocka_unit_test(unescapes_query_values),
		cmocka_unit_test(escapes_all_but_unreserved),
		cmocka_unit_test(finds_query_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
