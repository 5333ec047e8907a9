/*
 * What a client is told when its request fails, before any dialect renders it. Self-contained:
 * texts are copied in and cut, so that it may outlive the bytes that it was made from.
 */
#ifndef DIALECT_API_ERR_H
#define DIALECT_API_ERR_H

#include "base/jv.h"

struct api_err {
	int status;	       /* HTTP status, 400 to 599; 499 is only for logs */
	char type[64];	       /* "invalid_request_error" */
	char code[64];	       /* "" renders as null */
	char param[128];       /* "" renders as null */
	char message[1024];    /* English sentence, or upstream's own text */
	char plan_type[32];    /* "" when unknown; only with usage_limit_reached */
	int64_t retry_after_s; /* 0: no Retry-After header */
	int64_t resets_at_s;   /* unix time; 0: not told */
	/*
	 * An upstream error body that reaches the client unchanged (PROTOCOL 6, class client):
	 * views of the exchange's memory. Only used before the commit, by dialects that speak
	 * upstream's shape.
	 */
	struct sv body;
};

/* Fills err; texts are cut to fit. fmt as printf. Returns -EINVAL, for `return api_err_set(…)`. */
int api_err_set(struct api_err *err, int status, const char *type, const char *code,
	const char *fmt, ...) PRINTF_LIKE(5, 6);
/* 400 invalid_request_error with a param; returns -EINVAL. */
int api_err_param(struct api_err *err, const char *param, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* {"error":{"message","type","param","code"}} plus plan_type, resets_at, resets_in_seconds when
 * known. */
void api_err_write(const struct api_err *err, int64_t now_s, struct buf *out);

/*
 * Has an upstream error body the shape that api_err_write() gives, all four members of the error
 * included? SDKs read each of them.
 */
bool api_err_body_fits(struct sv body);

#endif
