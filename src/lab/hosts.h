/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemons of a lab: one shim6d in each host, with a folder of its own in
 * the lab's (configuration, log, runtime and state directory) and its pins in a
 * bpffs that is mounted for this lab alone, so that labs side by side cannot
 * meet and unmounting takes every pin away.
 */
#ifndef SHIM6_LAB_HOSTS_H
#define SHIM6_LAB_HOSTS_H

#include "lab/state.h"

struct hosts_setup {
	const char *config;    /* a file put in front of each host's own configuration, NULL: none */
	bool send_timeout_set; /* lab->send_timeout goes into the configuration */
};

/* Folders, HBA sets (their addresses become lab->addr) and configuration of both hosts. */
int hosts_prepare(struct lab *lab, const struct hosts_setup *setup);
/* Start both daemons. */
int hosts_start(struct lab *lab);
/* Wait until both answer and have every locator; -1 after lab_error() when one ends, at the deadline, or on ^C. */
int hosts_wait(struct lab *lab, unsigned timeout_ms);
/* Unmount the pins; the daemons are gone already. */
int hosts_remove(const struct lab *lab);

void host_socket(const struct lab *lab, unsigned host, char out[static LAB_PATH_MAX]);
void host_log(const struct lab *lab, unsigned host, char out[static LAB_PATH_MAX]);
void host_role(unsigned host, char *out, size_t cap); /* "shim6d-A" */

struct json_object;
/* One question to a host's daemon: the result, caller's; NULL when there is none. */
struct json_object *host_ask(const struct lab *lab, unsigned host, const char *op);

#endif
