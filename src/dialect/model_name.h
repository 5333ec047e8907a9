/*
 * What a client's model name says (TRANSLATION 1): "provider/model" is the part behind the last
 * slash; an ending names the reasoning effort, as `gpt-5.1-high` or `gpt-5.1(high)`, if the name in
 * front of it is a known model. A name that is listed as it is means just that. Pure.
 */
#ifndef DIALECT_MODEL_NAME_H
#define DIALECT_MODEL_NAME_H

#include "base/sv.h"

/*
 * Which models there are. The caller fills it; names are decoded. Besides what is listed here, all
 * names of the family are known (model_name_is_family()): lists may be old or missing.
 */
struct model_catalogue {
	struct sv default_model; /* listed too; may be empty */
	/* Is a model of exactly this name listed? May be NULL. */
	bool (*knows)(void *arg, struct sv name);
	void *arg;
};

struct model_name {
	struct sv model;  /* a part of the name that was read; may be empty */
	struct sv effort; /* static text; empty: the name says nothing about it */
};

struct model_name model_name_read(struct sv name, const struct model_catalogue *catalogue);
/* Looks like a model of the family that upstream serves: gpt-5…, codex-…, o3…. */
bool model_name_is_family(struct sv name);

#endif
