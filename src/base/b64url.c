#include "base/b64url.h"

#include <errno.h>

static const char url_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
static const char plain_alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Writes the digits of up to three bytes: one more than there are bytes. */
static size_t encode_group(const unsigned char *p, size_t n, const char *alphabet, char out[4])
{
	unsigned long bits = (unsigned long)p[0] << 16;

	if (n > 1)
		bits |= (unsigned long)p[1] << 8;
	if (n > 2)
		bits |= p[2];
	for (unsigned i = 0; i < 4; i++)
		out[i] = alphabet[bits >> (18 - 6 * i) & 63];
	return n + 1;
}

static void encode(struct sv bytes, const char *alphabet, bool pad, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)bytes.p;
	char digits[4];

	/* One growth for all, as far as the cap allows it; a failure is sticky in out. */
	if (buf_reserve(out, bytes.n / 3 * 4 + (bytes.n % 3 ? bytes.n % 3 + 1 : 0)))
		return;
	for (size_t i = 0; i < bytes.n; i += 3) {
		size_t left = bytes.n - i < 3 ? bytes.n - i : 3;

		buf_add(out, digits, encode_group(p + i, left, alphabet, digits));
		if (pad)
			buf_add(out, "==", 3 - left);
	}
}

void b64url_encode(struct sv bytes, struct buf *out)
{
	encode(bytes, url_alphabet, false, out);
}

void b64_encode(struct sv bytes, struct buf *out)
{
	encode(bytes, plain_alphabet, true, out);
}

/* Value of a base64url digit, or -1. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Without its padding; false when there is a wrong amount of it. */
static bool strip_padding(struct sv *text)
{
	size_t padding = 0;

	while (padding < text->n && text->p[text->n - 1 - padding] == '=')
		padding++;
	if (padding > 2 || (padding && text->n % 4 != 0))
		return false;
	text->n -= padding;
	return text->n % 4 != 1;
}

int b64url_decode(struct sv text, struct buf *out)
{
	size_t before = out->len;
	unsigned long bits = 0;
	unsigned count = 0;

	if (!strip_padding(&text))
		return -EBADMSG;
	if (buf_reserve(out, text.n / 4 * 3 + text.n % 4 * 3 / 4))
		return buf_error(out);
	for (size_t i = 0; i < text.n; i++) {
		int value = digit_value(text.p[i]);

		if (value < 0) {
			buf_truncate(out, before);
			return -EBADMSG;
		}
		bits = bits << 6 | (unsigned)value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			buf_add_char(out, (char)(bits >> count & 0xff));
		}
	}
	return buf_error(out);
}
