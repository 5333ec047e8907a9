/* Answers that are kept: who finds them, what they hold, when they go, what they cost. */
#include "relay/continuation.h"

#include "base/limits.h"
#include "relay/response_list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TTL_MS = 1000, ENTRIES = 100, BYTES = 1 << 20, TEXT_BYTES = 1 << 17 };

struct kept {
	struct continuation *c;
	struct kept_owner owner;
	char *text, *input; /* scratch */
};

static int set_up(void **state)
{
	static const struct continuation_limits limits = {true, ENTRIES, BYTES, TTL_MS};
	struct kept *k = mem_zalloc(sizeof(*k));

	k->c = continuation_new();
	continuation_configure(k->c, &limits);
	k->owner = continuation_owner(k->c, SV("token"));
	k->text = mem_zalloc(TEXT_BYTES);
	k->input = mem_zalloc(TEXT_BYTES);
	*state = k;
	return 0;
}

static int tear_down(void **state)
{
	struct kept *k = *state;

	continuation_free(k->c);
	free(k->text);
	free(k->input);
	free(k);
	return 0;
}

static struct jv parse(const char *text)
{
	struct jv v;

	assert_int_equal(jv_parse(sv_cstr(text), LIMIT_JSON_DEPTH, &v, NULL), 0);
	return v;
}

static int put(struct kept *k, const char *object, const char *input, int64_t now_ms)
{
	struct continuation_put p = {
		.owner = k->owner,
		.session = SV("session"),
		.input = parse(input),
		.object = parse(object),
	};

	return continuation_put(k->c, &p, now_ms);
}

/* An answer of that number, with one message, to one message. */
static int put_number(struct kept *k, int number, int64_t now_ms)
{
	snprintf(k->text, TEXT_BYTES,
		"{\"id\":\"resp_%d\",\"output\":[{\"type\":\"message\",\"id\":\"msg_%d\"}],\"x\":"
		"1}",
		number, number);
	snprintf(k->input, TEXT_BYTES, "[{\"role\":\"user\",\"content\":\"%d\"}]", number);
	return put(k, k->text, k->input, now_ms);
}

static bool knows(struct kept *k, int number, int64_t now_ms)
{
	char id[32];

	snprintf(id, sizeof(id), "resp_%d", number);
	return continuation_get(k->c, k->owner, sv_cstr(id), now_ms) != NULL;
}

