/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines and the journal's own protocol, with a socket in the journal's place. */
#include "unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/log.h"

static int journal, real_stderr;

static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	assert_true(strlen(path) < sizeof(sa.sun_path));
	memcpy(sa.sun_path, path, strlen(path));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	return fd;
}

static void claim(int off)
{
	char text[64];
	struct stat st;

	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + (unsigned)off);
	setenv("JOURNAL_STREAM", text, 1);
}

static int begin(void **state)
{
	static char path[128];

	if (unit_make_dir(state))
		return -1;
	fflush(stderr);
	real_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (!freopen(unit_path("log"), "w", stderr))
		return -1;
	snprintf(path, sizeof(path), "%s", unit_path("socket"));
	journal = listen_at(path);
	claim(0);
	log_journal_at(path);
	return 0;
}

static int end(void **state)
{
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	close(journal);
	return unit_remove_dir(state);
}

static const char *received(void)
{
	static char text[8192];
	ssize_t n = recv(journal, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static const char *written(void)
{
	static char text[8192];

	text[unit_read(unit_path("log"), text, sizeof(text) - 1)] = '\0';
	return text;
}

static void test_fields(void **state)
{
	static const char *const fields[] = { "SHIM6_EVENT=switched", "SHIM6_REASON=a\nMESSAGE=forged", NULL };

	(void)state;
	assert_true(log_has_fields());
	log_fields(LOG_LEVEL_NOTICE, "it moved\nPRIORITY=0", fields);
	assert_string_equal(received(), "MESSAGE=it moved?PRIORITY=0\nPRIORITY=5\nSYSLOG_IDENTIFIER=shim6d\n"
					"SHIM6_EVENT=switched\nSHIM6_REASON=a?MESSAGE=forged\n");
	assert_string_equal(written(), "");
	log_fields(LOG_LEVEL_DEBUG, "quiet", fields);
	assert_string_equal(received(), "");
	log_fields(LOG_LEVEL_INFO, "no fields", NULL);
	assert_string_equal(received(), "");
	assert_non_null(strstr(written(), "no fields\n"));
}

/* A journal that is gone, or takes no more, costs no line. */
static void test_gone(void **state)
{
	static const char *const fields[] = { "SHIM6_EVENT=gone", NULL };
	char name[32];
	int n = 0;

	(void)state;
	for (; n < 100000 && !strstr(written(), "full "); n++) {
		snprintf(name, sizeof(name), "full %d", n);
		log_fields(LOG_LEVEL_INFO, name, fields);
	}
	assert_in_range(n, 2, 99999);
	assert_true(log_has_fields());
	close(journal);
	unlink(unit_path("socket"));
	journal = -1;
	log_fields(LOG_LEVEL_INFO, "nobody there", fields);
	assert_non_null(strstr(written(), "nobody there\n"));
	assert_false(log_has_fields());
}

/* Standard error is something else than what the variable says: the line belongs there. */
static void test_elsewhere(void **state)
{
	static const char *const fields[] = { "SHIM6_EVENT=gone", NULL };

	(void)state;
	claim(1);
	log_journal_at(unit_path("socket"));
	assert_false(log_has_fields());
	log_fields(LOG_LEVEL_INFO, "in the file", fields);
	assert_string_equal(received(), "");
	assert_string_equal(written(), "<6>in the file\n");
	log_journal_at("/nonexistent");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_fields, begin, end),
		cmocka_unit_test_setup_teardown(test_gone, begin, end),
		cmocka_unit_test_setup_teardown(test_elsewhere, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
