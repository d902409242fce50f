/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets of the control plane: a raw IPv6 socket of protocol 140 for Shim6
 * messages, and a raw ICMPv6 socket for errors about them (I-15). Addresses are
 * those of the IPv6 header, both ways; a message leaves by the interface of its
 * source locator, so that no routing rule for the ULIDs takes it elsewhere.
 */
#ifndef SHIM6_DAEMON_CTLSOCK_H
#define SHIM6_DAEMON_CTLSOCK_H

#include <stddef.h>

#include "daemon/counters.h"
#include "wire/addr.h"

#define CTLSOCK_BATCH 64 /* messages read before the loop looks at its timers again */

struct ctlsock;

struct ctlsock_events {
	void (*control)(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
			size_t len);
	/* Not even handed on; dst is unspecified where it is unknown. */
	void (*refused)(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
			size_t len, enum daemon_counter why);
	/* quote: from its IPv6 header, whose next header is 140 */
	void (*icmp)(void *user, uint8_t type, uint8_t code, uint32_t param, const uint8_t *quote, size_t len);
};

struct ctlsock *ctlsock_open(const struct ctlsock_events *ev, void *user, struct counters *c, char *err,
			     size_t err_len);
void ctlsock_close(struct ctlsock *s);
int ctlsock_fd(const struct ctlsock *s); /* of protocol 140 */
int ctlsock_icmp_fd(const struct ctlsock *s);
void ctlsock_dispatch(struct ctlsock *s);
void ctlsock_icmp_dispatch(struct ctlsock *s);
/* ifindex 0: any. */
bool ctlsock_send(struct ctlsock *s, const struct shim6_addr *src, unsigned ifindex, const struct shim6_addr *dst,
		  const uint8_t *msg, size_t len);

#endif
