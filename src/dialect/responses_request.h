/*
 * A body of the Responses API: checked, and nearly always passed on as it came (TRANSLATION 3). It
 * may also arrive at /v1/chat/completions: many clients mix the two up.
 */
#ifndef DIALECT_RESPONSES_REQUEST_H
#define DIALECT_RESPONSES_REQUEST_H

#include "dialect/dialect.h"

/*
 * Fills the parse part of the turn but `stream`'s meaning for others than Responses clients. Only
 * a model name that says more than the model makes a copy of the body (model_name.h).
 * honoured: a member that upstream does not take but the caller sees to; or empty. -EINVAL.
 */
int responses_request_read(struct turn *t, struct sv honoured, struct api_err *err) MUST_CHECK;

#endif
