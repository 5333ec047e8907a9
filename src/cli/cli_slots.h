/* What the commands about slots share. */
#ifndef CLI_CLI_SLOTS_H
#define CLI_CLI_SLOTS_H

#include "cli/cli.h"

/* store_edit() with its failures told: a status. -ENOENT of edit() means that there is no slot id.
 */
int cli_slots_edit(const struct cli_context *ctx, const char *id,
	int (*edit)(json_t *slots, void *arg), void *arg) MUST_CHECK;
/* The result of a command on one slot: {"ok":true,"slot":{…}}, or "slot-2 <done>". */
int cli_slots_show(const struct cli_context *ctx, const char *id, const char *done) MUST_CHECK;

#endif
