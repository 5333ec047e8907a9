#include "relay/conf_reload.h"

#include "base/jw.h"
#include "base/limits.h"
#include "base/log.h"
#include "conf/conf_table.h"
#include "relay/relay.h"

#include <errno.h>
#include <stdio.h>

/* Together with the burst of the watch (loop.h) all of this is over within a second. */
enum { NOTICE_MS = 100, SETTLE_MS = 300 };

static uint64_t hash_of(struct sv text)
{
	return sv_hash(text, SV_HASH_SEED) | 1;
}

/* --- what is logged --- */

struct changes {
	struct jw changed, restart;
};

static void on_change(void *arg, const struct conf_key *key)
{
	struct changes *c = arg;

	jw_str(&c->changed, sv_cstr(key->name));
	if (key->needs_restart)
		jw_str(&c->restart, sv_cstr(key->name));
}

static void log_taken(const struct conf *old, const struct conf *fresh)
{
	struct buf changed, restart;
	struct changes c;

	buf_init(&changed, KIB(16));
	buf_init(&restart, KIB(16));
	c = (struct changes){jw_begin(&changed), jw_begin(&restart)};
	jw_arr(&c.changed);
	jw_arr(&c.restart);
	conf_changes(old, fresh, on_change, &c);
	jw_end(&c.changed);
	jw_end(&c.restart);
	log_begin(LOG_INFO, "config.reload");
	log_str("file", SV("config/relay.json"));
	log_bool("ok", true);
	log_raw("changed", buf_sv(&changed));
	log_raw("needs_restart", buf_sv(&restart));
	log_end();
	buf_fini(&restart);
	buf_fini(&changed);
}

static void log_refused(const char *problem)
{
	log_begin(LOG_ERROR, "config.reload");
	log_str("file", SV("config/relay.json"));
	log_bool("ok", false);
	log_str("reason", sv_cstr(problem));
	log_end();
}

/* --- reading --- */

static void take(struct conf_reload *c, struct conf *fresh, uint64_t hash)
{
	c->in_use = hash;
	c->suspect = c->refused = 0;
	c->problem[0] = '\0';
	log_taken(c->relay->conf, fresh);
	relay_take_conf(c->relay, fresh);
}

static void refuse(struct conf_reload *c, const char *problem, uint64_t hash, bool asked)
{
	if (!asked && hash != c->suspect) {
		c->suspect = hash;
		timer_start(&c->timer, SETTLE_MS);
		return;
	}
	c->suspect = 0;
	c->refused = hash;
	snprintf(c->problem, sizeof(c->problem), "%s", problem);
	log_refused(problem);
}

/* The file says again what runs: somebody has undone his edit. */
static void accept_same(struct conf_reload *c)
{
	c->suspect = c->refused = 0;
	if (!c->problem[0])
		return;
	c->problem[0] = '\0';
	log_taken(c->relay->conf, c->relay->conf);
}

static void look_at(struct conf_reload *c, struct sv text, bool asked)
{
	uint64_t hash = hash_of(text);
	struct conf_error err;
	struct conf *fresh;

	if (!asked && hash == c->in_use)
		accept_same(c);
	else if (!asked && hash == c->refused)
		return;
	else if (conf_parse(text, c->relay->root, c->relay->profile, &fresh, &err))
		refuse(c, err.message, hash, asked);
	else
		take(c, fresh, hash);
}

static void check(struct conf_reload *c, bool asked)
{
	struct conf_error ignored; /* it holds the path */
	struct buf text;
	char problem[128];
	int err;

	buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
	err = conf_read(c->relay->root, &text, &ignored);
	if (!err) {
		look_at(c, buf_sv(&text), asked);
	} else {
		snprintf(problem, sizeof(problem), "relay.json: %s",
			err == -ENOENT ? "the file is gone" : strerror(-err));
		if (asked || c->refused != hash_of(sv_cstr(problem)))
			refuse(c, problem, hash_of(sv_cstr(problem)), asked);
	}
	secret_wipe(text.data, text.len);
	buf_fini(&text);
}

static void on_timer(struct timer *t)
{
	check(CONTAINER_OF(t, struct conf_reload, timer), false);
}

int conf_reload_load(
	struct conf_reload *c, struct relay *r, struct conf **ret, struct conf_error *err)
{
	struct buf text;
	int result;

	c->relay = r;
	buf_init(&text, LIMIT_CONFIG_FILE_BYTES);
	result = conf_read(r->root, &text, err);
	if (!result)
		result = conf_parse(buf_sv(&text), r->root, r->profile, ret, err);
	c->in_use = hash_of(buf_sv(&text));
	secret_wipe(text.data, text.len);
	buf_fini(&text);
	return result;
}

void conf_reload_start(struct conf_reload *c)
{
	timer_init(&c->timer, c->relay->loop, on_timer);
}

void conf_reload_stop(struct conf_reload *c)
{
	timer_stop(&c->timer);
}

/* Not put off by what follows: a directory that never gets quiet is read all the same. */
void conf_reload_soon(struct conf_reload *c)
{
	if (!timer_is_active(&c->timer))
		timer_start(&c->timer, NOTICE_MS);
}

void conf_reload_now(struct conf_reload *c)
{
	timer_stop(&c->timer);
	check(c, true);
}
