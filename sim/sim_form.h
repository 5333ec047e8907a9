/* Members of a request body that may be JSON or a form, as OAuth endpoints accept both. */
#ifndef SIM_FORM_H
#define SIM_FORM_H

#include "base/jv.h"
#include "sim/sim_txn.h"

struct sim_form {
	struct sim_txn *t;
	struct jv json;	 /* when the body is JSON */
	struct sv query; /* else */
};

/* False when the body is neither. */
bool sim_form_init(struct sim_form *f, struct sim_txn *t);
/* Decoded value in the transaction's arena; empty when absent. */
struct sv sim_form_get(const struct sim_form *f, struct sv key);
/* The same for the query string of the target. */
struct sv sim_form_query(struct sim_txn *t, struct sv key);

#endif
