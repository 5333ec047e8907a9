#include "slots/refresh_job.h"

#include "base/clock.h"
#include "base/durable.h"
#include "base/fault.h"
#include "base/ident.h"
#include "base/log.h"
#include "slots/credential_lock.h"
#include "slots/oauth.h"
#include "slots/refresh_plan.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum state { READ, NOTE, ASK, RECHECK, DROP, SAVE, UNSAVED, DONE, STATES };
enum { PAUSE_MS = 5000, RESAVE_FIRST_MS = 1000, RESAVE_MOST_MS = 30 * 1000, PROBLEM_SIZE = 256 };

#define BIT(s) (1u << (s))

static const unsigned legal_moves[STATES] = {
	[READ] = BIT(READ) | BIT(NOTE) | BIT(DONE),
	[NOTE] = BIT(ASK) | BIT(DROP) | BIT(DONE),
	[ASK] = BIT(SAVE) | BIT(DROP) | BIT(RECHECK) | BIT(DONE),
	[RECHECK] = BIT(DONE),
	[DROP] = BIT(DONE),
	[SAVE] = BIT(UNSAVED) | BIT(DONE),
	[UNSAVED] = BIT(SAVE),
};

struct refresh_job {
	struct slot_env *env;
	enum state state;
	char id[LIMIT_SLOT_ID_BYTES];
	char *auth_file;
	char refused[IDENT_HEX_SIZE];
	bool early;
	const struct refresh_job_ops *ops;
	void *arg;
	bool told;
	bool asked;
	bool working;  /* a pool thread works for it */
	bool stopping; /* no request goes out any more */

	int lock; /* -1 not held */
	int err;  /* of the pool's work */
	char problem[PROBLEM_SIZE];
	unsigned first_grants;	   /* the slot's at the beginning */
	unsigned grants;	   /* the slot's when the file was read */
	bool found_newer;	   /* the file holds another grant than the one that was spent */
	struct credential in_file; /* what the pool read */
	struct secret spent;	   /* the refresh token that was sent */
	struct auth_grant granted; /* the issuer's answer, complete */
	struct call *call;
	struct timer resave;
	unsigned saves;
};

static const char in_doubt[] =
	"log in again before the token ends, for it cannot be refreshed any more";

static void set_state(struct refresh_job *j, enum state next)
{
	assert(legal_moves[j->state] & BIT(next));
	j->state = next;
}

/* NULL also when it has no address any more: then it has no use for a token (slot.h). */
static struct slot *slot_of(struct refresh_job *j)
{
	struct slot *s = slot_table_find(j->env->table, j->id);

	return s && s->base_url ? s : NULL;
}

static void work(struct refresh_job *j, void (*on_pool)(void *arg), void (*on_loop)(void *arg))
{
	assert(!j->working);
	j->working = true;
	loop_work(j->env->loop, on_pool, on_loop, j);
}

static void unlock(struct refresh_job *j)
{
	durable_unlock(j->lock);
	j->lock = -1;
}

static void tell(struct refresh_job *j, enum refresh_end end)
{
	struct slot *s = slot_of(j);

	if (j->told)
		return;
	j->told = true;
	if (s && end != REFRESH_END_LOCKED &&
		(end != REFRESH_END_READY || j->asked || s->grants != j->first_grants))
		slot_table_changed(j->env->table, s);
	j->ops->on_told(j->arg, end);
}

static void end(struct refresh_job *j, enum refresh_end result)
{
	set_state(j, DONE);
	unlock(j);
	tell(j, result);
	j->ops->on_end(j->arg);
}

/* What the slot can do as it stands now. */
static enum refresh_end standing(const struct slot *s)
{
	if (!s)
		return REFRESH_END_FAILED;
	if (s->reauth_required)
		return REFRESH_END_REAUTH;
	return slot_needs_token(s, clock_wall_ms()) ? REFRESH_END_FAILED : REFRESH_END_READY;
}

static void end_as_it_stands(struct refresh_job *j)
{
	end(j, standing(slot_of(j)));
}

/* --- failures --- */

static void back_off(struct slot *s, int64_t asked_ms)
{
	s->refresh_failures++;
	s->refresh_after_ms =
		clock_wall_ms() + refresh_plan_backoff_ms(s->refresh_failures, asked_ms);
}

static void set_error(struct slot *s, const char *what, const char *why)
{
	char text[PROBLEM_SIZE + 128];

	snprintf(text, sizeof(text), "%s: %s", what, why);
	slot_set_error(s, "refresh", sv_cstr(text)); /* SLOT_REFRESH_ERROR */
}

