/*
 * What the name of a model in a request means (docs/models.md): aliases, whether a slot may have
 * it, and what the client hears when none has.
 */
#ifndef RELAY_MODEL_CHOICE_H
#define RELAY_MODEL_CHOICE_H

#include "base/arena.h"
#include "dialect/api_err.h"
#include "slots/slot_table.h"

struct model_choice {
	struct sv name;	    /* upstream's; borrowed from the request or the configuration */
	bool aliased;	    /* the client's name for it is another one */
	bool any_catalogue; /* for slots, too, whose catalogue lacks it */
};

/* conf must outlive the choice. */
struct model_choice model_choice_of(const struct conf *conf, struct sv asked);
/* Is there a model, or an alias, of exactly this name? What is not known is not there. */
bool model_choice_knows(const struct conf *conf, struct slot_table *slots, struct sv name);
/*
 * Is there a slot that might have the model? Upstream decides all the same for models that the
 * operator has named, and for Codex clients: they may know newer ones than the version for which
 * the catalogues are asked, and they understand the refusal.
 */
bool model_choice_is_possible(struct model_choice *m, const struct conf *conf,
	struct slot_table *slots, bool native, int64_t now_ms);
/* No slot would serve it later either: upstream has refused the model with all that are left. */
bool model_choice_is_refused(const struct lease_report *report);
/* In upstream's words, and for a Codex client in upstream's shape. */
void model_choice_describe_refusal(
	const struct model_choice *m, bool native, struct arena *arena, struct api_err *ret);
/*
 * Upstream's answer headers without openai-model: a Codex client warns its user when it names
 * another model than was asked for, and an alias is another one. ret has room for count; returns
 * how many.
 */
size_t model_choice_drop_name(
	const struct http_header *headers, size_t count, struct http_header *ret);

#endif
