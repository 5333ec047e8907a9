/* The member `model` of a request, the same in every API. */
#ifndef DIALECT_REQUEST_MODEL_H
#define DIALECT_REQUEST_MODEL_H

#include "dialect/dialect.h"

/* Fills turn.model; *ret_effort is what the name says about it (model_name.h), or empty. -EINVAL.
 */
int request_model_read(
	struct turn *t, struct jv value, struct sv *ret_effort, struct api_err *err) MUST_CHECK;

#endif
