#include "slots/slot.h"

#include "base/ident.h"
#include "base/jscan.h"
#include "slots/catalogue.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	TRANSIENT_STREAK = 3,	      /* PROTOCOL 6: cooldown only after 3 in a row */
	BLOCKED_FIRST_MS = 15 * 1000, /* doubles with each further one */
	BLOCKED_MOST_MS = 600 * 1000,
	UNSUPPORTED_MS = 3600 * 1000, /* how long an entitlement refusal is believed */
};

static bool holds(struct sv text, const struct secret *token)
{
	return !secret_is_empty(token) && sv_find(text, secret_expose(token)) >= 0;
}

void slot_set_error(struct slot *s, const char *class_name, struct sv text)
{
	size_t most = sizeof(s->last_error) - 1;
	size_t n;

	if (holds(text, &s->access) || holds(text, &s->refresh))
		text = SV("(a text that repeats the token)");
	s->last_error[0] = '\0';
	if (class_name)
		snprintf(s->last_error, sizeof(s->last_error), "%.32s: ", class_name);
	n = strlen(s->last_error);
	while (text.n && n < most) {
		unsigned char c = (unsigned char)text.p[0];
		size_t length = c < 0x80 ? 1 : jscan_utf8(text.p, text.p + text.n);

		if (length > most - n)
			break;
		if (length == 0 || c < ' ' || c == 0x7f)
			s->last_error[n] = length ? ' ' : '?';
		else
			memcpy(s->last_error + n, text.p, length);
		n += length ? length : 1;
		text = sv_from(text, length ? length : 1);
	}
	s->last_error[n] = '\0';
}

void slot_clear_error(struct slot *s, const char *beginning)
{
	if (sv_starts(sv_cstr(s->last_error), sv_cstr(beginning)))
		s->last_error[0] = '\0';
}

static bool differ(const char *a, const char *b)
{
	return a && b && strcmp(a, b) != 0;
}

bool slot_is_account(const struct slot *s, const char *account_id, const char *user_id)
{
	return !differ(s->account_id, account_id) && !differ(s->user_id, user_id);
}

/* What was learnt of one account says nothing of another. */
static void forget_account(struct slot *s)
{
	s->meters = (struct meters){0};
	s->checked_at_ms = 0;
	s->cooldown_until_ms = 0;
	s->cooldown_reason[0] = '\0';
	s->failures = s->transient_streak = 0;
	s->last_error[0] = '\0';
	memset(s->unsupported, 0, sizeof(s->unsupported));
	free(s->usage_5h_text);
	free(s->usage_week_text);
	s->usage_5h_text = s->usage_week_text = NULL;
	catalogue_free(s->catalogue);
	s->catalogue = NULL;
}

static void take_name(char **place, char **name)
{
	free(*place);
	*place = *name;
	*name = NULL;
}

void slot_grant_fingerprint(const struct slot *s, char out[33])
{
	char both[2 * IDENT_HEX_SIZE];
	size_t n = IDENT_HEX_SIZE - 1;

	out[0] = '\0';
	if (secret_is_empty(&s->access))
		return;
	ident_fingerprint(secret_expose(&s->access), both);
	ident_fingerprint(secret_expose(&s->refresh), both + n);
	ident_fingerprint(sv_cstr(both), out);
}

static void note_spent(struct slot *s, enum credential_note note, bool same_refresh)
{
	bool known = same_refresh && s->refresh_state == SLOT_REFRESH_IN_DOUBT;

	if (!known)
		s->refresh_state =
			note == CREDENTIAL_UNSPENT ? SLOT_REFRESH_FREE : SLOT_REFRESH_NOTED;
	if (note == CREDENTIAL_DEAD)
		slot_require_reauth(s);
}

bool slot_take_credential(struct slot *s, struct credential *c)
{
	struct auth_grant *g = &c->grant;
	bool same_refresh = secret_equals(&s->refresh, secret_expose(&g->refresh));
	bool is_other =
		!secret_equals(&s->access, secret_expose(&g->access)) ||
		!(same_refresh || (secret_is_empty(&s->refresh) && secret_is_empty(&g->refresh)));
	bool is_first = secret_is_empty(&s->access);
	bool was_dead = s->reauth_required;
	char fingerprint[IDENT_HEX_SIZE];

	if (!slot_is_account(s, g->account_id, g->user_id))
		forget_account(s);
	if (is_other) {
		secret_copy(&s->access, &g->access);
		secret_copy(&s->refresh, &g->refresh);
		ident_fingerprint(secret_expose(&s->access), s->token_fingerprint);
		s->grants++;
		s->token_refused = false;
		s->refresh_after_ms = 0;
		s->refresh_failures = 0;
		slot_grant_fingerprint(s, fingerprint);
		if (strcmp(fingerprint, s->refused_fingerprint) != 0)
			s->reauth_required = false;
	}
	take_name(&s->account_id, &g->account_id);
	take_name(&s->user_id, &g->user_id);
	take_name(&s->email, &g->email);
	s->expires_ms = g->expires_ms;
	s->granted_ms = g->granted_ms;
	s->written_ms = g->written_ms;
	if (g->plan_type && !s->meters.plan_type[0])
		snprintf(s->meters.plan_type, sizeof(s->meters.plan_type), "%s", g->plan_type);
	note_spent(s, c->note, same_refresh);
	slot_clear_error(s, SLOT_FILE_ERROR);
	/* The first one is what a stored error is about, unless that was a dead one. */
	if (is_other && (!is_first || (was_dead && !s->reauth_required)))
		slot_clear_error(s, SLOT_REFRESH_ERROR);
	credential_fini(c);
	return is_other;
}

