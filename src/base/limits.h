/* Every cap of the program in one place. Bytes unless the name says otherwise. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB(n) ((size_t)(n)*1024)
#define MIB(n) ((size_t)(n)*1024 * 1024)

/* HTTP server. Status when exceeded in brackets. */
#define LIMIT_TARGET_BYTES KIB(8)	 /* request target [414] */
#define LIMIT_HEADERS_BYTES KIB(64)	 /* all header names and values [431] */
#define LIMIT_HEADERS_COUNT 128		 /* [431] */
#define LIMIT_BODY_BYTES MIB(64)	 /* decoded request body, default of maxBodyBytes [413] */
#define LIMIT_BODY_CODINGS 2		 /* stacked content codings [415] */
#define LIMIT_DISCARD_BYTES MIB(1)	 /* of a refused body read before closing instead */
#define LIMIT_HEADER_TIMEOUT_MS 15000	 /* first byte to end of head [408] */
#define LIMIT_BODY_IDLE_TIMEOUT_MS 30000 /* between two reads of a body [408] */
#define LIMIT_KEEPALIVE_IDLE_MS 75000	 /* between requests: closed silently */
#define LIMIT_WRITE_STALL_MS 300000	 /* a client that reads nothing for so long is cut off */
#define LIMIT_LINGER_BYTES MIB(128)    /* read behind an error answer, so that the client sees it */
#define LIMIT_LINGER_IDLE_MS 2000      /* longest silence meanwhile */
#define LIMIT_LINGER_MS 15000	       /* and in total */
#define LIMIT_CONNECTIONS_COUNT 20000  /* accepted at once */
#define LIMIT_READ_CHUNK_BYTES KIB(64) /* one read from a socket */
#define LIMIT_PIPELINE_BYTES KIB(64)   /* bytes of following requests kept while one is served */
#define LIMIT_WRITE_HIGH_BYTES KIB(128) /* write queue: pause the source above */
#define LIMIT_WRITE_LOW_BYTES KIB(32)	/* and resume below */
#define LIMIT_TLS_SEALED_BYTES KIB(256) /* TLS records of a conn that wait for the kernel */
#define LIMIT_WRITE_QUEUE_BYTES MIB(80) /* a conn that is written to beyond this is closed */

/* WebSocket. Close code when exceeded in brackets. */
#define LIMIT_WS_MESSAGE_BYTES MIB(16)	      /* [1009], as upstream (PROTOCOL 7) */
#define LIMIT_WS_FRAGMENTS_COUNT 65536	      /* of one message [1008] */
#define LIMIT_WS_CONTROLS_PER_SECOND 200      /* pings, pongs [1008] */
#define LIMIT_WS_QUEUE_COUNT 8		      /* messages that wait for a turn's end [1008] */
#define LIMIT_WS_CONVERSATION_BYTES MIB(16)   /* items that a socket remembers */
#define LIMIT_WS_CONVERSATIONS_BYTES MIB(512) /* and all sockets together */
#define LIMIT_WS_PONG_MS 15000		      /* longest wait for an answer to the second ping */

/* HTTP client. */
#define LIMIT_RESPONSE_HEAD_BYTES KIB(64) /* 1xx heads before the final one included */
#define LIMIT_RESPONSE_HEADERS_COUNT 256
#define LIMIT_REQUEST_HEAD_BYTES KIB(256) /* headers that we send */
#define LIMIT_CALL_BODY_BYTES MIB(4) /* an answer of the control plane: usage, models, tokens */

/* Admin API. */
#define LIMIT_PARAM_BYTES 512		      /* a decoded part of a path [404] */
#define LIMIT_ADMIN_BODY_BYTES KIB(64)	      /* a request's body [413] */
#define LIMIT_ADMIN_ANSWER_BYTES MIB(16)      /* an answer's [500] */
#define LIMIT_STATS_PATHS_COUNT 64	      /* paths counted apart; routes are fewer */
#define LIMIT_JOURNAL_COUNT 200		      /* requests that are remembered */
#define LIMIT_JOURNAL_ATTEMPTS_COUNT 16	      /* of one request */
#define LIMIT_JOURNAL_CANDIDATES_BYTES KIB(8) /* of one request's selections */
#define LIMIT_ADMIN_WAITS_COUNT 64	      /* answers that wait for files or upstream [503] */
#define LIMIT_LISTENERS_COUNT 32	      /* of GET /admin/events [429] */

/* JSON. */
#define LIMIT_JSON_DEPTH 256		  /* client bodies and upstream events */
#define LIMIT_EVENT_BYTES MIB(16)	  /* one SSE event (PROTOCOL 4) */
#define LIMIT_ERROR_BODY_BYTES KIB(256)	  /* upstream error body that is kept */
#define LIMIT_FOLD_BYTES MIB(64)	  /* answer folded for a client that does not stream */
#define LIMIT_HELD_BYTES MIB(1)		  /* events held back before the commit point */
#define LIMIT_UPSTREAM_BODY_BYTES MIB(80) /* request body built for upstream */
#define LIMIT_EXPANDED_BODY_BYTES MIB(32) /* with the items that it refers to [413] */
#define LIMIT_ARENA_BYTES MIB(16)	  /* one exchange's arena */

/* Files. */
#define LIMIT_CONFIG_FILE_BYTES MIB(1)
#define LIMIT_STATE_FILE_BYTES MIB(8)
#define LIMIT_AUTH_FILE_BYTES KIB(256)
#define LIMIT_TLS_FILE_BYTES KIB(256) /* certificate with its chain; key */

/* Tables. */
#define LIMIT_LISTEN_COUNT 16 /* addresses of listen */
#define LIMIT_SLOTS_COUNT 1024
#define LIMIT_SLOT_ID_BYTES 64
#define LIMIT_SESSION_KEY_BYTES 256
#define LIMIT_AFFINITY_COUNT 65536
#define LIMIT_WAITERS_COUNT 10000
#define LIMIT_LOG_BATCH_BYTES KIB(64)
#define LIMIT_LOG_VALUE_BYTES 1024

#endif
