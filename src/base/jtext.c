#include "base/jtext.h"

#include "base/jtext_blocks.h"

const char *jtext_skip(const char *p, const char *end)
{
#ifdef JTEXT_AVX2
	if (__builtin_cpu_supports("avx2"))
		return jtext_skip_avx2(p, end);
#endif
	return jtext_skip_blocks(p, end);
}