bool slot_needs_token(const struct slot *s, int64_t now_ms)
{
	return s->token_refused || (s->expires_ms && s->expires_ms <= now_ms);
}

bool slot_can_refresh(const struct slot *s)
{
	return !secret_is_empty(&s->refresh) && !s->reauth_required &&
	       s->refresh_state != SLOT_REFRESH_IN_DOUBT;
}

void slot_require_reauth(struct slot *s)
{
	s->reauth_required = true;
	slot_grant_fingerprint(s, s->refused_fingerprint);
}

struct codex_cred slot_cred(const struct slot *s)
{
	return (struct codex_cred){
		.access = &s->access,
		.account_id = sv_cstr(s->account_id),
		.base_url = sv_cstr(s->base_url),
	};
}

/* The window that stands for a kind: the month's when there is no week's. */
static enum meter_kind kind_in_use(const struct slot *s, enum meter_kind kind)
{
	if (kind == METER_WEEK && !s->meters.window[METER_WEEK].known)
		return METER_MONTH;
	return kind;
}

static int64_t length_ms_of(const struct meter *m, enum meter_kind kind)
{
	static const int64_t usual_minutes[METER_KINDS] = {
		[METER_5H] = 5 * 60,
		[METER_WEEK] = 7 * 24 * 60,
		[METER_MONTH] = 30 * 24 * 60,
	};

	return (m->window_minutes ? m->window_minutes : usual_minutes[kind]) * 60 * 1000;
}

static double left_of(const struct meter *m, int64_t ends_ms, int64_t now_ms)
{
	double left;

	/* A window of which nobody told the reset must not lock the slot out for ever. */
	if (!m->resets_at_s && ends_ms && now_ms >= ends_ms)
		return -1;
	left = 100.0 - meter_used_at(m, now_ms / 1000);
	return left < 0 ? 0 : left;
}

struct slot_window slot_window_at(const struct slot *s, enum meter_kind kind, int64_t now_ms)
{
	enum meter_kind used = kind_in_use(s, kind);
	const struct meter *m = &s->meters.window[used];
	struct slot_window w = {-1, 0, 0};

	if (!m->known)
		return w;
	w.length_ms = length_ms_of(m, used);
	if (m->resets_at_s)
		w.ends_ms = m->resets_at_s * 1000;
	else if (s->checked_at_ms)
		w.ends_ms = s->checked_at_ms + w.length_ms;
	w.left_pct = left_of(m, w.ends_ms, now_ms);
	return w;
}

int64_t slot_window_ends_ms(const struct slot *s, enum meter_kind kind)
{
	return slot_window_at(s, kind, 0).ends_ms;
}

double slot_left_pct(const struct slot *s, enum meter_kind kind, int64_t now_ms)
{
	return slot_window_at(s, kind, now_ms).left_pct;
}

bool slot_model_is_unsupported(const struct slot *s, uint64_t model_hash, int64_t now_ms)
{
	for (size_t i = 0; i < SLOT_UNSUPPORTED_MAX; i++) {
		const struct slot_unsupported *u = &s->unsupported[i];

		/* They fill up in order. */
		if (!u->until_ms)
			break;
		if (u->model_hash == model_hash && u->until_ms > now_ms)
			return true;
	}
	return false;
}

void slot_reset(struct slot *s)
{
	s->cooldown_until_ms = 0;
	s->cooldown_reason[0] = '\0';
	s->last_error[0] = '\0';
	s->failures = 0;
	s->transient_streak = 0;
	s->dead = false;
	memset(s->unsupported, 0, sizeof(s->unsupported));
}

static void remember_unsupported(struct slot *s, uint64_t model_hash, int64_t now_ms)
{
	struct slot_unsupported *oldest = &s->unsupported[0];

	for (size_t i = 0; i < SLOT_UNSUPPORTED_MAX; i++) {
		struct slot_unsupported *u = &s->unsupported[i];

		if (u->model_hash == model_hash) {
			oldest = u;
			break;
		}
		if (u->until_ms < oldest->until_ms)
			oldest = u;
	}
	*oldest = (struct slot_unsupported){model_hash, now_ms + UNSUPPORTED_MS};
}