/* Nothing was spent: later again. */
static void end_failed(struct refresh_job *j, const char *what, int64_t asked_ms)
{
	struct slot *s = slot_of(j);

	if (s) {
		set_error(s, what, j->problem);
		back_off(s, asked_ms);
	}
	end_as_it_stands(j);
}

static void lose_token(struct slot *s)
{
	s->refresh_state = SLOT_REFRESH_IN_DOUBT;
	if (slot_needs_token(s, clock_wall_ms()))
		slot_require_reauth(s);
}

/* --- SAVE: the new grant goes to disk before anything else happens with it --- */

static void save(void *arg)
{
	struct refresh_job *j = arg;
	int ignored;

	fault_point("refresh-after-answer");
	credential_fini(&j->in_file);
	j->in_file = (struct credential){0};
	j->err = credential_read(j->auth_file, &j->in_file, j->problem, sizeof(j->problem));
	j->found_newer =
		!j->err && !secret_equals(&j->in_file.grant.refresh, secret_expose(&j->spent));
	if (j->found_newer)
		return;
	/* A file that cannot be read now is no reason to lose what is to be in it. */
	j->err = auth_grant_write(j->auth_file, &j->granted);
	if (j->err)
		return;
	fault_point("refresh-after-write");
	/* It counts for the spent token alone: one that cannot be dropped does no harm. */
	ignored = credential_drop_note(j->auth_file);
	(void)ignored;
}

/* The slot takes a copy: the job needs its own on. */
static void take_grant(struct slot *s, const struct auth_grant *g, enum credential_note note)
{
	struct credential c = {.note = note};

	secret_copy(&c.grant.access, &g->access);
	secret_copy(&c.grant.refresh, &g->refresh);
	c.grant.account_id = mem_strdup(g->account_id);
	c.grant.user_id = mem_strdup(g->user_id);
	c.grant.email = mem_strdup(g->email);
	c.grant.plan_type = mem_strdup(g->plan_type);
	c.grant.expires_ms = g->expires_ms;
	c.grant.granted_ms = g->granted_ms;
	c.grant.written_ms = g->written_ms;
	slot_take_credential(s, &c);
}

static void on_saved(void *arg);

static void on_resave(struct timer *t)
{
	struct refresh_job *j = CONTAINER_OF(t, struct refresh_job, resave);

	set_state(j, SAVE);
	work(j, save, on_saved);
}

/*
 * The grant stays in memory, the lock and the note stay, and it is written as soon as that works.
 * Meanwhile the slot goes on with the token that is on disk. Only when that one cannot serve any
 * more it takes the new one from memory: refusing service would save nothing, for at the issuer the
 * old grant is gone either way.
 */
static void keep_unsaved(struct refresh_job *j, struct slot *s)
{
	int64_t wait_ms = INT64_C(1) * RESAVE_FIRST_MS << (j->saves < 5 ? j->saves : 5);

	if (!j->saves++)
		log_error("slot.refresh.unsaved", SV("a new grant cannot be written"), j->err);
	if (slot_needs_token(s, clock_wall_ms())) {
		take_grant(s, &j->granted, CREDENTIAL_UNSPENT);
		s->unsaved = true;
	}
	set_error(s, "the new grant cannot be written yet", strerror(-j->err));
	set_state(j, UNSAVED);
	if (!j->stopping)
		timer_start(&j->resave, wait_ms < RESAVE_MOST_MS ? wait_ms : RESAVE_MOST_MS);
	tell(j, standing(s));
}

static void use_saved(struct refresh_job *j, struct slot *s)
{
	unsigned failures = s->refresh_failures;

	s->unsaved = false;
	if (j->found_newer)
		slot_take_credential(s, &j->in_file);
	else
		take_grant(s, &j->granted, CREDENTIAL_UNSPENT);
	slot_clear_error(s, SLOT_REFRESH_ERROR);
	/* Whatever the issuer thinks a token's life is, it is not asked all the time. */
	s->refresh_after_ms = clock_wall_ms() + PAUSE_MS;
	if (!slot_needs_token(s, clock_wall_ms()))
		return;
	set_error(s, "the new token has expired already", "is the clock of this host right?");
	s->refresh_failures = failures;
	back_off(s, 0);
}

static void on_saved(void *arg)
{
	struct refresh_job *j = arg;
	struct slot *s = slot_of(j);

	j->working = false;
	if (j->err && !j->found_newer && s) {
		keep_unsaved(j, s);
		return;
	}
	if (s) {
		use_saved(j, s);
		slot_table_changed(j->env->table, s);
	}
	end_as_it_stands(j);
}

