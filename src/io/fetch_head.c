#include "io/fetch_head.h"

#include <errno.h>
#include <stdlib.h>

enum { KEEP_BYTES = 8 * 1024, MIN_HEADERS = 32 };

void fetch_head_init(struct fetch_head *h)
{
	*h = (struct fetch_head){0};
	buf_init(&h->text, LIMIT_RESPONSE_HEAD_BYTES);
}

void fetch_head_fini(struct fetch_head *h)
{
	buf_fini(&h->text);
	free(h->headers);
	*h = (struct fetch_head){0};
}

static void drop_lines(struct fetch_head *h)
{
	buf_reset(&h->text, KEEP_BYTES);
	h->header_count = 0;
	h->status = 0;
}

void fetch_head_reset(struct fetch_head *h)
{
	drop_lines(h);
	h->seen_bytes = 0;
	h->final = false;
}

/* "HTTP/1.1 200 OK" -> 200, or 0. */
static int status_of(struct sv line)
{
	int status = 0;

	sv_split(&line, ' ');
	for (size_t i = 0; i < 3; i++) {
		if (i >= line.n || line.p[i] < '0' || line.p[i] > '9')
			return 0;
		status = status * 10 + (line.p[i] - '0');
	}
	return status;
}

static int add_line(struct fetch_head *h, struct sv line)
{
	struct sv text = sv_trim(line);

	if (line.p[0] == ' ' || line.p[0] == '\t') {
		/* Obsolete folding: the value goes on. */
		if (h->header_count == 0)
			return -EPROTO;
		buf_truncate(&h->text, h->text.len - 1);
		buf_add_char(&h->text, ' ');
	} else if (++h->header_count > LIMIT_RESPONSE_HEADERS_COUNT) {
		return -EMSGSIZE;
	}
	buf_add_sv(&h->text, text);
	buf_add_char(&h->text, '\n');
	return buf_error(&h->text) ? -EMSGSIZE : 0;
}

static void make_views(struct fetch_head *h)
{
	struct sv rest = buf_sv(&h->text);

	if (h->header_count > h->header_size) {
		h->header_size =
			h->header_count > MIN_HEADERS ? LIMIT_RESPONSE_HEADERS_COUNT : MIN_HEADERS;
		h->headers = mem_realloc(h->headers, h->header_size * sizeof(*h->headers));
	}
	for (size_t i = 0; i < h->header_count; i++) {
		struct sv value = sv_split(&rest, '\n');
		struct sv name = sv_split(&value, ':');

		h->headers[i] = (struct http_header){sv_trim(name), sv_trim(value)};
	}
}

static int end_head(struct fetch_head *h)
{
	/* 101 would end HTTP on this connection, and nobody asked for it. */
	if (h->status < 100 || h->status == 101)
		return -EPROTO;
	if (h->status < 200) {
		drop_lines(h);
		return 0;
	}
	make_views(h);
	h->final = true;
	return 1;
}

int fetch_head_add(struct fetch_head *h, struct sv line)
{
	if (h->final || line.n == 0)
		return 0;
	h->seen_bytes += line.n;
	if (h->seen_bytes > LIMIT_RESPONSE_HEAD_BYTES)
		return -EMSGSIZE;
	if (h->status == 0) {
		h->status = status_of(line);
		return h->status ? 0 : -EPROTO;
	}
	if (sv_trim(line).n == 0)
		return end_head(h);
	return add_line(h, line);
}
