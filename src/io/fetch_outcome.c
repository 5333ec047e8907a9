#include "io/fetch_outcome.h"

#include <stdio.h>
#include <string.h>

bool fetch_outcome_is_sent(CURL *easy, size_t body_bytes)
{
	curl_off_t uploaded_bytes = 0;
	long head_bytes = 0;

	if (body_bytes) {
		curl_easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &uploaded_bytes);
		return uploaded_bytes >= (curl_off_t)body_bytes;
	}
	curl_easy_getinfo(easy, CURLINFO_REQUEST_SIZE, &head_bytes);
	return head_bytes > 0;
}

enum fetch_outcome fetch_outcome_of(const struct fetch_ending *e)
{
	/* libcurl takes an end inside the head for a success. */
	if (e->code == CURLE_OK)
		return e->head->final ? FETCH_OK : FETCH_TRUNCATED;
	if (!e->was_connected)
		return FETCH_CONNECT;
	switch (e->code) {
	case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9 and other versions */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		return FETCH_PROTOCOL;
	case CURLE_OUT_OF_MEMORY: /* what libcurl calls a header line over its limit */
		return e->head->final ? FETCH_TRUNCATED : FETCH_PROTOCOL;
	default:
		if (e->head->seen_bytes || fetch_outcome_is_sent(e->easy, e->body_bytes))
			return FETCH_TRUNCATED;
		return FETCH_SEND;
	}
}

/* libcurl tells these best, and names nothing but the host. */
static bool is_tls_error(CURLcode code)
{
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE;
}

const char *fetch_outcome_message(const struct fetch_ending *e, char storage[FETCH_MESSAGE_BYTES])
{
	const char *what = curl_easy_strerror(e->code);
	const char *detail = NULL;
	long os_error = 0;

	if (e->code == CURLE_OK)
		return e->head->final ? "" : "the connection closed inside the response head";
	if (e->code == CURLE_OPERATION_TIMEDOUT && !e->was_connected)
		return "connect timed out";
	curl_easy_getinfo(e->easy, CURLINFO_OS_ERRNO, &os_error);
	if (is_tls_error(e->code) && e->curl_error[0])
		detail = e->curl_error;
	else if (os_error && (e->code == CURLE_COULDNT_CONNECT || e->was_connected))
		detail = strerror((int)os_error);
	if (!detail)
		return what;
	snprintf(storage, FETCH_MESSAGE_BYTES, "%s: %s", what, detail);
	return storage;
}
