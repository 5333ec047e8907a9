#include "proto/ws_handshake.h"

#include "base/ident.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>

enum { KEY_BYTES = 16, KEY_TEXT_BYTES = WS_KEY_SIZE - 1, SHA1_BYTES = 20 };

/* RFC 6455, 1.3 */
#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static bool list_has(struct sv list, struct sv token)
{
	while (list.n) {
		if (sv_ieq(sv_trim(sv_split(&list, ',')), token))
			return true;
	}
	return false;
}

/* A list may be spread over several fields. */
static bool header_has(
	const struct http_header *headers, size_t count, struct sv name, struct sv token)
{
	for (size_t i = 0; i < count; i++) {
		if (sv_ieq(headers[i].name, name) && list_has(headers[i].value, token))
			return true;
	}
	return false;
}

bool ws_is_upgrade(const struct http_request *r)
{
	return header_has(r->headers, r->header_count, SV("upgrade"), SV("websocket")) &&
	       header_has(r->headers, r->header_count, SV("connection"), SV("upgrade"));
}

static bool is_base64(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

/* 16 bytes in base64: 22 characters and "==". */
static bool is_key(struct sv key)
{
	for (size_t i = 0; i + 2 < key.n; i++) {
		if (!is_base64(key.p[i]))
			return false;
	}
	return key.n == KEY_TEXT_BYTES && sv_ends(key, SV("=="));
}

static size_t count_of(const struct http_request *r, struct sv name)
{
	size_t count = 0;

	for (size_t i = 0; i < r->header_count; i++)
		count += sv_ieq(r->headers[i].name, name);
	return count;
}

void ws_accept_of(struct sv key, char out[WS_ACCEPT_SIZE])
{
	unsigned char text[KEY_TEXT_BYTES + sizeof(GUID) - 1], hash[SHA1_BYTES];
	int ok;

	assert(key.n == KEY_TEXT_BYTES);
	memcpy(text, key.p, key.n);
	memcpy(text + key.n, GUID, sizeof(GUID) - 1);
	ok = EVP_Digest(text, sizeof(text), hash, NULL, EVP_sha1(), NULL);
	assert(ok == 1);
	EVP_EncodeBlock((unsigned char *)out, hash, sizeof(hash));
}

static int refuse(struct http_fault *fault, int status, const char *message)
{
	*fault = (struct http_fault){status, message};
	return -EINVAL;
}

int ws_check_request(
	const struct http_request *r, char ret_accept[WS_ACCEPT_SIZE], struct http_fault *ret_fault)
{
	struct sv key = sv_trim(http_request_header(r, SV("sec-websocket-key")));
	struct sv version = sv_trim(http_request_header(r, SV("sec-websocket-version")));

	if (!sv_eq(r->method, SV("GET")) || r->is_http10 || r->has_body)
		return refuse(
			ret_fault, 400, "a WebSocket is asked for with GET, HTTP/1.1 and no body");
	if (!ws_is_upgrade(r))
		return refuse(ret_fault, 400, "Upgrade and Connection do not ask for a WebSocket");
	if (!sv_eq(version, SV("13")))
		return refuse(ret_fault, 426, "Sec-WebSocket-Version must be 13");
	if (count_of(r, SV("sec-websocket-key")) != 1 || !is_key(key))
		return refuse(ret_fault, 400, "Sec-WebSocket-Key must be 16 bytes in base64");
	ws_accept_of(key, ret_accept);
	return 0;
}

void ws_make_key(char out[WS_KEY_SIZE])
{
	unsigned char bytes[KEY_BYTES];

	ident_random(bytes, sizeof(bytes));
	EVP_EncodeBlock((unsigned char *)out, bytes, sizeof(bytes));
}

bool ws_check_answer(int status, const struct http_header *headers, size_t count, const char *key)
{
	char accept[WS_ACCEPT_SIZE];
	bool accepted = false;

	ws_accept_of(sv_cstr(key), accept);
	for (size_t i = 0; i < count; i++) {
		struct sv name = headers[i].name;

		if (sv_ieq(name, SV("sec-websocket-extensions")) ||
			sv_ieq(name, SV("sec-websocket-protocol")))
			return false;
		if (sv_ieq(name, SV("sec-websocket-accept")))
			accepted = sv_eq(sv_trim(headers[i].value), sv_cstr(accept));
	}
	return status == 101 && accepted &&
	       header_has(headers, count, SV("upgrade"), SV("websocket")) &&
	       header_has(headers, count, SV("connection"), SV("upgrade"));
}
