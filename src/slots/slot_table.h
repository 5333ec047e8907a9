/*
 * All slots of the relay: live state, selection, leases. The only way from a request to a slot.
 * Later this interface may be backed by a shared store; nobody else keeps slot state.
 */
#ifndef SLOTS_SLOT_TABLE_H
#define SLOTS_SLOT_TABLE_H

#include "conf/conf.h"
#include "slots/pick.h"
#include "slots/slot.h"

struct slot_table;

struct slot_table *slot_table_new(void);
void slot_table_free(struct slot_table *t);
/* Takes policy, thresholds, concurrency, cooldown times. The table keeps a reference. */
void slot_table_configure(struct slot_table *t, struct conf *conf);
/* Adds a slot (table owns it) or, with the id known, takes over the operator's part of it; see
 * store.h. */
void slot_table_put(struct slot_table *t, struct slot *fresh);
/* Slots whose id is not in ids[] leave the table; running leases end in peace. */
void slot_table_retain(struct slot_table *t, const char *const *ids, size_t count);
size_t slot_table_count(const struct slot_table *t);
struct slot *slot_table_at(struct slot_table *t, size_t index);
struct slot *slot_table_find(struct slot_table *t, const char *id);
/* Slots that could serve some model now, busy ones included. */
size_t slot_table_eligible(struct slot_table *t, int64_t now_ms);
/* Why is slot `index` (not) eligible right now? */
enum pick_reason slot_table_reason(struct slot_table *t, size_t index, int64_t now_ms);
/* What pick() would be given for any model and session, by table index; room for all slots. */
struct pick_options slot_table_candidates(
	struct slot_table *t, int64_t now_ms, struct pick_candidate *ret);
/* fn is called whenever a slot's state changed that ought to be stored; see store_save_begin(). */
void slot_table_on_dirty(struct slot_table *t, void (*fn)(void *arg), void *arg);
/* fn is called (from lease_release or a state change) when a lease may have become available. */
void slot_table_on_capacity(struct slot_table *t, void (*fn)(void *arg), void *arg);
void slot_table_mark_dirty(struct slot_table *t, struct slot *s);
/* The same, for a change that may let the slot serve again. */
void slot_table_changed(struct slot_table *t, struct slot *s);
/* fn is called from slot_table_changed(): what is planned for the slots may have to be planned
 * anew.
 */
void slot_table_on_change(struct slot_table *t, void (*fn)(void *arg), void *arg);

/* The right to run one attempt on a slot. Released exactly once. */
struct lease {
	struct slot *slot; /* NULL: no lease */
	struct slot_table *table;
	unsigned cooldowns; /* private: slot->cooldowns when the attempt began */
};

struct lease_request {
	struct sv session; /* affinity key, empty: none */
	struct sv model;
	bool any_catalogue;		 /* ask slots too whose catalogue lacks the model */
	const struct slot *const *tried; /* slots not to use again */
	size_t tried_count;
	int64_t now_ms; /* wall */
};

/* What selection saw, for logs and errors. */
struct lease_report {
	struct pick_result pick;
	size_t count;				     /* candidates */
	enum conf_policy policy;		     /* that scores are of */
	enum pick_reason reasons[LIMIT_SLOTS_COUNT]; /* by table index */
	float scores[LIMIT_SLOTS_COUNT];	     /* see pick(); NAN: none */
	bool moved; /* the session was pinned to another slot before */
};

/*
 * 0 and *ret; -EAGAIN: all able slots are busy, wait for on_capacity; -ENOENT: none can serve now
 * (report->pick.recovers_ms tells when). *report is always filled.
 */
int slot_table_lease(struct slot_table *t, const struct lease_request *r, struct lease *ret,
	struct lease_report *report) MUST_CHECK;
/*
 * Is the model known to be with no slot? Only when the catalogue of every enabled slot is known and
 * lacks it.
 */
bool slot_table_lacks_model(struct slot_table *t, struct sv model, int64_t now_ms);
/* Would slot_table_lease() find a slot, now or when a busy one gets free? Takes nothing. */
bool slot_table_could_lease(struct slot_table *t, const struct lease_request *r);
/* Remembers under any key (a turn-state) that it came from this slot, and asks for it. */
void slot_table_remember(struct slot_table *t, struct sv key, const struct slot *s, int64_t now_ms);
bool slot_table_came_from(
	struct slot_table *t, struct sv key, const struct slot *s, int64_t now_ms);
/* The same slot again for another try of the same request; the lease goes on. */
void lease_note(struct lease *l, const struct slot_verdict *v, int64_t now_ms);
/* Applies the verdict and gives the slot back. *l is empty afterwards. Accepts an empty lease. */
void lease_release(struct lease *l, const struct slot_verdict *v, int64_t now_ms);
/* Newer limits seen while an attempt runs. */
void lease_meters(struct lease *l, const struct meters *m, int64_t now_ms);

/* Unix ms of soonest recovery over slots of the latest over a slot's exhausted windows and
 * cooldown; 0 unknown. Slots that wait for another token do not count. */
int64_t slot_table_recovers_ms(struct slot_table *t, int64_t now_ms);

#endif
