/* What a URL function accepts it understands the same way when it is put together again. */
#include "proto/url.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct sv piece, struct sv whole)
{
	return piece.p >= whole.p && piece.p + piece.n <= whole.p + whole.n;
}

static bool is_printable(struct sv text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] <= ' ' || text.p[i] > '~')
			return false;
	}
	return true;
}

static void add_authority(struct buf *out, struct sv host, uint16_t port)
{
	bool v6 = host.n && memchr(host.p, ':', host.n);

	if (v6)
		buf_add_char(out, '[');
	buf_add_sv(out, host);
	if (v6)
		buf_add_char(out, ']');
	buf_add_char(out, ':');
	buf_add_u64(out, port);
}

static void check_url(struct sv text)
{
	struct url u;
	struct url again;
	struct buf whole;

	if (url_parse(text, &u) != 0)
		return;
	assert(sv_eq(u.scheme, SV("http")) || sv_eq(u.scheme, SV("https")));
	assert(lies_in(u.host, text) && u.host.n > 0 && u.port > 0);
	assert(lies_in(u.path, text) && (u.path.n == 0 || u.path.p[0] == '/'));
	assert(is_printable(text));
	buf_init(&whole, MIB(1));
	buf_add_sv(&whole, u.scheme);
	buf_add_lit(&whole, "://");
	add_authority(&whole, u.host, u.port);
	buf_add_sv(&whole, u.path);
	assert(url_parse(buf_sv(&whole), &again) == 0);
	assert(sv_eq(u.scheme, again.scheme) && sv_eq(u.host, again.host));
	assert(u.port == again.port && sv_eq(u.path, again.path));
	buf_fini(&whole);
}

static void check_base(struct sv text)
{
	struct url u;
	struct url v;
	struct buf base;
	struct buf codex;
	struct buf again;

	buf_init(&base, MIB(1));
	if (url_backend_base(text, &base) != 0) {
		assert(base.len == 0);
		return;
	}
	assert(url_parse(text, &u) == 0 && url_parse(buf_sv(&base), &v) == 0);
	assert(sv_eq(u.host, v.host) && u.port == v.port && sv_starts(u.path, v.path));
	assert(!sv_ends(buf_sv(&base), SV("/")));
	/* Every form of it leads to the same base. */
	buf_init(&codex, MIB(1));
	buf_init(&again, MIB(1));
	buf_add_sv(&codex, buf_sv(&base));
	buf_add_lit(&codex, "/codex/responses/");
	assert(url_backend_base(buf_sv(&codex), &again) == 0);
	assert(sv_eq(buf_sv(&again), buf_sv(&base)));
	buf_fini(&again);
	buf_fini(&codex);
	buf_fini(&base);
}

static void check_listen(struct sv text)
{
	char host[256];
	char again[256];
	uint16_t port;
	uint16_t port_again;
	struct buf whole;

	if (url_parse_listen(text, host, sizeof(host), &port) != 0)
		return;
	buf_init(&whole, MIB(1));
	add_authority(&whole, sv_cstr(host), port);
	assert(url_parse_listen(buf_sv(&whole), again, sizeof(again), &port_again) == 0);
	assert(strcmp(host, again) == 0 && port == port_again);
	buf_fini(&whole);
}

static void check_listener(struct sv text)
{
	struct listen_address at;
	struct buf whole;

	if (url_parse_listener(text, &at) != 0)
		return;
	buf_init(&whole, MIB(1));
	if (at.kind == LISTEN_UNIX) {
		buf_addf(&whole, "unix:%s", at.path);
		assert(sv_eq(buf_sv(&whole), text));
	} else {
		struct listen_address again;

		if (at.kind == LISTEN_TLS)
			buf_add_lit(&whole, "tls://");
		add_authority(&whole, sv_cstr(at.host), at.port);
		assert(url_parse_listener(buf_sv(&whole), &again) == 0);
		assert(again.kind == at.kind && again.port == at.port);
		assert(strcmp(again.host, at.host) == 0);
	}
	buf_fini(&whole);
}

static void check_escapes(struct sv text)
{
	struct buf escaped;
	struct buf back;
	int err;

	buf_init(&escaped, MIB(4));
	buf_init(&back, MIB(1));
	url_escape(text, &escaped);
	assert(buf_error(&escaped) == 0 && is_printable(buf_sv(&escaped)));
	assert(url_unescape(buf_sv(&escaped), &back) == 0);
	assert(sv_eq(buf_sv(&back), text));
	buf_reset(&back, 0);
	err = url_unescape(text, &back);
	assert(err == 0 || (err == -EBADMSG && back.len == 0));
	buf_fini(&back);
	buf_fini(&escaped);
}

static void check_query(struct sv text)
{
	struct sv query = text;
	struct sv key = sv_split(&query, '\n');
	struct sv value = url_query_get(query, key);

	if (value.p) {
		assert(lies_in(value, query));
		assert(value.n == 0 || !memchr(value.p, '&', value.n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sv text = sv_make((const char *)data, size);

	if (size > KIB(64))
		return 0;
	check_url(text);
	check_base(text);
	check_listen(text);
	check_listener(text);
	check_escapes(text);
	check_query(text);
	return 0;
}
