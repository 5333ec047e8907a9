/*
 * What is known of the slots now: from the running relay when it answers, else from the files. Both
 * are lists in the form of GET /admin/slots (SPEC 2), so that whoever shows them need not care.
 */
#ifndef CLI_CLI_VIEW_H
#define CLI_CLI_VIEW_H

#include "cli/cli.h"
#include "cli/cli_live.h"

struct cli_view {
	struct conf *conf;
	struct cli_live live;
	json_t *slots; /* a list */
	bool is_live;  /* the list is the running relay's */
	int64_t now_ms;
};

/* CLI_OK, or a failure that has been told; cli_view_fini() after CLI_OK. */
int cli_view_load(const struct cli_context *ctx, struct cli_view *ret) MUST_CHECK;
void cli_view_fini(struct cli_view *v);

/* A slot of the list, read. Texts are borrowed from it and never NULL. */
struct cli_slot {
	const char *id, *label, *plan, *state, *reason, *last_error, *cooldown_reason;
	const char *credential; /* how its login stands: "ok", "in_doubt" …; "" unknown */
	bool enabled, eligible;
	int64_t inflight;
	int64_t cooldown_until_ms;	/* 0: none */
	double left[METER_KINDS];	/* percent; negative: unknown. A month counts as week. */
	int64_t resets_ms[METER_KINDS]; /* 0: unknown */
};
void cli_view_slot(const struct cli_view *v, size_t index, struct cli_slot *ret);

struct cli_recovery {
	const char *id; /* NULL: no slot waits for a time */
	const char *reason;
	int64_t at_ms;
};
/* The slot that is the next to be usable again, of those that wait for a time. */
struct cli_recovery cli_view_recovery(const struct cli_view *v);

#endif
