#include "sim/sim_models.h"

#include "base/jw.h"
#include "base/limits.h"
#include "proto/url.h"
#include "sim/sim_accounts.h"

#include <stdio.h>

#define LIST_BYTES KIB(64)

enum model_plans { FOR_ALL, FOR_PAID, FOR_PRO };

struct model {
	struct sv slug;
	const char *name;
	enum model_plans plans;
	bool hidden;
	unsigned since; /* least client version that is shown it, as minor number */
	bool lite;	/* Codex clients send it their tools as an input item ("responses lite") */
};

static const struct model MODELS[] = {
	{{"gpt-6.1-sol", 11}, "GPT-6.1 Sol", FOR_PAID, false, 160, true},
	{{"gpt-6.1-terra", 13}, "GPT-6.1 Terra", FOR_PAID, false, 160, true},
	{{"gpt-6-astra", 11}, "GPT-6 Astra", FOR_PRO, false, 160, true},
	{{"gpt-6-sol", 9}, "GPT-6 Sol", FOR_PAID, false, 150, true},
	{{"gpt-6-luna", 10}, "GPT-6 Luna", FOR_ALL, false, 150, true},
	{{"gpt-5.6-sol", 11}, "GPT-5.6 Sol", FOR_PAID, false, 140, true},
	{{"gpt-5.6-terra", 13}, "GPT-5.6 Terra", FOR_PAID, false, 140, true},
	{{"gpt-5.6-luna", 12}, "GPT-5.6 Luna", FOR_ALL, false, 140, true},
	{{"gpt-5.5", 7}, "GPT-5.5", FOR_ALL, false, 0, false},
	{{"gpt-5.4", 7}, "GPT-5.4", FOR_ALL, false, 0, false},
	{{"gpt-5.4-mini", 12}, "GPT-5.4 mini", FOR_ALL, false, 0, false},
	{{"gpt-5.3-codex", 13}, "GPT-5.3 Codex", FOR_PAID, false, 0, false},
	{{"codex-auto-review", 17}, "Codex Auto Review", FOR_PAID, true, 0, true},
};

static const char PLANS_ALL[] = "[\"free\",\"go\",\"plus\",\"team\",\"business\",\"edu\","
				"\"prolite\",\"pro\",\"enterprise\"]";
static const char PLANS_PAID[] =
	"[\"go\",\"plus\",\"team\",\"business\",\"edu\",\"prolite\",\"pro\",\"enterprise\"]";
static const char PLANS_PRO[] = "[\"prolite\",\"pro\",\"enterprise\"]";

static const char *plans_of(const struct model *m)
{
	return m->plans == FOR_ALL ? PLANS_ALL : m->plans == FOR_PAID ? PLANS_PAID : PLANS_PRO;
}

static bool allows(const struct model *m, struct sv plan)
{
	char quoted[40];

	snprintf(quoted, sizeof(quoted), "\"%.*s\"", SV_ARG(plan));
	return strstr(plans_of(m), quoted) != NULL;
}

bool sim_models_has(struct sv slug, struct sv plan)
{
	for (size_t i = 0; i < ARRAY_LEN(MODELS); i++) {
		if (sv_eq(MODELS[i].slug, slug))
			return allows(&MODELS[i], plan);
	}
	return false;
}

