#include "slots/auth_watch.h"

#include "base/log.h"
#include "slots/credential.h"

#include <stdlib.h>

enum { PROBLEM_SIZE = 256 };

/* One directory; slots may share one. */
struct place {
	struct place *next;
	struct auth_watch *owner;
	char *dir;
	struct dir_watch *watch;
	bool in_use;
};

/* One read of one slot's credential. */
struct reading {
	struct auth_watch *owner;
	char id[LIMIT_SLOT_ID_BYTES];
	char *auth_file;
	unsigned grants; /* the slot's when the read began */
	struct credential credential;
	int err;
	char problem[PROBLEM_SIZE];
};

struct auth_watch {
	struct slot_env *env;
	struct place *places;
	bool stopped;
};

static void start_reading(struct auth_watch *w, const struct slot *s);

static void read_credential(void *arg)
{
	struct reading *r = arg;

	r->err = credential_read(r->auth_file, &r->credential, r->problem, sizeof(r->problem));
}

static void log_taken(const struct slot *s)
{
	log_begin(LOG_INFO, "slot.credential");
	log_str("slot_id", sv_cstr(s->id));
	log_str("file", SV("another grant"));
	log_end();
}

/* Also of a file that is being written just now: it is read again when it is whole. */
static void log_unusable(const struct slot *s, const char *problem)
{
	log_begin(LOG_WARN, "slot.credential");
	log_str("slot_id", sv_cstr(s->id));
	log_str("message", sv_cstr(problem));
	log_end();
}

static void take(struct auth_watch *w, struct slot *s, struct reading *r)
{
	bool was_reauth = s->reauth_required;
	bool is_other = slot_take_credential(s, &r->credential);

	if (is_other)
		log_taken(s);
	if (is_other || was_reauth != s->reauth_required)
		slot_table_changed(w->env->table, s);
}

static void on_read(void *arg)
{
	struct reading *r = arg;
	struct auth_watch *w = r->owner;
	struct slot *s = slot_table_find(w->env->table, r->id);

	if (w->stopped || !s || !s->base_url || s->unsaved ||
		strcmp(s->auth_file, r->auth_file) != 0)
		; /* nobody's any more, or not to be replaced by what is older */
	else if (r->err)
		log_unusable(s, r->problem);
	else if (s->grants != r->grants)
		start_reading(w, s); /* what was read may be older than what it has */
	else
		take(w, s, r);
	credential_fini(&r->credential);
	free(r->auth_file);
	free(r);
}

static void start_reading(struct auth_watch *w, const struct slot *s)
{
	struct reading *r = mem_zalloc(sizeof(*r));

	r->owner = w;
	memcpy(r->id, s->id, sizeof(r->id));
	r->auth_file = mem_strdup(s->auth_file);
	r->grants = s->grants;
	loop_work(w->env->loop, read_credential, on_read, r);
}

static struct sv dir_of(const char *auth_file)
{
	const char *slash = strrchr(auth_file, '/');

	if (!slash)
		return SV(".");
	return sv_make(auth_file, slash == auth_file ? 1 : (size_t)(slash - auth_file));
}

static void on_dir(void *arg, const char *name);

/* From now on the directory that has this path now, if there is one. */
static void watch_again(struct place *p)
{
	struct dir_watch *former = p->watch;

	p->watch = NULL;
	if (dir_watch_new(p->owner->env->loop, p->dir, on_dir, p, &p->watch) != 0)
		p->watch = NULL;
	dir_watch_free(former);
}

/* Of a directory that is deleted its own name is told. */
static bool may_be_gone(const struct place *p, const char *name)
{
	const char *slash = strrchr(p->dir, '/');

	return !name || strcmp(name, slash ? slash + 1 : p->dir) == 0;
}

static void on_dir(void *arg, const char *name)
{
	struct place *p = arg;
	struct slot_table *table = p->owner->env->table;

	/* It may have been made again: what is in there now was not seen coming. */
	if (may_be_gone(p, name)) {
		watch_again(p);
		name = NULL;
	}
	for (size_t i = 0; i < slot_table_count(table); i++) {
		const struct slot *s = slot_table_at(table, i);

		if (sv_eq(dir_of(s->auth_file), sv_cstr(p->dir)) &&
			(!name || credential_is_part(s->auth_file, name)))
			start_reading(p->owner, s);
	}
}

static void use_place(struct auth_watch *w, struct sv dir)
{
	struct place *p = w->places;

	while (p && !sv_eq(sv_cstr(p->dir), dir))
		p = p->next;
	if (!p) {
		p = mem_zalloc(sizeof(*p));
		p->owner = w;
		p->dir = mem_strndup(dir.p, dir.n);
		p->next = w->places;
		w->places = p;
	}
	p->in_use = true;
	/* One that is not there yet comes with an import, and then slots.json changes too. */
	if (!p->watch)
		watch_again(p);
}

static void drop_unused(struct auth_watch *w)
{
	struct place **at = &w->places;

	while (*at) {
		struct place *p = *at;

		if (p->in_use) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		dir_watch_free(p->watch);
		free(p->dir);
		free(p);
	}
}

struct auth_watch *auth_watch_new(struct slot_env *env)
{
	struct auth_watch *w = mem_zalloc(sizeof(*w));

	w->env = env;
	auth_watch_sync(w);
	return w;
}

void auth_watch_sync(struct auth_watch *w)
{
	if (w->stopped)
		return;
	for (struct place *p = w->places; p; p = p->next)
		p->in_use = false;
	for (size_t i = 0; i < slot_table_count(w->env->table); i++)
		use_place(w, dir_of(slot_table_at(w->env->table, i)->auth_file));
	drop_unused(w);
}

void auth_watch_stop(struct auth_watch *w)
{
	if (!w)
		return;
	w->stopped = true;
	for (struct place *p = w->places; p; p = p->next)
		p->in_use = false;
	drop_unused(w);
}

void auth_watch_free(struct auth_watch *w)
{
	free(w);
}
