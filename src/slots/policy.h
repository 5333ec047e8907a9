/*
 * The selection policies: one table, one row for each choice of selectionPolicy. Pure. A policy
 * gives every candidate a score, once; pick() compares them. Candidates of unknown score come last.
 * docs/routing.md explains all of them, and a unit test compares it with this table.
 */
#ifndef SLOTS_POLICY_H
#define SLOTS_POLICY_H

#include "slots/pick.h"

struct policy {
	const char *help; /* one line: "spends what resets first" */
	const char *unit; /* what a score counts, and which comes first */
	bool less_first;  /* the lower score goes first */
	bool in_order;	  /* of equal ones the lower number goes first, however loaded it is */
	/* NAN: unknown. */
	double (*score)(const struct pick_options *o, const struct pick_candidate *c);
	/* Above 0: a goes before b, though the scores are equal. NULL: nothing more to compare. */
	int (*tie)(const struct pick_candidate *a, const struct pick_candidate *b);
	/* What the choice of c changes in the turns of `ret` beside the number. NULL: nothing. */
	void (*settle)(const struct pick_options *o, const struct pick_candidate *c,
		struct pick_result *ret);
};

const struct policy *policy_get(enum conf_policy policy);
/* The share of a candidate in `weighted`: its capacity times the fraction left, above 0. */
double policy_weight(const struct pick_candidate *c);

#endif
