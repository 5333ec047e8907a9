/* Any bytes as a list of models: what is taken is clean, is found again, and reads back. */
#include "slots/catalogue.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct catalogue *c, const struct catalogue *again)
{
	assert(c->count <= CATALOGUE_MODELS_MAX && again->count == c->count);
	for (size_t i = 0; i < c->count; i++) {
		const struct catalogue_model *m = &c->models[i];
		struct sv name = sv_cstr(m->name);

		assert(name.n && name.n <= CATALOGUE_NAME_MAX);
		for (size_t k = 0; k < name.n; k++)
			assert(name.p[k] > ' ' && name.p[k] <= '~');
		assert(m->context_window >= 0);
		assert(!catalogue_lacks(c, sv_hash(name, SV_HASH_SEED), 1));
		assert(catalogue_find(c, name) == m);
		assert(sv_eq(sv_cstr(again->models[i].name), name));
		assert(again->models[i].context_window == m->context_window);
		assert(again->models[i].hidden == m->hidden);
		assert(sv_eq(sv_cstr(again->models[i].display_name), sv_cstr(m->display_name)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct catalogue_origin nobody = {0};
	struct catalogue *c = NULL, *again;
	const char *problem = NULL;
	json_t *doc;

	if (catalogue_parse(sv_make((const char *)data, size), SV_NONE, &c, &problem)) {
		assert(!c && problem);
		return 0;
	}
	c->fetched_ms = 1;
	doc = catalogue_json(c, &nobody);
	again = catalogue_from_json(doc, &nobody);
	assert(again);
	check(c, again);
	catalogue_free(again);
	json_decref(doc);
	catalogue_free(c);
	return 0;
}