static void keep_name(char **name, const char *old)
{
	if (!old)
		return;
	free(*name);
	*name = mem_strdup(old);
}

/* What the answer leaves out stays as it was, and whose the slot is does not change. */
static void complete_grant(struct auth_grant *g, struct auth_grant *old)
{
	if (secret_is_empty(&g->refresh))
		secret_copy(&g->refresh, &old->refresh);
	if (secret_is_empty(&g->id_token))
		secret_copy(&g->id_token, &old->id_token);
	keep_name(&g->account_id, old->account_id);
	keep_name(&g->user_id, old->user_id);
	keep_name(&g->email, old->email);
	g->granted_ms = g->written_ms = clock_wall_ms();
}

/* --- the other answers --- */

static void drop(void *arg)
{
	struct refresh_job *j = arg;

	j->err = credential_drop_note(j->auth_file);
}

static void on_dropped(void *arg)
{
	struct refresh_job *j = arg;

	j->working = false;
	end_as_it_stands(j);
}

static void recheck(void *arg)
{
	struct refresh_job *j = arg;
	char ignored[PROBLEM_SIZE];

	credential_fini(&j->in_file);
	j->in_file = (struct credential){0};
	j->err = credential_read(j->auth_file, &j->in_file, ignored, sizeof(ignored));
	j->found_newer =
		!j->err && !secret_equals(&j->in_file.grant.refresh, secret_expose(&j->spent));
	if (!j->found_newer)
		j->err = credential_write_note(j->auth_file, &j->spent, CREDENTIAL_DEAD);
}

static void on_rechecked(void *arg)
{
	struct refresh_job *j = arg;
	struct slot *s = slot_of(j);

	j->working = false;
	if (s && j->found_newer) {
		slot_take_credential(s, &j->in_file);
	} else if (s) {
		set_error(s, "log in again", j->problem);
		slot_require_reauth(s);
	}
	end_as_it_stands(j);
}

static void on_answer(void *arg, const struct call_result *result)
{
	struct refresh_job *j = arg;
	struct slot *s = slot_of(j);
	struct oauth_answer answer;

	j->call = NULL;
	oauth_answer_read(result, clock_wall_ms(), &answer);
	snprintf(j->problem, sizeof(j->problem), "%s", answer.message);
	switch (answer.outcome) {
	case OAUTH_GRANTED:
		j->granted = answer.grant;
		answer.grant = (struct auth_grant){0};
		complete_grant(&j->granted, &j->in_file.grant);
		set_state(j, SAVE);
		work(j, save, on_saved);
		break;
	case OAUTH_DEAD:
		set_state(j, RECHECK);
		work(j, recheck, on_rechecked);
		break;
	case OAUTH_REFUSED:
	case OAUTH_NOT_SENT:
		if (s) {
			set_error(s, "tried again later", j->problem);
			back_off(s, answer.retry_after_ms);
		}
		set_state(j, DROP);
		work(j, drop, on_dropped);
		break;
	case OAUTH_IN_DOUBT:
		if (s) {
			set_error(s, in_doubt, j->problem);
			lose_token(s);
		}
		end_as_it_stands(j);
		break;
	}
	oauth_answer_fini(&answer);
}

/* --- READ and NOTE --- */

static void ask(struct refresh_job *j)
{
	struct buf body;

	set_state(j, ASK);
	j->asked = true;
	buf_init(&body, OAUTH_BODY_BYTES);
	oauth_refresh_body(j->env->conf, &j->spent, &body);
	j->call = oauth_call_start(
		j->env->loop, j->env->pool, j->env->conf, OAUTH_TOKEN, buf_sv(&body), on_answer, j);
	secret_wipe(body.data, body.len);
	buf_fini(&body);
}

static void note(void *arg)
{
	struct refresh_job *j = arg;

	j->err = credential_write_note(j->auth_file, &j->spent, CREDENTIAL_SENT);
	if (!j->err)
		fault_point("refresh-before-send");
}

static void on_noted(void *arg)
{
	struct refresh_job *j = arg;

	j->working = false;
	if (j->err) {
		snprintf(j->problem, sizeof(j->problem), "%s", strerror(-j->err));
		end_failed(j, "no token is spent while nothing can be written", 0);
	} else if (j->stopping) {
		set_state(j, DROP);
		work(j, drop, on_dropped);
	} else {
		ask(j);
	}
}

