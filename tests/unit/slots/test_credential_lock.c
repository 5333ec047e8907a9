#include "slots/credential_lock.h"

#include "rig.h"

static void excludes_others_until_unlocked(void **state)
{
	int first, second;

	assert_int_equal(credential_lock(*state, "slot-2", 0, &first), 0);
	assert_int_equal(credential_lock(*state, "slot-2", 0, &second), -ETIMEDOUT);
	durable_unlock(first);
	assert_int_equal(credential_lock(*state, "slot-2", 0, &second), 0);
	durable_unlock(second);
}

static void slots_do_not_wait_for_each_other(void **state)
{
	int first, second;

	assert_int_equal(credential_lock(*state, "slot-1", 0, &first), 0);
	assert_int_equal(credential_lock(*state, "slot-2", 0, &second), 0);
	durable_unlock(first);
	durable_unlock(second);
}

static void the_file_is_private_and_named_after_the_slot(void **state)
{
	char *path = runtime_path(*state, "run/credential-slot-7.lock");
	struct stat st;
	int fd;

	assert_int_equal(credential_lock(*state, "slot-7", 0, &fd), 0);
	durable_unlock(fd);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(path);
}

static void a_missing_run_directory_is_made(void **state)
{
	char *run = runtime_path(*state, "run");
	int fd;

	assert_int_equal(nftw(run, rig_remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
	assert_int_equal(credential_lock(*state, "slot-1", 0, &fd), 0);
	durable_unlock(fd);
	free(run);
}

static void odd_ids_are_refused(void **state)
{
	char longer[LIMIT_SLOT_ID_BYTES + 1];
	int fd;

	memset(longer, 'x', LIMIT_SLOT_ID_BYTES);
	longer[LIMIT_SLOT_ID_BYTES] = '\0';
	assert_int_equal(credential_lock(*state, "", 0, &fd), -EINVAL);
	assert_int_equal(credential_lock(*state, "../x", 0, &fd), -EINVAL);
	assert_int_equal(credential_lock(*state, longer, 0, &fd), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(excludes_others_until_unlocked),
		cmocka_unit_test(slots_do_not_wait_for_each_other),
		cmocka_unit_test(the_file_is_private_and_named_after_the_slot),
		cmocka_unit_test(a_missing_run_directory_is_made),
		cmocka_unit_test(odd_ids_are_refused),
	};

	return cmocka_run_group_tests(tests, rig_make_dir, rig_drop_dir);
}
