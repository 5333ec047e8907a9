/*
 * Opens an address in the user's browser. $BROWSER goes first (a list separated by colons, each a
 * program with arguments, "%s" stands for the address); else xdg-open and its like, when there is a
 * display. No shell is involved, and the browser outlives us.
 */
#ifndef CLI_CLI_BROWSER_H
#define CLI_CLI_BROWSER_H

#include "base/mem.h"

/* 0: a browser was started; -ENOENT: there is none, or it cannot be run. */
int cli_browser_open(const char *url) MUST_CHECK;

#endif
