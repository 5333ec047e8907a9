#include "cli/cli.h"

#include "conf/conf_table.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "slots/store.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * What may stand somewhere, by a name: the shells ask for dynamic words by calling
 * `completion-words NAME`, which must be quick and silent.
 */
static const char *kind_of_option(const struct cli_option *o)
{
	if (strcmp(o->name, "--slot") == 0)
		return "slots";
	if (strcmp(o->value, "FILE") == 0)
		return "files";
	if (strcmp(o->value, "DIR") == 0)
		return "directories";
	return "nothing";
}

/* --- the words --- */

static void print_slots(const struct cli_context *ctx)
{
	char *path = runtime_slots_path(ctx->root);
	json_t *doc = NULL, *record;
	char problem[256], id[LIMIT_SLOT_ID_BYTES];
	size_t i;

	if (json_file_read(path, LIMIT_STATE_FILE_BYTES, &doc, problem, sizeof(problem)) == 0) {
		json_array_foreach(json_object_get(doc, "slots"), i, record)
		{
			const char *text = json_string_value(json_object_get(record, "id"));

			if (text && store_slot_id(text, id) == 0)
				printf("%s\n", id);
		}
	}
	json_decref(doc);
	free(path);
}

static void print_keys(const struct cli_context *ctx)
{
	size_t count;
	const struct conf_key *rows = conf_table(&count);

	(void)ctx;
	for (size_t i = 0; i < count; i++)
		printf("%s\n", rows[i].name);
}

static void print_commands(const struct cli_context *ctx)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	(void)ctx;
	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			printf("%s\n", commands[i].name);
	}
}

static const struct word_list {
	const char *name;
	void (*print)(const struct cli_context *ctx);
} word_lists[] = {
	{"slots", print_slots},
	{"keys", print_keys},
	{"commands", print_commands},
};

int cli_completion_words(const struct cli_context *ctx)
{
	for (size_t i = 0; i < ARRAY_LEN(word_lists); i++) {
		if (ctx->operand_count && strcmp(word_lists[i].name, ctx->operands[0]) == 0)
			word_lists[i].print(ctx);
	}
	return CLI_OK;
}

/* --- bash --- */

/* The words that may stand behind a command, by place; "@kind" is a list of words. */
struct operands {
	const char *command;
	const char *first, *second; /* second: behind one of the first */
};

static const struct operands operand_words[] = {
	{"config", "get set unset list check", "@keys"},
	{"client-config", "openai opencode aider curl", ""},
	{"completion", "bash zsh fish", ""},
	{"help", "@commands", ""},
};

static const struct operands *operands_of(const char *command)
{
	static const struct operands none = {"", "", ""};

	for (size_t i = 0; i < ARRAY_LEN(operand_words); i++) {
		if (strcmp(operand_words[i].command, command) == 0)
			return &operand_words[i];
	}
	return &none;
}

static void print_global_names(void)
{
	for (const struct cli_option *o = cli_global_options(); o->name; o++)
		printf(" %s", o->name);
}

static void bash_case(const struct cli_command *c)
{
	const struct operands *w = operands_of(c->name);

	printf("\t%s)\n\t\toptions=\"", c->name);
	for (const struct cli_option *o = c->options; o->name; o++)
		printf("%s%s", o == c->options ? "" : " ", o->name);
	printf("\"\n\t\tfirst=\"%s\" second=\"%s\"\n\t\t;;\n", w->first, w->second);
}

/* Did a command before this one have an option of the name? It means the same everywhere. */
static bool is_known_before(const struct cli_command *commands, size_t index, const char *name)
{
	for (size_t i = 0; i < index; i++) {
		for (const struct cli_option *o = commands[i].options; o->name; o++) {
			if (o->value && strcmp(o->name, name) == 0)
				return true;
		}
	}
	return false;
}

/* One line an option that takes a value. */
static void bash_values(void)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (const struct cli_option *o = cli_global_options(); o->name; o++) {
		if (o->value)
			printf("\t%s) echo %s ;;\n", o->name, kind_of_option(o));
	}
	for (size_t i = 0; i < count; i++) {
		for (const struct cli_option *o = commands[i].options; o->name; o++) {
			if (o->value && !is_known_before(commands, i, o->name))
				printf("\t%s) echo %s ;;\n", o->name, kind_of_option(o));
		}
	}
}

static const char bash_head[] =
	"# bash completion of codex-slot-relay; made by `codex-slot-relay completion bash`.\n"
	"# Load it: source <(codex-slot-relay completion bash)\n"
	"\n"
	"# What the value of an option is; nothing for a flag.\n"
	"_codex_slot_relay_kind() {\n"
	"\tcase $1 in\n";

