#include "io/request_head.h"

#include <errno.h>

static bool breaks_head(struct sv text)
{
	return text.n && (memchr(text.p, '\r', text.n) || memchr(text.p, '\n', text.n) ||
				 memchr(text.p, '\0', text.n));
}

int request_head_check(const struct http_header *headers, size_t count, size_t *ret_bytes)
{
	size_t bytes = 0;

	for (size_t i = 0; i < count; i++) {
		struct sv name = headers[i].name;

		if (name.n == 0 || breaks_head(name) || breaks_head(headers[i].value) ||
			memchr(name.p, ':', name.n) || memchr(name.p, ';', name.n))
			return -EINVAL;
		bytes += name.n + headers[i].value.n + 4;
		if (bytes > LIMIT_REQUEST_HEAD_BYTES)
			return -EMSGSIZE;
	}
	*ret_bytes = bytes;
	return 0;
}

bool request_head_is_framing(struct sv name)
{
	return sv_ieq(name, SV("Content-Length")) || sv_ieq(name, SV("Transfer-Encoding"));
}

bool request_head_has_length(const char *method)
{
	return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
	       strcmp(method, "PATCH") == 0;
}

static bool has_host(const struct fetch_request *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		if (sv_ieq(r->headers[i].name, SV("Host")))
			return true;
	}
	return false;
}

static void add_headers(struct buf *out, const struct fetch_request *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		const struct http_header *h = &r->headers[i];

		if (request_head_is_framing(h->name))
			continue;
		buf_add_sv(out, h->name);
		if (sv_trim(h->value).n) {
			buf_add_lit(out, ": ");
			buf_add_sv(out, h->value);
			buf_add_lit(out, "\r\n");
		} else {
			buf_add_lit(out, ":\r\n");
		}
	}
}

int request_head_write(
	struct buf *out, const struct fetch_request *r, struct sv authority, struct sv target)
{
	static const size_t rest_bytes = 128; /* of what stands around these */
	size_t bytes;
	int err = request_head_check(r->headers, r->header_count, &bytes);

	if (!err)
		err = buf_reserve(out, bytes + authority.n + target.n + rest_bytes);
	if (err)
		return err == -EINVAL ? err : -EMSGSIZE;
	buf_add_cstr(out, r->method);
	buf_add_char(out, ' ');
	if (target.n == 0 || target.p[0] != '/')
		buf_add_char(out, '/');
	buf_add_sv(out, target);
	buf_add_lit(out, " HTTP/1.1\r\n");
	if (!has_host(r)) {
		buf_add_lit(out, "Host: ");
		buf_add_sv(out, authority);
		buf_add_lit(out, "\r\n");
	}
	add_headers(out, r);
	if (r->body.n || request_head_has_length(r->method)) {
		buf_add_lit(out, "Content-Length: ");
		buf_add_u64(out, r->body.n);
		buf_add_lit(out, "\r\n");
	}
	buf_add_lit(out, "\r\n");
	return buf_error(out) ? -EMSGSIZE : 0;
}
