#include "slots/store.h"

#include "base/durable.h"
#include "slots/slot_record.h"
#include "slots/stamp.h"
#include "slots/store_doc.h"

#include <stdlib.h>

/* What the daemon knows of one slot, detached from it. */
struct saved_slot {
	char id[LIMIT_SLOT_ID_BYTES];
	json_t *usage, *runtime, *relay; /* given away by the commit */
	int64_t checked_at_ms;
	int64_t reset_at_ms;
	bool dead;
	char last_error[256]; /* of a dead one */
};

struct store_save {
	char *root;
	struct saved_slot *slots;
	size_t count;
};

static void snapshot(struct saved_slot *saved, struct slot *s)
{
	memcpy(saved->id, s->id, sizeof(saved->id));
	saved->usage = slot_record_usage(s);
	saved->runtime = slot_record_runtime(s);
	saved->relay = slot_record_relay(s);
	saved->checked_at_ms = s->checked_at_ms;
	saved->reset_at_ms = s->reset_at_ms;
	saved->dead = s->dead;
	memcpy(saved->last_error, s->last_error, sizeof(saved->last_error));
	s->dirty = false;
	/* Told once: later the operator may have enabled the slot again. */
	s->dead = false;
}

struct store_save *store_save_begin(const char *root, struct slot_table *t)
{
	struct store_save *save = mem_zalloc(sizeof(*save));

	save->root = mem_strdup(root);
	save->slots = mem_zalloc((slot_table_count(t) + 1) * sizeof(struct saved_slot));
	for (size_t i = 0; i < slot_table_count(t); i++) {
		struct slot *s = slot_table_at(t, i);

		if (s->dirty)
			snapshot(&save->slots[save->count++], s);
	}
	return save;
}

/* Somebody else may have written usage meanwhile: the newer one stays. */
static bool is_newer_in_file(const json_t *record, const struct saved_slot *saved)
{
	const json_t *usage = json_object_get(record, "usage");

	/* The file's type may be whole seconds. */
	return stamp_read(json_object_get(usage, "checkedAt")) / 1000 > saved->checked_at_ms / 1000;
}

/* The operator reset the slot meanwhile: what we know of its troubles is from before that. */
static void forget_troubles(const json_t *record, struct saved_slot *saved)
{
	int64_t reset_at_ms =
		stamp_read(json_object_get(json_object_get(record, "relay"), "resetAt"));

	if (!reset_at_ms || reset_at_ms == saved->reset_at_ms)
		return;
	json_decref(saved->runtime);
	saved->runtime = NULL;
	json_object_del(saved->relay, "cooldownReason");
	saved->dead = false;
}

static void merge(json_t *record, struct saved_slot *saved)
{
	json_t *usage = saved->usage;

	if (is_newer_in_file(record, saved)) {
		json_decref(usage);
		usage = NULL;
	}
	forget_troubles(record, saved);
	slot_record_merge(record, usage, saved->runtime, saved->relay);
	saved->usage = saved->runtime = saved->relay = NULL;
	if (!saved->dead)
		return;
	json_object_set_new(record, "enabled", json_false());
	json_object_set_new(
		json_object_get(record, "relay"), "disabledReason", json_string(saved->last_error));
}

static int commit_locked(struct store_save *save)
{
	struct conf_error ignored;
	bool changed = false;
	json_t *doc;
	json_t *slots;
	int err = store_doc_read(save->root, &doc, &ignored);

	if (err)
		return err;
	slots = json_object_get(doc, "slots");
	for (size_t i = 0; i < save->count; i++) {
		json_t *record = store_find(slots, save->slots[i].id);

		if (!record || !save->slots[i].runtime)
			continue; /* removed by the operator */
		merge(record, &save->slots[i]);
		changed = true;
	}
	if (changed)
		err = store_doc_write(save->root, doc);
	json_decref(doc);
	return err;
}

int store_save_commit(struct store_save *save)
{
	int fd;
	int err;

	if (!save->count)
		return 0;
	err = store_doc_lock(save->root, &fd);
	if (err)
		return err;
	err = commit_locked(save);
	durable_unlock(fd);
	return err;
}

void store_save_undo(struct store_save *save, struct slot_table *t)
{
	for (size_t i = 0; i < save->count; i++) {
		struct slot *s = slot_table_find(t, save->slots[i].id);

		if (!s)
			continue;
		s->dead = s->dead || (save->slots[i].dead && !s->enabled);
		slot_table_mark_dirty(t, s);
	}
}

void store_save_free(struct store_save *save)
{
	if (!save)
		return;
	for (size_t i = 0; i < save->count; i++) {
		json_decref(save->slots[i].usage);
		json_decref(save->slots[i].runtime);
		json_decref(save->slots[i].relay);
	}
	free(save->slots);
	free(save->root);
	free(save);
}
