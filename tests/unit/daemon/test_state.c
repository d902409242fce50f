/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <sys/stat.h>

#include "daemon/state.h"

static const char boot[] = "11111111-2222-3333-4444-555555555555";
static char err[512];

struct seen {
	unsigned n;
	uint64_t id[64];
	char blob[64][32];
	size_t len[64];
};

static void see(void *arg, uint64_t id, const uint8_t *blob, size_t len)
{
	struct seen *s = arg;

	s->id[s->n] = id;
	s->len[s->n] = len;
	memcpy(s->blob[s->n], blob, len < 31 ? len : 31);
	s->n++;
}

static struct state *open_file(void)
{
	struct state *s = state_open(unit_path("contexts"), boot, err, sizeof(err));

	if (!s)
		fail_msg("%s", err);
	return s;
}

static int put(struct state *s, uint64_t id, const char *text)
{
	return state_put(s, id, (const uint8_t *)text, strlen(text) + 1);
}

static struct seen look(struct state *s)
{
	struct seen seen = { 0 };

	state_each(s, see, &seen);
	return seen;
}

static int fresh(void **state)
{
	(void)state;
	unlink(unit_path("contexts"));
	return 0;
}

static void test_last_record_counts(void **state)
{
	struct state *s = open_file();
	struct seen seen;

	(void)state;
	assert_int_equal(put(s, 7, "seven"), 0);
	assert_int_equal(put(s, 8, "eight"), 0);
	assert_int_equal(put(s, 7, "seven again"), 0);
	assert_int_equal(put(s, 9, "nine"), 0);
	assert_int_equal(state_remove(s, 8), 0);
	assert_int_equal(state_remove(s, 1234), 0);
	state_close(s, true);

	s = open_file();
	assert_int_equal(state_count(s), 2);
	assert_true(state_damaged(s) == 0 && !state_discarded(s));
	seen = look(s);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.id[0], 7);
	assert_string_equal(seen.blob[0], "seven again");
	assert_int_equal(seen.id[1], 9);
	state_close(s, false);
	assert_int_equal(access(unit_path("contexts"), F_OK), -1);
}

