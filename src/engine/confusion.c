/* SPDX-License-Identifier: MIT */
/*
 * Context confusion (RFC 5533 7.15). A peer that lost its state may give the
 * same tag to another context. When we learn such a CT(peer), the context that
 * had it before is of no use: its packets would be taken for the new one's.
 *
 * A peer locator is under its tag in the index only when it is verified, so a
 * forged list cannot end somebody else's context (F-08); and only in ESTABLISHED
 * and I2BIS-SENT (F-02).
 */
#include "engine/internal.h"

static struct context *confused_with(const struct engine *e, const struct context *c)
{
	for (unsigned i = 0; i < c->n_peer; i++) {
		struct context *o = NULL;

		if (!c->peer_info[i].verified)
			continue;
		while ((o = context_by_peer_tag(e, c->ct_peer, &c->peer[i].addr, o)) != NULL) {
			if (o != c)
				return o;
		}
	}
	return NULL;
}

static bool in_use(const struct engine *e, const struct context *c, uint64_t now)
{
	struct shim6_stamps st = { 0 };
	uint64_t last;

	if (!e->ops.dp_stamps(e->user, c->slot, &st))
		return false;
	last = st.last_tx > st.last_rx ? st.last_tx : st.last_rx;
	return last && ago(now, last) <= SENT_LATELY * SECOND;
}

void confusion_check(struct engine *e, struct context *c, uint64_t now)
{
	struct context *old;

	while ((old = confused_with(e, c)) != NULL) {
		count(e, C_contexts_confused);
		if (!in_use(e, old, now) || !context_handshake_begin(e, old, &old->current)) {
			context_free(e, old, now, ENGINE_WHY_CONFUSION);
			continue;
		}
		liveness_stop(old);
		update_end(e, old);
		old->handshake->reason = ENGINE_WHY_CONFUSION;
		establish_restart(e, old, now, &old->current); /* (F-06, F-09) */
	}
}
