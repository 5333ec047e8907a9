/* The backends of `usage.backend` that need nothing but this program. See usage_check.h. */
#ifndef SLOTS_USAGE_SOURCE_H
#define SLOTS_USAGE_SOURCE_H

#include "slots/usage_check.h"

/* GET /wham/usage with the slot's own credential. */
const struct usage_source *usage_source_codex_api(void);
/* What is stored. */
const struct usage_source *usage_source_local_cache(void);

#endif
