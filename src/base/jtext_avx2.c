#include "base/jtext.h"

#include "base/jtext_blocks.h"

const char *jtext_skip_avx2(const char *p, const char *end)
{
	return jtext_skip_blocks(p, end);
}
