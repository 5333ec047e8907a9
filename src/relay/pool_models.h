/*
 * The models of all slots in upstream's own form, for Codex clients: what each catalogue says of a
 * model, whole, once each, as the first enabled slot that has it tells it. Hidden models
 * (`models.hidden`) are left out, aliases stand as a model of their own.
 */
#ifndef RELAY_POOL_MODELS_H
#define RELAY_POOL_MODELS_H

#include "conf/conf.h"
#include "slots/slot_table.h"

enum { POOL_MODELS_ETAG_SIZE = 24 };

/*
 * Tells of the whole list, whatever a client's version is shown of it; "" when no catalogue is
 * known.
 */
void pool_models_etag(
	const struct conf *conf, struct slot_table *slots, char out[POOL_MODELS_ETAG_SIZE]);
/*
 * {"models":[…]} for a client of this version: those that need a newer one are left out; an empty
 * version is shown all. Errors as out's.
 */
void pool_models_write(const struct conf *conf, struct slot_table *slots, struct sv client_version,
	struct buf *out);

#endif
