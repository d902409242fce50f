/* SPDX-License-Identifier: MIT */
/*
 * The engine: life cycle, timers, projections, commands and facts from outside.
 * The protocol itself is in the files named after its parts:
 *
 *	dispatch.c   what a message is for (12.3, 12.4)
 *	establish.c  I1 R1 I2 R2           recover.c    R1bis I2bis
 *	update.c     Update Request, Ack   liveness.c   Keepalive, Probe: REAP
 *	confusion.c  equal CT(peer)        icmp.c       Errors, ICMPv6
 *	locators.c   Ls(local), Ls(peer)   context.c    the table of contexts
 *	negative.c   E-FAILED, NO-SUPPORT  save.c       state across restarts
 *	emit.c       messages out          status.c     what operators see
 *	owner.c      whose a message is
 *	prefer.c     the best pair, and the way back to it
 */
#include "engine/internal.h"

#include <stdlib.h>

#define BACKOFF_MAX (86400 * SECOND) /* of any timeout, however often it is doubled */

void engine_config_default(struct engine_config *c)
{
	*c = (struct engine_config){
		.i1_timeout = 4 * SECOND,
		.i2_timeout = 4 * SECOND,
		.i2bis_timeout = 4 * SECOND,
		.i1_retries_max = 4,
		.i2_retries_max = 2,
		.i2bis_retries_max = 2,
		.update_timeout = 4 * SECOND,
		.max_update_timeout = 120 * SECOND,
		.no_r1_holddown = 60 * SECOND,
		.icmp_holddown = 600 * SECOND,
		.validator_lifetime = 60 * SECOND,
		.secret_lifetime = 120 * SECOND,
		.idle_timeout = 300 * SECOND,
		.tag_quarantine = 900 * SECOND,
		.ulid_grace = 60 * SECOND,
		.fail_back = 30 * SECOND,
		.initiate = true,
		.max_contexts = 65536,
		.max_contexts_per_64 = 4096,
		.max_forks = 16,
		.max_negative = 16384,
		.replies_per_second = 1000,
		.replies_per_64 = 50,
		.probes_per_second = 10000,
	};
	reap_config_default(&c->reap);
}

struct engine *engine_new(const struct engine_config *c, const struct engine_ops *ops, void *user, uint64_t now)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->config = *c;
	e->ops = *ops;
	e->user = user;
	ops->random(user, &e->hash_key, sizeof(e->hash_key));
	timer_wheel_init(&e->wheel, now);
	e->outside.kind = TIMER_OUTSIDE;
	e->outside_version = 1;
	if (!context_table_init(&e->contexts) || !negative_init(&e->negative) || !limits_init(&e->limits, now)) {
		engine_free(e, true);
		return NULL;
	}
	return e;
}

void engine_free(struct engine *e, bool quiet)
{
	uint64_t now;

	if (!e)
		return;
	now = e->wheel.tick << TIMER_TICK_SHIFT;
	while (e->contexts.oldest)
		context_free(e, e->contexts.oldest, now, quiet ? ENGINE_WHY_NONE : ENGINE_WHY_SHUTDOWN);
	if (e->negative.table.bucket)
		negative_free(e);
	context_table_free(&e->contexts);
	limits_free(&e->limits);
	local_picture_free(&e->local);
	free(e);
}

/*
 * Another Send Timeout: the peer must know, because it is its Keepalive Timeout
 * (PF-21). A longer one is safe to use at once; a shorter one only when the
 * peer has acknowledged it, or its Keepalives come too late.
 */
static void context_new_send_timeout(struct engine *e, struct context *c, uint64_t now)
{
	if (c->state != ENGINE_ESTABLISHED) {
		c->timeout_changed = true;
		return;
	}
	if (e->config.reap.send_timeout > c->reap.send_timeout)
		reap_set_send_timeout(&c->reap, e->config.reap.send_timeout);
	update_begin(e, c, now, UPDATE_TIMEOUT);
}

void engine_reconfigure(struct engine *e, uint64_t now, const struct engine_config *config)
{
	bool send_timeout = config->reap.send_timeout != e->config.reap.send_timeout;
	bool errors = config->deliver_errors != e->config.deliver_errors;
	bool fail_back = config->fail_back != e->config.fail_back;
	struct context *c, *newer;

	e->config = *config;
	for (c = e->contexts.oldest; c && (send_timeout || errors || fail_back); c = newer) {
		newer = c->newer;
		if (errors && c->installed && !context_project(e, c, now))
			continue;
		if (fail_back)
			prefer_configured(e, c, now);
		if (send_timeout)
			context_new_send_timeout(e, c, now);
	}
}

uint32_t engine_random32(struct engine *e)
{
	uint32_t x;

	e->ops.random(e->user, &x, sizeof(x));
	return x;
}

uint64_t engine_backoff(struct engine *e, uint64_t base, unsigned n, uint64_t cap)
{
	uint64_t timeout = base;

	if (cap > BACKOFF_MAX)
		cap = BACKOFF_MAX;
	while (n-- && timeout < cap)
		timeout *= 2;
	if (timeout > cap)
		timeout = cap;
	return timeout / 2 + (timeout >> 16) * (engine_random32(e) & 0xffff);
}

