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
		.name = "slot-reset",
		.summary = "ends a slot's cooldown and forgets its failures",
		.details = "Also enables a slot that the relay itself has disabled because its "
			   "account was refused.\nA running relay follows within a second. A login "
			   "that is dead stays so: see slot-login.",
		.example = "slot-reset --slot 2",
		.options = {OPTION_SLOT},
		.run = cli_slots_reset,
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
		.summary = "shows the state of the relay: its slots, when the next one recovers, "
			   "warnings",
		.example = "health --json",
		.run = cli_health,
	},
	{
		.name = "doctor",
		.summary = "looks for what keeps the relay from working, and says what to do",
		.details =
			"Checks the configuration, files, credentials, the port, proxies, and "
			"whether upstream can be\nreached. Changes nothing and sends no token to "
			"anybody but the running relay. Status 1 when a\ncheck failed.",
		.example = "doctor --offline",
		.options = {{"--offline", NULL, false, "ask nothing of other machines"}},
		.run = cli_doctor,
	},
	{
		.name = "config",
		.summary = "shows, checks and changes config/relay.json",
		.details =
			"  get KEY        prints a value; tokens are never printed\n"
			"  set KEY VALUE  JSON or plain text; - reads the value from standard "
			"input\n"
			"  unset KEY      gives a key its default again\n"
			"  list           every key with its value\n"
			"  check [FILE]   says what is wrong with the file (status 3)\n"
			"A value that is not allowed changes nothing. A running relay takes what "
			"it can at once.",
		.example = "config set thresholds.min5hPct 20",
		.run = cli_config,
		.operands = "get KEY | set KEY VALUE | unset KEY | list | check [FILE]",
		.operands_max = 3,
	},
	{
		.name = "dependency-map",
		.summary = "shows which parts of the relay need OpenClaw",
		.example = "dependency-map",
		.run = cli_runtime_dependency_map,
	},
	{
		.name = "completion",
		.summary = "prints the completion script of a shell",
		.details = "bash: source <(codex-slot-relay completion bash)\n"
			   "zsh:  codex-slot-relay completion zsh >~/.zfunc/_codex_slot_relay\n"
			   "fish: codex-slot-relay completion fish "
			   ">~/.config/fish/completions/codex-slot-relay.fish",
		.example = "completion bash",
		.run = cli_completion,
		.operands = "bash | zsh | fish",
		.operands_max = 1,
	},
	{
		.name = "completion-words",
		.summary = "prints words for the completion scripts",
		.example = "completion-words slots",
		.run = cli_completion_words,
		.hidden = true,
		.operands = "slots | keys | commands",
		.operands_max = 1,
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
