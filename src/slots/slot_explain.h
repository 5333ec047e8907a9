/*
 * Why a slot is or is not able to serve, in words: what is in the way, until when, and what an
 * operator can do about it. For the admin API and the commands. Pure.
 */
#ifndef SLOTS_SLOT_EXPLAIN_H
#define SLOTS_SLOT_EXPLAIN_H

#include "conf/conf.h"
#include "slots/pick.h"
#include "slots/slot.h"

/*
 * {"reason","text","remedy","changesAt"}; reason is a code: "ready", or a pick_reason_name();
 * remedy is null when nothing needs to be done, changesAt (ISO 8601) when no time will change it.
 * reason: what slot_table_reason() says. New reference.
 */
json_t *slot_explain_json(
	const struct slot *s, enum pick_reason reason, const struct conf *conf, int64_t now_ms);

#endif
