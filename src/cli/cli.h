/*
 * The command line (SPEC 3): one table of commands with their options, help and examples. A command
 * is a row and a function in the file of its family. Results go to stdout, as JSON when that is no
 * terminal or with --json; errors go to stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "conf/conf.h"
#include "slots/slot_table.h"

#include <jansson.h>

/* Exit statuses; scripts rely on them. */
enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,	   /* it could not be done: a file, the network, what was given */
	CLI_USAGE = 2,	   /* the command line is wrong */
	CLI_CONFIG = 3,	   /* the runtime directory is missing, or a file in it is wrong */
	CLI_NOT_FOUND = 4, /* no such slot */
};

enum { CLI_OPTIONS_MAX = 8, CLI_OPERANDS_MAX = 3, CLI_REPEATS_MAX = 32 };

struct cli_option {
	const char *name;  /* "--slot"; NULL ends a list */
	const char *value; /* what stands behind it; NULL: a flag */
	bool required;
	const char *help;
	bool repeats; /* may be given several times; one option of a command at most */
};

struct cli_context;

struct cli_command {
	const char *name;
	const char *summary; /* one line */
	const char *details; /* for --help; may be NULL */
	const char *example; /* arguments of an example, without the program's name */
	struct cli_option options[CLI_OPTIONS_MAX + 1];
	int (*run)(const struct cli_context *ctx);
	bool hidden;	      /* not in the list of commands */
	const char *operands; /* words that are no options, for the usage line: "get KEY" */
	const char *output;   /* what its JSON holds, for docs/cli.md; may be NULL */
	size_t operands_max;  /* how many may follow; the command checks that they are enough */
};

struct cli_context {
	const struct cli_command *command;
	const char *root;    /* runtime directory */
	const char *profile; /* NULL: nobody asked for one */
	bool json;
	bool table; /* asked for, where JSON would be the default */
	bool color;
	const char *values[CLI_OPTIONS_MAX];  /* by the index of the option; "" for a flag */
	const char *repeats[CLI_REPEATS_MAX]; /* values of the option that may repeat */
	size_t repeat_count;
	const char *operands[CLI_OPERANDS_MAX];
	size_t operand_count;
};

/* The whole program but main(): the exit status. */
int cli_main(int argc, char **argv);

/* The commands, for help and completion. */
const struct cli_command *cli_commands(size_t *ret_count);
/* Options of every command; one without a name ends the list. */
const struct cli_option *cli_global_options(void);
/* What was given for an option of the command, or NULL. */
const char *cli_value(const struct cli_context *ctx, const char *option);
/* "codex-slot-relay: <command>: <text>" on stderr; returns status. */
int cli_fail(const struct cli_context *ctx, enum cli_exit status, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The same for something that is no failure. */
void cli_warn(const struct cli_context *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* --slot in its normal form: CLI_OK or a failure that has been told. */
int cli_slot_id(const struct cli_context *ctx, char out[LIMIT_SLOT_ID_BYTES]) MUST_CHECK;
/* The configuration: CLI_OK or a failure that has been told. The caller's reference. */
int cli_load_conf(const struct cli_context *ctx, struct conf **ret) MUST_CHECK;
/* Configuration and slots as files tell them. The caller frees both. */
int cli_load_slots(
	const struct cli_context *ctx, struct conf **ret_conf, struct slot_table **ret) MUST_CHECK;

/* Commands, by file. */
int cli_serve(const struct cli_context *ctx);
int cli_serve_routes(const struct cli_context *ctx);
int cli_runtime_init(const struct cli_context *ctx);
int cli_runtime_dependency_map(const struct cli_context *ctx);
int cli_runtime_config_doc(const struct cli_context *ctx);
int cli_health(const struct cli_context *ctx);
int cli_completion(const struct cli_context *ctx);
int cli_completion_words(const struct cli_context *ctx);
int cli_config(const struct cli_context *ctx);
int cli_doc(const struct cli_context *ctx);
int cli_doctor(const struct cli_context *ctx);
int cli_slots_list(const struct cli_context *ctx);
int cli_slots_enable(const struct cli_context *ctx);
int cli_slots_disable(const struct cli_context *ctx);
int cli_slots_reset(const struct cli_context *ctx);
int cli_slots_set(const struct cli_context *ctx);
int cli_slots_remove(const struct cli_context *ctx);
int cli_refresh_slot(const struct cli_context *ctx);
int cli_import_file(const struct cli_context *ctx);
int cli_usage_refresh(const struct cli_context *ctx);
int cli_usage_set(const struct cli_context *ctx);
int cli_test_runner(const struct cli_context *ctx);
int cli_tls_selfsign(const struct cli_context *ctx);
int cli_login(const struct cli_context *ctx);
int cli_codex_import(const struct cli_context *ctx);
int cli_codex_export(const struct cli_context *ctx);
int cli_codex_config(const struct cli_context *ctx);
int cli_client_config(const struct cli_context *ctx);
int cli_openclaw_sync(const struct cli_context *ctx);
int cli_openclaw_setup(const struct cli_context *ctx);
int cli_openclaw_copy_profile(const struct cli_context *ctx);
int cli_openclaw_copy_usage(const struct cli_context *ctx);
int cli_help(const struct cli_context *ctx);

#endif
