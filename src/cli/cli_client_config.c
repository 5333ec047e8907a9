/* How clients other than the Codex CLI are told of the relay. */
#include "cli/cli.h"
#include "cli/cli_client_url.h"
#include "cli/codex_toml.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>

/* {url} and {model} are filled in, {token} is the name of the environment variable. */
static const struct {
	const char *name;
	const char *text;
} clients[] = {
	{"openai",
		"# The OpenAI SDKs and what is built on them read these. The token is the relay's\n"
		"# authToken.\n"
		"export OPENAI_BASE_URL=\"{url}/v1\"\n"
		"export OPENAI_API_KEY=\"${token}\"\n"},
	{"opencode",
		"{\n"
		"  \"provider\": {\n"
		"    \"codex-slot-relay\": {\n"
		"      \"npm\": \"@ai-sdk/openai-compatible\",\n"
		"      \"name\": \"codex-slot-relay\",\n"
		"      \"options\": {\"baseURL\": \"{url}/v1\", \"apiKey\": \"{env:{token}}\"},\n"
		"      \"models\": {\"{model}\": {}}\n"
		"    }\n"
		"  },\n"
		"  \"model\": \"codex-slot-relay/{model}\"\n"
		"}\n"},
	{"aider", "export OPENAI_API_BASE=\"{url}/v1\"\n"
		  "export OPENAI_API_KEY=\"${token}\"\n"
		  "aider --model \"openai/{model}\"\n"},
	{"curl", "curl -sN \"{url}/v1/responses\" -H \"Authorization: Bearer ${token}\" \\\n"
		 "  -H 'Content-Type: application/json' \\\n"
		 "  --data '{\"model\":\"{model}\",\"input\":\"hello\",\"stream\":true}'\n"},
};

static const char *find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		if (strcmp(clients[i].name, name) == 0)
			return clients[i].text;
	}
	return NULL;
}

/* Model names are visible ASCII; what a shell or JSON would read is not among the usual ones. */
static bool is_plain(const char *text)
{
	return *text && !strpbrk(text, "\"'\\$` \t") && conf_names_is_name(sv_cstr(text));
}

static void fill_in(const char *text, const char *url, const char *model)
{
	const struct {
		struct sv name;
		const char *value;
	} holes[] = {
		{SV("{url}"), url},
		{SV("{model}"), model},
		{SV("{token}"), CODEX_TOML_TOKEN_VARIABLE},
	};
	struct sv rest = sv_cstr(text);

	while (rest.n) {
		size_t i = 0;

		while (i < ARRAY_LEN(holes) && !sv_starts(rest, holes[i].name))
			i++;
		if (i == ARRAY_LEN(holes)) {
			putchar(rest.p[0]);
			rest = sv_from(rest, 1);
		} else {
			fputs(holes[i].value, stdout);
			rest = sv_from(rest, holes[i].name.n);
		}
	}
}

static int refuse_name(const struct cli_context *ctx)
{
	const char *name = ctx->operand_count ? ctx->operands[0] : "";

	if (strcmp(name, "codex") == 0)
		return cli_fail(ctx, CLI_USAGE, "see codex-config");
	if (strcmp(name, "claude-code") == 0)
		return cli_fail(ctx, CLI_FAILED,
			"Claude Code needs the Messages API, which the relay does not serve");
	return cli_fail(ctx, CLI_USAGE, "say for which client: openai, opencode, aider or curl");
}

static int print_for(const struct cli_context *ctx, const char *text, const struct conf *conf)
{
	const char *model = cli_value(ctx, "--model");
	char *url;
	int status;

	if (!model)
		model = conf ? conf->default_model : "gpt-5.5";
	if (!is_plain(model))
		return cli_fail(ctx, CLI_USAGE, "--model takes the name of a model");
	status = cli_client_url(ctx, false, &url);
	if (status)
		return status;
	fill_in(text, url, model);
	free(url);
	return CLI_OK;
}

int cli_client_config(const struct cli_context *ctx)
{
	const char *text = ctx->operand_count ? find(ctx->operands[0]) : NULL;
	struct conf *conf = NULL;
	struct conf_error err;
	int status;

	if (!text)
		return refuse_name(ctx);
	if (conf_load(ctx->root, ctx->profile, &conf, &err))
		conf = NULL; /* --url may do without one */
	status = print_for(ctx, text, conf);
	conf_unref(conf);
	return status;
}
