/*
 * Structured log: one JSON object a line on one descriptor, collected in memory and written in
 * batches by log_flush() (the loop calls it once per turn; a full batch and LOG_ERROR flush at
 * once). Strings are escaped and cut to LIMIT_LOG_VALUE_BYTES. Secrets have a type of their own
 * (secret.h) that no function here takes. Single-threaded.
 *	log_begin(LOG_INFO, "request.finish"); log_str("slot", id); log_i64("status", 200);
 *log_end();
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/sv.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines go to fd (borrowed). Before this call lines are dropped. */
void log_init(int fd, enum log_level least);
void log_set_level(enum log_level least);
/* Writes what is left and frees the batch. */
void log_fini(void);
void log_flush(void);

/* Starts a line {"time":…,"level":…,"event":…; every begin needs its end, with no nesting. */
void log_begin(enum log_level level, const char *event);
void log_str(const char *key, struct sv value);
void log_i64(const char *key, int64_t value);
/* null when it is not finite. */
void log_f64(const char *key, double value);
void log_bool(const char *key, bool value);
/* Fixed three decimals, for milliseconds measured in microseconds. */
void log_ms(const char *key, int64_t value_us);
/* Any valid JSON text, verbatim. */
void log_raw(const char *key, struct sv json);
void log_end(void);
/* One line with a message and, when err is negative, its errno text. */
void log_error(const char *event, struct sv message, int err);
void log_warn(const char *event, struct sv message, int err);

#endif
