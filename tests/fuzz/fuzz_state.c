/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target of what shim6d keeps across restarts: the input is an HBA set
 * file or, after its first octet, the journal of contexts. What a set file says
 * is stored and read again and must be the same set; a journal that was opened
 * is whole, whatever it was before.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/state.h"
#include "daemon/store.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char boot[] = "11111111-2222-3333-4444-555555555555";
static char dir[64], journal[96], set_file[96], again_file[96];

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void clean(void)
{
	unlink(journal);
	unlink(set_file);
	unlink(again_file);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	snprintf(dir, sizeof(dir), "/dev/shm/shim6-fuzz-XXXXXX");
	require(mkdtemp(dir));
	snprintf(journal, sizeof(journal), "%s/contexts", dir);
	snprintf(set_file, sizeof(set_file), "%s/in.set", dir);
	snprintf(again_file, sizeof(again_file), "%s/again.set", dir);
	atexit(clean);
	return 0;
}

static void put_file(const char *path, const uint8_t *data, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	close(fd);
}

static void try_set(const uint8_t *data, size_t size)
{
	static struct store_set once, twice;
	char err[STORE_ERR_MAX] = "";

	put_file(set_file, data, size);
	if (!store_read(dir, "in", &once, err, sizeof(err))) {
		require(strncmp(err, set_file, strlen(set_file)) == 0 && err[strlen(set_file)] == ':');
		require(!once.pem);
		return;
	}
	snprintf(once.name, sizeof(once.name), "again");
	if (!store_write(dir, &once, err, sizeof(err)) || !store_read(dir, "again", &twice, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	require(once.set.n == twice.set.n && once.set.sec == twice.set.sec && once.set.pds_len == twice.set.pds_len);
	require(memcmp(once.set.addr, twice.set.addr, sizeof(once.set.addr)) == 0);
	require(memcmp(once.set.pds, twice.set.pds, sizeof(once.set.pds)) == 0);
	require(memcmp(once.prefix, twice.prefix, sizeof(once.prefix)) == 0);
	require(!once.pem == !twice.pem && once.pem_len == twice.pem_len);
	require(!once.pem || memcmp(once.pem, twice.pem, once.pem_len) == 0);
	store_set_clear(&once);
	store_set_clear(&twice);
}

struct sum {
	unsigned n;
	uint64_t v;
};

static void add(void *arg, uint64_t id, const uint8_t *blob, size_t len)
{
	struct sum *s = arg;

	s->n++;
	s->v = s->v * 31 + id;
	for (size_t i = 0; i < len; i++)
		s->v = s->v * 31 + blob[i];
}

static void try_journal(const uint8_t *data, size_t size)
{
	struct sum first = { 0 }, second = { 0 };
	char err[512];
	struct state *s;

	put_file(journal, data, size);
	s = state_open(journal, boot, err, sizeof(err));
	require(s);
	state_each(s, add, &first);
	require(first.n == state_count(s));
	require(state_put(s, 1, (const uint8_t *)"one", 3) == 0);
	require(state_remove(s, 1) == 0);
	first = (struct sum){ 0 };
	state_each(s, add, &first);
	state_close(s, true);

	s = state_open(journal, boot, err, sizeof(err));
	require(s && state_damaged(s) == 0 && !state_discarded(s));
	state_each(s, add, &second);
	require(first.n == second.n && first.v == second.v);
	state_close(s, false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == 0)
		try_journal(data + 1, size - 1);
	else
		try_set(data, size);
	return 0;
}
