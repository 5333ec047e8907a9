/* slots.json as a document, for the files of store.h: whole reads and writes, and the lock. */
#ifndef SLOTS_STORE_DOC_H
#define SLOTS_STORE_DOC_H

#include "conf/conf.h"

#include <jansson.h>

/* A document whose "slots" is an array; an empty one when there is no file. */
int store_doc_read(const char *root, json_t **ret, struct conf_error *err) MUST_CHECK;
/* Stamps updatedAt and writes. The lock is held. */
int store_doc_write(const char *root, json_t *doc) MUST_CHECK;
/* For durable_unlock(). */
int store_doc_lock(const char *root, int *ret_fd) MUST_CHECK;

#endif
