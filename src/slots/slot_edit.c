#include "slots/slot_edit.h"

#include "base/durable.h"
#include "conf/runtime_dir.h"
#include "slots/credential_lock.h"
#include "slots/stamp.h"
#include "slots/store.h"

#include <errno.h>

int slot_edit_enable(json_t *slots, void *arg)
{
	const struct slot_edit *change = arg;
	json_t *record = store_find(slots, change->id);

	if (!record)
		return -ENOENT;
	json_object_set_new(record, "enabled", json_boolean(change->enabled));
	/* Why the relay disabled it is history once the operator has decided. */
	json_object_del(json_object_get(record, "relay"), "disabledReason");
	return 0;
}

int slot_edit_remove(json_t *slots, void *arg)
{
	const struct slot_edit *change = arg;
	const json_t *record = store_find(slots, change->id);

	for (size_t i = 0; record && i < json_array_size(slots); i++) {
		if (json_array_get(slots, i) == record)
			return json_array_remove(slots, i) ? -EINVAL : 0;
	}
	return -ENOENT;
}

int slot_edit_remove_files(const char *root, const char *id)
{
	enum { PATIENCE_MS = 10 * 1000 };
	int lock = -1;
	int err = credential_lock(root, id, PATIENCE_MS, &lock);

	if (err && err != -ETIMEDOUT)
		return err;
	err = runtime_remove_slot(root, id);
	durable_unlock(lock);
	return err;
}

static void clear_troubles(json_t *record, json_t *relay, int64_t now_ms)
{
	json_t *runtime = json_object_get(record, "runtime");
	int64_t before_ms = stamp_read(json_object_get(relay, "resetAt"));

	if (!json_is_object(runtime)) {
		json_object_set_new(record, "runtime", json_object());
		runtime = json_object_get(record, "runtime");
	}
	json_object_set_new(runtime, "cooldownUntil",
		stamp_write(0, json_object_get(runtime, "cooldownUntil"), NULL));
	json_object_set_new(runtime, "lastError", json_null());
	json_object_set_new(runtime, "consecutiveFailures", json_integer(0));
	json_object_del(relay, "cooldownReason");
	/* A running relay knows a reset by its time: two of them must differ. */
	json_object_set_new(relay, "resetAt",
		stamp_write(now_ms > before_ms ? now_ms : before_ms + 1, NULL, NULL));
}

int slot_edit_reset(json_t *slots, void *arg)
{
	struct slot_edit *change = arg;
	json_t *record = store_find(slots, change->id);
	json_t *relay = json_object_get(record, "relay");

	if (!record)
		return -ENOENT;
	if (!json_is_object(relay)) {
		json_object_set_new(record, "relay", json_object());
		relay = json_object_get(record, "relay");
	}
	clear_troubles(record, relay, change->now_ms);
	/* What the relay switched off itself is tried again; what the operator did stays. */
	if (json_object_del(relay, "disabledReason") == 0)
		json_object_set_new(record, "enabled", json_true());
	change->enabled = !json_is_false(json_object_get(record, "enabled"));
	change->reauth = json_is_true(json_object_get(relay, "reauthRequired"));
	return 0;
}