static void on_success(struct slot *s, const struct slot_verdict *v, int64_t now_ms)
{
	s->last_used_ms = now_ms;
	/* A stream that began before the slot ran dry proves nothing about what came after. */
	if (v->outdated && s->cooldown_until_ms > now_ms)
		return;
	s->last_error[0] = '\0';
	s->cooldown_reason[0] = '\0';
	s->cooldown_until_ms = 0;
	s->failures = 0;
	s->transient_streak = 0;
}

static int64_t blocked_ms(const struct slot *s)
{
	unsigned doublings = s->failures > 1 ? s->failures - 1 : 0;
	int64_t wait = BLOCKED_FIRST_MS;

	while (doublings-- && wait < BLOCKED_MOST_MS)
		wait *= 2;
	return wait < BLOCKED_MOST_MS ? wait : BLOCKED_MOST_MS;
}

/* How long a failure keeps the slot out when upstream named no time. */
static int64_t usual_cooldown_ms(
	const struct slot *s, const struct failure *f, const struct cooldown_conf *c)
{
	switch (f->class) {
	case FAILURE_QUOTA:
		return c->quota_s * 1000;
	case FAILURE_BLOCKED:
		return blocked_ms(s);
	default:
		return c->generic_s * 1000;
	}
}

/* Upstream's own time counts alone; ours never shortens a cooldown that runs already. */
static void cool_down(
	struct slot *s, const struct failure *f, const struct cooldown_conf *c, int64_t now_ms)
{
	int64_t until_ms = f->until_ms;

	if (until_ms <= now_ms) {
		until_ms = now_ms + usual_cooldown_ms(s, f, c);
		if (until_ms <= s->cooldown_until_ms)
			return;
	}
	s->cooldown_until_ms = until_ms;
	s->cooldowns++;
	snprintf(
		s->cooldown_reason, sizeof(s->cooldown_reason), "%s", failure_class_name(f->class));
}

/*
 * A refusal of a token that was replaced meanwhile is nobody's failure. Else a refresh may help,
 * but not when it brought this very token.
 */
static void refuse_token(struct slot *s, const struct slot_verdict *v)
{
	s->token_refused = true;
	if (v->refreshed || !slot_can_refresh(s))
		slot_require_reauth(s);
}

static bool is_about_former_token(const struct slot *s, const struct slot_verdict *v)
{
	return v->failure->class == FAILURE_AUTH && v->token &&
	       strcmp(v->token, s->token_fingerprint) != 0;
}

/* What the class of a failure does to its slot (PROTOCOL 6). */
static void punish(struct slot *s, const struct slot_verdict *v, const struct cooldown_conf *conf,
	int64_t now_ms)
{
	const struct failure *f = v->failure;

	switch (f->class) {
	case FAILURE_RATE_LIMIT:
	case FAILURE_QUOTA:
	case FAILURE_BLOCKED:
		cool_down(s, f, conf, now_ms);
		break;
	case FAILURE_AUTH:
		refuse_token(s, v);
		break;
	case FAILURE_DEAD:
		s->enabled = false;
		s->dead = true;
		break;
	case FAILURE_TRANSIENT:
		if (++s->transient_streak >= TRANSIENT_STREAK)
			cool_down(s, f, conf, now_ms);
		break;
	default:
		break; /* network, truncated, idle, protocol: no cooldown */
	}
}

static void on_failure(struct slot *s, const struct slot_verdict *v,
	const struct cooldown_conf *conf, int64_t now_ms)
{
	const struct failure *f = v->failure;

	if (is_about_former_token(s, v) || f->of_socket)
		return;
	switch (f->class) {
	case FAILURE_NONE:
	case FAILURE_CLIENT:
	case FAILURE_BLOB:
	case FAILURE_CLASSES:
		return; /* nobody's or the client's fault: the slot is as good as before */
	case FAILURE_ENTITLEMENT:
		remember_unsupported(s, v->model_hash, now_ms);
		return;
	default:
		break;
	}
	/* Requests that ran side by side fail together: that is one failure, not many in a row. */
	if (!v->outdated)
		s->failures++;
	/* The operator may know what clients are not told: upstream's own words. */
	slot_set_error(s, failure_class_name(f->class),
		sv_cstr(f->detail[0] ? f->detail : f->err.message));
	punish(s, v, conf, now_ms);
}

static bool is_out(const struct slot *s, int64_t now_ms)
{
	return !s->enabled || s->reauth_required || s->cooldown_until_ms > now_ms;
}

bool slot_apply_verdict(struct slot *s, const struct slot_verdict *v,
	const struct cooldown_conf *conf, int64_t now_ms)
{
	bool was_out = is_out(s, now_ms);

	if (v->meters) {
		meters_merge(&s->meters, v->meters);
		s->checked_at_ms = now_ms;
	}
	if (v->kind == VERDICT_SUCCESS)
		on_success(s, v, now_ms);
	else if (v->kind == VERDICT_FAILURE)
		on_failure(s, v, conf, now_ms);
	return was_out != is_out(s, now_ms);
}
