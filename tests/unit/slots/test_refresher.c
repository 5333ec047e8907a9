/* The refresher against an issuer of the test: who is told what, and what is on disk then. */
#include "slots/refresher.h"

#include "../io/fetch_rig.h"
#include "rig.h"
#include "slots/credential_lock.h"

#include <sys/resource.h>

static const char *answer; /* of the issuer: the whole HTTP response */

static void serve_answer(struct connection *c)
{
	if (read_request(c))
		send_text(c, answer);
}

#define GRANTED                                                                         \
	"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"access_token\":\"new-access\"," \
	"\"refresh_token\":\"new-refresh\",\"expires_in\":864000}"
#define REFUSED(status, code)                                                         \
	"HTTP/1.1 " status " Refused\r\nConnection: close\r\nRetry-After: 60\r\n\r\n" \
	"{\"error\":\"" code "\"}"

struct world {
	const char *root;
	struct slot_env env;
	struct conf *conf;
};

static void put_grant(const char *root, int number, int64_t expires_ms)
{
	char name[96], text[256];

	snprintf(name, sizeof(name), "state/slots/slot-%d/agent/auth-profiles.json", number);
	snprintf(text, sizeof(text),
		"{\"access\":\"access-%d\",\"refresh\":\"refresh-%d\",\"expires\":%lld}", number,
		number, (long long)expires_ms);
	rig_put(root, name, text);
}

/* Slots whose tokens have expired. */
static void open_world(struct world *w, const char *root, int slots)
{
	struct conf_error err;
	struct buf conf;

	*w = (struct world){.root = root};
	server_start(serve_answer);
	pool_open((struct fetch_options){.proxy = ""});
	buf_init(&conf, KIB(4));
	buf_addf(&conf, "{\"auth\":{\"issuer\":\"http://127.0.0.1:%d\"}}", server.port);
	assert_int_equal(conf_parse(buf_sv(&conf), root, NULL, &w->conf, &err), 0);
	buf_reset(&conf, 0);
	buf_add_cstr(&conf, "{\"version\":1,\"slots\":[");
	for (int i = 1; i <= slots; i++) {
		put_grant(root, i, clock_wall_ms() - 1000);
		buf_addf(&conf, "%s{\"id\":\"slot-%d\"}", i > 1 ? "," : "", i);
	}
	buf_add_cstr(&conf, "]}");
	rig_put(root, "config/slots.json", buf_cstr(&conf));
	buf_fini(&conf);
	w->env = (struct slot_env){
		.loop = loop,
		.pool = pool,
		.table = slot_table_new(),
		.root = root,
		.conf = w->conf,
	};
	slot_table_configure(w->env.table, w->conf);
	assert_int_equal(store_load(root, w->conf, w->env.table, &err), 0);
	w->env.refresher = refresher_new(&w->env);
}

static void close_world(struct world *w)
{
	refresher_free(w->env.refresher);
	slot_table_free(w->env.table);
	conf_unref(w->conf);
	pool_close();
	server_stop();
}

static struct slot *slot_at(struct world *w, size_t index)
{
	return slot_table_at(w->env.table, index);
}

static bool is_noted(struct world *w)
{
	char *path = runtime_path(w->root, "state/slots/slot-1/agent/auth-profiles.json.refresh");
	bool noted = access(path, F_OK) == 0;

	free(path);
	return noted;
}

static void assert_stored_refresh(struct world *w, const char *wanted)
{
	struct slot *s = slot_at(w, 0);
	struct auth_grant g;
	char problem[256];

	assert_int_equal(auth_grant_read(s->auth_file, &g, problem, sizeof(problem)), 0);
	assert_true(secret_equals(&g.refresh, sv_cstr(wanted)));
	auth_grant_fini(&g);
}

/* Runs the loop until something has happened. */
struct until {
	struct timer timer;
	bool (*is_over)(const void *arg);
	const void *arg;
};

static void on_look(struct timer *t)
{
	struct until *u = CONTAINER_OF(t, struct until, timer);

	if (u->is_over(u->arg))
		loop_stop(loop);
	else
		timer_start(t, 1);
}

static void run_until(bool (*is_over)(const void *arg), const void *arg)
{
	struct until u = {.is_over = is_over, .arg = arg};

	timer_init(&u.timer, loop, on_look);
	timer_start(&u.timer, 0);
	loop_run(loop);
	timer_stop(&u.timer);
}

static bool is_requested(const void *arg)
{
	(void)arg;
	return atomic_load(&server.requests) > 0;
}

