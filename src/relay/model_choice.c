#include "relay/model_choice.h"

#include "base/jw.h"
#include "slots/catalogue.h"

enum { NAME_SHOWN_MAX = 128 };

struct model_choice model_choice_of(const struct conf *conf, struct sv asked)
{
	const char *real = conf_names_look_up(&conf->model_aliases, asked);

	return (struct model_choice){
		.name = real ? sv_cstr(real) : asked,
		.aliased = real != NULL,
	};
}

bool model_choice_knows(const struct conf *conf, struct slot_table *slots, struct sv name)
{
	if (conf_names_look_up(&conf->model_aliases, name) ||
		conf_names_has(&conf->model_extra, name))
		return true;
	for (size_t i = 0; i < slot_table_count(slots); i++) {
		const struct slot *s = slot_table_at(slots, i);

		if (s->enabled && catalogue_find(s->catalogue, name))
			return true;
	}
	return false;
}

bool model_choice_is_possible(struct model_choice *m, const struct conf *conf,
	struct slot_table *slots, bool native, int64_t now_ms)
{
	bool lacking = slot_table_lacks_model(slots, m->name, now_ms);

	m->any_catalogue =
		conf_names_has(&conf->model_extra, m->name) || (lacking && (native || m->aliased));
	return !lacking || m->any_catalogue;
}

bool model_choice_is_refused(const struct lease_report *report)
{
	bool any = false;

	for (size_t i = 0; i < report->count; i++) {
		switch (report->reasons[i]) {
		case PICK_MODEL:
			any = true;
			break;
		case PICK_DISABLED:
		case PICK_NO_CREDENTIAL:
		case PICK_REAUTH_REQUIRED:
			break;
		default:
			return false;
		}
	}
	return any;
}

void model_choice_describe_refusal(
	const struct model_choice *m, bool native, struct arena *arena, struct api_err *ret)
{
	struct buf body;
	struct jw w;

	api_err_set(ret, 400, "invalid_request_error", "",
		"The '%.*s' model is not supported when using Codex with a ChatGPT account.",
		m->name.n > NAME_SHOWN_MAX ? NAME_SHOWN_MAX : (int)m->name.n, m->name.p);
	if (!native)
		return;
	buf_init(&body, KIB(8));
	w = jw_begin(&body);
	jw_obj(&w);
	jw_kstr(&w, "detail", sv_cstr(ret->message));
	jw_end(&w);
	if (!buf_error(&body))
		ret->body = arena_dup(arena, buf_sv(&body));
	buf_fini(&body);
}

size_t model_choice_drop_name(
	const struct http_header *headers, size_t count, struct http_header *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!sv_ieq(headers[i].name, SV("openai-model")))
			ret[kept++] = headers[i];
	}
	return kept;
}
