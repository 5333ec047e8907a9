/*
 * Puts a login into a slot: the auth file and the record in config/slots.json, durably, under the
 * slot's credential lock and the state lock. Used by whatever logs in or imports. A running relay
 * sees it by itself.
 */
#ifndef CLI_CLI_CREDENTIAL_H
#define CLI_CLI_CREDENTIAL_H

#include "cli/cli.h"
#include "slots/auth_file.h"

/* Owner: the caller, who zeroes what he does not set. */
struct cli_credential {
	const struct cli_context *ctx;
	const struct conf *conf;
	const struct auth_grant *grant;
	/* "slot-2". Empty: the slot that has this account, else the lowest free number; filled
	 * in. */
	char id[LIMIT_SLOT_ID_BYTES];
	const char *label;	  /* NULL: as it is; the e-mail for a new slot */
	bool same_identity;	  /* refuse when the slot belongs to somebody else */
	const char *label_if_new; /* of a slot that is new, when label is NULL; NULL: the e-mail */
	/* Asked under the locks, before anything is written, with the slot as it is (NULL: new). 0
	 * goes on; else put() fails and tells nothing. May be NULL. */
	int (*check)(struct cli_credential *c, const struct slot *s);
	/* Has the last word on the record. May be NULL. */
	void (*fill)(struct cli_credential *c, json_t *record);
	void *arg; /* theirs */
};

/* CLI_OK with warnings about what deserves one, or a failure that has been told; nothing was
 * changed then. Blocks, while a relay refreshes the slot's token for up to a minute. */
int cli_credential_put(struct cli_credential *c) MUST_CHECK;
/* What a slot is before somebody is sent to sign in. */
struct cli_credential_look {
	bool others;	 /* slots beside this one exist */
	char owner[321]; /* whose slot it is: e-mail, else account id; "" nobody's yet */
};
/* Could a login be put there at all? CLI_OK, or a failure that has been told. */
int cli_credential_look(
	const struct cli_context *ctx, const char *id, struct cli_credential_look *ret) MUST_CHECK;

#endif
