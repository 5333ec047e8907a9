/* Values of JSON that is shown to operators: what is not known is null. New references. */
#ifndef SLOTS_SHOW_H
#define SLOTS_SHOW_H

#include <jansson.h>
#include <stdint.h>

/* A text that was cut to fit, maybe within a character. NULL and "" are null. */
json_t *show_text(const char *text);
/* ISO 8601; 0 is null. */
json_t *show_time(int64_t wall_ms);
/* Milliseconds with a fraction. */
json_t *show_ms(int64_t us);

/* The text that is sent: one line; reals as people write them, 0.634. NULL when value holds no
 * UTF-8. free(). */
char *show_dump(const json_t *value);

#endif
