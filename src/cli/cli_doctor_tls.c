#include "cli/cli_doctor.h"

#include "conf/runtime_dir.h"
#include "io/tls_cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { ADVICE_SIZE = 512, NAME_SIZE = 256, NAMES_SIZE = 600 };

#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define ENDS_SOON_MS (14 * DAY_MS)

static void check_mode(struct doctor *d, const char *key)
{
	char advice[ADVICE_SIZE];
	struct stat st;

	if (stat(key, &st) != 0 || !(st.st_mode & 077))
		return;
	snprintf(advice, sizeof(advice), "chmod 600 '%.400s'", key);
	cli_doctor_tell(d, DOCTOR_FAIL, "tls", advice,
		"%.400s, the private key, can be used by others: mode %03o", key,
		(unsigned)st.st_mode & 07777);
}

static void list_names(const struct tls_pair *pair, char out[NAMES_SIZE])
{
	char name[NAME_SIZE];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; tls_pair_name(pair, i, name, sizeof(name)) && used < NAMES_SIZE; i++)
		used += (size_t)snprintf(
			out + used, NAMES_SIZE - used, "%s%s", i ? ", " : "", name);
}

static void check_time(struct doctor *d, const struct tls_pair *pair)
{
	static const char renew[] = "renew it: tls-selfsign --force, if it came from there";
	int64_t left_ms = tls_pair_ends_ms(pair) - d->now_ms;
	char names[NAMES_SIZE];

	list_names(pair, names);
	if (left_ms <= 0)
		cli_doctor_tell(d, DOCTOR_FAIL, "tls", renew, "the certificate has expired");
	else if (tls_pair_begins_ms(pair) > d->now_ms)
		cli_doctor_tell(d, DOCTOR_FAIL, "tls", "check the clock",
			"the certificate is not good yet");
	else if (!names[0])
		cli_doctor_tell(d, DOCTOR_WARN, "tls", "take one with subjectAltName",
			"the certificate names no host: clients refuse it");
	else if (left_ms < ENDS_SOON_MS)
		cli_doctor_tell(d, DOCTOR_WARN, "tls", renew,
			"the certificate expires in %lld days", (long long)(left_ms / DAY_MS));
	else
		cli_doctor_tell(d, DOCTOR_OK, "tls", NULL,
			"the certificate is good for %lld days, for %s",
			(long long)(left_ms / DAY_MS), names);
}

void cli_doctor_tls(struct doctor *d)
{
	struct tls_problem problem;
	struct tls_pair *pair;
	char *cert, *key;

	if (!d->conf || !conf_listen_has_tls(&d->conf->listeners))
		return;
	cert = runtime_resolve(d->ctx->root, d->conf->tls_cert);
	key = runtime_resolve(d->ctx->root, d->conf->tls_key);
	if (tls_pair_load(cert, key, &pair, &problem) != 0) {
		cli_doctor_tell(d, DOCTOR_FAIL, "tls",
			"set tls.cert and tls.key, or make a pair: tls-selfsign", "%s",
			problem.message);
	} else {
		check_time(d, pair);
		tls_pair_free(pair);
	}
	check_mode(d, key);
	free(cert);
	free(key);
}
