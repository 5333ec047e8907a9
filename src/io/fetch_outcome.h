/* What libcurl's verdict on a transfer means for the one who may want to retry it. */
#ifndef IO_FETCH_OUTCOME_H
#define IO_FETCH_OUTCOME_H

#include "io/fetch.h"
#include "io/fetch_head.h"

#include <curl/curl.h>

enum { FETCH_MESSAGE_BYTES = CURL_ERROR_SIZE + 128 };

struct fetch_ending {
	CURL *easy;
	CURLcode code;
	const struct fetch_head *head;
	size_t body_bytes;	/* of the request */
	bool was_connected;	/* the request was going out or had gone */
	const char *curl_error; /* libcurl's error buffer */
};

/* Did libcurl hand the whole request to the system? */
bool fetch_outcome_is_sent(CURL *easy, size_t body_bytes);
enum fetch_outcome fetch_outcome_of(const struct fetch_ending *e);
/* Text for people, static or in storage; free of anything that the request held. */
const char *fetch_outcome_message(const struct fetch_ending *e, char storage[FETCH_MESSAGE_BYTES]);

#endif