bool engine_is_local(const struct engine *e, const struct shim6_addr *a)
{
	return local_find(&e->local, a) != NULL;
}

/* --- timers ------------------------------------------------------------- */

void context_rearm(struct engine *e, struct context *c, uint64_t now)
{
	uint64_t deadline = c->handshake ? c->handshake->deadline : ENGINE_NEVER;

	if (c->state == ENGINE_ESTABLISHED)
		deadline = liveness_deadline(e, c, now);
	if (c->ulid_gone && c->ulid_gone + e->config.ulid_grace < deadline)
		deadline = c->ulid_gone + e->config.ulid_grace;
	timer_arm(&e->wheel, &c->timer, deadline);
}

static void context_timer(struct engine *e, struct context *c, uint64_t now)
{
	if (c->ulid_gone && now >= c->ulid_gone + e->config.ulid_grace) {
		count(e, C_contexts_ulid_gone);
		context_free(e, c, now, ENGINE_WHY_ULID_GONE); /* (Y-01) */
		return;
	}
	if (c->state == ENGINE_ESTABLISHED) {
		liveness_timer(e, c, now);
		return;
	}
	if (!c->handshake || now < c->handshake->deadline) {
		context_rearm(e, c, now);
		return;
	}
	switch (c->state) {
	case ENGINE_I1_SENT:
		i1_timeout(e, c, now);
		return;
	case ENGINE_I2_SENT:
		i2_timeout(e, c, now);
		return;
	default:
		i2bis_timeout(e, c, now);
		return;
	}
}

void engine_timer(struct engine *e, uint64_t now)
{
	struct timer *t;

	while ((t = timer_pop(&e->wheel, now)) != NULL) {
		switch ((enum timer_kind)t->kind) {
		case TIMER_CONTEXT:
			context_timer(e, container_of(t, struct context, timer), now);
			break;
		case TIMER_UPDATE:
			update_timeout(e, container_of(t, struct update, timer), now);
			break;
		case TIMER_NEGATIVE:
			negative_expire(e, t);
			break;
		case TIMER_OUTSIDE:
			outside_timer(e, now);
			break;
		}
	}
}

uint64_t engine_next_deadline(const struct engine *e)
{
	return timer_next(&e->wheel);
}

/* --- the data path ------------------------------------------------------ */

static uint32_t projection_flags(const struct context *c)
{
	uint32_t flags = 0;

	switch (c->state) {
	case ENGINE_ESTABLISHED:
		if (c->reap.state != REAP_OPERATIONAL)
			flags |= SHIM6_PROJ_EXPLORING;
		if (!context_on_ulids(c) && !c->engine->config.deliver_errors && context_has_choice(c))
			flags |= SHIM6_PROJ_HOLD_ERRORS;
		/* fallthrough */
	case ENGINE_I2BIS_SENT:
		if (!context_on_ulids(c))
			flags |= SHIM6_PROJ_REWRITE; /* (W-13, D-04) */
						     /* fallthrough */
	case ENGINE_I2_SENT:
		flags |= SHIM6_PROJ_ACCEPT; /* (D-11) */
		break;
	default:
		break;
	}
	return flags;
}

bool context_project(struct engine *e, struct context *c, uint64_t now)
{
	struct shim6_projection p;
	uint64_t hash;

	memset(&p, 0, sizeof(p)); /* the padding, too: it is hashed */
	p.ulid = c->ulid;
	p.fii = c->fii;
	p.current = c->current;
	p.ct_local = c->ct_local;
	p.ct_peer = c->ct_peer;
	p.flags = projection_flags(c);
	hash = siphash_64(&e->hash_key, &p, sizeof(p));
	if (c->installed && hash == c->projected)
		return true;
	if (!e->ops.dp_install(e->user, c->slot, &p)) {
		/* Whoever heard of it hears that it is gone. */
		bool told = c->initiator || c->installed;

		count(e, C_limit_datapath);
		if (c->initiator && !c->fii)
			negative_add(e, now, &c->ulid, ENGINE_E_FAILED); /* or the next packet would begin it anew */
		context_free(e, c, now, told ? ENGINE_WHY_DATAPATH : ENGINE_WHY_NONE);
		return false;
	}
	c->installed = true;
	c->projected = hash;
	return true;
}

void context_unproject(struct engine *e, struct context *c)
{
	if (!c->installed)
		return;
	e->ops.dp_remove(e->user, c->slot);
	c->installed = false;
	c->notify = 0;
}

void engine_activity(struct engine *e, uint64_t now, uint32_t slot, unsigned mask)
{
	struct context *c = context_by_slot(e, slot);
	struct liveness v;

	if (!c || !c->installed)
		return;
	c->notify = (uint8_t)(c->notify & ~mask);
	if (c->state != ENGINE_ESTABLISHED) {
		/* Asked for again only while an answer is left, or each packet would make a notice (D-11, D-12). */
		if ((mask & SHIM6_NOTIFY_RX) && resend_handshake(e, c, now))
			context_notify(e, c, SHIM6_NOTIFY_RX);
		return;
	}
	liveness_enter(&v, e, c, now);
	/*
	 * Outside Exploring the data path has moved the timers itself, also for packets after the one
	 * that it reports; a verb would put them back to where that one left them.
	 */
	if (c->reap.state == REAP_EXPLORING && (mask & SHIM6_NOTIFY_RX))
		reap_payload_received(&c->reap, now, &v.timers);
	liveness_leave(&v);
}

