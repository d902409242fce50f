/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real programs, run by a real loop: what they are given, what becomes of what they print, and of those that stay. */
#include "unit.h"

#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "daemon/hooks.h"
#include "daemon/log.h"

static uv_loop_t loop;
static struct hooks *hooks;
static struct counters counters;
static struct config_hooks config;
static int real_stderr;

static const char *program(const char *script)
{
	const char *path = unit_path("hook");
	char text[1024];
	int n = snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", script);

	unlink(path);
	unit_write(path, text, (size_t)n);
	assert_int_equal(chmod(path, 0755), 0);
	return path;
}

static void begin(const char *command)
{
	memset(&counters, 0, sizeof(counters));
	config = (struct config_hooks){ .events = "switched,failed", .at_once = 2, .time_limit = 20000000000 };
	snprintf(config.command, sizeof(config.command), "%s", command);
	assert_int_equal(uv_loop_init(&loop), 0);
	hooks = hooks_new(&loop, &counters);
	hooks_configure(hooks, &config);
	/* the log of the daemon goes to a file */
	fflush(stderr);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_true(freopen(unit_path("log"), "w", stderr) != NULL);
}

static void end(char *log, size_t cap)
{
	size_t n;

	hooks_close(hooks);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	n = unit_read(unit_path("log"), log, cap - 1);
	log[n] = '\0';
}

static void event(const char *json)
{
	struct json_object *o = json_tokener_parse(json);

	assert_non_null(o);
	hooks_event(hooks, o);
	json_object_put(o);
}

static uint64_t ended(void)
{
	return counters.v[DC_hooks_done] + counters.v[DC_hooks_failed] + counters.v[DC_hooks_timed_out];
}

/* The loop ends by itself when nothing runs. */
static void run_until_quiet(uint64_t expected)
{
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(ended(), expected);
}

static void test_environment(void **state)
{
	char log[8192], *path;

	(void)state;
	/* $@ would be arguments; the shell adds PWD, OLDPWD, SHLVL and _ of its own */
	begin(program("env | grep -v -e ^PWD -e ^OLDPWD -e ^SHLVL -e ^_ | sort; echo \"in:$(cat)\" >&2; echo args:$#; "
		      "cd /proc/$$/fd; echo fds: *"));
	setenv("SECRET", "of the daemon", 1);
	event("{\"type\":\"switched\",\"id\":7,\"fii\":2,\"ulid\":{\"local\":\"2001:db8::1\",\"peer\":\"2001:db8::2\"},"
	      "\"took_ms\":12.5,\"text\":\"it $(touch /tmp/x) 'moved'\"}");
	event("{\"type\":\"gone\",\"id\":8}");
	run_until_quiet(1);
	assert_int_equal(counters.v[DC_hooks_done], 1);
	end(log, sizeof(log));
	path = strstr(log, "hook (switched): PATH=");
	assert_non_null(path);
	assert_non_null(strstr(path, "hook (switched): SHIM6_CONTEXT=7\n"));
	assert_non_null(strstr(path, "hook (switched): SHIM6_EVENT=switched\n"));
	assert_non_null(strstr(path, "hook (switched): SHIM6_FORK=2\n"));
	assert_non_null(strstr(path, "hook (switched): SHIM6_TEXT=it $(touch /tmp/x) 'moved'\n"));
	assert_non_null(strstr(path, "hook (switched): SHIM6_TOOK_MS=12.5\n"));
	assert_non_null(strstr(path, "hook (switched): SHIM6_ULID_LOCAL=2001:db8::1\n"));
	assert_non_null(strstr(path, "hook (switched): SHIM6_ULID_PEER=2001:db8::2\n"));
	assert_non_null(strstr(path, "hook (switched): in:\n"));
	assert_non_null(strstr(path, "hook (switched): args:0\n"));
	/* 10 is the script, 3 the folder */
	assert_non_null(strstr(path, "hook (switched): fds: 0 1 10 2 3\n"));
	assert_null(strstr(log, "SECRET"));
}

static void test_failures(void **state)
{
	char log[8192];

	(void)state;
	begin(program("test $SHIM6_EVENT = failed && kill -TERM $$; exit 3"));
	event("{\"type\":\"switched\"}");
	event("{\"type\":\"failed\"}");
	run_until_quiet(2);
	snprintf(config.command, sizeof(config.command), "/nonexistent");
	hooks_configure(hooks, &config);
	event("{\"type\":\"failed\"}");
	run_until_quiet(3);
	assert_int_equal(counters.v[DC_hooks_failed], 3);
	end(log, sizeof(log));
	assert_non_null(strstr(log, "exit status 3\n"));
	assert_non_null(strstr(log, "ended by signal 15\n"));
	assert_non_null(strstr(log, "cannot run /nonexistent: no such file or directory; [hooks] command"));
}

