/* What processors without vectors that this program knows run. */
#define JBLOCK_PORTABLE
#include "test_jtext.c"
