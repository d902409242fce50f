/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libFuzzer target of the other end of the control socket: the command shim6,
 * with the client of src/control inside, asks a daemon that answers with the
 * input. The first octet chooses the verb, and whether it shows JSON. Whatever
 * comes, the command ends, with one of its exit codes.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *const lines[][3] = {
	{ "status" },
	{ "contexts" },
	{ "context", "7" },
	{ "locators" },
	{ "stats" },
	{ "events" },
	{ "negative" },
	{ "reload" },
	{ "establish", "2001:db8::1", "2001:db8::2" },
	{ "explore", "7" },
	{ "drop", "7" },
	{ "addr", "list" },
	{ "addr", "delete", "hba0" },
	{ "trace", "--for", "0.02" },
};
#define N_LINES (sizeof(lines) / sizeof(lines[0]))

static struct daemon {
	char dir[64], path[80];
	int listener;
	pthread_t thread;
	pthread_mutex_t lock;
	const uint8_t *data; /* the answer */
	size_t size;
} daemon_end = { .lock = PTHREAD_MUTEX_INITIALIZER };

static FILE *out, *err;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Says its piece to each client, then hears it to its end. */
static void *answer(void *arg)
{
	struct daemon *d = arg;

	for (;;) {
		int fd = accept(d->listener, NULL, NULL);
		char buf[4096];

		if (fd < 0)
			return NULL;
		pthread_mutex_lock(&d->lock);
		for (size_t at = 0; at < d->size;) {
			ssize_t n = send(fd, d->data + at, d->size - at, MSG_NOSIGNAL);

			if (n <= 0)
				break;
			at += (size_t)n;
		}
		pthread_mutex_unlock(&d->lock);
		shutdown(fd, SHUT_WR);
		while (recv(fd, buf, sizeof(buf), 0) > 0)
			;
		close(fd);
	}
}

static void set_answer(const uint8_t *data, size_t size)
{
	pthread_mutex_lock(&daemon_end.lock);
	daemon_end.data = data;
	daemon_end.size = size;
	pthread_mutex_unlock(&daemon_end.lock);
}

static void end(void)
{
	shutdown(daemon_end.listener, SHUT_RDWR);
	pthread_join(daemon_end.thread, NULL);
	close(daemon_end.listener);
	unlink(daemon_end.path);
	rmdir(daemon_end.dir);
	fclose(out);
	fclose(err);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct daemon *d = &daemon_end;
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	const char *tmp = getenv("TMPDIR");

	(void)argc;
	(void)argv;
	snprintf(d->dir, sizeof(d->dir), "%.40s/shim6-fuzz-XXXXXX", tmp ? tmp : "/tmp");
	require(mkdtemp(d->dir));
	snprintf(d->path, sizeof(d->path), "%s/sock", d->dir);
	memcpy(at.sun_path, d->path, strlen(d->path) + 1);
	d->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	require(d->listener >= 0 && bind(d->listener, (struct sockaddr *)&at, sizeof(at)) == 0);
	require(listen(d->listener, 16) == 0);
	require(pthread_create(&d->thread, NULL, answer, d) == 0);
	out = fopen("/dev/null", "w");
	err = fopen("/dev/null", "w");
	require(out && err);
	unsetenv("SHIM6_SOCKET");
	atexit(end);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *argv[8] = { "shim6", "--socket", daemon_end.path };
	int argc = 3, code;

	if (!size)
		return 0;
	set_answer(data + 1, size - 1);
	if (data[0] & 0x80)
		argv[argc++] = "--json";
	if (data[0] & 0x40)
		argv[argc++] = "--color";
	for (unsigned i = 0; i < 3 && lines[data[0] % 0x40 % N_LINES][i]; i++)
		argv[argc++] = lines[data[0] % 0x40 % N_LINES][i];
	code = cli_main(argc, argv, out, err);
	set_answer(NULL, 0); /* a late answer is none */
	require(code == CLI_OK || code == CLI_FAILED);
	return 0;
}