struct asker {
	struct refresh_wait wait;
	int told;
	enum refresh_result result;
};

static bool is_told(const void *arg)
{
	return ((const struct asker *)arg)->told > 0;
}

static void on_told(struct refresh_wait *w, enum refresh_result result)
{
	struct asker *a = CONTAINER_OF(w, struct asker, wait);

	a->told++;
	a->result = result;
}

static void ask(struct world *w, size_t slot, const char *refused, struct asker *a)
{
	a->wait.on_done = on_told;
	refresher_ask(w->env.refresher, slot_at(w, slot), refused, &a->wait);
	assert_int_equal(a->told, 0);
}

static void test_all_who_wait_are_told_of_one_refresh(void **state)
{
	struct asker askers[50] = {0};
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 1);
	for (size_t i = 0; i < 50; i++)
		ask(&w, 0, NULL, &askers[i]);
	refresher_leave(&askers[7].wait); /* its client has gone */
	loop_run(loop);
	for (size_t i = 0; i < 50; i++) {
		assert_int_equal(askers[i].told, i != 7);
		assert_true(i == 7 || askers[i].result == REFRESH_READY);
	}
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_true(secret_equals(&slot_at(&w, 0)->access, SV("new-access")));
	assert_stored_refresh(&w, "new-refresh");
	assert_false(is_noted(&w));
	close_world(&w);
}

static void test_token_that_is_good_needs_no_refresh(void **state)
{
	struct asker a = {0}, b = {0};
	struct world w;

	open_world(&w, *state, 1);
	slot_at(&w, 0)->expires_ms = clock_wall_ms() + 3600 * 1000;
	ask(&w, 0, NULL, &a);
	ask(&w, 0, "fingerprint of a former token", &b);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_READY);
	assert_int_equal(b.result, REFRESH_READY);
	assert_int_equal(a.told + b.told, 2);
	assert_int_equal(atomic_load(&server.requests), 0);
	close_world(&w);
}

static void test_answer_without_a_refresh_token_keeps_the_one_that_was_there(void **state)
{
	struct asker a = {0};
	struct world w;

	answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"access_token\":\"new-access\"}";
	open_world(&w, *state, 1);
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_READY);
	assert_stored_refresh(&w, "refresh-1");
	assert_false(is_noted(&w));
	assert_true(slot_can_refresh(slot_at(&w, 0)));
	close_world(&w);
}

static void test_new_token_that_has_expired_already_is_a_failure(void **state)
{
	struct asker a = {0}, b = {0};
	struct world w;
	struct slot *s;

	answer = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"access_token\":\"new-access\","
		 "\"refresh_token\":\"new-refresh\",\"expires_at\":1000000000}";
	open_world(&w, *state, 1);
	s = slot_at(&w, 0);
	s->refresh_failures = 3;
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_FAILED);
	assert_stored_refresh(&w, "new-refresh");
	assert_int_equal(s->refresh_failures, 4);
	assert_non_null(strstr(s->last_error, "clock"));
	ask(&w, 0, NULL, &b);
	loop_run(loop);
	assert_int_equal(b.result, REFRESH_FAILED);
	assert_int_equal(atomic_load(&server.requests), 1);
	close_world(&w);
}

static void test_grant_of_another_process_is_taken_without_a_request(void **state)
{
	struct asker a = {0};
	struct world w;

	open_world(&w, *state, 1);
	rig_put(w.root, "state/slots/slot-1/agent/auth-profiles.json",
		"{\"access\":\"theirs\",\"refresh\":\"r\",\"expires\":9999999999999}");
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_READY);
	assert_true(secret_equals(&slot_at(&w, 0)->access, SV("theirs")));
	assert_int_equal(atomic_load(&server.requests), 0);
	close_world(&w);
}

static void test_dead_grant_requires_a_login_and_is_not_sent_again(void **state)
{
	struct asker a = {0}, b = {0};
	struct world w;

	answer = REFUSED("400", "invalid_grant");
	open_world(&w, *state, 1);
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_REAUTH);
	assert_true(slot_at(&w, 0)->reauth_required && slot_at(&w, 0)->dirty);
	ask(&w, 0, NULL, &b);
	loop_run(loop);
	assert_int_equal(b.result, REFRESH_REAUTH);
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_true(is_noted(&w));
	close_world(&w);
}

