#include "cli/cli.h"

#define OPTION_SLOT                                          \
	{                                                    \
		"--slot", "N", true, "the slot: 2 or slot-2" \
	}

static const struct cli_command commands[] = {
	{
		.name = "init",
		.summary = "creates the runtime directory and its configuration",
		.details = "What exists is kept. With --force, config/relay.json is written anew "
			   "with the defaults;\nits tokens, keys that this program does not know, "
			   "and all slots stay.",
		.example = "init --runtime-root ~/relay",
		.options = {{"--force", NULL, false, "rewrite config/relay.json"}},
		.run = cli_runtime_init,
	},
	{
		.name = "serve",
		.summary = "runs the relay",
		.details = "SIGTERM ends it after running streams are through; SIGHUP reads the "
			   "configuration again.",
		.example = "serve",
		.run = cli_serve,
	},
	{
		.name = "slot-auth-import-file",
		.summary = "adds a slot, or gives it new credentials, from a file",
		.details =
			"Takes auth-profiles.json, {\"oauth\":{\"openai-codex\":{...}}}, a flat "
			"object with access,\nrefresh and expires, and the auth.json of Codex CLI. "
			"The slot's label and whether it is\nenabled stay as they are.",
		.example = "slot-auth-import-file --slot 2 --label work "
			   "--auth-file ~/.codex/auth.json",
		.options =
			{
				OPTION_SLOT,
				{"--label", "TEXT", false,
					"its name; default: the account's e-mail"},
				{"--auth-file", "FILE", true, "the file with the credentials"},
			},
		.run = cli_import_file,
	},
	{
		.name = "slot-list",
		.summary = "shows the slots with what is left of their limits",
		.example = "slot-list",
		.run = cli_slots_list,
	},
	{
		.name = "slot-enable",
		.summary = "lets requests use a slot",
		.example = "slot-enable --slot 2",
		.options = {OPTION_SLOT},
		.run = cli_slots_enable,
	},
	{
		.name = "slot-disable",
		.summary = "keeps requests away from a slot",
		.example = "slot-disable --slot 2",
		.options = {OPTION_SLOT},
		.run = cli_slots_disable,
	},
	{
		.name = "slot-set",
		.summary = "sets a slot's label, priority or weight",
		.details = "Slots of a higher priority are used first. A weight counts in the "
			   "policy `weighted`: 2 gets\ntwice the requests that its plan would. "
			   "A running relay takes them over at once;\ndocs/routing.md explains "
			   "more.",
		.example = "slot-set --slot 2 --priority 10 --weight 0.5",
		.options =
			{
				OPTION_SLOT,
				{"--label", "TEXT", false, "its name"},
				{"--priority", "N", false,
					"higher first, may be negative; a new slot has 0"},
				{"--weight", "X", false, "above 0; a new slot has 1"},
			},
		.run = cli_slots_set,
	},
	{
		.name = "slot-remove",
		.summary = "deletes a slot with its credentials",
		.example = "slot-remove --slot 2",
		.options = {OPTION_SLOT},
		.run = cli_slots_remove,
	},
	{
		.name = "health",
		.summary = "shows the state of the relay as its files tell it",
		.example = "health --json",
		.run = cli_runtime_health,
	},
	{
		.name = "help",
		.summary = "explains the program or a command",
		.example = "help slot-list",
		.run = cli_help,
		.operands = "[command]",
		.operands_max = 1,
	},
	{
		.name = "config-doc",
		.summary = "prints docs/config.md",
		.example = "config-doc",
		.run = cli_runtime_config_doc,
		.hidden = true,
	},
};

const struct cli_command *cli_commands(size_t *ret_count)
{
	*ret_count = ARRAY_LEN(commands);
	return commands;
}
