/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes of the lab. A process is known by its pid and its start time, so
 * that a number which the system has given to someone else is never signalled.
 */
#ifndef SHIM6_LAB_PROC_H
#define SHIM6_LAB_PROC_H

#include <sys/types.h>

#include "lab/util.h"

struct proc {
	pid_t pid;	/* 0: none */
	uint64_t start; /* /proc/PID/stat field 22, clock ticks since boot */
};

struct proc_spec {
	const char *netns;	 /* name of a network namespace, NULL: the caller's */
	const char *const *argv; /* argv[0] is looked up in PATH */
	const char *log;	 /* file that standard error is added to, NULL: the caller's */
	int in, out;		 /* -1: /dev/null; PROC_TO_LOG for out: the log as well */
	bool with_parent;	 /* ends when the process that started it ends */
};
#define PROC_TO_LOG (-2)

/* Returns 0 once the program was started (exec succeeded), else -1 after lab_error(). */
int proc_spawn(const struct proc_spec *spec, struct proc *out);
bool proc_alive(const struct proc *p);
bool proc_signal(const struct proc *p, int sig);
/* SIGTERM, then after grace_ms SIGKILL; returns when it is gone. Reaps it if it is a child. */
void proc_stop(struct proc *p, unsigned grace_ms);
/* Wait for a child up to timeout_ms: exit status, 128 + signal, or -1 when it still runs. */
int proc_wait(struct proc *p, unsigned timeout_ms);

/*
 * Run to the end; input (may be NULL) goes to standard input, standard output
 * is added to out (may be NULL: inherited). Exit status, or -1.
 */
int proc_run(const char *netns, const char *const *argv, const char *input, struct strbuf *out);

/* Exact start time of a running process, 0 if there is none. For tests. */
uint64_t proc_start_time(pid_t pid);

#endif