static void assert_object(struct kept *k, const char *id, const char *want)
{
	const struct kept_answer *a = continuation_get(k->c, k->owner, sv_cstr(id), 0);
	struct buf out;

	assert_non_null(a);
	buf_init(&out, MIB(1));
	continuation_write_object(a, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void assert_items(const struct kept_answer *a, const char *want)
{
	struct buf out;

	buf_init(&out, MIB(1));
	continuation_write_items(a, 0, a->item_count, &out);
	assert_string_equal(buf_cstr(&out), want);
	buf_fini(&out);
}

static void test_an_answer_comes_back_as_it_was_given(void **state)
{
	struct kept *k = *state;
	static const char object[] =
		"{ \"id\": \"resp_1\",\"a\":[1, 2],\"output\" :[{\"id\":\"m\"},"
		"{\"id\":\"n\"}],\"z\":null }";
	static const char input[] = "[{\"role\":\"user\",\"content\":\"a\"}]";
	const struct kept_answer *a;

	assert_int_equal(put(k, object, input, 0), 0);
	assert_object(k, "resp_1", object);
	a = continuation_get(k->c, k->owner, SV("resp_1"), 0);
	assert_string_equal(a->session, "session");
	assert_int_equal(a->input_count, 1);
	assert_items(a, "{\"role\":\"user\",\"content\":\"a\"},{\"id\":\"m\"},{\"id\":\"n\"}");
}

static void test_an_empty_output_and_input_are_kept(void **state)
{
	struct kept *k = *state;

	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[]}", "[]", 0), 0);
	assert_object(k, "r", "{\"id\":\"r\",\"output\":[]}");
	assert_int_equal(continuation_get(k->c, k->owner, SV("r"), 0)->item_count, 0);
}

static void test_another_token_knows_nothing(void **state)
{
	struct kept *k = *state;
	struct kept_owner other = continuation_owner(k->c, SV("other"));

	assert_int_equal(put_number(k, 1, 0), 0);
	assert_null(continuation_get(k->c, other, SV("resp_1"), 0));
	assert_false(jv_exists(continuation_item(k->c, other, SV("msg_1"), 0)));
	assert_false(continuation_delete(k->c, other, SV("resp_1"), 0));
	k->owner = other;
	assert_int_equal(put_number(k, 1, 0), 0);
	assert_int_equal(continuation_count(k->c), 2);
	assert_true(continuation_delete(k->c, other, SV("resp_1"), 0));
	k->owner = continuation_owner(k->c, SV("token"));
	assert_true(knows(k, 1, 0));
}

static void test_items_are_found_by_their_ids(void **state)
{
	struct kept *k = *state;
	struct jv item;

	assert_int_equal(put_number(k, 1, 0), 0);
	item = continuation_item(k->c, k->owner, SV("msg_1"), 0);
	assert_true(sv_eq(jv_raw(item), SV("{\"type\":\"message\",\"id\":\"msg_1\"}")));
	assert_false(jv_exists(continuation_item(k->c, k->owner, SV("msg_1_2"), 0)));
	assert_false(jv_exists(continuation_item(k->c, k->owner, SV("msg_"), 0)));
	assert_false(jv_exists(continuation_item(k->c, k->owner, SV("_2"), 0)));
	assert_false(jv_exists(continuation_item(k->c, k->owner, SV(""), 0)));
	assert_true(continuation_delete(k->c, k->owner, SV("resp_1"), 0));
	assert_false(jv_exists(continuation_item(k->c, k->owner, SV("msg_1"), 0)));
}

static void test_of_two_items_with_one_id_the_last_one_is_found(void **state)
{
	struct kept *k = *state;

	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[{\"id\":\"m\",\"n\":1}]}", "[]", 0), 0);
	assert_int_equal(put(k, "{\"id\":\"s\",\"output\":[{\"id\":\"m\",\"n\":2}]}", "[]", 0), 0);
	assert_true(sv_eq(jv_raw(continuation_item(k->c, k->owner, SV("m"), 0)),
		SV("{\"id\":\"m\",\"n\":2}")));
	assert_true(continuation_delete(k->c, k->owner, SV("s"), 0));
	assert_true(sv_eq(jv_raw(continuation_item(k->c, k->owner, SV("m"), 0)),
		SV("{\"id\":\"m\",\"n\":1}")));
}

static void test_unused_answers_expire_and_used_ones_stay(void **state)
{
	struct kept *k = *state;

	assert_int_equal(put_number(k, 1, 0), 0);
	assert_int_equal(put_number(k, 2, 0), 0);
	assert_true(knows(k, 1, TTL_MS));
	assert_false(knows(k, 2, TTL_MS + 1));
	assert_true(knows(k, 1, 2 * TTL_MS));
	continuation_expire(k->c, 4 * TTL_MS);
	assert_int_equal(continuation_count(k->c), 0);
	assert_int_equal(continuation_bytes(k->c), 0);
}

static void test_the_least_recently_used_one_makes_room(void **state)
{
	struct kept *k = *state;

	for (int i = 0; i < ENTRIES; i++)
		assert_int_equal(put_number(k, i, 0), 0);
	assert_true(knows(k, 0, 0));
	assert_int_equal(put_number(k, ENTRIES, 0), 0);
	assert_int_equal(continuation_count(k->c), ENTRIES);
	assert_true(knows(k, 0, 0));
	assert_false(knows(k, 1, 0));
	assert_true(knows(k, ENTRIES, 0));
}

static void test_an_answer_of_the_same_id_takes_its_place(void **state)
{
	struct kept *k = *state;

	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[],\"n\":1}", "[]", 0), 0);
	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[],\"n\":2}", "[]", 0), 0);
	assert_object(k, "r", "{\"id\":\"r\",\"output\":[],\"n\":2}");
	assert_int_equal(continuation_count(k->c), 1);
}

static void fill_text(char *at, size_t n)
{
	memset(at, 'x', n);
	at[n] = '\0';
}

static void test_bytes_stay_below_their_limit(void **state)
{
	struct kept *k = *state;
	char *big = mem_zalloc(TEXT_BYTES);

	fill_text(big, TEXT_BYTES / 2);
	for (int i = 0; i < 200; i++) {
		snprintf(k->text, TEXT_BYTES,
			"{\"id\":\"resp_%d\",\"output\":[{\"id\":\"m%d\",\"t\":\"%s\"}]}", i, i,
			big);
		assert_int_equal(put(k, k->text, "[]", 0), 0);
		assert_true(continuation_bytes(k->c) <= BYTES);
	}
	assert_in_range(continuation_count(k->c), 10, 16);
	assert_true(knows(k, 199, 0));
	free(big);
}

