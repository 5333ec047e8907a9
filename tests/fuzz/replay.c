/*
 * Runs a fuzz target over given inputs without libFuzzer: every argument is a file, or a directory
 * whose files (not those in folders below it) are taken. Fails when it found no input at all, so
 * that a lost corpus is noticed. Each input is copied to a block of exactly its size, so that
 * AddressSanitizer sees a read past its end.
 */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *path)
{
	fprintf(stderr, "%s: %s\n", path, strerror(errno));
	exit(1);
}

static void replay_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size > 0 ? size : 1);
	FILE *file = fopen(path, "rb");

	if (data == NULL || file == NULL)
		fail(path);
	if (fread(data, 1, size, file) != size) {
		errno = EIO;
		fail(path);
	}
	fclose(file);
	/* A crash is reported without the name of its input, so the name goes out first. */
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static size_t replay_dir(const char *path);

/* Returns how many inputs were run. */
static size_t replay_path(const char *path, int is_top)
{
	struct stat status;

	if (stat(path, &status) != 0)
		fail(path);
	if (S_ISDIR(status.st_mode))
		return is_top ? replay_dir(path) : 0;
	replay_file(path, (size_t)status.st_size);
	return 1;
}

static size_t replay_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	if (dir == NULL)
		fail(path);
	while ((entry = readdir(dir)) != NULL) {
		char *name = NULL;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&name, "%s/%s", path, entry->d_name) < 0)
			fail(path);
		count += replay_path(name, 0);
		free(name);
	}
	closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++)
		count += replay_path(argv[i], 1);
	if (count == 0) {
		fprintf(stderr, "no input: give files or a corpus directory\n");
		return 1;
	}
	printf("%zu inputs\n", count);
	return 0;
}
