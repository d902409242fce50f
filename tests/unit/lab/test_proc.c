/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "unit.h"

#include <signal.h>
#include <unistd.h>

#include "lab/proc.h"

static void test_run_gives_the_exit_code_and_the_output(void **state)
{
	const char *const argv[] = { "sh", "-c", "cat; echo more; exit 7", NULL };
	const char *const killed[] = { "sh", "-c", "kill -9 $$", NULL };
	const char *const missing[] = { "no-such-program-anywhere", NULL };
	struct strbuf out = { 0 };

	(void)state;
	assert_int_equal(proc_run(NULL, argv, "some input\n", &out), 7);
	assert_string_equal(out.s, "some input\nmore\n");
	strbuf_free(&out);
	assert_int_equal(proc_run(NULL, killed, NULL, NULL), 128 + SIGKILL);
	assert_int_equal(proc_run(NULL, missing, NULL, NULL), -1);
}

static void test_much_data_both_ways_at_once(void **state)
{
	const char *const argv[] = { "cat", NULL };
	static char big[1 << 20];
	struct strbuf out = { 0 };

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	assert_int_equal(proc_run(NULL, argv, big, &out), 0);
	assert_int_equal(out.len, sizeof(big) - 1);
	strbuf_free(&out);
}

static struct proc start(const char *script)
{
	const char *const argv[] = { "sh", "-c", script, NULL };
	struct proc_spec spec = { .argv = argv, .in = -1, .out = -1, .with_parent = true };
	struct proc p = { 0 };

	assert_int_equal(proc_spawn(&spec, &p), 0);
	return p;
}

static void test_a_process_is_its_pid_and_its_start(void **state)
{
	struct proc p = start("exec sleep 100"), impostor = p;

	(void)state;
	assert_true(proc_alive(&p));
	impostor.start += 1; /* the number, but not the process */
	assert_false(proc_alive(&impostor));
	assert_false(proc_signal(&impostor, SIGKILL));
	assert_int_equal(proc_wait(&p, 0), -1);
	assert_true(proc_alive(&p));
	assert_true(proc_signal(&p, SIGTERM));
	assert_int_equal(proc_wait(&p, 5000), 128 + SIGTERM);
	assert_false(proc_alive(&p));
}

static void test_stop_insists(void **state)
{
	int ready[2];
	const char *const argv[] = { "sh", "-c", "trap '' TERM; echo; exec sleep 100", NULL };
	struct proc_spec spec = { .argv = argv, .in = -1, .with_parent = true };
	struct proc p = { 0 };
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	spec.out = ready[1];
	assert_int_equal(proc_spawn(&spec, &p), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1); /* the trap is set */
	pid = p.pid;
	proc_stop(&p, 50);
	assert_int_equal(p.pid, 0);
	assert_int_equal(proc_start_time(pid), 0);
	close(ready[0]);
	close(ready[1]);
}

static void test_none_is_never_signalled(void **state)
{
	struct proc none = { 0 };

	(void)state;
	assert_false(proc_alive(&none));
	assert_false(proc_signal(&none, SIGKILL));
	proc_stop(&none, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_run_gives_the_exit_code_and_the_output),
		cmocka_unit_test(test_much_data_both_ways_at_once),
		cmocka_unit_test(test_a_process_is_its_pid_and_its_start),
		cmocka_unit_test(test_stop_insists),
		cmocka_unit_test(test_none_is_never_signalled),
	};

	return cmocka_run_group_tests_name("lab proc", tests, NULL, NULL);
}
