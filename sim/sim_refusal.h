/* Why a request body was refused: the status and body that the real backend answers with. */
#ifndef SIM_REFUSAL_H
#define SIM_REFUSAL_H

#include "base/buf.h"
#include "base/jv.h"

enum { SIM_REFUSAL_BYTES = 1 << 20 };

struct sim_refusal {
	int status; /* 0: not refused */
	struct buf body;
};

void sim_refusal_init(struct sim_refusal *r);
void sim_refusal_fini(struct sim_refusal *r);
/* All of these return false, so that a check may end with one. Only the first refusal counts. */

/* {"detail":"…"} */
bool sim_refuse_detail(struct sim_refusal *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* {"error":{message,type:"invalid_request_error",param,code}}; param and code may be NULL. */
bool sim_refuse(struct sim_refusal *r, const char *param, const char *code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
bool sim_refuse_with_status(struct sim_refusal *r, int status, const char *param, const char *fmt,
	...) PRINTF_LIKE(4, 5);
bool sim_refuse_missing(struct sim_refusal *r, const char *param);
bool sim_refuse_type(struct sim_refusal *r, const char *param, const char *wanted, struct jv got);
/* "Invalid value: 'x'. Supported values are: …" */
bool sim_refuse_value(
	struct sim_refusal *r, const char *param, struct sv value, const char *supported);
bool sim_refuse_length(struct sim_refusal *r, const char *param, size_t most, size_t got);

#endif