void engine_hint(struct engine *e, uint64_t now, uint32_t slot)
{
	struct context *c = context_by_slot(e, slot);

	if (c)
		liveness_hint(e, c, now);
}

/* --- this host ---------------------------------------------------------- */

static void context_local_changed(struct engine *e, struct context *c, uint64_t now)
{
	unsigned changed = local_refresh(&e->local, c->local, c->n_local);

	if (engine_is_local(e, &c->ulid.local))
		c->ulid_gone = 0;
	else if (c->ulid_gone == 0)
		c->ulid_gone = now ? now : 1;
	if (c->state != ENGINE_ESTABLISHED) {
		c->prefs_changed |= changed != 0;
		context_rearm(e, c, now);
		return;
	}
	if (!changed) {
		context_rearm(e, c, now);
		return;
	}
	engine_tell(e, c, now, ENGINE_EV_LOCATORS, ENGINE_WHY_NONE);
	if (update_begin(e, c, now, 0) /* the peer is told at once (PA-17, U-28) */
	    && liveness_locators(e, c, now, REAP_CAUSE_LOCAL_DOWN))
		prefer_locators(e, c, now, changed & LOCAL_PREFERENCES ? PREFER_OURS : PREFER_NEITHER);
}

int engine_set_local(struct engine *e, uint64_t now, const struct engine_local *locals, unsigned n,
		     const struct engine_hba_set *sets, unsigned n_sets)
{
	struct local_picture picture;
	struct context *c, *newer, **recent;
	size_t many;

	if (!local_picture_copy(&picture, locals, n, sets, n_sets))
		return -1;
	outside_picture(e, now, &e->local, &picture);
	local_picture_free(&e->local);
	e->local = picture;
	/* What is in use comes first; in any order rather than not at all. */
	many = contexts_by_use(e, &recent);
	for (size_t i = 0; i < many; i++)
		context_local_changed(e, recent[i], now);
	free(recent);
	for (c = many ? NULL : e->contexts.oldest; c; c = newer) {
		newer = c->newer;
		context_local_changed(e, c, now);
	}
	return 0;
}

/* --- commands ----------------------------------------------------------- */

static int pair_ok(const struct engine *e, const struct shim6_pair *ulid)
{
	if (!shim6_addr_is_usable(&ulid->local) || !shim6_addr_is_usable(&ulid->peer))
		return ENGINE_E_BAD_ADDRESS;
	if (!engine_is_local(e, &ulid->local))
		return ENGINE_E_NOT_LOCAL;
	return engine_is_local(e, &ulid->peer) ? ENGINE_E_BAD_ADDRESS : ENGINE_OK;
}

void engine_trigger(struct engine *e, uint64_t now, const struct shim6_pair *ulid)
{
	/* With one address of our own there is nothing for us to gain; the peer may ask (V-14). */
	if (!e->config.initiate || pair_ok(e, ulid) != ENGINE_OK || local_choices(&e->local, &ulid->local) < 2 ||
	    negative_holds(e, ulid) || context_by_ulid(e, ulid, 0)) {
		count(e, C_ignored_trigger);
		return;
	}
	establish_begin(e, now, ulid, ENGINE_WHY_TRIGGER);
}

int engine_establish(struct engine *e, uint64_t now, const struct shim6_pair *ulid)
{
	int result = pair_ok(e, ulid);

	if (result != ENGINE_OK)
		return result;
	if (context_by_ulid(e, ulid, 0))
		return ENGINE_E_EXISTS;
	negative_forget(e, ulid);
	return establish_begin(e, now, ulid, ENGINE_WHY_COMMAND);
}

int engine_explore(struct engine *e, uint64_t now, uint64_t id, const struct shim6_pair *wanted)
{
	struct context *c = context_by_id(e, id);

	if (!c)
		return ENGINE_E_NO_CONTEXT;
	if (c->state != ENGINE_ESTABLISHED)
		return ENGINE_E_STATE;
	if (context_pairs(c) < 2)
		return ENGINE_E_ONE_PAIR;
	if (wanted && (context_local_index(c, &wanted->local) < 0 || context_peer_index(c, &wanted->peer) < 0))
		return ENGINE_E_BAD_ADDRESS;
	liveness_explore(e, c, now, REAP_CAUSE_COMMAND, wanted);
	return ENGINE_OK;
}

int engine_drop(struct engine *e, uint64_t now, uint64_t id)
{
	struct context *c = context_by_id(e, id);

	if (!c)
		return ENGINE_E_NO_CONTEXT;
	count(e, C_contexts_dropped);
	context_free(e, c, now, ENGINE_WHY_COMMAND);
	return ENGINE_OK;
}
