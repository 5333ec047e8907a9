#include "relay/offline.h"

struct offline_model {
	const char *id;
	const char *says; /* NULL: the last user text */
	bool listed;
};

static const struct offline_model models[] = {
	{"relay-selftest", "RELAY_SELFTEST_OK", true},
	{"relay-mock", "RELAY_SELFTEST_OK", false},
	{"mock-pong", "pong", true},
	{"relay-echo", NULL, true},
};

static struct sv echo(struct turn *turn)
{
	struct sv text = turn_last_user_text(turn);

	return text.n ? text : SV("RELAY_ECHO_EMPTY");
}

bool offline_answer(struct turn *turn, struct sv *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		if (!sv_eq(turn->model, sv_cstr(models[i].id)))
			continue;
		*ret = models[i].says ? sv_cstr(models[i].says) : echo(turn);
		return true;
	}
	return false;
}

bool offline_has(struct sv name)
{
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		if (sv_eq(name, sv_cstr(models[i].id)))
			return true;
	}
	return false;
}

const char *offline_listed(size_t index)
{
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		if (models[i].listed && index-- == 0)
			return models[i].id;
	}
	return NULL;
}
