/*
 * Changes of config/relay.json one key at a time: what is not touched stays, keys that this program
 * does not know included, and a change after which the file would be refused is not made. For the
 * command line; blocks.
 */
#ifndef CONF_CONF_EDIT_H
#define CONF_CONF_EDIT_H

#include "conf/conf_table.h"

/* The row of a dotted name, or NULL. */
const struct conf_key *conf_edit_find(const char *name);
bool conf_edit_is_secret(const struct conf_key *key);
/*
 * What a person wrote as the value of a key: JSON, or plain text where the key takes a text or a
 * list (one item a line). A new reference, or -EINVAL with the reason; the text is not quoted.
 */
int conf_edit_parse(const struct conf_key *key, struct sv text, json_t **ret,
	struct conf_error *err) MUST_CHECK;

/* The value at a dotted name, borrowed, or NULL. A member whose own name has the dots goes first.
 */
json_t *conf_edit_get(const json_t *doc, const char *name);
/* Steals value. -ENOTDIR when the group is no object. */
int conf_edit_put(json_t *doc, const char *name, json_t *value) MUST_CHECK;
/* -ENOENT when there is nothing. A group that gets empty goes too. */
int conf_edit_drop(json_t *doc, const char *name) MUST_CHECK;

/*
 * The same on the file of a runtime directory, under its lock: value is borrowed, NULL drops the
 * key. 0; -ENOENT: no such file, or nothing to drop (*err is empty then); -EINVAL: the file is
 * wrong, or would be; others as durable.h. *err is for people.
 */
int conf_edit_file(
	const char *root, const char *name, json_t *value, struct conf_error *err) MUST_CHECK;

#endif
