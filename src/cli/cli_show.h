/* Slots for people: the table of slot-list, blocks of lines where that is too wide, and the short
 * table of health. */
#ifndef CLI_CLI_SHOW_H
#define CLI_CLI_SHOW_H

#include "cli/cli_view.h"

void cli_show_slots(const struct cli_context *ctx, const struct cli_view *v);
void cli_show_summary(const struct cli_context *ctx, const struct cli_view *v);

#endif
