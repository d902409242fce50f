/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/daemon.h"

static void pid_path(char *out, size_t len, const char *run_dir)
{
	snprintf(out, len, "%s/shim6d.pid", run_dir);
}

/* A process that ended while we waited in open() took the file away: our lock is on nothing then. */
static bool still_there(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int open_locked(const char *path)
{
	for (int tries = 0; tries < 16; tries++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

		bool locked;

		if (fd < 0)
			return -1;
		locked = flock(fd, LOCK_EX | LOCK_NB) == 0;
		if (locked && still_there(fd, path))
			return fd;
		close(fd);
		if (!locked)
			break;
	}
	errno = EWOULDBLOCK;
	return -1;
}

int instance_lock(const char *run_dir, char *err, size_t err_len)
{
	char path[4096], pid[32] = "";
	int fd;

	pid_path(path, sizeof(path), run_dir);
	fd = open_locked(path);
	if (fd < 0 && errno == EWOULDBLOCK) {
		FILE *f = fopen(path, "re");

		if (f && !fgets(pid, sizeof(pid), f))
			pid[0] = '\0';
		if (f)
			fclose(f);
		pid[strcspn(pid, "\n")] = '\0';
		snprintf(err, err_len, "shim6d runs already in %s (process %s); stop it, or use another --runtime-dir",
			 run_dir, *pid ? pid : "unknown");
		return -1;
	}
	if (fd < 0 || ftruncate(fd, 0) < 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		snprintf(err, err_len, "%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

/* The file goes while the lock is held: who opens it afterwards makes a new one. */
void instance_unlock(int fd, const char *run_dir)
{
	char path[4096];

	pid_path(path, sizeof(path), run_dir);
	unlink(path);
	close(fd);
}