/* With the file's grant in the slot: is there anything to do, and may it be done? */
static bool is_wanted(const struct refresh_job *j, const struct slot *s)
{
	int64_t now_ms = clock_wall_ms();

	return slot_needs_token(s, now_ms) || strcmp(j->refused, s->token_fingerprint) == 0 ||
	       refresh_plan_is_short(s, now_ms) || j->early;
}

static void judge(struct refresh_job *j, struct slot *s)
{
	/* Under the lock nobody is at it: whoever sent it did not live to see the end. */
	if (s->refresh_state == SLOT_REFRESH_NOTED)
		set_error(s, in_doubt, "a token request was cut off");
	if (s->refresh_state != SLOT_REFRESH_FREE)
		lose_token(s);
	if (!slot_can_refresh(s) || !is_wanted(j, s)) {
		end_as_it_stands(j);
		return;
	}
	secret_copy(&j->spent, &s->refresh);
	set_state(j, NOTE);
	work(j, note, on_noted);
}

static void on_read(void *arg);

static void lock_and_read(void *arg)
{
	struct refresh_job *j = arg;

	credential_fini(&j->in_file);
	j->in_file = (struct credential){0};
	if (j->lock < 0) {
		j->err = credential_lock(j->env->root, j->id, 0, &j->lock);
		if (j->err) {
			snprintf(j->problem, sizeof(j->problem), "%s", strerror(-j->err));
			return;
		}
	}
	j->err = credential_read(j->auth_file, &j->in_file, j->problem, sizeof(j->problem));
}

static void read_file(struct refresh_job *j, const struct slot *s)
{
	set_state(j, READ);
	j->grants = s->grants;
	work(j, lock_and_read, on_read);
}

static void on_read(void *arg)
{
	struct refresh_job *j = arg;
	struct slot *s = slot_of(j);

	j->working = false;
	if (j->lock < 0 && j->err == -ETIMEDOUT) {
		end(j, REFRESH_END_LOCKED);
	} else if (j->err) {
		end_failed(j, j->lock < 0 ? "the credential cannot be locked" : "credential", 0);
	} else if (!s || j->stopping) {
		end_as_it_stands(j);
	} else if (s->grants != j->grants) {
		read_file(j, s); /* what was read may be older than what the slot has by now */
	} else {
		take_grant(s, &j->in_file.grant, j->in_file.note);
		if (s->grants != j->grants)
			j->early = false; /* somebody else was first */
		judge(j, s);
	}
}

struct refresh_job *refresh_job_start(struct slot_env *env, const struct slot *s,
	const struct refresh_job_options *options, const struct refresh_job_ops *ops, void *arg)
{
	struct refresh_job *j = mem_zalloc(sizeof(*j));

	j->env = env;
	j->state = READ;
	memcpy(j->id, s->id, sizeof(j->id));
	j->auth_file = mem_strdup(s->auth_file);
	snprintf(j->refused, sizeof(j->refused), "%s", options->refused);
	j->early = options->early;
	j->ops = ops;
	j->arg = arg;
	j->lock = -1;
	j->first_grants = s->grants;
	timer_init(&j->resave, env->loop, on_resave);
	read_file(j, s);
	return j;
}

bool refresh_job_has_asked(const struct refresh_job *j)
{
	return j->asked;
}

bool refresh_job_is_open(const struct refresh_job *j)
{
	return j->working || j->call;
}

void refresh_job_stop(struct refresh_job *j)
{
	j->stopping = true;
	timer_stop(&j->resave);
}

void refresh_job_give_up(struct refresh_job *j)
{
	struct slot *s = slot_of(j);

	if (!j->call)
		return;
	call_cancel(j->call);
	j->call = NULL;
	if (s) {
		set_error(s, in_doubt, "the relay stopped before the issuer's answer came");
		lose_token(s);
	}
	end_as_it_stands(j);
}

static void save_at_last(struct refresh_job *j)
{
	save(j);
	if (j->err && !j->found_newer)
		log_error("slot.refresh.lost",
			SV("a new grant could not be written: the slot needs another login"),
			j->err);
}

void refresh_job_free(struct refresh_job *j)
{
	if (!j)
		return;
	assert(!refresh_job_is_open(j));
	timer_stop(&j->resave);
	if (j->state == UNSAVED)
		save_at_last(j);
	unlock(j);
	credential_fini(&j->in_file);
	auth_grant_fini(&j->granted);
	secret_fini(&j->spent);
	free(j->auth_file);
	free(j);
}
