/*
 * Scripted answers: what the next requests of an account get instead of, or on top of, the model's
 * answer. A queue belongs to an account (or to all: "*"); the first script that matches a request
 * is used. A script lives as long as a queue or a running request refers to it.
 */
#ifndef SIM_SCRIPT_H
#define SIM_SCRIPT_H

#include "proto/http1.h"
#include "sim/sim.h"

#include <jansson.h>

struct sim_scripts;
struct sim_txn;

enum sim_stall { SIM_STALL_NONE, SIM_STALL_BEFORE_HEAD, SIM_STALL_AFTER_HEAD };
enum sim_framing { SIM_FRAMING_LF, SIM_FRAMING_CRLF, SIM_FRAMING_CR };
enum sim_failure_form { SIM_FORM_FAILED, SIM_FORM_ERROR, SIM_FORM_ERROR_FLAT };

/* JSON texts. */
struct sim_messages {
	struct buf *at;
	size_t count;
};

struct sim_script {
	struct sim_script *next;
	unsigned refs;
	int64_t id;
	int64_t left; /* uses left; -1: any number */
	int64_t used;
	char *path;  /* substring of the request path */
	char *match; /* substring of the body, or NULL */
	bool skip_checks;
	bool on_upgrade; /* for handshakes of a WebSocket, and for nothing else */

	/* The answer as a whole. */
	int64_t delay_ms;
	enum sim_stall stall;
	bool reset; /* RST instead of a head */
	int status; /* 0: the normal answer */
	struct buf body;
	bool body_is_json;
	struct http_header *headers;
	size_t header_count;
	char *header_text; /* storage of names and values */
	bool own_limits;   /* the headers hold x-codex-*: leave the account's out */

	/* The stream. Event numbers count events sent; -1: never. */
	char *directive; /* for the model, instead of the last user text */
	int64_t pace_ms; /* -1: as configured */
	int64_t stall_after_events;
	int64_t reset_after_events;
	int64_t cut_after_events;
	bool cut_mid_event;
	bool cut_clean; /* end the body properly */
	int close_code; /* of a socket that is cut; 0: none */
	int64_t bad_json_at;
	int64_t fail_after_events;
	bool fail_bare;	    /* failure is the very first event */
	struct buf failure; /* JSON object: code, message, ... */
	enum sim_failure_form failure_form;
	enum sim_framing framing;
	bool write_bytes;
	int64_t huge_event_bytes;
	struct buf usage;   /* JSON; empty: the true one */
	struct buf *events; /* encoded, verbatim */
	size_t event_count;
	struct sim_messages before, after; /* on a socket, around the turn's own events */
	bool private_events;
	int output_in_terminal; /* -1: as configured */
	bool no_terminal;
};

struct sim_scripts *sim_scripts_new(void);
void sim_scripts_free(struct sim_scripts *q);
void sim_scripts_clear(struct sim_scripts *q);
size_t sim_scripts_count(const struct sim_scripts *q);
/* [{"id":…,"left":…,"used":…}] of what waits. */
json_t *sim_scripts_json(const struct sim_scripts *q);
/* Parses one script and appends it: its id, or -EINVAL with *ret_why for people. */
int64_t sim_scripts_add(struct sim_scripts *q, json_t *json, const char **ret_why) MUST_CHECK;
/* The script for this request (account's first, then everybody's), with a reference; or NULL. */
struct sim_script *sim_script_take(
	struct sim *sim, struct sim_account *a, struct sv path, struct sv body);
/* The same for a handshake. */
struct sim_script *sim_script_take_upgrade(struct sim *sim, struct sim_account *a, struct sv path);
void sim_script_unref(struct sim_script *s);

#endif
