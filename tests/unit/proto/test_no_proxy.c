#include "proto/no_proxy.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct row {
	const char *list, *host;
	bool named;
};

static void check(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (no_proxy_names(sv_cstr(rows[i].list), sv_cstr(rows[i].host)) != rows[i].named)
			fail_msg("'%s' and %s", rows[i].list, rows[i].host);
	}
}

static void test_names(void **state)
{
	static const struct row rows[] = {
		{"", "a.example", false},
		{"a.example", "a.example", true},
		{"A.Example", "a.eXample", true},
		{"example", "a.example", true},
		{".example", "a.example", true},
		{".a.example", "a.example", true},
		{"a.example.", "a.example", true},
		{"a.example", "a.example.", true},
		{"example", "notexample", false},
		{"b.a.example", "a.example", false},
		{".", "a.example", false},
		{"*", "a.example", true},
		{"*,x", "a.example", false},
		{"*.example", "a.example", false},
		{"a.example:443", "a.example", false},
		{"localhost", "localhost", true},
		{"example", "", false},
		{"*", "", false},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void test_addresses(void **state)
{
	static const struct row rows[] = {
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "127.0.0.11", false},
		{"0.0.1", "127.0.0.1", false},
		{"10.0.0.0/8", "10.1.2.3", true},
		{"10.0.0.0/8", "11.1.2.3", false},
		{"10.0.0.0", "10.1.2.3", false},
		{"192.168.4.0/22", "192.168.7.9", true},
		{"192.168.4.0/22", "192.168.8.1", false},
		{"10.1.2.3/32", "10.1.2.3", true},
		{"10.1.2.3/32", "10.1.2.4", false},
		{"10.1.2.3/33", "10.1.2.3", false},
		{"10.1.2.3/x", "10.1.2.3", false},
		{"10.1.2.3/99999999999999999999", "10.1.2.3", false},
		{"::1", "::1", true},
		{"0:0::1", "::1", true},
		{"::1", "::2", false},
		{"fe80::/10", "febf::1", true},
		{"fe80::/10", "fec0::1", false},
		{"2001:db8::/32", "2001:db8:1::9", true},
		{"2001:db8::1/128", "2001:db8::1", true},
		{"2001:db8::1/129", "2001:db8::1", false},
		{"0.0.0.0/1", "::1", false},
		{"::/1", "1.2.3.4", false},
		{"example", "127.0.0.1", false},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

static void test_lists(void **state)
{
	static const struct row rows[] = {
		{"x,a.example", "a.example", true},
		{"x, a.example ,y", "a.example", true},
		{" , ,,a.example", "a.example", true},
		{"x a.example", "a.example", true},
		{"x\ta.example", "a.example", true},
		{"x,,", "a.example", false},
		{"a.example,", "a.example", true},
		{"x,10.0.0.0/8,::1", "::1", true},
		{"x,10.0.0.0/8,::1", "10.9.9.9", true},
	};

	(void)state;
	check(rows, ARRAY_LEN(rows));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