/* Much of it, without a line's end, with control characters. */
static void test_output(void **state)
{
	static char log[64000];
	unsigned lines = 0;

	(void)state;
	begin(program("head -c 1000 /dev/zero | tr '\\0' x; echo; i=0; while [ $i -lt 100 ]; do echo \"n $i\"; "
		      "i=$((i+1)); done; printf 'red \\033[31m'"));
	event("{\"type\":\"failed\"}");
	run_until_quiet(1);
	end(log, sizeof(log));
	for (const char *p = log; (p = strstr(p, "hook (failed):")); p++)
		lines++;
	assert_int_equal(lines, HOOKS_LINES_MAX + 1);
	assert_non_null(strstr(log, "it prints more than 50 lines"));
	assert_null(strchr(log, '\033'));
}

/* Killed, but perhaps not yet collected by init. */
static bool is_gone(pid_t pid)
{
	char path[64], stat[256] = "", state = 'Z';

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 500 && access(path, F_OK) == 0; i++) {
		FILE *f = fopen(path, "r");
		size_t n = f ? fread(stat, 1, sizeof(stat) - 1, f) : 0;

		if (f)
			fclose(f);
		stat[n] = '\0';
		if (n && strrchr(stat, ')') && sscanf(strrchr(stat, ')'), ") %c", &state) == 1 && state == 'Z')
			return true;
		poll(NULL, 0, 10);
	}
	return access(path, F_OK) != 0;
}

/* One that stays is killed with what it started; not more than so many at once; the queue has an end. */
static void test_bounds(void **state)
{
	char log[8192];
	uint64_t start = uv_hrtime();

	(void)state;
	begin(program("tail -f /dev/null & echo $!; tail -f /dev/null"));
	config.time_limit = 300000000;
	hooks_configure(hooks, &config);
	event("{\"type\":\"failed\"}");
	event("{\"type\":\"failed\"}");
	event("{\"type\":\"failed\"}");
	run_until_quiet(3);
	assert_int_equal(counters.v[DC_hooks_timed_out], 3);
	assert_true(uv_hrtime() - start >= 600000000); /* two, then one */
	snprintf(config.command, sizeof(config.command), "%s", program("exec tail -f /dev/null"));
	hooks_configure(hooks, &config);
	for (int i = 0; i < 2 + HOOKS_QUEUE + 5; i++)
		event("{\"type\":\"failed\"}");
	assert_int_equal(counters.v[DC_hooks_dropped], 5);
	end(log, sizeof(log)); /* what runs and what waits goes */
	assert_int_equal(ended(), 3);
	assert_non_null(strstr(log, "killed: not done within"));
	for (const char *p = log; (p = strstr(p, "hook (failed): ")); p++) {
		pid_t left = atoi(p + strlen("hook (failed): "));

		if (left > 0)
			assert_true(is_gone(left));
	}
}

/* One that leaves its group and keeps the output open holds nothing up beyond the time limit. */
static void test_runaway(void **state)
{
	char log[8192], script[512], *said;
	const char *fifo = unit_path("fifo");

	(void)state;
	snprintf(script, sizeof(script),
		 "mkfifo %s; setsid sh -c 'echo left $$; echo > %s; exec tail -f /dev/null' & read x < %s", fifo, fifo,
		 fifo);
	begin(program(script));
	config.time_limit = 1000000000;
	hooks_configure(hooks, &config);
	event("{\"type\":\"failed\"}");
	run_until_quiet(1);
	assert_int_equal(counters.v[DC_hooks_done], 1);
	end(log, sizeof(log));
	said = strstr(log, "hook (failed): left ");
	assert_non_null(said);
	assert_int_equal(kill(atoi(said + strlen("hook (failed): left ")), SIGKILL), 0); /* it is there */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_environment, unit_make_dir, unit_remove_dir),
		cmocka_unit_test_setup_teardown(test_failures, unit_make_dir, unit_remove_dir),
		cmocka_unit_test_setup_teardown(test_output, unit_make_dir, unit_remove_dir),
		cmocka_unit_test_setup_teardown(test_bounds, unit_make_dir, unit_remove_dir),
		cmocka_unit_test_setup_teardown(test_runaway, unit_make_dir, unit_remove_dir),
	};

	close_range(3, UINT_MAX, CLOSE_RANGE_CLOEXEC); /* of who runs this test */
	unsetenv("JOURNAL_STREAM");
	unsetenv("INVOCATION_ID");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
