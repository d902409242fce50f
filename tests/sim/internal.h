/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the simulator offer each other. */
#ifndef SHIM6_SIM_INTERNAL_H
#define SHIM6_SIM_INTERNAL_H

#include "harness.h"

#define NO_FLOW UINT32_MAX

void sim_fill_random(struct sim *s, void *buf, size_t len);
/* Brackets of a call into the engine. */
void sim_enter(struct sim_host *h);
void sim_leave(struct sim_host *h, bool timer);

/* --- network.c ---------------------------------------------------------- */

struct sim_packet *packet_new(enum sim_kind kind);
/* Put it on the network. false: it could not even leave this host. */
bool packet_launch(struct sim *s, struct sim_packet *p);
/* To be handled by its own host, at a time. */
void packet_post(struct sim *s, struct sim_packet *p, uint64_t at);
/* The next one due at now; NULL: none. */
struct sim_packet *packet_due(struct sim *s);
void packet_arrive(struct sim *s, struct sim_packet *p);

/* --- dataplane.c -------------------------------------------------------- */

void dataplane_payload(struct sim_host *h, const struct sim_packet *p);
void dataplane_unknown_tag(struct sim_host *h, const struct sim_packet *p);
void dataplane_notice(struct sim_host *h, const struct sim_packet *p);
/* An ULID pair ceased to have a context, or failed to get one until then. */
void dataplane_forget(struct sim_host *h, const struct shim6_pair *ulid, uint64_t retry);
bool dataplane_install(struct sim_host *h, uint32_t slot, const struct shim6_projection *p);
void dataplane_remove(struct sim_host *h, uint32_t slot);
struct sim_slot *dataplane_slot(struct sim_host *h, uint32_t slot);
uint64_t dataplane_next(const struct sim_host *h);
void dataplane_timer(struct sim_host *h);

#endif
