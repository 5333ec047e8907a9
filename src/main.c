#include "cli/cli.h"
#include "io/child.h"

#include <string.h>

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], CHILD_GUARD_WORD) == 0)
		return child_guard(argc, argv);
	return cli_main(argc, argv);
}
