#include "sim/sim_form.h"

#include "base/limits.h"
#include "proto/url.h"

bool sim_form_init(struct sim_form *f, struct sim_txn *t)
{
	struct sv type = sim_txn_header(t, SV("content-type"));

	*f = (struct sim_form){.t = t};
	if (sv_istarts(type, SV("application/x-www-form-urlencoded"))) {
		f->query = sim_txn_body(t);
		return true;
	}
	return sv_istarts(type, SV("application/json")) &&
	       jv_parse(sim_txn_body(t), LIMIT_JSON_DEPTH, &f->json, NULL) == 0;
}

static struct sv unescape(struct sim_txn *t, struct sv raw)
{
	struct sv text = SV_NONE;
	struct buf out;

	if (!raw.n)
		return SV_NONE;
	buf_init(&out, KIB(64));
	if (url_unescape(raw, &out) == 0)
		text = arena_dup(&t->arena, buf_sv(&out));
	buf_fini(&out);
	return text;
}

struct sv sim_form_get(const struct sim_form *f, struct sv key)
{
	struct sv text;

	if (!jv_exists(f->json))
		return unescape(f->t, url_query_get(f->query, key));
	if (jv_str(jv_get(f->json, key), &f->t->arena, &text) < 0)
		return SV_NONE;
	return text;
}

struct sv sim_form_query(struct sim_txn *t, struct sv key)
{
	return unescape(t, url_query_get(t->head->query, key));
}