static void test_refusal_for_now_is_kept_as_long_as_the_issuer_asks(void **state)
{
	struct asker a = {0}, b = {0};
	int64_t now_ms = clock_wall_ms();
	struct world w;

	answer = REFUSED("429", "slow_down");
	open_world(&w, *state, 1);
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_FAILED);
	assert_in_range(slot_at(&w, 0)->refresh_after_ms - now_ms, 60000, 90000);
	ask(&w, 0, NULL, &b);
	loop_run(loop);
	assert_int_equal(b.result, REFRESH_FAILED);
	assert_int_equal(atomic_load(&server.requests), 1);
	assert_false(is_noted(&w));
	assert_false(slot_at(&w, 0)->reauth_required);
	close_world(&w);
}

static void test_lost_answer_leaves_a_good_token_in_use(void **state)
{
	struct asker a = {0};
	struct world w;
	struct slot *s;

	answer = ""; /* the connection closes */
	open_world(&w, *state, 1);
	put_grant(w.root, 1, clock_wall_ms() + 60 * 1000);
	s = slot_at(&w, 0);
	assert_int_equal(store_read_auth(s), 0);
	ask(&w, 0, s->token_fingerprint, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_FAILED); /* for who was refused with it */
	assert_false(s->reauth_required);
	assert_int_equal(s->refresh_state, SLOT_REFRESH_IN_DOUBT);
	assert_true(is_noted(&w));
	assert_non_null(strstr(s->last_error, "log in again"));
	s->expires_ms = clock_wall_ms() - 1;
	a.told = 0;
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_REAUTH);
	assert_true(s->reauth_required);
	assert_int_equal(atomic_load(&server.requests), 1);
	close_world(&w);
}

static atomic_int most_open;

static void serve_slowly(struct connection *c)
{
	int open = atomic_load(&server.accepted) - atomic_load(&server.closed);

	if (!read_request(c))
		return;
	if (open > atomic_load(&most_open))
		atomic_store(&most_open, open);
	send_text(c, answer);
}

static void test_accounts_are_refreshed_one_after_another(void **state)
{
	struct asker askers[5] = {0};
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 5);
	server.script = serve_slowly;
	for (size_t i = 0; i < 5; i++)
		ask(&w, i, NULL, &askers[i]);
	loop_run(loop);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(askers[i].result, REFRESH_READY);
	assert_int_equal(atomic_load(&server.requests), 5);
	assert_in_range(atomic_load(&most_open), 1, 2); /* one may just be closing */
	close_world(&w);
}

static int held_lock;

static void on_unlock(struct timer *t)
{
	(void)t;
	durable_unlock(held_lock);
}

struct many {
	struct timer timer;
	struct world *w;
	struct asker askers[100];
	size_t count;
};

static void on_one_more(struct timer *t)
{
	struct many *m = CONTAINER_OF(t, struct many, timer);

	ask(m->w, 0, NULL, &m->askers[m->count++]);
	if (m->count < ARRAY_LEN(m->askers))
		timer_start(t, 1);
	else
		durable_unlock(held_lock);
}

static void test_who_asks_at_any_moment_of_a_lock_waits_for_its_end(void **state)
{
	struct many m = {0};
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 1);
	assert_int_equal(credential_lock(w.root, "slot-1", 0, &held_lock), 0);
	m.w = &w;
	timer_init(&m.timer, loop, on_one_more);
	timer_start(&m.timer, 0);
	loop_run(loop);
	for (size_t i = 0; i < ARRAY_LEN(m.askers); i++)
		assert_int_equal(m.askers[i].result, REFRESH_READY);
	assert_int_equal(atomic_load(&server.requests), 1);
	close_world(&w);
}

static void test_lock_of_another_process_is_waited_for_and_others_go_on(void **state)
{
	struct asker first = {0}, second = {0};
	struct timer unlock;
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 2);
	assert_int_equal(credential_lock(w.root, "slot-1", 0, &held_lock), 0);
	timer_init(&unlock, loop, on_unlock);
	timer_start(&unlock, 200);
	ask(&w, 0, NULL, &first);
	ask(&w, 1, NULL, &second);
	run_until(is_told, &second);
	assert_int_equal(first.told, 0);
	loop_run(loop);
	assert_int_equal(first.result, REFRESH_READY);
	assert_int_equal(atomic_load(&server.requests), 2);
	close_world(&w);
}

static void limit_files(rlim_t size)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void serve_as_the_disk_fills_up(struct connection *c)
{
	if (!read_request(c))
		return;
	limit_files(8);
	send_text(c, answer);
}

