#include "sim/sim_usage.h"

#include "base/jw.h"
#include "base/limits.h"
#include "sim/sim_accounts.h"

static void write_window(
	struct jw *w, const char *key, const struct sim_window *window, int64_t now)
{
	jw_key_lit(w, sv_cstr(key));
	if (!window->present) {
		jw_null(w);
		return;
	}
	jw_obj(w);
	jw_ki64(w, "used_percent", (int64_t)window->used_percent);
	jw_ki64(w, "limit_window_seconds", window->length_s);
	jw_ki64(w, "reset_after_seconds", window->reset_at_s - now);
	jw_ki64(w, "reset_at", window->reset_at_s);
	jw_end(w);
}

static void write_limits(struct jw *w, struct sim_account *a)
{
	bool full = sim_account_full_window(a) != NULL;
	int64_t now = sim_now_s(a->sim);

	jw_kobj(w, "rate_limit");
	jw_kbool(w, "allowed", !full);
	jw_kbool(w, "limit_reached", full);
	write_window(w, "primary_window", &a->primary, now);
	write_window(w, "secondary_window", &a->secondary, now);
	jw_end(w);
	jw_knull(w, "additional_rate_limits");
	jw_kobj(w, "credits");
	jw_kbool(w, "has_credits", a->credits);
	jw_kbool(w, "unlimited", a->credits_unlimited);
	jw_key_lit(w, SV("balance"));
	if (a->credits_balance[0])
		jw_str(w, sv_cstr(a->credits_balance));
	else
		jw_null(w);
	jw_end(w);
	jw_knull(w, "spend_control");
	jw_key_lit(w, SV("rate_limit_reached_type"));
	if (full)
		jw_raw(w, SV("{\"type\":\"rate_limit_reached\"}"));
	else
		jw_null(w);
	jw_kobj(w, "rate_limit_reset_credits");
	jw_ki64(w, "available_count", a->reset_credits);
	jw_end(w);
	jw_knull(w, "rate_limit_upsell");
}

void sim_usage_handle(struct sim_txn *t)
{
	struct sim_account *a = t->account;
	struct buf out;
	struct jw w;

	buf_init(&out, KIB(8));
	w = jw_begin(&out);
	jw_obj(&w);
	jw_kstr(&w, "user_id", sv_cstr(a->user_id));
	jw_kstr(&w, "account_id", sv_cstr(a->uuid));
	jw_kstr(&w, "email", sv_cstr(a->email));
	jw_kstr(&w, "plan_type", sv_cstr(a->plan));
	write_limits(&w, a);
	jw_end(&w);
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_usage_credits(struct sim_txn *t)
{
	struct buf out;

	buf_init(&out, KIB(1));
	buf_addf(&out, "{\"available_count\":%lld,\"credits\":[]}",
		(long long)t->account->reset_credits);
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_usage_consume_credit(struct sim_txn *t)
{
	struct sim_account *a = t->account;

	if (a->reset_credits <= 0) {
		sim_txn_detail(t, 400, "No reset credits available");
		return;
	}
	a->reset_credits--;
	a->primary.used_percent = 0;
	a->secondary.used_percent = 0;
	sim_txn_json(t, 200, SV("{\"success\":true}"));
}

void sim_usage_accounts_check(struct sim_txn *t)
{
	const struct sim_account *a = t->account;
	struct buf out;

	buf_init(&out, KIB(2));
	buf_addf(&out,
		"{\"accounts\":[{\"id\":\"%s\",\"plan_type\":\"%s\",\"workspace_backend_origin\":"
		"\"NO_CONSTRAINT\",\"account_routing_override\":\"NO_CONSTRAINT\",\"name\":null,"
		"\"profile_picture_url\":null,\"structure\":\"personal\"}],\"account_ordering\":["
		"\"%s\"],"
		"\"default_account_id\":\"%s\"}",
		a->uuid, a->plan, a->uuid, a->uuid);
	sim_txn_json(t, 200, buf_sv(&out));
	buf_fini(&out);
}

void sim_usage_settings(struct sim_txn *t)
{
	sim_txn_json(t, 200, SV("{\"commit_attribution_enabled\":false}"));
}

void sim_usage_analytics(struct sim_txn *t)
{
	sim_txn_json(t, 200, SV("{}"));
}
