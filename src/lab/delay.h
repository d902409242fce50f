/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The delay line of a provider, for kernels without netem: the router sends
 * what it forwards into a TUN device, a process holds each packet for the given
 * time and hands it back, and then it is routed as usual. Nothing else of the
 * network changes, and when the process ends the packets take the straight way.
 */
#ifndef SHIM6_LAB_DELAY_H
#define SHIM6_LAB_DELAY_H

#include "lab/state.h"

#define DELAY_MAX_PACKETS 65536 /* held at one time; more are dropped, and counted in the log */

/* Start it in the namespace of a router and route through it; role names the process in the state. */
int delay_attach(struct lab *lab, const char *role, const char *router_ns, unsigned ms);
/* Route past it; the process is the caller's to stop. */
void delay_detach(const char *router_ns);
/* The process itself: "shim6-lab traffic delay MS". */
int delay_main(int argc, char **argv);

#endif