static const char bash_middle[] =
	"\tesac\n"
	"}\n"
	"\n"
	"_codex_slot_relay_words() {\n"
	"\tlocal root=()\n"
	"\t[[ -n $runtime_root ]] && root=(--runtime-root \"${runtime_root/#\\~/$HOME}\")\n"
	"\t\"${program/#\\~/$HOME}\" \"${root[@]}\" completion-words \"$1\" 2>/dev/null\n"
	"}\n"
	"\n"
	"_codex_slot_relay_reply() {\n"
	"\tmapfile -t COMPREPLY < <(compgen \"${@:2}\" -- \"$1\")\n"
	"}\n"
	"\n"
	"_codex_slot_relay() {\n"
	"\tlocal program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} runtime_root= command=\n"
	"\tlocal options= first= second= kind= words= given=0 option i\n"
	"\tCOMPREPLY=()\n"
	"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
	"\t\tcase ${COMP_WORDS[i]} in\n"
	"\t\t--*)\n"
	"\t\t\toption=${COMP_WORDS[i]}\n"
	"\t\t\tkind=$(_codex_slot_relay_kind \"$option\")\n"
	"\t\t\t[[ -z $kind ]] && continue\n"
	"\t\t\t((++i))\n"
	"\t\t\t((i < COMP_CWORD)) && [[ ${COMP_WORDS[i]} == '=' ]] && ((++i))\n"
	"\t\t\t((i >= COMP_CWORD)) && break\n"
	"\t\t\t[[ $option == --runtime-root ]] && runtime_root=${COMP_WORDS[i]}\n"
	"\t\t\tkind=\n"
	"\t\t\t;;\n"
	"\t\t*)\n"
	"\t\t\tif [[ -z $command ]]; then command=${COMP_WORDS[i]}; else ((++given)); fi\n"
	"\t\t\t;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t[[ $word == '=' ]] && word=\n"
	"\tcase $kind in\n"
	"\tfiles)\n"
	"\t\t_codex_slot_relay_reply \"$word\" -f\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\treturn\n"
	"\t\t;;\n"
	"\tdirectories)\n"
	"\t\t_codex_slot_relay_reply \"$word\" -d\n"
	"\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\treturn\n"
	"\t\t;;\n"
	"\tslots)\n"
	"\t\t_codex_slot_relay_reply \"$word\" -W \"$(_codex_slot_relay_words slots)\"\n"
	"\t\treturn\n"
	"\t\t;;\n"
	"\tnothing) return ;;\n"
	"\tesac\n"
	"\tcase $command in\n"
	"\t'')\n"
	"\t\tfirst=\"@commands\"\n"
	"\t\t;;\n";

static const char bash_tail[] =
	"\tesac\n"
	"\tif [[ $word == -* ]]; then\n"
	"\t\twords=\"$options $globals\"\n"
	"\telif ((given == 0)); then\n"
	"\t\twords=$first\n"
	"\telif ((given == 1)); then\n"
	"\t\twords=$second\n"
	"\tfi\n"
	"\t[[ $words == @* ]] && words=$(_codex_slot_relay_words \"${words#@}\")\n"
	"\t_codex_slot_relay_reply \"$word\" -W \"$words\"\n"
	"}\n"
	"\n"
	"complete -F _codex_slot_relay codex-slot-relay\n";

static void print_bash(void)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	fputs(bash_head, stdout);
	bash_values();
	fputs(bash_middle, stdout);
	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			bash_case(&commands[i]);
	}
	printf("\tesac\n\tlocal globals=\"");
	print_global_names();
	/* The case that bash_tail closes: operands that depend on the words before. */
	printf("\"\n\tcase $command:${COMP_WORDS[COMP_CWORD - 1]} in\n"
	       "\tconfig:list) second= ;;\n"
	       "\tconfig:check) _codex_slot_relay_reply \"$word\" -f; return ;;\n");
	fputs(bash_tail, stdout);
}

/* --- zsh --- */

/* Inside '...' and a [description]. */
static void print_zsh_text(const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", stdout);
		else if (strchr("[]:\\", *text))
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static void print_zsh_option(const struct cli_option *o)
{
	static const char *const actions[][2] = {
		{"slots", "_codex_slot_relay_words slots"},
		{"files", "_files"},
		{"directories", "_files -/"},
		{"nothing", " "},
	};

	printf(" '%s[", o->name);
	print_zsh_text(o->help);
	putchar(']');
	for (size_t i = 0; o->value && i < ARRAY_LEN(actions); i++) {
		if (strcmp(actions[i][0], kind_of_option(o)) == 0)
			printf(":%s:%s", o->value, actions[i][1]);
	}
	putchar('\'');
}

static void print_zsh_operand(int place, const char *words)
{
	if (!*words)
		return;
	if (*words == '@')
		printf(" '%d: :_codex_slot_relay_words %s'", place, words + 1);
	else
		printf(" '%d: :(%s)'", place, words);
}

static void print_zsh_command(const struct cli_command *c)
{
	const struct operands *w = operands_of(c->name);

	printf("\t%s)\n\t\t_arguments $globals", c->name);
	for (const struct cli_option *o = c->options; o->name; o++)
		print_zsh_option(o);
	print_zsh_operand(1, w->first);
	print_zsh_operand(2, w->second);
	printf("\n\t\t;;\n");
}

static void print_zsh_names(void)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	for (size_t i = 0; i < count; i++) {
		if (commands[i].hidden)
			continue;
		printf("\t\t\t'%s:", commands[i].name);
		print_zsh_text(commands[i].summary);
		printf("'\n");
	}
}