static void test_what_needs_more_than_its_share_is_refused(void **state)
{
	struct kept *k = *state;
	struct continuation_limits small = {true, ENTRIES, 4096, TTL_MS};

	assert_int_equal(put_number(k, 1, 0), 0);
	continuation_configure(k->c, &small);
	assert_true(knows(k, 1, 0));
	fill_text(k->input, 1100);
	snprintf(k->text, TEXT_BYTES, "{\"id\":\"r\",\"output\":[],\"t\":\"%s\"}", k->input);
	assert_int_equal(put(k, k->text, "[]", 0), -E2BIG);
	/* Many tiny items cost more than their text. */
	snprintf(k->input, TEXT_BYTES, "[{}");
	for (size_t i = 0; i < 200; i++)
		snprintf(k->input + 3 + 3 * i, 4, ",{}");
	snprintf(k->input + 603, 2, "]");
	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[]}", k->input, 0), -E2BIG);
	assert_true(knows(k, 1, 0));
	assert_int_equal(continuation_count(k->c), 1);
}

static void test_what_no_client_could_ask_for_is_refused(void **state)
{
	struct kept *k = *state;

	fill_text(k->input, 128);
	snprintf(k->text, TEXT_BYTES, "{\"id\":\"%s\",\"output\":[]}", k->input);
	assert_int_equal(put(k, k->text, "[]", 0), -EINVAL);
	assert_int_equal(put(k, "{\"output\":[]}", "[]", 0), -EINVAL);
	assert_int_equal(put(k, "{\"id\":\"\",\"output\":[]}", "[]", 0), -EINVAL);
	assert_int_equal(put(k, "{\"id\":7,\"output\":[]}", "[]", 0), -EINVAL);
	assert_int_equal(put(k, "{\"id\":\"a\\u0062\",\"output\":[]}", "[]", 0), -EINVAL);
	assert_int_equal(put(k, "{\"id\":\"r\"}", "[]", 0), -EINVAL);
	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":{}}", "[]", 0), -EINVAL);
	assert_int_equal(continuation_bytes(k->c), 0);
}

static void test_nothing_is_kept_when_it_is_off(void **state)
{
	struct kept *k = *state;
	struct continuation_limits off = {false, ENTRIES, BYTES, TTL_MS};

	assert_int_equal(put_number(k, 1, 0), 0);
	continuation_configure(k->c, &off);
	assert_false(knows(k, 1, 0));
	assert_int_equal(put_number(k, 2, 0), -ENOENT);
	assert_int_equal(continuation_bytes(k->c), 0);
}

/* The next turn of a conversation: all that was said, and 1000 bytes more. */
static void put_turn(struct kept *k, int turn)
{
	size_t n;

	n = strlen(k->input);
	k->input[n - 1] = '\0'; /* the bracket */
	n--;
	n += (size_t)snprintf(k->input + n, TEXT_BYTES - n, "%s{\"n\":%d,\"t\":\"%0*d\"}]",
		turn ? "," : "", turn, 500, turn);
	snprintf(k->text, TEXT_BYTES,
		"{\"id\":\"resp_%d\",\"output\":[{\"id\":\"m%d\",\"t\":\"%0*d\"}]}", turn, turn,
		500, turn);
	assert_int_equal(put(k, k->text, k->input, 0), 0);
	k->input[n - 1] = '\0';
	snprintf(k->input + n - 1, TEXT_BYTES - n, ",{\"id\":\"m%d\",\"t\":\"%0*d\"}]", turn, 500,
		turn);
}

static void test_a_conversation_takes_the_memory_of_its_items_once(void **state)
{
	struct kept *k = *state;
	enum { TURNS = 60 };

	snprintf(k->input, TEXT_BYTES, "[]");
	for (int turn = 0; turn < TURNS; turn++)
		put_turn(k, turn);
	assert_int_equal(continuation_count(k->c), TURNS);
	assert_true(strlen(k->input) > TURNS * 1000);
	/* 60 copies of what was said until then would be more than a MiB and a half. */
	assert_true(continuation_bytes(k->c) < TURNS * 2500);
}

