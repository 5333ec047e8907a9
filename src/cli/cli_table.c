#include "cli/cli.h"

#define OPTION_SLOT                                          \
	{                                                    \
		"--slot", "N", true, "the slot: 2 or slot-2" \
	}

#define SYNC_DETAILS                                                                             \
	"Reads agents/main/agent/codex-slots/slots.json of OPENCLAW_HOME (~/.openclaw), or of\n" \
	"OPENCLAW_MAIN_AGENT_DIR. Slots keep their numbers; labels and whether a slot is "       \
	"enabled\n"                                                                              \
	"stay as they are here. A slot whose grant is newer here, or belongs to another "        \
	"account,\n"                                                                             \
	"is skipped; --force replaces it."
#define OPTION_SYNC_FORCE                                                                  \
	{                                                                                  \
		"--force", NULL, false, "take OpenClaw's grants and base URLs in any case" \
	}

#define SYNC_OUTPUT "`imported`, `updated`: ids; `skipped`: a list of `id`, `reason`."

static const struct cli_command commands[] = {
	{
		.name = "init",
		.summary = "creates the runtime directory and its configuration",
		.details = "What exists is kept. With --force, config/relay.json is written anew "
			   "with the defaults;\nits tokens, keys that this program does not know, "
			   "and all slots stay.",
		.example = "init --runtime-root ~/relay",
		.options = {{"--force", NULL, false, "rewrite config/relay.json"}},
		.output = "`ok`, `runtimeRoot`, `profile`, `listen`.",
		.run = cli_runtime_init,
	},
	{
		.name = "serve",
		.summary = "runs the relay",
		.details = "SIGTERM ends it after running streams are through; SIGHUP reads the "
			   "configuration again.",
		.example = "serve",
		.output = "none; the log goes to standard error, one JSON object a line.",
		.run = cli_serve,
	},
	{
		.name = "slot-login",
		.summary = "logs a slot in: a new one, or an old one again",
		.details =
			"Shows an address to open in a browser, starts one where there is one, and "
			"waits for it to come\nback. Over ssh the browser's last page does not "
			"load: paste its address into the terminal.\nAn address, "
			"code=...&state=..., code#state and the bare code are all taken. With "
			"--device, a\ncode is shown that is entered in any browser.\n"
			"A slot keeps its account: another one's login is refused, unless "
			"--force. Nothing is written\nbefore the login is complete.",
		.example = "slot-login --slot 2 --label work",
		.options =
			{
				OPTION_SLOT,
				{"--label", "TEXT", false,
					"its name; default: the account's e-mail"},
				{"--device", NULL, false,
					"a code to enter elsewhere, for machines without a "
					"browser"},
				{"--no-browser", NULL, false, "start no browser"},
				{"--force", NULL, false,
					"give the slot to another account than it has"},
				{"--timeout", "SECONDS", false,
					"give up after so long; default: 900"},
			},
		.output = "`ok`, `slot`: the slot as in `slot-list`.",
		.run = cli_login,
	},
	{
		.name = "slot-import-codex",
		.summary = "makes the Codex CLI's own login a slot",
		.details = "Without --slot it goes to the slot that has this account already, else "
			   "to the lowest free number.\nTwo programs with one login can end it for "
			   "both, because every refresh makes the other's token\nworthless. With "
			   "--move the relay takes it over: auth.json gets another name, and the "
			   "Codex CLI\nis signed out.",
		.example = "slot-import-codex --move",
		.options =
			{
				{"--slot", "N", false, "the slot: 2 or slot-2"},
				{"--label", "TEXT", false,
					"its name; default: the account's e-mail"},
				{"--codex-home", "DIR", false,
					"where auth.json is; default: $CODEX_HOME or ~/.codex"},
				{"--move", NULL, false, "take it away from the Codex CLI"},
				{"--force", NULL, false,
					"give the slot to another account than it has"},
			},
		.output = "`ok`, `slot`.",
		.run = cli_codex_import,
	},
	{
		.name = "slot-export",
		.summary = "writes a slot's login as the Codex CLI's auth.json",
		.details = "The file holds the slot's tokens and is readable by its owner only. As "
			   "long as two programs have\none login, a refresh by one of them can end "
			   "it for both; the relay refreshes disabled slots too.",
		.example = "slot-export --slot 2 --to ~/.codex/auth.json",
		.options =
			{
				OPTION_SLOT,
				{"--to", "FILE", true, "the file to write"},
				{"--force", NULL, false, "replace a file that exists"},
			},
		.output = "`ok`, `slot`: the id, `file`.",
		.run = cli_codex_export,
	},
	{
		.name = "codex-config",
		.summary = "prints or writes what the Codex CLI's config.toml needs to use the "
			   "relay",
		.details =
			"  api-key      the relay's token, in the variable CODEX_SLOT_RELAY_TOKEN\n"
			"  chatgpt      the CLI's own login; see codexClients.trustAccounts\n"
			"  chatgpt-tls  the CLI's built-in provider; the relay needs an https URL\n"
			"--write keeps every other byte of the file, and a copy of it beside it; "
			"keys "
			"that stand in the\nway become comments. --remove takes all that out "
			"again. "
			"docs/codex.md explains the modes.",
		.example = "codex-config --mode api-key --model gpt-5.5 --write",
		.options =
			{
				{"--mode", "MODE", false,
					"api-key (default), chatgpt or chatgpt-tls"},
				{"--model", "NAME", false, "default: the CLI's own choice"},
				{"--url", "URL", false,
					"how the CLI reaches the relay; default: as `listen` says"},
				{"--codex-home", "DIR", false,
					"where config.toml is; default: $CODEX_HOME or ~/.codex"},
				{"--write", NULL, false, "change the file"},
				{"--remove", NULL, false, "undo that"},
			},
		.output = "without --write and --remove the TOML text; else `ok`, `file`, "
			  "`changed`, `backup` (or null).",
		.run = cli_codex_config,
	},
	{
		.name = "client-config",
		.summary = "prints how another client is told of the relay",
		.details = "Clients: openai (environment of the SDKs), opencode, aider, curl. The "
			   "token is taken from the\nenvironment variable CODEX_SLOT_RELAY_TOKEN "
			   "and never printed.",
		.example = "client-config opencode --model gpt-5.5",
		.options =
			{
				{"--model", "NAME", false, "default: modelDefault"},
				{"--url", "URL", false,
					"how the client reaches the relay; default: as `listen` "
					"says"},
			},
		.output = "the text.",
		.run = cli_client_config,
		.operands = "openai | opencode | aider | curl",
		.operands_max = 1,
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
		.output = "`ok`, `slot`: the slot as in `slot-list`.",
		.run = cli_import_file,
	},
	{
		.name = "slot-list",
		.summary = "shows the slots with what is left of their limits",
		.example = "slot-list",
		.output =
			"`slots`: a list of `id`, `enabled`, `label`, `usage` (`usage5h`, "
			"`usageWeek`, `fivePct`, `weekPct`, `checkedAt`), `runtime` "
			"(`cooldownUntil`, `lastUsedAt`, `lastError`, `consecutiveFailures`), "
			"`busy`, `sourceMeta` (`email`, `emailLabel`, `accountId`, `profileId`, "
			"`expires`, `savedAt`, `usageFingerprint`), `plan`, `windows`, `inflight`, "
			"`state`, `eligible`, `reason`, `cooldownReason`, `priority`, `weight`, "
			"`expiresAt`, `credential` (`state`: `ok`, `none`, `refused`, `expired`, "
			"`no_refresh_token`, `in_doubt`, `reauth_required`; `grantedAt`, "
			"`expiresAt`, `refreshAfter`); `source`: `relay` when the running relay "
			"told"
			" them, else `files`.",
		.run = cli_slots_list,
	},
	{
		.name = "slot-enable",
		.summary = "lets requests use a slot",
		.example = "slot-enable --slot 2",
		.options = {OPTION_SLOT},
		.output = "`ok`, `slot`.",
		.run = cli_slots_enable,
	},
	{
		.name = "slot-disable",
		.summary = "keeps requests away from a slot",
		.example = "slot-disable --slot 2",
		.options = {OPTION_SLOT},
		.output = "`ok`, `slot`.",
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
		.output = "`ok`, `slot`.",
		.run = cli_slots_reset,
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
		.output = "`ok`, `slot`.",
		.run = cli_slots_set,
	},
	{
		.name = "slot-refresh",
		.summary = "gives a slot a new access token now",
		.details =
			"The relay does so by itself in time, also for disabled slots. It may run "
			"meanwhile:\nit uses the new token at once.",
		.example = "slot-refresh --slot 2",
		.options = {OPTION_SLOT},
		.output = "`ok`, `slot`.",
		.run = cli_refresh_slot,
	},
	{
		.name = "slot-remove",
		.summary = "deletes a slot with its credentials",
		.example = "slot-remove --slot 2",
		.options = {OPTION_SLOT},
		.output = "`ok`, `removed`: the id.",
		.run = cli_slots_remove,
	},
	{
		.name = "slot-usage-set",
		.summary = "sets what is left of a slot's limits by hand",
		.details =
			"Texts like '95% left', '95% left · resets 6d 3h' or '5% used'. The next "
			"answer of the usage\nbackend replaces them.",
		.example = "slot-usage-set --slot 2 --usage5h '95% left · resets 3h'",
		.options =
			{
				OPTION_SLOT,
				{"--usage5h", "TEXT", false, "the window of 5 hours"},
				{"--usageWeek", "TEXT", false, "the window of a week"},
			},
		.output = "`ok`, `slot`.",
		.run = cli_usage_set,
	},
	{
		.name = "refresh-usage",
		.summary =
			"asks the usage backend what is left of the slots' limits, and stores it",
		.details =
			"Ends with status 1 when no slot could be updated. A running relay takes "
			"the result over.",
		.example = "refresh-usage --slot 2",
		.options = {{"--slot", "N", false, "only this slot: 2 or slot-2"}},
		.output = "`updated`: a list of `id`, `usage5h`, `usageWeek`, `fivePct`, "
			  "`weekPct`, `checkedAt`; `failed`: of `id`, `reason`.",
		.run = cli_usage_refresh,
	},
	{
		.name = "setup",
		.summary = "legacy: init, sync-slots and refresh-usage in one",
		.details = "For the directory of an OpenClaw installation. Usage that cannot be "
			   "refreshed is only a warning.",
		.example = "setup",
		.options = {{"--force", NULL, false,
			"as of init and of sync-slots: rewrite the configuration, take all "
			"grants"}},
		.output = "`ok`, `runtimeRoot`, `sync` (as of sync-slots), `usage` (as of "
			  "refresh-usage).",
		.run = cli_openclaw_setup,
	},
	{
		.name = "sync-slots",
		.summary = "legacy: copies slots from the main OpenClaw store",
		.details = SYNC_DETAILS,
		.example = "sync-slots",
		.options = {OPTION_SYNC_FORCE},
		.output = SYNC_OUTPUT,
		.run = cli_openclaw_sync,
	},
	{
		.name = "slot-import-main",
		.summary = "legacy: the same as sync-slots",
		.details = SYNC_DETAILS,
		.example = "slot-import-main",
		.options = {OPTION_SYNC_FORCE},
		.output = SYNC_OUTPUT,
		.run = cli_openclaw_sync,
	},
	{
		.name = "slot-auth-copy-profile",
		.summary = "legacy: gives a slot the credentials of an OpenClaw profile",
		.details = "Reads ~/.openclaw-<profile>/agents/<agent>/agent/auth-profiles.json; "
			   "the profile\n\"main\" is ~/.openclaw.",
		.example = "slot-auth-copy-profile --slot 2 --label work --source-profile work",
		.options =
			{
				OPTION_SLOT,
				{"--label", "TEXT", false,
					"its name; default: the account's e-mail"},
				{"--source-profile", "NAME", true, "the OpenClaw profile"},
				{"--source-agent", "NAME", false, "its agent; default: main"},
			},
		.output = "`ok`, `slot`.",
		.run = cli_openclaw_copy_profile,
	},
	{
		.name = "slot-usage-copy-main",
		.summary = "legacy: copies a slot's usage from the main OpenClaw store",
		.example = "slot-usage-copy-main --slot 2",
		.options = {OPTION_SLOT},
		.output = "`ok`, `slot`.",
		.run = cli_openclaw_copy_usage,
	},
	{
		.name = "health",
		.summary = "shows the relay, its slots and warnings at a glance",
		.example = "health --json",
		.output =
			"`ok`, `time`, `version` (of this program), `runtimeRoot`, `listen`, "
			"`listeners`, "
			"`running`, `relay` (`state`: `up`, `down`, `silent`, `foreign`, `closed`, "
			"`other`; `address`, `version`, `problem`, and of one that is up "
			"`inflight`,"
			" `waiting`, `draining`), `source`, `slots` (count), `busy` (ids), "
			"`slotsDetail` (`total`, `enabled`, `eligible`), `nextRecovery` (`slot`, "
			"`reason`, `at`, or null), `selectionPolicy`, `backends` (`auth`, `usage`, "
			"`runner`), `unknownKeys`, `warnings`.",
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
		.output = "`ok`, `findings`: a list of `level` (`ok`, `warn`, `fail`), `check`, "
			  "`message`, `advice` (or null); `warnings`, `failures`: how many.",
		.run = cli_doctor,
	},
	{
		.name = "test-runner",
		.summary = "sends one prompt through one slot and prints the answer",
		.details =
			"Disabled slots and those in cooldown too. Nothing of the slot is changed "
			"but its usage, and\nits token when that must be refreshed. With "
			"runner.backend openclaw the prompt goes\nthrough a gateway that is "
			"started "
			"for it and ends with the command.",
		.example = "test-runner --slot 2 --prompt 'Say hello'",
		.options =
			{
				OPTION_SLOT,
				{"--prompt", "TEXT", true, "what is asked"},
				{"--model", "NAME", false,
					"default: modelDefault of the slot or of the "
					"configuration"},
			},
		.output = "`slot`, `sessionId`, `text`, `model`.",
		.run = cli_test_runner,
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
		.output =
			"`get`: `key`, `value`, `default`, `changed`. `set` and `unset`: `ok`, "
			"`key`, `value`, `needsRestart`. `list`: `keys` (each as of `get`), "
			"`unknownKeys`. `check`: `ok`, `file`, `unknownKeys`. Tokens are shown as "
			"`***`.",
		.run = cli_config,
		.operands = "get KEY | set KEY VALUE | unset KEY | list | check [FILE]",
		.operands_max = 3,
	},
	{
		.name = "tls-selfsign",
		.summary = "makes a certificate for the relay's TLS listener",
		.details =
			"Makes an authority and a certificate of it for localhost, 127.0.0.1, ::1 "
			"and the names given,\nin the runtime directory: tls/ca.pem, which clients "
			"must trust, tls/cert.pem and tls/key.pem.\nThe authority's key is kept "
			"nowhere: --force makes another authority. Nothing else is changed;\nwhat "
			"is left to do is printed. A running relay with a TLS listener takes a new "
			"certificate\nat once.",
		.example = "tls-selfsign --host relay.example.com --host 192.0.2.7",
		.options =
			{
				{"--host", "NAME", false,
					"a further host name or address; may be repeated", true},
				{"--days", "N", false, "how long it is good; default: 825"},
				{"--force", NULL, false, "replace what is there"},
			},
		.output = "`ok`, `ca`, `cert`, `key` (paths), `names`, `expiresAt`, `config` (keys "
			  "to set with their values), `environment` (`CODEX_CA_CERTIFICATE`).",
		.run = cli_tls_selfsign,
	},
	{
		.name = "dependency-map",
		.summary = "shows which parts of the relay need OpenClaw",
		.example = "dependency-map",
		.output =
			"`dependencyMap`: `auth`, `usage`, `runner` (`configuredBackend`, "
			"`supportedBackends`, `status`, `usedBy`), `stateControlPlane` (`backend`, "
			"`status`, `usedBy`).",
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
		.output = "the script.",
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
		.output = "the text.",
		.run = cli_help,
		.operands = "[command]",
		.operands_max = 1,
	},
	{
		.name = "routes",
		.summary = "prints the paths of the relay's API",
		.details = "docs/openapi.yaml describes them; a test compares the two.",
		.example = "routes",
		.run = cli_serve_routes,
		.hidden = true,
	},
	{
		.name = "cli-doc",
		.summary = "prints docs/cli.md",
		.example = "cli-doc",
		.run = cli_doc,
		.hidden = true,
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
