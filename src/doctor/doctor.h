/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Can this host be protected, and if not, why? And what a report of a fault needs.
 *
 * doctor_examine() looks at the host from the inside, with or without a daemon,
 * as root or not, and changes nothing. Each thing it looks at becomes a finding:
 * what is, why it matters, and the command that mends it. With a peer it also
 * sends a few packets there, which leave no state behind: echo requests, an I1
 * from each locator (answered by R1) and a tagged packet (answered by R1bis).
 *
 *   uplinks.c   prefixes, routers, addresses, MTU        routing.c  the way each source takes
 *   sets.c      daemon, configuration, HBA sets          kernel.c   kernel, eBPF, clock
 *   firewall.c  nft rules, evaluated by nft.c            conflict.c others that do the same, or spoil it
 *   peer.c      what passes to the peer, by probe.c      report.c   all of it as one text, masked by mask.c
 */
#ifndef SHIM6_DOCTOR_DOCTOR_H
#define SHIM6_DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "wire/addr.h"

struct control_client;
struct json_object;

struct doctor_options {
	const char *version;	       /* of the command */
	const char *daemon_program;    /* shim6d, to be asked about files */
	const char *socket_path;       /* that was tried */
	struct control_client *client; /* NULL: no daemon */
	int client_error;	       /* negative errno that says why there is none */
	bool has_peer;
	struct shim6_addr peer;
};

/*
 * {"peer"?,"ok":N,"unknown":N,"warning":N,"problem":N,
 *  "findings":[{"level":"ok"|"unknown"|"warning"|"problem","check","what","why"?,"mend"?}]}
 * "unknown": could not be looked at; why says what is missing. The caller owns it.
 */
struct json_object *doctor_examine(const struct doctor_options *opt);

/* {"version","sections":[{"title","text"}]}, private data masked. */
struct json_object *doctor_report(const struct doctor_options *opt);

#endif
