/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Router Advertisements (RFC 4861, 4862, 4191), heard by ourselves: rtnetlink
 * does not say which router a prefix came from, and that is what source-address-
 * dependent routing (RFC 8028) and the making of HBA sets need. Nothing is
 * configured here; whoever manages the interface, the kernel or a program, goes
 * on doing so.
 *
 * Three parts: the parser, a pure function (ra_message.c); the table of what
 * routers said and how long it counts, with time as an argument (ra_table.c);
 * the socket, with Router Solicitations to those who have not spoken yet (ra.c).
 */
#ifndef SHIM6_HOST_RA_H
#define SHIM6_HOST_RA_H

#include <stddef.h>

#include "host/host.h"

#define RA_NEVER UINT64_MAX
#define RA_MAX_PIO 16		  /* Prefix Information options taken of one message */
#define RA_MAX_ROUTERS_PER_LINK 8 /* what a flood on one link may fill */
#define RA_MAX_ROUTERS 64
#define RA_MAX_PREFIXES 256

/* --- the message ---------------------------------------------------------- */

struct ra_pio {
	struct shim6_addr prefix; /* host part zero */
	unsigned len;
	bool on_link, autonomous;
	uint32_t valid, preferred; /* s; UINT32_MAX for ever */
};

struct ra_message {
	unsigned lifetime; /* s, as a default router; 0: it is none */
	int preference;	   /* -1, 0, 1 (RFC 4191) */
	unsigned n;
	struct ra_pio pio[RA_MAX_PIO];
	unsigned left_out; /* options that were no prefix one could use, or too many */
};

/* b: from the ICMPv6 header on; its checksum was verified. false: not to be believed (RFC 4861 6.1.2). */
bool ra_parse(struct ra_message *out, const uint8_t *b, size_t len, int hop_limit, const struct shim6_addr *from);

/* --- the table ------------------------------------------------------------ */

struct ra_router {
	struct shim6_addr addr; /* link-local */
	unsigned ifindex;
	int preference;
	uint64_t heard;	   /* when it last spoke, ns */
	uint64_t until;	   /* its lifetime as a default router ends */
	bool is_default;   /* it has not ended */
	bool was_default;  /* now or earlier */
	unsigned prefixes; /* in the table, of this router */
};

struct ra_prefix {
	struct shim6_addr prefix;
	unsigned len;
	unsigned ifindex;
	struct shim6_addr router;
	bool on_link, autonomous;
	bool preferred; /* preferred_until has not come */
	uint64_t valid_until, preferred_until;
};

struct ra_table {
	unsigned n_routers, n_prefixes;
	struct ra_router routers[RA_MAX_ROUTERS];
	struct ra_prefix prefixes[RA_MAX_PREFIXES];
	uint64_t refused; /* routers and prefixes that found no place */
};

/* true: something is not as it was, lifetimes included. */
bool ra_table_take(struct ra_table *t, uint64_t now, unsigned ifindex, const struct shim6_addr *from,
		   const struct ra_message *m);
/* What has ended. true: something has. */
bool ra_table_expire(struct ra_table *t, uint64_t now);
/* When the next thing ends; RA_NEVER. */
uint64_t ra_table_next(const struct ra_table *t);
/* Routers of a link that have not spoken since, and their prefixes. true: there were some. */
bool ra_table_forget(struct ra_table *t, unsigned ifindex, uint64_t since);
const struct ra_router *ra_table_router(const struct ra_table *t, unsigned ifindex, const struct shim6_addr *addr);
/* Is this address of that prefix? */
bool ra_prefix_covers(const struct ra_prefix *p, const struct shim6_addr *addr);

/* --- the socket ----------------------------------------------------------- */

struct ra_stats {
	uint64_t received, malformed, foreign; /* foreign: of interfaces that nobody asked about */
	uint64_t solicited;
};

struct ra;

/* wanted: are the advertisements of this interface of interest? NULL: err says why. */
struct ra *ra_open(bool (*wanted)(void *user, unsigned ifindex), void *user, char *err, size_t err_len);
void ra_close(struct ra *r);
int ra_fd(const struct ra *r);
/* Read all there is. true: the table changed. */
bool ra_dispatch(struct ra *r, uint64_t now);
/*
 * The links have changed. One that is up and wanted is solicited until a router has spoken, thrice at most. What
 * was known of a link that was down holds until its routers had time to answer: mostly it is the same network.
 */
void ra_links(struct ra *r, const struct host_snapshot *snap, uint64_t now);
/* Send and expire what is due. true: the table changed. */
bool ra_timer(struct ra *r, uint64_t now);
uint64_t ra_next(const struct ra *r);
const struct ra_table *ra_table(const struct ra *r);
const struct ra_stats *ra_stats(const struct ra *r);

#endif
