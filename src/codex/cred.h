/* What the upstream needs to know of an account: never a slot. Borrowed for one attempt. */
#ifndef CODEX_CRED_H
#define CODEX_CRED_H

#include "base/secret.h"

struct codex_cred {
	const struct secret *access; /* bearer token */
	struct sv account_id;	     /* chatgpt-account-id; empty: header is left out */
	struct sv
		base_url; /* backend base without "/codex", no trailing slash (url_backend_base) */
};

#endif
