/* Certificates: made, read, and refused with the reason. */
#include "io/tls_cert.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void pair_that_cannot_be_used_is_refused_with_the_reason(void **state)
{
	static const char passphrase[] =
		"-----BEGIN ENCRYPTED PRIVATE "
		"KEY-----\nMIGjMF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAk"
		"BBAAAAAAAAAAAAAAAAAAAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
	static const char *const names[] = {"relay.test", "*.x.test", "2001:db8::1"};
	struct tls_problem problem;
	struct tls_made a, b;
	struct tls_pair *pair;
	char name[64];

	(void)state;
	assert_int_equal(tls_make(names, 3, 3, &a, &problem), 0);
	assert_int_equal(tls_make(NULL, 0, 3, &b, &problem), 0);
	assert_int_equal(tls_pair_parse(buf_sv(&a.cert), buf_sv(&b.key), &pair, &problem), -EINVAL);
	assert_string_equal(problem.message, "the key does not belong to the certificate");
	assert_int_equal(tls_pair_parse(SV("x"), buf_sv(&b.key), &pair, &problem), -EINVAL);
	assert_string_equal(problem.message, "there is no PEM certificate");
	assert_int_equal(tls_pair_parse(buf_sv(&a.cert), SV(""), &pair, &problem), -EINVAL);
	assert_string_equal(problem.message, "there is no PEM private key");
	assert_int_equal(
		tls_pair_parse(buf_sv(&a.cert), sv_cstr(passphrase), &pair, &problem), -EINVAL);
	assert_true(strstr(problem.message, "key") != NULL);
	assert_int_equal(tls_pair_load("/nowhere/c", "/nowhere/k", &pair, &problem), -ENOENT);
	assert_non_null(strstr(problem.message, "certificate cannot be read"));
	buf_add_lit(&a.cert, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n");
	assert_int_equal(tls_pair_parse(buf_sv(&a.cert), buf_sv(&a.key), &pair, &problem), -EINVAL);
	assert_string_equal(problem.message, "a certificate of the chain cannot be read");
	buf_truncate(
		&a.cert, (size_t)sv_find(buf_sv(&a.cert), SV("-----BEGIN CERTIFICATE-----\nnon")));
	buf_add_sv(&a.cert, buf_sv(&a.ca));
	assert_int_equal(tls_pair_parse(buf_sv(&a.cert), buf_sv(&a.key), &pair, &problem), 0);
	assert_true(tls_pair_name(pair, 4, name, sizeof(name)));
	assert_string_equal(name, "*.x.test");
	assert_true(tls_pair_name(pair, 5, name, sizeof(name)));
	assert_string_equal(name, "2001:db8::1");
	assert_false(tls_pair_name(pair, 6, name, sizeof(name)));
	assert_true(tls_pair_ends_ms(pair) - tls_pair_begins_ms(pair) > 3 * 86400000LL);
	tls_pair_free(pair);
	tls_made_fini(&a);
	tls_made_fini(&b);
}

static void names_that_are_none_are_refused(void **state)
{
	static const char *const wrong[] = {
		"", "a b", "a,DNS:b", "-a", ".a", "a..b", "a.", "x*", "*.", "1.2.3.4/8", "a:1"};
	struct tls_problem problem;
	struct tls_made made;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(tls_make(&wrong[i], 1, 3, &made, &problem), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pair_that_cannot_be_used_is_refused_with_the_reason),
		cmocka_unit_test(names_that_are_none_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
