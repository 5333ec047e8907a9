/*
 * encrypted_content: opaque text that only the account it was made for can send back. Nothing is
 * encrypted here; a checksum binds the text to the account and to the seed.
 */
#ifndef SIM_BLOB_H
#define SIM_BLOB_H

#include "sim/sim.h"

enum sim_blob_verdict { SIM_BLOB_OK, SIM_BLOB_OTHER_ACCOUNT, SIM_BLOB_GARBAGE };

void sim_blob_make(struct sim *sim, const struct sim_account *a, struct buf *out);
enum sim_blob_verdict sim_blob_check(
	const struct sim *sim, const struct sim_account *a, struct sv blob);

#endif
