#include "cli/cli_doctor.h"

#include "base/clock.h"
#include "cli/cli_print.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_SIZE = 1024 };

static const char *const level_names[] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_WARN] = "warn",
	[DOCTOR_FAIL] = "fail",
};

void cli_doctor_tell(struct doctor *d, enum doctor_level level, const char *check,
	const char *advice, const char *fmt, ...)
{
	json_t *finding = json_object();
	char text[TEXT_SIZE];
	json_t *message;
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	message = json_string(text);
	json_object_set_new(finding, "level", json_string(level_names[level]));
	json_object_set_new(finding, "check", json_string(check));
	/* A path may be no UTF-8, or cut inside a character. */
	json_object_set_new(
		finding, "message", message ? message : json_string("(a text that is not UTF-8)"));
	json_object_set_new(finding, "advice", advice ? json_string(advice) : json_null());
	json_array_append_new(d->findings, finding);
	d->warnings += level == DOCTOR_WARN;
	d->failures += level == DOCTOR_FAIL;
}

static void print_finding(const struct cli_context *ctx, const json_t *finding)
{
	enum { INDENT = 17 };
	static const enum cli_color colors[] = {CLI_GREEN, CLI_YELLOW, CLI_RED};
	const char *level = json_string_value(json_object_get(finding, "level"));
	const char *check = json_string_value(json_object_get(finding, "check"));
	const char *advice = json_string_value(json_object_get(finding, "advice"));
	enum cli_color color = CLI_PLAIN;

	for (size_t i = 0; i < ARRAY_LEN(level_names); i++) {
		if (strcmp(level, level_names[i]) == 0)
			color = colors[i];
	}
	cli_print_part(ctx, color, level);
	printf("%*s%-11s ", strlen(level) < 5 ? 5 - (int)strlen(level) : 1, "", check);
	cli_print_folded(INDENT, json_string_value(json_object_get(finding, "message")));
	if (!advice)
		return;
	printf("%*s", INDENT, "");
	cli_print_part(ctx, CLI_BOLD, "-> ");
	cli_print_folded(INDENT + 3, advice);
}

static void print_findings(const struct doctor *d)
{
	json_t *finding;
	size_t i;

	json_array_foreach(d->findings, i, finding)
	{
		print_finding(d->ctx, finding);
	}
	printf("\n%zu failed, %zu warnings, %zu ok\n", d->failures, d->warnings,
		json_array_size(d->findings) - d->failures - d->warnings);
}

static void print_json(const struct doctor *d)
{
	cli_print_json(json_pack("{s:b, s:O, s:I, s:I}", "ok", (int)(d->failures == 0), "findings",
		d->findings, "warnings", (json_int_t)d->warnings, "failures",
		(json_int_t)d->failures));
}

int cli_doctor(const struct cli_context *ctx)
{
	struct doctor d = {
		.ctx = ctx,
		.findings = json_array(),
		.now_ms = clock_wall_ms(),
	};
	bool failed;

	cli_doctor_state(&d);
	cli_doctor_files(&d);
	cli_doctor_tls(&d);
	cli_doctor_port(&d);
	cli_doctor_network(&d, cli_value(ctx, "--offline") != NULL);
	if (ctx->json)
		print_json(&d);
	else
		print_findings(&d);
	failed = d.failures > 0;
	slot_table_free(d.slots);
	conf_unref(d.conf);
	json_decref(d.findings);
	return failed ? CLI_FAILED : CLI_OK;
}
