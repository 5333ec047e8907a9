/*
 * A slot's live state in the members of its slots.json record (SPEC 4): `usage` and `runtime` in
 *the original's form, and `relay`, which the original ignores, with what it has no place for:
 *	{"windows":{"5h"|"week"|"month":{usedPercent,windowMinutes,resetsAt}}, "checkedAt",
 *	 "plan", "credits":{has,unlimited}, "resetCredits", "cooldownReason", "reauthRequired",
 *	 "refusedFingerprint", "disabledReason", "resetAt"}
 * Pure. The windows count only while relay.checkedAt equals usage.checkedAt: whoever wrote newer
 * usage knew nothing of them.
 */
#ifndef SLOTS_SLOT_RECORD_H
#define SLOTS_SLOT_RECORD_H

#include "slots/slot.h"

/* Takes priority, weight, meters, usage texts, cooldown, counters from s->record; odd types count
 * as absent. */
void slot_record_read(struct slot *s);
/* Members of the record as they should be now; new references. */
json_t *slot_record_usage(const struct slot *s);
json_t *slot_record_runtime(const struct slot *s);
json_t *slot_record_relay(const struct slot *s);
/* The usage member as it reads at now_ms: windows whose reset has passed are full again. */
json_t *slot_record_usage_at(const struct slot *s, int64_t now_ms);
/* relay.windows for showing. */
json_t *slot_record_windows(const struct slot *s);
/* And back: windows that are missing or odd are unknown. */
void slot_record_read_windows(struct meters *m, const json_t *windows);
/* Puts such members into a record: what they do not know stays. Steals members. NULL: that member
 * stays as it is. */
void slot_record_merge(json_t *record, json_t *usage, json_t *runtime, json_t *relay);
/* The meter that stands for a kind: the month's when there is no week's. NULL when unknown. */
const struct meter *slot_record_meter(const struct slot *s, enum meter_kind kind);

#endif
