// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Network namespaces: made and removed by iproute2 (whose names other tools
 * show), entered with setns(), configured by batches for ip and nft.
 */
#define _GNU_SOURCE
#include "lab/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/proc.h"

#define NETNS_DIR "/run/netns"

static int open_ns(const char *name)
{
	char path[LAB_PATH_MAX];

	lab_format(path, sizeof(path), NETNS_DIR "/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

bool netns_exists(const char *name)
{
	int fd = open_ns(name);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

int netns_add(const char *name)
{
	const char *const argv[] = { "ip", "netns", "add", name, NULL };

	return proc_run(NULL, argv, NULL, NULL) ? lab_error("cannot make the network namespace %s", name) : 0;
}

int netns_del(const char *name)
{
	const char *const argv[] = { "ip", "netns", "delete", name, NULL };

	if (!netns_exists(name))
		return 0;
	return proc_run(NULL, argv, NULL, NULL) ? lab_error("cannot delete the network namespace %s", name) : 0;
}

int netns_enter(const char *name)
{
	int fd = open_ns(name), r;

	if (fd < 0)
		return -1;
	r = setns(fd, CLONE_NEWNET);
	close(fd);
	return r;
}

int netns_ip(const char *name, const char *batch)
{
	const char *const argv[] = { "ip", "-6", "-batch", "-", NULL };

	return proc_run(name, argv, batch, NULL) ? lab_error("cannot configure %s with ip", name) : 0;
}

void netns_ip_try(const char *name, const char *batch)
{
	const char *const argv[] = { "sh", "-c", "exec ip -6 -force -batch - 2>/dev/null", NULL };

	proc_run(name, argv, batch, NULL);
}

int netns_nft(const char *name, const char *ruleset)
{
	const char *const argv[] = { "nft", "-f", "-", NULL };

	return proc_run(name, argv, ruleset, NULL) ? lab_error("cannot configure %s with nft", name) : 0;
}

/* In a child: /proc/sys/net shows the namespace of the reader. */
static int set_all(const char *const *settings)
{
	for (; *settings; settings++) {
		const char *eq = strchr(*settings, '=');
		char path[LAB_PATH_MAX];
		ssize_t n;
		int fd;

		lab_format(path, sizeof(path), "/proc/sys/%.*s", (int)(eq - *settings), *settings);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : write(fd, eq + 1, strlen(eq + 1));
		if (n < 0)
			return lab_error("cannot set %s: %s", path, strerror(errno));
		close(fd);
	}
	return 0;
}

int netns_sysctl(const char *name, const char *const *settings)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return lab_error("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		if (netns_enter(name)) {
			lab_error("cannot enter %s: %s", name, strerror(errno));
			_exit(1);
		}
		_exit(set_all(settings) ? 1 : 0);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}
