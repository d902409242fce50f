/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control messages made by hand, in the name of a host. */
#ifndef SHIM6_SIM_FORGE_H
#define SHIM6_SIM_FORGE_H

#include "watch.h"

/* from forks the context of the ULID pair (seen by to), with this tag of its own. false: to gave no R1. */
bool forge_fork(struct watch *w, struct sim_host *to, const struct shim6_pair *ulid, uint32_t fii, uint64_t tag);
/* The message comes as if from had sent it from src to dst, and in truth. */
void forge_arrival(struct watch *w, struct sim_host *from, const struct sim_message *m);

#endif
