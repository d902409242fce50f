// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes of the lab: started inside a network namespace, remembered by pid
 * and start time, ended through a pidfd so that there is no moment in which the
 * number could have changed hands.
 */
#define _GNU_SOURCE
#include "lab/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/netns.h"

uint64_t proc_start_time(pid_t pid)
{
	char path[64], line[1024], *p;
	unsigned long long start = 0;
	FILE *f;

	lab_format(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	/* the name may hold spaces and parentheses: count from the last one */
	if (fgets(line, sizeof(line), f) && (p = strrchr(line, ')')) != NULL) {
		char state;

		if (sscanf(p + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
			   &state, &start) != 2 ||
		    state == 'Z')
			start = 0;
	}
	fclose(f);
	return start;
}

/* A pidfd of exactly this process, or -1. */
static int proc_open(const struct proc *p)
{
	int fd;

	if (p->pid <= 0)
		return -1;
	fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	if (fd >= 0 && proc_start_time(p->pid) != p->start) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool proc_alive(const struct proc *p)
{
	return p->pid > 0 && proc_start_time(p->pid) == p->start;
}

bool proc_signal(const struct proc *p, int sig)
{
	int fd = proc_open(p);
	long r;

	if (fd < 0)
		return false;
	r = syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
	close(fd);
	return r == 0;
}

static bool wait_gone(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	int r;

	do {
		r = poll(&p, 1, timeout_ms);
	} while (r < 0 && errno == EINTR);
	return r > 0;
}

void proc_stop(struct proc *p, unsigned grace_ms)
{
	int fd = proc_open(p);

	if (fd >= 0) {
		syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0);
		if (!wait_gone(fd, (int)grace_ms)) {
			syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
			wait_gone(fd, -1);
		}
		close(fd);
	}
	if (p->pid > 0)
		waitpid(p->pid, NULL, WNOHANG); /* if it was our child */
	p->pid = 0;
}

int proc_wait(struct proc *p, unsigned timeout_ms)
{
	int status = 0, fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
	bool gone = fd >= 0 && wait_gone(fd, (int)timeout_ms);

	if (fd >= 0)
		close(fd);
	if (!gone || waitpid(p->pid, &status, 0) != p->pid)
		return -1;
	p->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void child_fd(int fd, int target, const char *fallback)
{
	if (fd < 0)
		fd = open(fallback, target == STDIN_FILENO ? O_RDONLY : O_WRONLY);
	if (fd < 0 || dup2(fd, target) < 0)
		_exit(126);
}

/* In the new process: becomes the program, or writes errno to report and ends. */
static void become(const struct proc_spec *spec, int report)
{
	int log = -1, err;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGINT, SIG_IGN); /* ^C reaches the whole group: the lab itself decides who ends, and when */
	signal(SIGPIPE, SIG_DFL);
	if (spec->with_parent)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (spec->netns && netns_enter(spec->netns))
		goto fail;
	if (spec->log) {
		log = open(spec->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		if (log < 0)
			goto fail;
		dup2(log, STDERR_FILENO);
	}
	child_fd(spec->in, STDIN_FILENO, "/dev/null");
	child_fd(spec->out == PROC_TO_LOG ? log : spec->out, STDOUT_FILENO, "/dev/null");
	execvp(spec->argv[0], (char *const *)(uintptr_t)spec->argv);
fail:
	err = errno;
	if (write(report, &err, sizeof(err)) < 0)
		_exit(125);
	_exit(127);
}

int proc_spawn(const struct proc_spec *spec, struct proc *out)
{
	int report[2], err = 0;
	ssize_t n;
	pid_t pid;

	if (pipe2(report, O_CLOEXEC))
		return lab_error("cannot make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0)
		become(spec, report[1]);
	close(report[1]);
	if (pid < 0) {
		close(report[0]);
		return lab_error("cannot start %s: %s", spec->argv[0], strerror(errno));
	}
	do {
		n = read(report[0], &err, sizeof(err)); /* end of file: exec closed it */
	} while (n < 0 && errno == EINTR);
	close(report[0]);
	if (n > 0) {
		waitpid(pid, NULL, 0);
		return lab_error("cannot start %s%s%s: %s", spec->argv[0], spec->netns ? " in " : "",
				 spec->netns ? spec->netns : "", strerror(err));
	}
	out->pid = pid;
	out->start = proc_start_time(pid);
	return 0;
}

/* Feed input and collect output without either side waiting for the other. */
static void exchange(int in, const char *input, int from, struct strbuf *out)
{
	size_t left = input ? strlen(input) : 0;
	char chunk[4096];

	if (in >= 0)
		fcntl(in, F_SETFL, O_NONBLOCK); /* else one large write would wait for a reader who waits for us */
	while (in >= 0 || from >= 0) {
		struct pollfd p[2] = { { .fd = in, .events = POLLOUT }, { .fd = from, .events = POLLIN } };
		ssize_t n;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		if (p[0].revents) {
			n = left ? write(in, input, left) : 0;
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				n = 0;
			else if (n <= 0 || (left -= (size_t)n) == 0) {
				close(in);
				in = -1;
			}
			input += n > 0 ? n : 0;
		}
		if (p[1].revents) {
			n = read(from, chunk, sizeof(chunk));
			if (n < 0 && errno == EINTR)
				continue;
			if (n <= 0) {
				close(from);
				from = -1;
			} else {
				strbuf_add(out, chunk, (size_t)n);
			}
		}
	}
}

int proc_run(const char *netns, const char *const *argv, const char *input, struct strbuf *out)
{
	struct proc_spec spec = { .netns = netns, .argv = argv, .in = -1, .out = STDOUT_FILENO };
	int to[2] = { -1, -1 }, from[2] = { -1, -1 }, status;
	void (*old)(int) = signal(SIGPIPE, SIG_IGN);
	struct proc p;
	pid_t gone;

	if ((input && pipe2(to, O_CLOEXEC)) || (out && pipe2(from, O_CLOEXEC))) {
		lab_error("cannot make a pipe: %s", strerror(errno));
		status = -1;
		goto out;
	}
	spec.in = to[0];
	if (out)
		spec.out = from[1];
	status = proc_spawn(&spec, &p);
	if (to[0] >= 0)
		close(to[0]);
	if (from[1] >= 0)
		close(from[1]);
	if (status) {
		if (to[1] >= 0)
			close(to[1]);
		if (from[0] >= 0)
			close(from[0]);
		goto out;
	}
	exchange(to[1], input, from[0], out);
	do {
		gone = waitpid(p.pid, &status, 0);
	} while (gone < 0 && errno == EINTR);
	if (gone != p.pid)
		status = -1;
	else
		status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
out:
	signal(SIGPIPE, old);
	return status;
}