static void test_mode(void **state)
{
	struct state *s = open_file();
	struct stat st;

	(void)state;
	assert_int_equal(stat(unit_path("contexts"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	state_close(s, true);
}

/* A process killed while writing leaves a torn record; whatever its length, the ones before survive. */
static void test_torn_tail(void **state)
{
	struct state *s = open_file();
	static char file[4096];
	size_t whole, before, n;

	(void)state;
	put(s, 1, "one");
	put(s, 2, "two");
	before = state_size(s);
	put(s, 3, "three");
	whole = state_size(s);
	state_close(s, true);
	n = unit_read(unit_path("contexts"), file, sizeof(file));
	assert_int_equal(n, whole);
	for (size_t cut = before + 1; cut < whole; cut++) {
		unit_write(unit_path("contexts"), file, cut);
		s = open_file();
		assert_int_equal(state_count(s), 2);
		assert_int_equal(state_damaged(s), cut - before);
		assert_int_equal(put(s, 4, "four"), 0);
		state_close(s, true);
		s = open_file();
		assert_int_equal(state_count(s), 3);
		assert_int_equal(state_damaged(s), 0);
		state_close(s, true);
	}
}

static void test_flipped_bits(void **state)
{
	struct state *s = open_file();
	static char file[4096], copy[4096];
	size_t n, first;

	(void)state;
	first = state_size(s);
	put(s, 1, "one");
	put(s, 2, "two");
	state_close(s, true);
	n = unit_read(unit_path("contexts"), file, sizeof(file));
	for (size_t i = first; i < n; i++) {
		struct seen seen;

		memcpy(copy, file, n);
		copy[i] = (char)(copy[i] ^ 0x10);
		unit_write(unit_path("contexts"), copy, n);
		s = open_file();
		seen = look(s);
		assert_true(seen.n <= 2);
		for (unsigned k = 0; k < seen.n; k++)
			assert_string_equal(seen.blob[k], seen.id[k] == 1 ? "one" : "two");
		state_close(s, true);
	}
}

static void test_other_boot_and_rubbish(void **state)
{
	struct state *s = open_file();

	(void)state;
	put(s, 1, "one");
	state_close(s, true);
	s = state_open(unit_path("contexts"), "99999999-2222-3333-4444-555555555555", err, sizeof(err));
	assert_non_null(s);
	assert_true(state_discarded(s));
	assert_int_equal(state_count(s), 0);
	state_close(s, true);
	unit_write(unit_path("contexts"), "rubbish", 7);
	s = open_file();
	assert_true(state_discarded(s));
	assert_int_equal(put(s, 5, "five"), 0);
	state_close(s, true);
	s = open_file();
	assert_int_equal(state_count(s), 1);
	state_close(s, true);
}

static void test_compaction(void **state)
{
	struct state *s = open_file();
	static uint8_t blob[1000];
	size_t largest = 0;
	struct seen seen;

	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		for (uint64_t id = 1; id <= 40; id++) {
			snprintf((char *)blob, sizeof(blob), "%llu in %u", (unsigned long long)id, round);
			assert_int_equal(state_put(s, id, blob, sizeof(blob)), 0);
			if (state_size(s) > largest)
				largest = state_size(s);
		}
	}
	for (uint64_t id = 1; id <= 40; id += 2)
		assert_int_equal(state_remove(s, id), 0);
	/* eight million octets were written; never more than twice what lives, and the floor */
	assert_true(largest < 2 * 40 * (sizeof(blob) + 64) + 65536);
	state_close(s, true);
	s = open_file();
	seen = look(s);
	assert_int_equal(seen.n, 20);
	for (unsigned i = 0; i < seen.n; i++) {
		char want[32];

		snprintf(want, sizeof(want), "%llu in 199", (unsigned long long)seen.id[i]);
		assert_string_equal(seen.blob[i], want);
		assert_int_equal(seen.len[i], sizeof(blob));
	}
	state_close(s, true);
}

/* The index against a plain array, through growth, removal and reopening. */
static void test_index(void **state)
{
	enum {
		IDS = 500
	};
	struct state *s = open_file();
	static uint8_t live[IDS];
	unsigned x = 1, n = 0;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		unsigned id;
		uint8_t b;

		x = x * 1103515245u + 12345u;
		id = x >> 8 & 0x1ff;
		if (id >= IDS)
			continue;
		b = (uint8_t)(x >> 24 | 1);
		if (x >> 30) {
			assert_int_equal(state_put(s, id * 64, &b, 1), 0);
			n += !live[id];
			live[id] = b;
		} else {
			assert_int_equal(state_remove(s, id * 64), 0);
			n -= live[id] != 0;
			live[id] = 0;
		}
		assert_int_equal(state_count(s), n);
		if (i % 4000 == 0) {
			state_close(s, true);
			s = open_file();
			assert_int_equal(state_count(s), n);
		}
	}
	state_close(s, true);
}

static void test_cannot_open(void **state)
{
	(void)state;
	assert_null(state_open("/nonexistent/contexts", boot, err, sizeof(err)));
	assert_string_equal(err, "/nonexistent/contexts: No such file or directory");
	assert_null(state_open("/dev/null", boot, err, sizeof(err)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_last_record_counts, fresh),
		cmocka_unit_test_setup(test_mode, fresh),
		cmocka_unit_test_setup(test_torn_tail, fresh),
		cmocka_unit_test_setup(test_flipped_bits, fresh),
		cmocka_unit_test_setup(test_other_boot_and_rubbish, fresh),
		cmocka_unit_test_setup(test_compaction, fresh),
		cmocka_unit_test_setup(test_index, fresh),
		cmocka_unit_test(test_cannot_open),
	};

	return cmocka_run_group_tests_name("daemon-state", tests, unit_make_dir, unit_remove_dir);
}
