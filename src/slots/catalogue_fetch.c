#include "slots/catalogue_fetch.h"

#include "base/clock.h"
#include "base/durable.h"
#include "base/log.h"
#include "conf/json_file.h"
#include "conf/runtime_dir.h"
#include "slots/catalogue.h"
#include "slots/slot_call.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 256 };

struct catalogue_fetch {
	struct slot_env *env;
	struct slot_call *call;
	char *account_id, *base_url, *client_version; /* what was asked, and for whom */
	void (*on_done)(void *arg, const struct catalogue_fetch_result *result);
	void *arg;
};

static struct catalogue_origin origin_of(const struct slot_env *env, const struct slot *s)
{
	return (struct catalogue_origin){
		.account_id = s->account_id,
		.base_url = s->base_url,
		.client_version = env->conf->upstream_client_version,
	};
}

/* --- to disk --- */

/* Lives until it is written, whatever becomes of the slot and of who asked. */
struct writing {
	char *dir, *path;
	json_t *doc;
	char *text_path;
	struct catalogue_text *text; /* NULL: what is there is good */
	int result;
};

static void write_out(void *arg)
{
	struct writing *w = arg;

	w->result = durable_mkdirs(w->dir, 0700);
	if (!w->result && w->text)
		w->result = durable_write(w->text_path, sv_make(w->text->bytes, w->text->n), 0600);
	if (!w->result)
		w->result = json_file_write(w->path, w->doc);
}

static void on_written(void *arg)
{
	struct writing *w = arg;

	if (w->result)
		log_error("models.save", sv_cstr(w->path), w->result);
	json_decref(w->doc);
	catalogue_text_unref(w->text);
	free(w->dir);
	free(w->path);
	free(w->text_path);
	free(w);
}

static void save(const struct slot_env *env, const struct slot *s, bool with_text)
{
	const struct catalogue_origin origin = origin_of(env, s);
	struct writing *w = mem_zalloc(sizeof(*w));

	w->dir = runtime_agent_dir(env->root, s->id);
	w->path = catalogue_path(env->root, s->id);
	w->doc = catalogue_json(s->catalogue, &origin);
	w->text_path = catalogue_text_path(env->root, s->id);
	if (with_text && s->catalogue->text)
		w->text = catalogue_text_ref(s->catalogue->text);
	loop_work(env->loop, write_out, on_written, w);
}

/* Most slots have the same text as another one. */
static bool share_text(const struct slot_env *env, struct catalogue *c)
{
	for (size_t i = 0; i < slot_table_count(env->table); i++) {
		if (catalogue_share_text(c, slot_table_at(env->table, i)->catalogue))
			return true;
	}
	return false;
}

void catalogue_fetch_load(const struct slot_env *env, struct slot *s)
{
	const struct catalogue_origin origin = origin_of(env, s);
	char *path = catalogue_path(env->root, s->id);
	char *text_path = catalogue_text_path(env->root, s->id);

	catalogue_free(s->catalogue);
	s->catalogue = catalogue_read(path, &origin);
	if (s->catalogue && !share_text(env, s->catalogue))
		catalogue_read_text(s->catalogue, text_path);
	free(path);
	free(text_path);
}

/* --- from upstream --- */

static void stamp(struct slot *s)
{
	struct catalogue *c = s->catalogue;

	c->fetched_ms = clock_wall_ms();
	free(c->plan);
	c->plan = s->meters.plan_type[0] ? mem_strdup(s->meters.plan_type) : NULL;
}

static bool is_same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Would the same question be asked now? */
static bool is_still_asked(const struct catalogue_fetch *f, const struct slot *s)
{
	const struct catalogue_origin now = origin_of(f->env, s);

	return is_same_text(f->account_id, now.account_id) &&
	       is_same_text(f->base_url, now.base_url) &&
	       is_same_text(f->client_version, now.client_version);
}

static void destroy(struct catalogue_fetch *f)
{
	free(f->account_id);
	free(f->base_url);
	free(f->client_version);
	free(f);
}

static bool is_same_list(const struct catalogue *a, const struct catalogue *b)
{
	return a && a->count == b->count &&
	       memcmp(a->hashes, b->hashes, a->count * sizeof(*a->hashes)) == 0;
}

/* A whole new list, or the word that the old one still holds. */
static const char *take(struct catalogue_fetch *f, struct slot *s, const struct call_result *answer,
	bool *ret_changed)
{
	struct catalogue *fresh;
	const char *problem;

	if (answer->status == 304) {
		if (!s->catalogue)
			return "upstream did not send its list of models";
	} else {
		if (catalogue_parse(
			    answer->body, call_header(answer, SV("etag")), &fresh, &problem))
			return problem;
		*ret_changed = !is_same_list(s->catalogue, fresh);
		share_text(f->env, fresh);
		catalogue_free(s->catalogue);
		s->catalogue = fresh;
	}
	stamp(s);
	save(f->env, s, answer->status != 304);
	return NULL;
}

static int64_t retry_at_ms(const struct call_result *answer)
{
	struct failure failure;

	if (!answer || answer->outcome != FETCH_OK)
		return 0;
	failure_from_http(answer->status, answer->headers, answer->header_count, answer->body, NULL,
		clock_wall_ms(), &failure);
	return failure.until_ms;
}

static void on_answer(void *arg, const struct slot_call_result *r)
{
	struct catalogue_fetch *f = arg;
	struct catalogue_fetch_result result = {.slot = r->slot, .problem = r->problem};

	if (r->problem)
		result.retry_at_ms = retry_at_ms(r->answer);
	else if (!r->slot || !is_still_asked(f, r->slot))
		result.problem = "the slot or the configuration has changed meanwhile";
	else
		result.problem = take(f, r->slot, r->answer, &result.changed);
	f->on_done(f->arg, &result);
	destroy(f);
}

struct catalogue_fetch *catalogue_fetch_start(struct slot_env *env, const struct slot *s,
	void (*on_done)(void *arg, const struct catalogue_fetch_result *result), void *arg)
{
	struct catalogue_fetch *f = mem_zalloc(sizeof(*f));
	/* Without upstream's text "not modified" would be no answer. */
	const char *etag = s->catalogue && s->catalogue->text ? s->catalogue->etag : NULL;
	struct http_header header = {SV("if-none-match"), sv_cstr(etag)};
	char path[PATH_SIZE];
	struct slot_call_request request = {
		.method = "GET",
		.path = path,
		.headers = &header,
		.header_count = etag ? 1 : 0,
	};

	snprintf(path, sizeof(path), "/codex/models?client_version=%s",
		env->conf->upstream_client_version);
	f->env = env;
	f->account_id = mem_strdup(s->account_id);
	f->base_url = mem_strdup(s->base_url);
	f->client_version = mem_strdup(env->conf->upstream_client_version);
	f->on_done = on_done;
	f->arg = arg;
	f->call = slot_call_start(env, s, &request, on_answer, f);
	return f;
}

void catalogue_fetch_cancel(struct catalogue_fetch *f)
{
	slot_call_cancel(f->call);
	destroy(f);
}
