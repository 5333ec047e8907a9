#include "slots/credential.h"

#include "base/clock.h"
#include "base/ident.h"
#include "conf/json_file.h"
#include "slots/stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { NOTE_BYTES = 4096 };

#define SUFFIX ".refresh"

static char *note_path(const char *auth_file)
{
	size_t n = strlen(auth_file);
	char *path = mem_realloc(NULL, n + sizeof(SUFFIX));

	memcpy(path, auth_file, n);
	memcpy(path + n, SUFFIX, sizeof(SUFFIX));
	return path;
}

static enum credential_note read_note(const char *auth_file, const struct secret *refresh)
{
	char *path = note_path(auth_file);
	char fingerprint[IDENT_HEX_SIZE], problem[128];
	enum credential_note found = CREDENTIAL_UNSPENT;
	json_t *doc = NULL;
	int err = json_file_read(path, NOTE_BYTES, &doc, problem, sizeof(problem));
	const char *noted = json_string_value(json_object_get(doc, "refreshFingerprint"));
	const char *outcome = json_string_value(json_object_get(doc, "outcome"));

	free(path);
	ident_fingerprint(secret_expose(refresh), fingerprint);
	/* One that cannot be read may be about this token: better a login too many. */
	if (err)
		found = err == -ENOENT ? CREDENTIAL_UNSPENT : CREDENTIAL_SENT;
	else if (!noted || strcmp(noted, fingerprint) == 0)
		found = outcome && strcmp(outcome, "dead") == 0 ? CREDENTIAL_DEAD : CREDENTIAL_SENT;
	json_decref(doc);
	return found;
}

int credential_read(const char *auth_file, struct credential *ret, char *problem, size_t size)
{
	struct credential c = {.note = CREDENTIAL_UNSPENT};
	int err = auth_grant_read(auth_file, &c.grant, problem, size);

	if (err)
		return err;
	if (!secret_is_empty(&c.grant.refresh))
		c.note = read_note(auth_file, &c.grant.refresh);
	*ret = c;
	return 0;
}

void credential_fini(struct credential *c)
{
	if (c)
		auth_grant_fini(&c->grant);
}

int credential_write_note(
	const char *auth_file, const struct secret *refresh, enum credential_note note)
{
	char fingerprint[IDENT_HEX_SIZE];
	char *path = note_path(auth_file);
	json_t *doc = json_object();
	int err;

	ident_fingerprint(secret_expose(refresh), fingerprint);
	json_object_set_new(doc, "version", json_integer(1));
	json_object_set_new(doc, "refreshFingerprint", json_string(fingerprint));
	json_object_set_new(
		doc, "outcome", json_string(note == CREDENTIAL_DEAD ? "dead" : "unknown"));
	json_object_set_new(doc, "sentAt", stamp_write(clock_wall_ms(), NULL, NULL));
	err = json_file_write(path, doc);
	json_decref(doc);
	free(path);
	return err;
}

int credential_drop_note(const char *auth_file)
{
	char *path = note_path(auth_file);
	int err = unlink(path) == 0 || errno == ENOENT ? 0 : -errno;

	free(path);
	return err;
}

bool credential_is_part(const char *auth_file, const char *name)
{
	const char *slash = strrchr(auth_file, '/');
	struct sv base = sv_cstr(slash ? slash + 1 : auth_file);
	struct sv seen = sv_cstr(name);

	return sv_starts(seen, base) &&
	       (seen.n == base.n || sv_eq(sv_from(seen, base.n), SV(SUFFIX)));
}
