#include "cli/cli_warnings.h"

#include "proto/url.h"
#include "version.h"

#include <stdarg.h>
#include <stdio.h>

enum { TEXT_SIZE = 600 };

static bool is_public(const char *listen_address)
{
	struct listen_address at;

	if (url_parse_listener(sv_cstr(listen_address), &at) != 0 || at.kind == LISTEN_UNIX)
		return false;
	return strncmp(at.host, "127.", 4) != 0 && strcmp(at.host, "::1") != 0 &&
	       strcasecmp(at.host, "localhost") != 0;
}

const char *cli_warnings_public_address(const struct conf *conf)
{
	for (size_t i = 0; i < conf->listeners.all.count; i++) {
		if (is_public(conf->listeners.all.items[i]))
			return conf->listeners.all.items[i];
	}
	return NULL;
}

bool cli_warnings_is_default_token(const struct conf *conf)
{
	return secret_equals(&conf->auth_token, SV("relay-dev-token"));
}

static void PRINTF_LIKE(2, 3) warn(json_t *list, const char *fmt, ...)
{
	char text[TEXT_SIZE];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(list, json_string(text));
}

static void warn_about_relay(json_t *list, const struct cli_view *v)
{
	const struct cli_live *live = &v->live;

	if (live->problem[0])
		warn(list, "something listens at %s, but %s: run doctor", live->address,
			live->problem);
	else if (live->version[0] && strcmp(live->version, RELAY_VERSION) != 0)
		warn(list, "the running relay is version %s, this program %s: restart serve",
			live->version, RELAY_VERSION);
}

static void warn_about_conf(json_t *list, const struct conf *conf)
{
	const char *open = cli_warnings_public_address(conf);

	if (open && cli_warnings_is_default_token(conf))
		warn(list,
			"everybody who reaches %s can use the relay with the default token: "
			"config set authToken -",
			open);
	for (size_t i = 0; i < conf->unknown_count; i++)
		warn(list, "relay.json: nobody knows the key %s", conf->unknown_keys[i]);
}

static void warn_about_slot(json_t *list, const struct cli_slot *s)
{
	if (!s->enabled)
		return;
	if (strcmp(s->reason, "reauth_required") == 0)
		warn(list, "%s needs a new login: slot-login --slot %s", s->id, s->id);
	else if (strcmp(s->reason, "no_credential") == 0)
		warn(list, "%s has no credential that can be used: %s", s->id, s->last_error);
	else if (strcmp(s->reason, "expired") == 0)
		warn(list, "the token of %s has expired", s->id);
	else if (strcmp(s->credential, "in_doubt") == 0)
		warn(list,
			"a refresh of %s's token was cut off: slot-login --slot %s before it "
			"expires",
			s->id, s->id);
}

json_t *cli_warnings(const struct cli_view *v)
{
	json_t *list = json_array();
	size_t eligible = 0, count = json_array_size(v->slots);

	warn_about_relay(list, v);
	warn_about_conf(list, v->conf);
	for (size_t i = 0; i < count; i++) {
		struct cli_slot s;

		cli_view_slot(v, i, &s);
		warn_about_slot(list, &s);
		eligible += s.eligible;
	}
	if (!count)
		warn(list, "there is no slot yet: slot-login --slot 1");
	else if (!eligible)
		warn(list, "no slot can serve now");
	return list;
}