static void write_model(struct jw *w, const struct model *m, size_t priority)
{
	char version[16];

	snprintf(version, sizeof(version), "0.%u.0", m->since);
	jw_obj(w);
	jw_kstr(w, "slug", m->slug);
	jw_kstr(w, "display_name", sv_cstr(m->name));
	jw_kstr(w, "description", SV("A simulated model."));
	jw_kraw(w, "supported_reasoning_levels",
		SV("[{\"effort\":\"low\",\"description\":\"Fast\"},{\"effort\":\"medium\","
		   "\"description\":\"Balanced\"},{\"effort\":\"high\",\"description\":\"Deep\"},"
		   "{\"effort\":\"xhigh\",\"description\":\"Deepest\"}]"));
	jw_klit(w, "default_reasoning_level", "medium");
	jw_klit(w, "shell_type", "unified_exec");
	jw_kstr(w, "visibility", m->hidden ? SV("hide") : SV("list"));
	jw_kbool(w, "supported_in_api", true);
	jw_ki64(w, "priority", (int64_t)priority);
	jw_kbool(w, "support_verbosity", true);
	jw_klit(w, "default_verbosity", "low");
	jw_kraw(w, "truncation_policy", SV("{\"mode\":\"tokens\",\"limit\":10000}"));
	jw_kraw(w, "experimental_supported_tools", SV("[]"));
	jw_klit(w, "base_instructions", "You are Codex, simulated.");
	jw_kbool(w, "supports_reasoning_summaries", true);
	jw_kbool(w, "supports_parallel_tool_calls", true);
	jw_kbool(w, "prefer_websockets", false);
	jw_ki64(w, "context_window", 272000);
	jw_ki64(w, "max_context_window", 272000);
	jw_kbool(w, "use_responses_lite", m->lite);
	jw_kraw(w, "tool_mode", m->lite ? SV("\"code_mode_only\"") : SV("null"));
	jw_kraw(w, "multi_agent_version", m->lite ? SV("\"v2\"") : SV("null"));
	jw_kbool(w, "supports_search_tool", true);
	jw_kbool(w, "supports_image_detail_original", true);
	jw_klit(w, "apply_patch_tool_type", "freeform");
	jw_kraw(w, "input_modalities", SV("[\"text\",\"image\"]"));
	jw_kraw(w, "available_in_plans", sv_cstr(plans_of(m)));
	jw_kstr(w, "minimal_client_version", sv_cstr(version));
	jw_end(w);
}

/* "0.169.0" -> 169; a missing or odd version sees everything. */
static unsigned minor_of(struct sv version)
{
	uint64_t major, minor;

	if (sv_u64(sv_split(&version, '.'), &major) || major > 0 ||
		sv_u64(sv_split(&version, '.'), &minor))
		return UINT32_MAX;
	return (unsigned)minor;
}

static void write_list(const struct sim_account *a, unsigned minor, struct buf *out)
{
	struct jw w = jw_begin(out);

	jw_obj(&w);
	jw_karr(&w, "models");
	for (size_t i = 0; i < ARRAY_LEN(MODELS); i++) {
		if (allows(&MODELS[i], sv_cstr(a->plan)) && MODELS[i].since <= minor)
			write_model(&w, &MODELS[i], i + 1);
	}
	jw_end(&w);
	jw_end(&w);
}

static void etag_of(const struct buf *list, char out[SIM_MODELS_ETAG_SIZE])
{
	snprintf(out, SIM_MODELS_ETAG_SIZE, "W/\"%016llx\"",
		(unsigned long long)sv_hash(buf_sv(list), SV_HASH_SEED));
}

void sim_models_etag(const struct sim_account *a, char out[SIM_MODELS_ETAG_SIZE])
{
	struct buf list;

	buf_init(&list, LIST_BYTES);
	write_list(a, UINT32_MAX, &list);
	etag_of(&list, out);
	buf_fini(&list);
}

void sim_models_handle(struct sim_txn *t)
{
	struct sv version = url_query_get(t->head->query, SV("client_version"));
	char etag[SIM_MODELS_ETAG_SIZE];
	struct http_header header = {SV("etag"), SV_NONE};
	struct buf list;

	if (!version.n) {
		sim_txn_detail(t, 400, "client_version is required");
		return;
	}
	buf_init(&list, LIST_BYTES);
	write_list(t->account, minor_of(version), &list);
	etag_of(&list, etag);
	header.value = sv_cstr(etag);
	if (sv_eq(sim_txn_header(t, SV("if-none-match")), header.value))
		sim_txn_respond_with(t, 304, SV_NONE, SV_NONE, header);
	else
		sim_txn_respond_with(t, 200, SV("application/json"), buf_sv(&list), header);
	buf_fini(&list);
}
