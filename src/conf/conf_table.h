/*
 * The one table of configuration keys: parsing, defaults, checks, show, redaction and
 * docs/config.md are all driven by it. A new key is a row here and a member of struct conf.
 */
#ifndef CONF_CONF_TABLE_H
#define CONF_CONF_TABLE_H

#include "conf/conf.h"

#include <jansson.h>

enum conf_type {
	CONF_STRING,
	CONF_SECRET,
	CONF_SECRET_LIST, /* struct conf.aliases and alias_count */
	CONF_INT,
	CONF_NUMBER,
	CONF_BOOL,
	CONF_CHOICE, /* an enum of conf.h */
	CONF_NAMES,  /* struct conf_names */
	CONF_NAME_MAP,
	CONF_LISTEN, /* struct conf_listen, and conf.listen */
};

struct conf_choice {
	const char *name; /* NULL ends a list */
	int value;	  /* unused for CONF_STRING */
};

struct conf_key {
	const char *name; /* dotted: "thresholds.min5hPct" */
	enum conf_type type;
	bool original;	     /* a key of the original program too: written into a fresh file */
	bool hide_user_info; /* a URL whose user:password is not shown */
	bool needs_restart;  /* a running relay goes on with the old value */
	size_t offset;
	const char *fallback; /* default as JSON text; NULL: computed, see fallback_help */
	const char *fallback_help;
	double min, max;		   /* CONF_INT, CONF_NUMBER */
	const struct conf_choice *choices; /* CONF_CHOICE; CONF_STRING: may be NULL */
	bool (*is_valid)(struct sv text);  /* CONF_STRING; NULL: any printable text */
	const char *expected;		   /* what is_valid wants: "must be <expected>" */
	const char *help;
};

const struct conf_key *conf_table(size_t *ret_count);

/* "a number between 0 and 100", "one of …": what the key accepts. */
void conf_table_expected(const struct conf_key *key, struct buf *out);
/* docs/config.md, whole. */
void conf_table_doc(struct buf *out);
/* All keys, or those that the original program has too, as a new object. */
json_t *conf_json(const struct conf *c, bool with_secrets, bool only_original);

/* Calls fn for each key whose value differs. */
void conf_changes(const struct conf *old, const struct conf *fresh,
	void (*fn)(void *arg, const struct conf_key *key), void *arg);

#endif
