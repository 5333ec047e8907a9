/*
 * The models that upstream offers one slot (GET /codex/models, PROTOCOL 2): parsed, kept compact,
 * and as a file beside the slot's credential, so that a restart knows them at once. Upstream's own
 * text is kept too, in a file of its own, for Codex clients: they need all that it says of a model.
 * Pure but for the read and write helpers, which block. Owner: the slot.
 *
 * What is not known refuses nothing: no catalogue, one that is too old to be believed, or an empty
 * one (upstream hides what a client version may not see) mean that the slot might have any model.
 */
#ifndef SLOTS_CATALOGUE_H
#define SLOTS_CATALOGUE_H

#include "base/sv.h"

#include <jansson.h>

enum {
	CATALOGUE_MODELS_MAX = 512,
	CATALOGUE_NAME_MAX = 128,
	CATALOGUE_ETAG_MAX = 256,
};

struct catalogue_model {
	char *name;		/* slug */
	char *display_name;	/* NULL none */
	int64_t context_window; /* tokens; 0 unknown */
	bool hidden;		/* may be used, is not listed */
};

/* Whose catalogue it is: another account, backend or client version may see others. */
struct catalogue_origin {
	const char *account_id, *base_url, *client_version; /* may be NULL */
};

/*
 * Upstream's text: some hundred KiB, and the same for all slots of a plan, which share it. Never
 * changes; counted, on the loop thread only.
 */
struct catalogue_text {
	uint64_t hash;
	size_t n;
	unsigned refs;
	char bytes[];
};

struct catalogue {
	struct catalogue_model *models; /* in upstream's order */
	uint64_t *hashes;		/* of all names, sorted */
	size_t count;
	char *etag;		     /* NULL none */
	struct catalogue_text *text; /* NULL: not known */
	uint64_t text_hash;	     /* of what the file of the text must hold; 0: there is none */
	char *plan;		     /* of the account when it was fetched; NULL unknown */
	int64_t fetched_ms;	     /* wall; also the last time that upstream said: not modified */
};

void catalogue_free(struct catalogue *c);
/*
 * Upstream's body. -EINVAL with a text for people when it is no catalogue; names that are none are
 * skipped. etag may be empty.
 */
int catalogue_parse(
	struct sv body, struct sv etag, struct catalogue **ret, const char **problem) MUST_CHECK;

/* Known not to be there. c may be NULL. */
bool catalogue_lacks(const struct catalogue *c, uint64_t model_hash, int64_t now_ms);
/* It can be believed now. c may be NULL. */
bool catalogue_is_known(const struct catalogue *c, int64_t now_ms);
const struct catalogue_model *catalogue_find(const struct catalogue *c, struct sv name);

/* As a document, and from one; NULL when it is none, or of another origin. */
json_t *catalogue_json(const struct catalogue *c, const struct catalogue_origin *origin);
struct catalogue *catalogue_from_json(const json_t *doc, const struct catalogue_origin *origin);
/* state/slots/slot-N/agent/codex-models.json; the caller frees. */
char *catalogue_path(const char *root, const char *slot_id);
/* And upstream's text beside it, codex-models-full.json. */
char *catalogue_text_path(const char *root, const char *slot_id);
/* NULL when there is none that can be used. */
struct catalogue *catalogue_read(const char *path, const struct catalogue_origin *origin);
/* Reads the text that belongs to c. Without one it stays unknown, and must be fetched again. */
void catalogue_read_text(struct catalogue *c, const char *path);
/* Uses the text of other, which may be NULL, if it is the same; true when it is. */
bool catalogue_share_text(struct catalogue *c, const struct catalogue *other);
struct catalogue_text *catalogue_text_ref(struct catalogue_text *text);
void catalogue_text_unref(struct catalogue_text *text);

#endif
