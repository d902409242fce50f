/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of a lab. Needs the right to write to /run; no namespace is made. */
#include "unit.h"

#include <sys/stat.h>
#include <unistd.h>

#include "lab/state.h"

static char name[LAB_NAME_MAX + 1];
static struct lab lab;

static int set_up(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "unit%d", (int)getpid());
	return lab_create(&lab, name);
}

static int tear_down(void **state)
{
	(void)state;
	lab_close(&lab);
	return remove_tree(lab.dir); /* no lock: a test that failed may hold one */
}

static void test_names(void **state)
{
	(void)state;
	assert_true(lab_name_valid("a") && lab_name_valid("A-1_b"));
	assert_false(lab_name_valid("") || lab_name_valid("-a") || lab_name_valid("a/b") || lab_name_valid("..") ||
		     lab_name_valid("a b"));
	assert_true(lab_name_valid("0123456789012345678901234567890123456789"));
	assert_false(lab_name_valid("01234567890123456789012345678901234567890"));
}

static void test_everything_comes_back(void **state)
{
	struct proc p = { .pid = 4711, .start = 123456789012ull };
	struct fault f;
	struct lab back;

	(void)state;
	lab.shim6 = true;
	lab.send_timeout = 12.5;
	lab.delay_ms = 20;
	snprintf(lab.shim6d, sizeof(lab.shim6d), "/usr/sbin/shim6d");
	snprintf(lab.addr[1][0], LAB_ADDR_MAX, "2001:db8:b:1::10");
	assert_int_equal(lab_add_proc(&lab, "shim6d-A", &p), 0);
	fault_init(&f, "loss");
	f.amount = 30;
	f.provider = 1;
	f.direction = FAULT_OUT;
	lab.faults[lab.n_faults++] = f;
	assert_int_equal(lab_save(&lab), 0);
	lab_close(&lab);

	assert_int_equal(lab_open(&back, name), 0);
	assert_true(back.shim6);
	assert_true(back.send_timeout == 12.5);
	assert_int_equal(back.delay_ms, 20);
	assert_string_equal(back.shim6d, "/usr/sbin/shim6d");
	assert_string_equal(back.addr[1][0], "2001:db8:b:1::10");
	assert_string_equal(back.addr[0][0], "");
	assert_int_equal(back.n_procs, 1);
	assert_string_equal(back.procs[0].role, "shim6d-A");
	assert_int_equal(back.procs[0].proc.pid, 4711);
	assert_true(back.procs[0].proc.start == 123456789012ull);
	assert_int_equal(back.n_faults, 1);
	assert_true(fault_equal(&back.faults[0], &f));
	assert_int_equal(back.faults[0].amount, 30);
	lab_close(&back);
}

static void test_one_of_a_name(void **state)
{
	struct lab other;

	(void)state;
	assert_int_equal(lab_create(&other, name), -1);
	lab_close(&lab);
	assert_int_equal(lab_open(&other, "no-such-lab-anywhere"), -1);
}

static void test_a_damaged_state_is_told_but_can_be_removed(void **state)
{
	char path[LAB_PATH_MAX];
	struct lab back;

	(void)state;
	lab_path(&lab, path, sizeof(path), "lab.json");
	lab_close(&lab);
	assert_int_equal(file_write(path, "{\"name\":"), 0);
	assert_int_equal(lab_open(&back, name), -1);
	assert_int_equal(lab_open_remains(&back, name), 0);
	assert_int_equal(back.n_procs, 0);
	assert_string_equal(back.name, name);
	assert_int_equal(lab_forget(&back), 0);
	assert_int_equal(access(lab.dir, F_OK), -1);
	assert_int_equal(lab_open_remains(&back, name), -1);
}

static void seen(const struct lab *l, void *arg)
{
	*(unsigned *)arg += !strcmp(l->name, name);
}

static void test_listing(void **state)
{
	unsigned n = 0;

	(void)state;
	lab_list(seen, &n);
	assert_int_equal(n, 1);
}

static void test_log_lines_are_json_with_both_clocks(void **state)
{
	char path[LAB_PATH_MAX];
	struct strbuf b = { 0 };

	(void)state;
	lab_log(&lab, "fail", "a \"quoted\" thing", lab_now());
	lab_path(&lab, path, sizeof(path), "events.log");
	assert_int_equal(file_read(path, &b), 0);
	assert_non_null(strstr(b.s, "\"event\":\"fail\""));
	assert_non_null(strstr(b.s, "a \\\"quoted\\\" thing"));
	assert_non_null(strstr(b.s, "\"monotonic_s\":"));
	assert_int_equal(b.s[b.len - 1], '\n');
	strbuf_free(&b);
}

#define WITH_LAB(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names), WITH_LAB(test_everything_comes_back),
		WITH_LAB(test_one_of_a_name), WITH_LAB(test_a_damaged_state_is_told_but_can_be_removed),
		WITH_LAB(test_listing),	      WITH_LAB(test_log_lines_are_json_with_both_clocks),
	};

	return cmocka_run_group_tests_name("lab state", tests, NULL, NULL);
}
