// SPDX-License-Identifier: GPL-2.0-or-later
/* Up and down (see life.h). */
#define _GNU_SOURCE
#include "lab/life.h"

#include <dirent.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/faults.h"
#include "lab/programs.h"
#include "lab/topology.h"

#define STOP_GRACE_MS 5000
#define SWEEP_GRACE_MS 1000

/* What the daemon really uses: its default, our option or the user's file. */
static int learn_send_timeout(struct lab *lab)
{
	struct json_object *o = host_ask(lab, 0, "status"), *v;

	if (!o || !json_object_object_get_ex(o, "send_timeout_s", &v)) {
		json_object_put(o);
		return lab_error("the daemon of host A does not say its Send Timeout");
	}
	lab->send_timeout = json_object_get_double(v);
	json_object_put(o);
	return 0;
}

static int build(struct lab *lab, const struct life_setup *setup)
{
	struct hosts_setup hosts = { .config = setup->config, .send_timeout_set = setup->send_timeout > 0 };

	lab->shim6 = setup->shim6;
	lab->delay_ms = setup->delay_ms;
	lab->send_timeout = setup->send_timeout ? setup->send_timeout : LIFE_SEND_TIMEOUT;
	if (lab->shim6 && program_find("shim6d", lab->shim6d))
		return -1;
	if (lab_save(lab) || topology_up(lab) || lab_interrupted())
		return -1;
	if (faults_apply_delays(lab) || lab_interrupted())
		return -1;
	if (lab->shim6 && (hosts_prepare(lab, &hosts) || lab_save(lab) || lab_interrupted() || hosts_start(lab) ||
			   hosts_wait(lab, LIFE_READY_MS) || learn_send_timeout(lab)))
		return -1;
	return lab_save(lab);
}

int life_up(struct lab *lab, const struct life_setup *setup)
{
	if (lab_create(lab, setup->name))
		return -1;
	if (build(lab, setup) == 0)
		return 0;
	if (lab_interrupted())
		lab_error("interrupted: the lab is taken down again");
	life_down(lab);
	return -1;
}

/* --- down ------------------------------------------------------------------ */

static const char *const nodes[] = { "A", "B", "A1", "A2", "B1", "B2", "core" };
#define N_NODES (sizeof(nodes) / sizeof(nodes[0]))

static bool node_identity(const struct lab *lab, const char *node, struct stat *st)
{
	char name[NETNS_NAME_MAX], path[LAB_PATH_MAX];

	lab_node(lab, name, sizeof(name), node);
	lab_format(path, sizeof(path), "/run/netns/%s", name);
	return stat(path, st) == 0;
}

static bool inside(const struct stat *ns, unsigned n, const char *pid)
{
	char path[LAB_PATH_MAX];
	struct stat st;

	lab_format(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	if (stat(path, &st))
		return false;
	for (unsigned i = 0; i < n; i++)
		if (st.st_dev == ns[i].st_dev && st.st_ino == ns[i].st_ino)
			return true;
	return false;
}

/* One look at all processes; how many were in the lab's namespaces and have been ended. */
static unsigned sweep_once(const struct stat *ns, unsigned n)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	unsigned ended = 0;

	while (dir && (e = readdir(dir)) != NULL) {
		struct proc p = { .pid = (pid_t)strtol(e->d_name, NULL, 10) };

		if (p.pid <= 0 || p.pid == getpid())
			continue;
		p.start = proc_start_time(p.pid);
		/* looked at after its start time was noted: it is this process, or proc_stop() finds another */
		if (p.start && inside(ns, n, e->d_name)) {
			proc_stop(&p, SWEEP_GRACE_MS);
			ended++;
		}
	}
	if (dir)
		closedir(dir);
	return ended;
}

/* Programs that someone started with exec, or whose start was not noted any more. */
static void sweep(const struct lab *lab)
{
	struct stat ns[N_NODES], self;
	unsigned n = 0;

	if (stat("/proc/self/ns/net", &self))
		return;
	for (size_t i = 0; i < N_NODES; i++) {
		if (!node_identity(lab, nodes[i], &ns[n]))
			continue;
		n += ns[n].st_dev == self.st_dev && ns[n].st_ino != self.st_ino;
	}
	for (unsigned tries = 0; n && tries < 5 && sweep_once(ns, n); tries++)
		;
}

int life_down(struct lab *lab)
{
	int r = 0;

	while (lab->n_procs) {
		struct lab_proc *p = &lab->procs[--lab->n_procs];

		proc_stop(&p->proc, STOP_GRACE_MS);
	}
	sweep(lab);
	r |= topology_down(lab);
	r |= hosts_remove(lab);
	if (r) {
		lab_close(lab);
		return lab_error("the lab %s could not be removed whole", lab->name);
	}
	return lab_forget(lab);
}
