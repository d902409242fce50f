/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "forge.h"

#include <stdlib.h>

void forge_arrival(struct watch *w, struct sim_host *from, const struct sim_message *m)
{
	unsigned loc;
	struct sim_host *to = sim_owner(w->sim, &m->dst, &loc);

	if (!to || !to->engine || !to->assigned[loc] || to->paused_until > w->sim->now)
		return;
	w->host[to->index].received++;
	to->heard[from->index] = (uint8_t)(to->heard[from->index] | 1u << loc);
	to->proven[from->index] |= m->proof;
	sim_inject(to, &m->src, &m->dst, m->buf, m->len);
}

static void forge(struct watch *w, struct sim_host *from, const struct shim6_pair *ulid, struct wire_builder *b)
{
	struct sim_message m = { .src = ulid->peer, .dst = ulid->local, .len = wire_finish(b) };

	if (m.len == 0)
		abort();
	memcpy(m.buf, b->buf, m.len);
	forge_arrival(w, from, &m);
}

bool forge_fork(struct watch *w, struct sim_host *to, const struct shim6_pair *ulid, uint32_t fii, uint64_t tag)
{
	unsigned loc, r1s = to->sent[WIRE_R1];
	struct sim_host *from = sim_owner(w->sim, &ulid->peer, &loc);
	uint8_t buf[WIRE_MAX_MSG], method[SIM_LOCATORS];
	struct wire_builder b;
	struct wire_msg r1;
	size_t offset;

	wire_begin_i1(&b, buf, sizeof(buf), tag, (uint32_t)tag);
	wire_opt_fii(&b, fii);
	forge(w, from, ulid, &b);
	if (to->sent[WIRE_R1] == r1s ||
	    wire_decode(to->last[WIRE_R1].buf, to->last[WIRE_R1].len, &r1, &offset) != WIRE_OK)
		return false;
	wire_begin_i2(&b, buf, sizeof(buf), tag, (uint32_t)tag, r1.resp_nonce);
	wire_opt_validator(&b, r1.validator.p, r1.validator.len);
	wire_opt_fii(&b, fii);
	if (!from->single) {
		memset(method, WIRE_METHOD_HBA, sizeof(method));
		wire_opt_locator_list(&b, 1, from->addr, method, from->n);
		wire_opt_pds(&b, from->set.pds[0], from->set.pds_len);
	}
	forge(w, from, ulid, &b);
	return true;
}