static void test_grant_that_cannot_be_written_serves_and_is_written_at_last(void **state)
{
	struct asker a = {0};
	struct world w;
	struct slot *s;

	answer = GRANTED;
	open_world(&w, *state, 1);
	server.script = serve_as_the_disk_fills_up;
	s = slot_at(&w, 0);
	ask(&w, 0, NULL, &a);
	run_until(is_told, &a);
	assert_int_equal(a.result, REFRESH_READY);
	assert_true(secret_equals(&s->access, SV("new-access")) && s->unsaved);
	assert_true(is_noted(&w));
	assert_stored_refresh(&w, "refresh-1");
	limit_files(RLIM_INFINITY);
	loop_run(loop); /* it is tried again */
	assert_false(s->unsaved);
	assert_stored_refresh(&w, "new-refresh");
	assert_false(is_noted(&w));
	close_world(&w);
}

static void test_nothing_is_sent_when_nothing_can_be_written(void **state)
{
	struct asker a = {0};
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 1);
	limit_files(8);
	ask(&w, 0, NULL, &a);
	loop_run(loop);
	limit_files(RLIM_INFINITY);
	assert_int_equal(a.result, REFRESH_FAILED);
	assert_int_equal(atomic_load(&server.requests), 0);
	assert_true(slot_at(&w, 0)->refresh_after_ms > clock_wall_ms());
	close_world(&w);
}

static void on_idle(void *arg)
{
	*(bool *)arg = true;
}

static void serve_when_told(struct connection *c)
{
	char go;

	if (read_request(c) && read(server.go[0], &go, 1) == 1)
		send_text(c, answer);
}

static void test_stop_ends_waiting_and_writes_what_was_sent(void **state)
{
	struct asker first = {0}, second = {0}, late = {0};
	bool idle = false;
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 2);
	server.script = serve_when_told;
	ask(&w, 0, NULL, &first);
	ask(&w, 1, NULL, &second);
	run_until(is_requested, NULL);
	refresher_stop(w.env.refresher, on_idle, &idle);
	ask(&w, 1, NULL, &late);
	assert_false(idle);
	say_go(NULL);
	loop_run(loop);
	assert_true(idle);
	assert_int_equal(first.result, REFRESH_READY);
	assert_int_equal(second.result, REFRESH_FAILED);
	assert_int_equal(late.result, REFRESH_FAILED);
	assert_int_equal(first.told + second.told + late.told, 3);
	assert_stored_refresh(&w, "new-refresh");
	assert_int_equal(atomic_load(&server.requests), 1);
	close_world(&w);
}

static void test_slot_that_has_left_fails_and_its_file_is_not_made_again(void **state)
{
	struct asker a = {0};
	struct world w;

	answer = GRANTED;
	open_world(&w, *state, 1);
	server.script = serve_when_told;
	ask(&w, 0, NULL, &a);
	run_until(is_requested, NULL);
	slot_table_retain(w.env.table, NULL, 0);
	assert_int_equal(runtime_remove_slot(w.root, "slot-1"), 0);
	say_go(NULL);
	loop_run(loop);
	assert_int_equal(a.result, REFRESH_FAILED);
	assert_false(is_noted(&w));
	close_world(&w);
}

#define with_dir(test) cmocka_unit_test_setup_teardown(test, rig_make_dir, rig_drop_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_dir(test_all_who_wait_are_told_of_one_refresh),
		with_dir(test_token_that_is_good_needs_no_refresh),
		with_dir(test_answer_without_a_refresh_token_keeps_the_one_that_was_there),
		with_dir(test_new_token_that_has_expired_already_is_a_failure),
		with_dir(test_grant_of_another_process_is_taken_without_a_request),
		with_dir(test_dead_grant_requires_a_login_and_is_not_sent_again),
		with_dir(test_refusal_for_now_is_kept_as_long_as_the_issuer_asks),
		with_dir(test_lost_answer_leaves_a_good_token_in_use),
		with_dir(test_accounts_are_refreshed_one_after_another),
		with_dir(test_who_asks_at_any_moment_of_a_lock_waits_for_its_end),
		with_dir(test_lock_of_another_process_is_waited_for_and_others_go_on),
		with_dir(test_grant_that_cannot_be_written_serves_and_is_written_at_last),
		with_dir(test_nothing_is_sent_when_nothing_can_be_written),
		with_dir(test_stop_ends_waiting_and_writes_what_was_sent),
		with_dir(test_slot_that_has_left_fails_and_its_file_is_not_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
