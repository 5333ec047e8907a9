/* What the tests of slots share: a temporary runtime directory, files in it, tokens. */
#ifndef TESTS_SLOTS_RIG_H
#define TESTS_SLOTS_RIG_H

#include "base/b64url.h"
#include "base/durable.h"
#include "base/limits.h"
#include "conf/runtime_dir.h"
#include "slots/slot_table.h"
#include "slots/store.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define NOW_MS INT64_C(1790000000000)
#define NOW_S (NOW_MS / 1000)

static inline int rig_remove_entry(
	const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static inline int rig_make_dir(void **state)
{
	char *dir = mem_strdup("/tmp/test-slots-XXXXXX");

	*state = mkdtemp(dir);
	return *state ? runtime_create(*state, NULL, false) : -1;
}

static inline int rig_drop_dir(void **state)
{
	int err = nftw(*state, rig_remove_entry, 8, FTW_DEPTH | FTW_PHYS);

	free(*state);
	return err;
}

static inline void rig_put(const char *root, const char *name, const char *text)
{
	char *path = runtime_path(root, name);
	char *slash = strrchr(path, '/');

	*slash = '\0';
	assert_int_equal(durable_mkdirs(path, 0700), 0);
	*slash = '/';
	assert_int_equal(durable_write(path, sv_cstr(text), 0600), 0);
	free(path);
}

static inline json_t *rig_get(const char *root, const char *name)
{
	char *path = runtime_path(root, name);
	json_t *doc = json_load_file(path, 0, NULL);

	assert_non_null(doc);
	free(path);
	return doc;
}

/* A JWT with this payload; the caller frees. */
static inline char *rig_jwt(const char *payload)
{
	struct buf out;
	char *copy;

	buf_init(&out, KIB(16));
	b64url_encode(SV("{\"alg\":\"none\"}"), &out);
	buf_add_char(&out, '.');
	b64url_encode(sv_cstr(payload), &out);
	buf_add_cstr(&out, ".c2ln");
	copy = mem_strdup(buf_cstr(&out));
	buf_fini(&out);
	return copy;
}

static inline struct slot *rig_slot(const char *id)
{
	struct slot *s = mem_zalloc(sizeof(*s));

	snprintf(s->id, sizeof(s->id), "%s", id);
	s->enabled = true;
	s->weight = 1;
	s->label = mem_strdup(id);
	s->base_url = mem_strdup("http://upstream");
	secret_set(&s->access, SV("token"));
	s->record = json_pack("{s:s}", "id", id);
	return s;
}

/* A table with slots "slot-1" to "slot-<count>" and the default configuration. */
static inline struct slot_table *rig_table(size_t count)
{
	struct slot_table *t = slot_table_new();
	struct conf *conf = conf_default("/r", NULL);

	slot_table_configure(t, conf);
	conf_unref(conf);
	for (size_t i = 0; i < count; i++) {
		char id[32];

		snprintf(id, sizeof(id), "slot-%zu", i + 1);
		slot_table_put(t, rig_slot(id));
	}
	return t;
}

#endif
