#include "io/header_list.h"

#include "io/request_head.h"

#include <errno.h>
#include <stdlib.h>

enum { KEEP_BYTES = 16 * 1024 };

/* What libcurl adds on its own. "Name:" without a value means: do not send. */
static const char *const curl_defaults[] = {"Accept:", "Content-Type:", "Expect:"};

void header_list_init(struct header_list *l)
{
	*l = (struct header_list){0};
	buf_init(&l->text, LIMIT_REQUEST_HEAD_BYTES);
}

void header_list_fini(struct header_list *l)
{
	buf_fini(&l->text);
	free(l->nodes);
	*l = (struct header_list){0};
}

static bool is_given(const struct http_header *headers, size_t count, const char *suppressed)
{
	struct sv name = sv_make(suppressed, strlen(suppressed) - 1);

	for (size_t i = 0; i < count; i++) {
		if (sv_ieq(headers[i].name, name))
			return true;
	}
	return false;
}

static void link_node(struct header_list *l, char *text)
{
	struct curl_slist *node = &l->nodes[l->node_count];

	*node = (struct curl_slist){.data = text};
	if (l->node_count)
		node[-1].next = node;
	l->node_count++;
}

/* The text has room already: views into it stay good. */
static void add_header(struct header_list *l, const struct http_header *h)
{
	size_t start = l->text.len;

	buf_add_sv(&l->text, h->name);
	if (sv_trim(h->value).n == 0) {
		buf_add_char(&l->text, ';'); /* libcurl's way to send an empty header */
	} else {
		buf_add_lit(&l->text, ": ");
		buf_add_sv(&l->text, h->value);
	}
	buf_add_char(&l->text, '\0');
	link_node(l, l->text.data + start);
}

int header_list_build(struct header_list *l, const struct http_header *headers, size_t count)
{
	size_t bytes;
	int err = request_head_check(headers, count, &bytes);

	l->node_count = 0;
	buf_reset(&l->text, KEEP_BYTES);
	if (!err)
		err = buf_reserve(&l->text, bytes + 1);
	if (err)
		return err == -EINVAL ? err : -EMSGSIZE;
	if (count + ARRAY_LEN(curl_defaults) > l->node_size) {
		l->node_size = count + ARRAY_LEN(curl_defaults);
		l->nodes = mem_realloc(l->nodes, l->node_size * sizeof(*l->nodes));
	}
	for (size_t i = 0; i < count; i++) {
		if (!request_head_is_framing(headers[i].name))
			add_header(l, &headers[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(curl_defaults); i++) {
		/* libcurl never writes through the pointer. */
		if (!is_given(headers, count, curl_defaults[i]))
			link_node(l, (char *)(uintptr_t)curl_defaults[i]);
	}
	return 0;
}

struct curl_slist *header_list_head(const struct header_list *l)
{
	return l->node_count ? l->nodes : NULL;
}
