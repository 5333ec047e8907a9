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
	/* A command's: the record as it was read, and what that told of the slot. NULL: the
	 * relay's, who owns it all. */
	json_t *read, *read_runtime, *read_relay;
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

static void remember_read(struct saved_slot *saved, const struct slot *s)
{
	struct slot then = {.record = s->record};

	slot_record_read(&then);
	saved->read = json_incref(s->record);
	saved->read_runtime = slot_record_runtime(&then);
	saved->read_relay = slot_record_relay(&then);
	free(then.usage_5h_text);
	free(then.usage_week_text);
}

static struct store_save *begin(const char *root, struct slot_table *t, bool only_changes)
{
	struct store_save *save = mem_zalloc(sizeof(*save));

	save->root = mem_strdup(root);
	save->slots = mem_zalloc((slot_table_count(t) + 1) * sizeof(struct saved_slot));
	for (size_t i = 0; i < slot_table_count(t); i++) {
		struct slot *s = slot_table_at(t, i);

		if (!s->dirty)
			continue;
		if (only_changes)
			remember_read(&save->slots[save->count], s);
		snapshot(&save->slots[save->count++], s);
	}
	return save;
}

struct store_save *store_save_begin(const char *root, struct slot_table *t)
{
	return begin(root, t, false);
}

struct store_save *store_save_begin_changes(const char *root, struct slot_table *t)
{
	return begin(root, t, true);
}

/* --- what of it goes into the file --- */

static void take_member(json_t *ours, const char *name, json_t *in_file)
{
	if (in_file)
		json_object_set(ours, name, in_file);
	else
		json_object_del(ours, name);
}

/* Somebody else may have written usage meanwhile: the newer one stays. */
static bool is_newer_in_file(const json_t *record, const struct saved_slot *saved)
{
	const json_t *usage = json_object_get(record, "usage");

	/* The file's type may be whole seconds. */
	return stamp_read(json_object_get(usage, "checkedAt")) / 1000 > saved->checked_at_ms / 1000;
}

/* Windows count together with their usage (slot_record.h). */
static void keep_usage(const json_t *record, struct saved_slot *saved)
{
	static const char *const names[] = {
		"windows", "checkedAt", "plan", "credits", "resetCredits"};
	const json_t *relay = json_object_get(record, "relay");

	json_decref(saved->usage);
	saved->usage = NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		take_member(saved->relay, names[i], json_object_get(relay, names[i]));
}

static bool is_same(const json_t *a, const json_t *b)
{
	return (!a && !b) || json_equal(a, b);
}

/* ours and then: as it is, and as it was when it was read; read: how that was written. */
static void keep_others(json_t *ours, const json_t *then, const json_t *read, const json_t *in_file,
	const char *name)
{
	json_t *theirs = json_object_get(in_file, name);

	if (is_same(json_object_get(ours, name), json_object_get(then, name)) ||
		!is_same(json_object_get(read, name), theirs))
		take_member(ours, name, theirs);
}

/* A command knows little of what happens to a slot: its relay may have written since. */
static void keep_changes_of_others(const json_t *record, struct saved_slot *saved)
{
	static const char *const of_runtime[] = {
		"cooldownUntil", "lastUsedAt", "lastError", "consecutiveFailures"};
	static const char *const of_relay[] = {
		"cooldownReason", "reauthRequired", "refusedFingerprint"};

	for (size_t i = 0; saved->runtime && i < ARRAY_LEN(of_runtime); i++)
		keep_others(saved->runtime, saved->read_runtime,
			json_object_get(saved->read, "runtime"), json_object_get(record, "runtime"),
			of_runtime[i]);
	for (size_t i = 0; i < ARRAY_LEN(of_relay); i++)
		keep_others(saved->relay, saved->read_relay, json_object_get(saved->read, "relay"),
			json_object_get(record, "relay"), of_relay[i]);
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
	if (is_newer_in_file(record, saved))
		keep_usage(record, saved);
	forget_troubles(record, saved);
	if (saved->read)
		keep_changes_of_others(record, saved);
	slot_record_merge(record, saved->usage, saved->runtime, saved->relay);
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
		json_decref(save->slots[i].read);
		json_decref(save->slots[i].read_runtime);
		json_decref(save->slots[i].read_relay);
	}
	free(save->slots);
	free(save->root);
	free(save);
}