static void test_an_answer_does_not_need_the_ones_before_it(void **state)
{
	struct kept *k = *state;

	snprintf(k->input, TEXT_BYTES, "[]");
	put_turn(k, 0);
	put_turn(k, 1);
	assert_true(continuation_delete(k->c, k->owner, SV("resp_0"), 0));
	assert_true(jv_exists(continuation_item(k->c, k->owner, SV("m0"), 0)));
	assert_true(continuation_delete(k->c, k->owner, SV("resp_1"), 0));
	assert_false(jv_exists(continuation_item(k->c, k->owner, SV("m0"), 0)));
	assert_int_equal(continuation_bytes(k->c), 0);
}

static void test_large_members_are_kept_once(void **state)
{
	struct kept *k = *state;

	fill_text(k->input, 50000);
	for (int i = 0; i < 10; i++) {
		snprintf(k->text, TEXT_BYTES,
			"{\"id\":\"resp_%d\",\"instructions\":\"%s\",\"output\":[],\"n\":%d}", i,
			k->input, i);
		assert_int_equal(put(k, k->text, "[]", 0), 0);
	}
	assert_object(k, "resp_9", k->text);
	assert_true(continuation_bytes(k->c) < 70000);
}

/* More items than the tables begin with. */
static void test_many_items_are_found(void **state)
{
	struct kept *k = *state;
	struct continuation_limits large = {true, 10000, MIB(64), TTL_MS};

	continuation_configure(k->c, &large);
	for (int i = 0; i < 5000; i++)
		assert_int_equal(put_number(k, i, 0), 0);
	for (int i = 0; i < 5000; i++) {
		char id[32];

		snprintf(id, sizeof(id), "msg_%d", i);
		assert_true(jv_exists(continuation_item(k->c, k->owner, sv_cstr(id), 0)));
		assert_true(knows(k, i, 0));
	}
	continuation_expire(k->c, TTL_MS + 1);
	assert_int_equal(continuation_bytes(k->c), 0);
}

/* --- pages --- */

static struct jv list(struct kept *k, const char *query, struct buf *out)
{
	const struct kept_answer *a = continuation_get(k->c, k->owner, SV("r"), 0);
	struct api_err err;

	buf_reset(out, 0);
	assert_int_equal(response_list_write(k->c, a, sv_cstr(query), out, &err), 0);
	return parse(buf_cstr(out));
}

static void assert_list_refused(struct kept *k, const char *query, const char *param)
{
	const struct kept_answer *a = continuation_get(k->c, k->owner, SV("r"), 0);
	struct api_err err;
	struct buf out;

	buf_init(&out, MIB(1));
	assert_int_equal(response_list_write(k->c, a, sv_cstr(query), &out, &err), -EINVAL);
	assert_int_equal(err.status, 400);
	assert_string_equal(err.param, param);
	buf_fini(&out);
}

static void put_seven(struct kept *k)
{
	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[]}",
				 "[{\"role\":\"user\",\"content\":\"yes\"},"
				 "{\"role\":\"assistant\",\"content\":\"no\"},"
				 "{\"role\":\"user\",\"content\":\"yes\"},"
				 "{\"type\":\"function_call\",\"id\":\"fc_1\",\"call_id\":\"c\"},"
				 "{\"type\":\"function_call_output\",\"call_id\":\"c\"},"
				 "{\"role\":\"user\",\"content\":\"yes\"},"
				 "{\"type\":\"odd\"}]",
				 0),
		0);
}

/* Every item once, whatever the order, with pages of two. */
static void check_pages(struct kept *k, const char *order)
{
	char query[128], last[128] = "";
	bool more = true;
	size_t seen = 0;
	struct buf out;

	buf_init(&out, MIB(1));
	while (more) {
		struct jv page;

		snprintf(query, sizeof(query), "limit=2&order=%s%s%s", order,
			last[0] ? "&after=" : "", last);
		page = list(k, query, &out);
		seen += jv_count(jv_get(page, SV("data")));
		assert_true(seen <= 7);
		jv_str_copy(jv_get(page, SV("last_id")), last, sizeof(last));
		more = jv_is_true(jv_get(page, SV("has_more")));
	}
	assert_int_equal(seen, 7);
	buf_fini(&out);
}

static void test_pages_have_each_item_once(void **state)
{
	struct kept *k = *state;

	put_seven(k);
	check_pages(k, "asc");
	check_pages(k, "desc");
}

