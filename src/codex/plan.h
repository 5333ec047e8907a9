/* What a plan is worth (PROTOCOL 5, "relative capacity"). Pure. */
#ifndef CODEX_PLAN_H
#define CODEX_PLAN_H

/* Size of the plan's limits with plus as 1; a plan that nobody knows counts as plus. */
double plan_capacity(const char *plan_type);

#endif