static void print_zsh(void)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	fputs("#compdef codex-slot-relay\n"
	      "# zsh completion; made by `codex-slot-relay completion zsh`.\n"
	      "# Put it as _codex_slot_relay into a directory of $fpath.\n\n"
	      "# The last argument names the words; those before it are for compadd.\n"
	      "_codex_slot_relay_words() {\n"
	      "\tlocal -a found root\n"
	      "\t[[ -n $runtime_root ]] && root=(--runtime-root $runtime_root)\n"
	      "\tfound=(${(f)\"$(codex-slot-relay $root completion-words $argv[-1] "
	      "2>/dev/null)\"})\n"
	      "\tcompadd \"${(@)argv[1,-2]}\" -a found\n"
	      "}\n\n"
	      "_codex_slot_relay() {\n"
	      "\tlocal curcontext=$curcontext state runtime_root\n"
	      "\tlocal -a commands globals line\n"
	      "\tlocal -A opt_args\n"
	      "\tglobals=(",
		stdout);
	for (const struct cli_option *o = cli_global_options(); o->name; o++)
		print_zsh_option(o);
	printf(" )\n\t_arguments -C $globals '1: :->command' '*:: :->rest'\n"
	       "\truntime_root=${~${(Q)opt_args[--runtime-root]}}\n"
	       "\tcase $state in\n\tcommand)\n\t\tcommands=(\n");
	print_zsh_names();
	printf("\t\t)\n\t\t_describe command commands\n\t\treturn\n\t\t;;\n\tesac\n"
	       "\tcase $line[1] in\n");
	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			print_zsh_command(&commands[i]);
	}
	fputs("\tesac\n}\n\n"
	      "if [[ $funcstack[1] == _codex_slot_relay ]]; then\n"
	      "\t_codex_slot_relay \"$@\"\n"
	      "else\n"
	      "\tcompdef _codex_slot_relay codex-slot-relay\n"
	      "fi\n",
		stdout);
}

/* --- fish --- */

static void print_fish_text(const char *text)
{
	putchar('\'');
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('\'');
}

static void print_fish_option(const struct cli_option *o, const char *condition)
{
	const char *kind = o->value ? kind_of_option(o) : "";

	printf("complete -c codex-slot-relay%s -l %s", condition, o->name + 2);
	if (strcmp(kind, "slots") == 0)
		printf(" -x -a '(__codex_slot_relay_words slots)'");
	else if (strcmp(kind, "files") == 0)
		printf(" -r -F");
	else if (strcmp(kind, "directories") == 0)
		printf(" -x -a '(__fish_complete_directories)'");
	else if (o->value)
		printf(" -x");
	printf(" -d ");
	print_fish_text(o->help);
	putchar('\n');
}

static void print_fish_operands(const char *command, const char *words, const char *extra)
{
	if (!*words)
		return;
	printf("complete -c codex-slot-relay -n '__fish_seen_subcommand_from %s%s' -a ", command,
		extra);
	if (*words == '@')
		printf("'(__codex_slot_relay_words %s)'\n", words + 1);
	else
		printf("'%s'\n", words);
}

static void print_fish_command(const struct cli_command *c)
{
	const struct operands *w = operands_of(c->name);
	char condition[96];

	printf("complete -c codex-slot-relay -n __fish_use_subcommand -a %s -d ", c->name);
	print_fish_text(c->summary);
	putchar('\n');
	snprintf(condition, sizeof(condition), " -n '__fish_seen_subcommand_from %s'", c->name);
	for (const struct cli_option *o = c->options; o->name; o++)
		print_fish_option(o, condition);
	print_fish_operands(c->name, w->first, "");
	print_fish_operands(c->name, w->second, "; and __fish_seen_subcommand_from get set unset");
}

static void print_fish(void)
{
	size_t count;
	const struct cli_command *commands = cli_commands(&count);

	fputs("# fish completion; made by `codex-slot-relay completion fish`.\n"
	      "# Put it into ~/.config/fish/completions/codex-slot-relay.fish.\n\n"
	      "function __codex_slot_relay_words\n"
	      "\tset -l words (commandline -opc)\n"
	      "\tset -l root\n"
	      "\tif set -l at (contains -i -- --runtime-root $words)\n"
	      "\t\tset root --runtime-root $words[(math $at + 1)]\n"
	      "\tend\n"
	      "\tcodex-slot-relay $root completion-words $argv[1] 2>/dev/null\n"
	      "end\n\n"
	      "complete -c codex-slot-relay -f\n",
		stdout);
	for (const struct cli_option *o = cli_global_options(); o->name; o++)
		print_fish_option(o, "");
	for (size_t i = 0; i < count; i++) {
		if (!commands[i].hidden)
			print_fish_command(&commands[i]);
	}
}

int cli_completion(const struct cli_context *ctx)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};
	const char *word = ctx->operand_count ? ctx->operands[0] : "";

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(shells[i].name, word) == 0) {
			shells[i].print();
			return CLI_OK;
		}
	}
	return cli_fail(ctx, CLI_USAGE, "of which shell: bash, zsh or fish?");
}
