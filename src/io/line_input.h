/*
 * Lines from a descriptor that others share: a terminal, a pipe, a file. The descriptor is borrowed
 * and not put into non-blocking mode, which would be felt by the shell that holds it too: it is
 * read only when something is there. What was read is wiped once it was handed on. Owner: whoever
 * made it.
 */
#ifndef IO_LINE_INPUT_H
#define IO_LINE_INPUT_H

#include "base/sv.h"
#include "io/loop.h"

struct line_input;

struct line_input_ops {
	/* A line without its end; borrowed. The last one needs no end. One that is over the cap
	 * comes as SV_NONE. */
	void (*on_line)(void *arg, struct sv line);
	/* Nothing more comes: the end, or the descriptor cannot be read. */
	void (*on_end)(void *arg);
};

/* cap: longest line in bytes. Nothing is called back at once; line_input_free() is safe inside the
 * callbacks. */
int line_input_new(struct loop *loop, int fd, size_t cap, const struct line_input_ops *ops,
	void *arg, struct line_input **ret) MUST_CHECK;
/* Accepts NULL. The memory goes with the next turn of the loop. */
void line_input_free(struct line_input *in);

#endif
