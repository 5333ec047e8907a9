/* Base64url (RFC 4648 section 5) without padding on output; padding is accepted on input. */
#ifndef BASE_B64URL_H
#define BASE_B64URL_H

#include "base/buf.h"

void b64url_encode(struct sv bytes, struct buf *out);
/* -EBADMSG for a character or length that is not base64url; nothing is appended then. */
int b64url_decode(struct sv text, struct buf *out) MUST_CHECK;
/* Plain base64 (section 4, with padding), for data: URLs and fixtures. */
void b64_encode(struct sv bytes, struct buf *out);

#endif
