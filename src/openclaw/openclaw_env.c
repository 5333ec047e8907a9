#include "openclaw/openclaw_env.h"

#include "base/secret.h"

#include <stdlib.h>

extern char **environ;

/* Exact names, or prefixes when they end in '*'. */
static const struct sv passing[] = {
	SV("PATH"),
	SV("HOME"),
	SV("USER"),
	SV("LOGNAME"),
	SV("SHELL"),
	SV("LANG"),
	SV("LC_*"),
	SV("TZ"),
	SV("TERM"),
	SV("COLORTERM"),
	SV("NO_COLOR"),
	SV("TMPDIR"),
	SV("XDG_*"),
	/* A browser for a login. */
	SV("BROWSER"),
	SV("DISPLAY"),
	SV("WAYLAND_DISPLAY"),
	SV("DBUS_SESSION_BUS_ADDRESS"),
	SV("SSH_CONNECTION"),
	SV("SSH_TTY"),
	/* The network. */
	SV("HTTP_PROXY"),
	SV("HTTPS_PROXY"),
	SV("ALL_PROXY"),
	SV("NO_PROXY"),
	SV("http_proxy"),
	SV("https_proxy"),
	SV("all_proxy"),
	SV("no_proxy"),
	SV("SSL_CERT_FILE"),
	SV("SSL_CERT_DIR"),
	SV("NODE_EXTRA_CA_CERTS"),
	SV("NODE_USE_ENV_PROXY"),
	SV("NODE_OPTIONS"),
	/* Where OpenClaw's own things are. Its tokens and ports do not pass. */
	SV("OPENCLAW_HOME"),
	SV("OPENCLAW_CONFIG_PATH"),
	SV("OPENCLAW_NO_RESPAWN"),
};

bool openclaw_env_passes(struct sv name)
{
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		struct sv rule = passing[i];

		if (rule.p[rule.n - 1] == '*' ? sv_starts(name, sv_make(rule.p, rule.n - 1))
					      : sv_eq(name, rule))
			return true;
	}
	return false;
}

static void append(struct openclaw_env *env, char *entry)
{
	env->list = mem_realloc(env->list, (env->count + 2) * sizeof(*env->list));
	env->list[env->count++] = entry;
	env->list[env->count] = NULL;
}

void openclaw_env_init(struct openclaw_env *env)
{
	*env = (struct openclaw_env){0};
	for (char **at = environ; at && *at; at++) {
		struct sv rest = sv_cstr(*at);

		if (openclaw_env_passes(sv_split(&rest, '=')))
			append(env, mem_strdup(*at));
	}
	if (!env->list)
		env->list = mem_zalloc(sizeof(*env->list));
}

void openclaw_env_fini(struct openclaw_env *env)
{
	for (size_t i = 0; i < env->count; i++) {
		secret_wipe(env->list[i], strlen(env->list[i]));
		free(env->list[i]);
	}
	free(env->list);
	*env = (struct openclaw_env){0};
}

void openclaw_env_set(struct openclaw_env *env, const char *name, struct sv value)
{
	size_t n = strlen(name);
	char *entry = mem_zalloc(n + 1 + value.n + 1);

	memcpy(entry, name, n);
	entry[n] = '=';
	if (value.n)
		memcpy(entry + n + 1, value.p, value.n);
	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->list[i], entry, n + 1) == 0) {
			secret_wipe(env->list[i], strlen(env->list[i]));
			free(env->list[i]);
			env->list[i] = entry;
			return;
		}
	}
	append(env, entry);
}