static void test_shown_ids_stay_and_name_the_item(void **state)
{
	struct kept *k = *state;
	char first[128], third[128];
	struct jv_iter it;
	struct buf out;

	put_seven(k);
	buf_init(&out, MIB(1));
	it = jv_iter(jv_get(list(k, "order=asc", &out), SV("data")));
	assert_true(jv_next(&it));
	jv_str_copy(jv_get(it.value, SV("id")), first, sizeof(first));
	assert_true(jv_next(&it) && jv_next(&it));
	jv_str_copy(jv_get(it.value, SV("id")), third, sizeof(third));
	assert_string_not_equal(first, third);
	for (int i = 0; i < 2; i++)
		assert_true(sv_eq(
			jv_raw(continuation_item(k->c, k->owner, sv_cstr(i ? third : first), 0)),
			SV("{\"role\":\"user\",\"content\":\"yes\"}")));
	it = jv_iter(jv_get(list(k, "order=asc&limit=1", &out), SV("data")));
	assert_true(jv_next(&it));
	assert_true(jv_str_eq(jv_get(it.value, SV("id")), sv_cstr(first)));
	assert_true(sv_starts(sv_cstr(first), SV("msg_")));
	buf_fini(&out);
}

static void test_messages_are_shown_in_the_form_of_the_api(void **state)
{
	struct kept *k = *state;
	struct jv_iter it;
	struct buf out;

	put_seven(k);
	buf_init(&out, MIB(1));
	it = jv_iter(jv_get(list(k, "order=asc", &out), SV("data")));
	assert_true(jv_next(&it));
	assert_true(jv_str_eq(jv_get(it.value, SV("type")), SV("message")));
	assert_true(jv_str_eq(jv_get(it.value, SV("status")), SV("completed")));
	assert_true(sv_eq(jv_raw(jv_get(it.value, SV("content"))),
		SV("[{\"type\":\"input_text\",\"text\":\"yes\"}]")));
	assert_true(jv_next(&it));
	assert_true(sv_eq(jv_raw(jv_get(it.value, SV("content"))),
		SV("[{\"type\":\"output_text\",\"text\":\"no\",\"annotations\":[],"
		   "\"logprobs\":[]}]")));
	buf_fini(&out);
}

static void test_wrong_queries_are_refused(void **state)
{
	struct kept *k = *state;

	put_seven(k);
	assert_list_refused(k, "limit=0", "limit");
	assert_list_refused(k, "limit=101", "limit");
	assert_list_refused(k, "limit=x", "limit");
	assert_list_refused(k, "order=up", "order");
	assert_list_refused(k, "after=nothing", "after");
	assert_list_refused(k, "after=%zz", "after");
}

static void test_a_list_of_nothing(void **state)
{
	struct kept *k = *state;
	struct jv page;
	struct buf out;

	assert_int_equal(put(k, "{\"id\":\"r\",\"output\":[]}", "[]", 0), 0);
	buf_init(&out, MIB(1));
	page = list(k, "", &out);
	assert_true(sv_eq(jv_raw(page),
		SV("{\"object\":\"list\",\"data\":[],\"first_id\":null,\"last_id\":null,"
		   "\"has_more\":false}")));
	buf_fini(&out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_an_answer_comes_back_as_it_was_given),
		CASE(test_an_empty_output_and_input_are_kept),
		CASE(test_another_token_knows_nothing),
		CASE(test_items_are_found_by_their_ids),
		CASE(test_of_two_items_with_one_id_the_last_one_is_found),
		CASE(test_unused_answers_expire_and_used_ones_stay),
		CASE(test_the_least_recently_used_one_makes_room),
		CASE(test_an_answer_of_the_same_id_takes_its_place),
		CASE(test_bytes_stay_below_their_limit),
		CASE(test_what_needs_more_than_its_share_is_refused),
		CASE(test_what_no_client_could_ask_for_is_refused),
		CASE(test_nothing_is_kept_when_it_is_off),
		CASE(test_a_conversation_takes_the_memory_of_its_items_once),
		CASE(test_an_answer_does_not_need_the_ones_before_it),
		CASE(test_large_members_are_kept_once),
		CASE(test_many_items_are_found),
		CASE(test_pages_have_each_item_once),
		CASE(test_shown_ids_stay_and_name_the_item),
		CASE(test_messages_are_shown_in_the_form_of_the_api),
		CASE(test_wrong_queries_are_refused),
		CASE(test_a_list_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
