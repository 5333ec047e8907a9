/*
 * JSON files of the control plane: read and parsed, dumped and written durably. Error texts name a
 * place and a kind of mistake and never quote the file, because tokens live in such files.
 */
#ifndef CONF_JSON_FILE_H
#define CONF_JSON_FILE_H

#include "base/sv.h"

#include <jansson.h>

/*
 * Parses text (a byte order mark in front is skipped) and demands an object with no key twice. 0
 * and a new reference, or -EINVAL and a text for people: "line 3, column 9: syntax error".
 */
int json_file_parse(struct sv text, json_t **ret, char *err, size_t err_size) MUST_CHECK;
/* The same for a file of at most cap bytes; also the errors of durable_read(). */
int json_file_read(
	const char *path, size_t cap, json_t **ret, char *err, size_t err_size) MUST_CHECK;
/* Writes value, indented, durably with mode 0600; what it was dumped into is wiped. */
int json_file_write(const char *path, const json_t *value) MUST_CHECK;
/* Fails (-EEXIST) when the path exists; else as json_file_write(). */
int json_file_create(const char *path, const json_t *value) MUST_CHECK;

#endif
