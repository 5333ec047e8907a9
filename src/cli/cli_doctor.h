/*
 * `doctor`: looks at everything that keeps a relay from working and says what to do about each
 * finding. cli_doctor.c runs the checks and prints; the others look. Nothing is changed, and no
 * token is sent anywhere but to the running relay at the configured address.
 */
#ifndef CLI_CLI_DOCTOR_H
#define CLI_CLI_DOCTOR_H

#include "cli/cli.h"

enum doctor_level { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL };

struct doctor {
	const struct cli_context *ctx;
	struct conf *conf;	  /* NULL: it cannot be used */
	struct slot_table *slots; /* NULL: they cannot be read */
	json_t *findings;
	size_t warnings, failures;
	int64_t now_ms;
};

/* Adds a finding. advice: what to do, NULL for nothing. */
void cli_doctor_tell(struct doctor *d, enum doctor_level level, const char *check,
	const char *advice, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* Modes, owners, disk, lock, descriptors. */
void cli_doctor_files(struct doctor *d);
/* relay.json and slots.json are right, and each slot's credential can be used. */
void cli_doctor_state(struct doctor *d);
/* The address that we listen at. */
void cli_doctor_port(struct doctor *d);
/* Certificate and key of the TLS listeners. */
void cli_doctor_tls(struct doctor *d);
/* Proxy variables; then upstream and issuer, unless offline. */
void cli_doctor_network(struct doctor *d, bool offline);

#endif
