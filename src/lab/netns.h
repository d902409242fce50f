/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces and what is set inside them. They are entered with setns()
 * alone: "ip netns exec" would mount a new /sys and hide the bpffs.
 */
#ifndef SHIM6_LAB_NETNS_H
#define SHIM6_LAB_NETNS_H

#include "lab/util.h"

#define NETNS_NAME_MAX 64

int netns_add(const char *name);
int netns_del(const char *name); /* a missing one is fine */
bool netns_exists(const char *name);
/* The calling thread; errno on failure, no message. */
int netns_enter(const char *name);

/* Lines of "ip -6 -batch"; 0 or -1 after lab_error(). */
int netns_ip(const char *name, const char *batch);
/* The same, for changes that may find nothing to change: failures are not told. */
void netns_ip_try(const char *name, const char *batch);
int netns_nft(const char *name, const char *ruleset);
/* "net/ipv6/conf/all/forwarding=1" and so on; NULL ends the list. */
int netns_sysctl(const char *name, const char *const *settings);

#endif
