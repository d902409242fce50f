/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of one lab between two commands: a folder /run/shim6-lab/NAME
 * with lab.json (this structure), events.log (every fault and every repair with
 * its exact time) and the files of the programs that run in it.
 */
#ifndef SHIM6_LAB_STATE_H
#define SHIM6_LAB_STATE_H

#include "lab/fault.h"
#include "lab/proc.h"

#define LAB_RUN_DIR "/run/shim6-lab"
#define LAB_NAME_MAX 40
#define LAB_ADDR_MAX 48
#define LAB_MAX_PROCS 32
#define LAB_MAX_FAULTS 16
#define LAB_HOSTS 2
#define LAB_PROVIDERS 2 /* of each host */

/* A process that "down" has to end. */
struct lab_proc {
	char role[32]; /* "shim6d-A", "delay-B2" */
	struct proc proc;
};

struct lab {
	char name[LAB_NAME_MAX + 1];
	char dir[LAB_PATH_MAX];
	bool shim6;
	char shim6d[LAB_PATH_MAX]; /* the daemon's program */
	double send_timeout;	   /* s */
	unsigned delay_ms;	   /* of every provider, one way */
	char addr[LAB_HOSTS][LAB_PROVIDERS][LAB_ADDR_MAX];
	unsigned n_procs;
	struct lab_proc procs[LAB_MAX_PROCS];
	unsigned n_faults;
	struct fault faults[LAB_MAX_FAULTS]; /* in force, oldest first */
	int lock;			     /* file descriptor of the folder's lock, -1: not held */
};

/* All return 0, or -1 after lab_error(). */
bool lab_name_valid(const char *name);
/* Makes the folder; fails when a lab of that name is there. Holds the lock. */
int lab_create(struct lab *lab, const char *name);
/* name NULL: the only lab there is. Holds the lock, so that commands do not interleave. */
int lab_open(struct lab *lab, const char *name);
/* What is left of a lab: a state that cannot be read counts as empty, so that "down" can go by the name alone. */
int lab_open_remains(struct lab *lab, const char *name);
int lab_save(const struct lab *lab);
void lab_close(struct lab *lab); /* gives the lock back */
int lab_forget(struct lab *lab); /* removes the folder */
int lab_list(void (*each)(const struct lab *lab, void *arg), void *arg);
/* Also of those whose state cannot be read. The callback may remove the lab. */
void lab_names(void (*each)(const char *name, void *arg), void *arg);

/* "<lab>-A", "<lab>-B2", "<lab>-core" */
void lab_node(const struct lab *lab, char *out, size_t cap, const char *node);
void lab_path(const struct lab *lab, char *out, size_t cap, const char *file);
/* One line of JSON in events.log, with both clocks. */
void lab_log(const struct lab *lab, const char *what, const char *detail, uint64_t when);

int lab_add_proc(struct lab *lab, const char *role, const struct proc *p);
struct lab_proc *lab_find_proc(struct lab *lab, const char *role);
void lab_stop_proc(struct lab *lab, const char *role);

#endif
