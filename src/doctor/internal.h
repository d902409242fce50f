/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the checks share: what is known of the host, and how to tell what was found. */
#ifndef SHIM6_DOCTOR_INTERNAL_H
#define SHIM6_DOCTOR_INTERNAL_H

#include <arpa/inet.h>
#include <json-c/json.h>
#include <stdio.h>

#include "doctor/doctor.h"
#include "host/host.h"
#include "rtnl/rtnl.h"

#define DOCTOR_MAX_SOURCES 64

enum doctor_level {
	DOCTOR_OK,
	DOCTOR_UNKNOWN,
	DOCTOR_WARNING,
	DOCTOR_PROBLEM,
	DOCTOR_LEVELS,
};

/* An address of this host that a session may have. */
struct doctor_source {
	struct shim6_addr addr;
	unsigned ifindex;
	const struct host_link *link;
	const struct host_router *router; /* NULL: none on its interface */
	bool hba;			  /* of a set */
};

struct doctor {
	const struct doctor_options *opt;
	struct json_object *findings;
	unsigned count[DOCTOR_LEVELS];
	bool admin, raw; /* CAP_NET_ADMIN, CAP_NET_RAW in force */
	struct host *host;
	const struct host_snapshot *snap;
	struct rtnl *rtnl;
	struct control_client *client;
	struct json_object *status, *locators, *sets; /* of the daemon; NULL without one */
	char device[IF_NAMESIZE];		      /* base name of the data path's veth pair */
	/* HBA addresses where there are any, else every global address of an interface that is used. */
	unsigned n_sources;
	struct doctor_source sources[DOCTOR_MAX_SOURCES];
	unsigned n_misrouted; /* sources that leave by another interface than their own */
};

struct doctor_text {
	char s[1024];
};
struct doctor_text doctor_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
struct doctor_text doctor_addr(const struct shim6_addr *a);
struct doctor_text doctor_prefix64(const struct shim6_addr *a);

/* One finding. why and mend may be NULL. */
void doctor_say(struct doctor *d, enum doctor_level level, const char *check, const char *why, const char *mend,
		const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* The result of an operation of the daemon, owned by the caller; NULL when there is none. args is taken over. */
struct json_object *doctor_ask(struct doctor *d, const char *op, struct json_object *args);
/* Members by name; NULL, "" or false when missing. */
struct json_object *doctor_get(struct json_object *o, const char *key);
const char *doctor_string(struct json_object *o, const char *key);
bool doctor_true(struct json_object *o, const char *key);
/* Of lists; of what is none: 0 and NULL. */
size_t doctor_length(struct json_object *list);
struct json_object *doctor_at(struct json_object *list, size_t i);

/* Are these addresses of one /64? */
bool doctor_same64(const struct shim6_addr *a, const struct shim6_addr *b);
const struct host_link *doctor_link(const struct doctor *d, unsigned ifindex);
/* The default router of an interface, one that answers first. */
const struct host_router *doctor_router(const struct doctor *d, unsigned ifindex);
/* lo, and the veth pair of the data path */
bool doctor_own_device(const struct doctor *d, const struct host_link *l);
/* The whole of a small file, cut at len - 1, without the last newline; false: not readable. */
bool doctor_read(const char *path, char *buf, size_t len);

/*
 * Run a program and collect what it prints, both streams, at most max octets.
 * NULL: it cannot be started (errno), was killed after timeout_s, or ended
 * otherwise than with 0 and want_success is set. The caller frees it.
 */
char *doctor_run(const char *const argv[], unsigned timeout_s, size_t max, bool want_success);

/* What starts the daemon here. */
const char *doctor_start_command(void);
/* One address of each /64 that has a router and carrier. */
unsigned doctor_good_prefixes(const struct doctor *d, struct shim6_addr *out, unsigned max);
/* The command that gives an interface a default router. */
struct doctor_text doctor_router_mend(const char *ifname);
/* The peer, or some address far away. */
const struct shim6_addr *doctor_destination(const struct doctor *d);

/* The checks, in this order. */
void check_daemon(struct doctor *d);
void check_configuration(struct doctor *d);
void check_uplinks(struct doctor *d);
void check_sets(struct doctor *d);
void check_routing(struct doctor *d);
void check_source_choice(struct doctor *d);
void check_mtu(struct doctor *d);
void check_firewall(struct doctor *d);
void check_kernel(struct doctor *d);
void check_bpf(struct doctor *d);
void check_clock(struct doctor *d);
void check_conflicts(struct doctor *d);
void check_peer(struct doctor *d);

#endif
