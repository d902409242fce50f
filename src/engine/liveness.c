/* SPDX-License-Identifier: MIT */
/*
 * Liveness: the REAP machine of each ESTABLISHED context, between the data path
 * and the wire.
 *
 * Payload never passes here; the data path moves two start times (PT-21). They
 * are read when the context's one timer fires or a message comes, lent to the
 * REAP verb, and written back if the verb changed them. When neither runs, the
 * context has no REAP timer at all: the data path is asked to report the next
 * packet.
 */
#include "engine/internal.h"

#include <stdlib.h>

#define UNSAID (2 * SECOND) /* what lasts longer is more than a test */

enum engine_reason reason_of_cause(enum reap_cause cause)
{
	switch (cause) {
	case REAP_CAUSE_SEND_TIMEOUT:
		return ENGINE_WHY_SEND_TIMEOUT;
	case REAP_CAUSE_PEER_PROBE:
		return ENGINE_WHY_PEER_PROBE;
	case REAP_CAUSE_LOCAL_DOWN:
		return ENGINE_WHY_LOCAL_DOWN;
	case REAP_CAUSE_PEER_BROKEN:
		return ENGINE_WHY_PEER_BROKEN;
	case REAP_CAUSE_HINT:
		return ENGINE_WHY_HINT;
	case REAP_CAUSE_COMMAND:
		return ENGINE_WHY_COMMAND;
	case REAP_CAUSE_PREFERENCE:
		return ENGINE_WHY_PREFERENCE;
	case REAP_CAUSE_FAIL_BACK:
		return ENGINE_WHY_FAIL_BACK;
	case REAP_CAUSE_TEST:
		return ENGINE_WHY_TEST;
	case REAP_CAUSE_NONE:
		break;
	}
	return ENGINE_WHY_NONE;
}

/* --- what REAP asks of us ----------------------------------------------- */

static void op_send_keepalive(void *owner, const struct shim6_pair *pair)
{
	struct context *c = owner;
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	wire_begin_keepalive(&b, buf, sizeof(buf), c->ct_peer);
	if (emit(c->engine, pair, &b))
		context_note_sent(c, c->engine->liveness->now, &pair->peer);
}

/*
 * The host's budget of probes (PX-20). When it is used up the context gets a
 * turn, in order of asking, and sleeps until then: trying again each half second
 * would cost more than the probes when one link fails a hundred thousand
 * contexts. Replies have a budget of their own: what answers a probe that got
 * its turn at the other end must not wait behind those that have not.
 */
static bool probe_turn(struct engine *e, struct context *c, uint64_t now)
{
	if (c->probe_turn == 0) {
		uint64_t turn = token_turn(&e->limits.probes, now, e->config.probes_per_second);

		if (turn <= now)
			return true;
		count(e, C_limit_probes);
		c->probe_turn = turn;
	}
	if (now < c->probe_turn)
		return false;
	c->probe_turn = 0;
	return true;
}

static bool op_send_probe(void *owner, const struct shim6_pair *pair, bool reply, enum wire_sta sta,
			  const struct wire_record *sent, unsigned n_sent, const struct wire_record *received,
			  unsigned n_received)
{
	struct context *c = owner;
	struct engine *e = c->engine;
	uint64_t now = e->liveness->now;
	uint8_t buf[WIRE_MAX_MSG];
	struct wire_builder b;

	if (reply && !token_take(&e->limits.probe_replies, now, e->config.probes_per_second)) {
		count(e, C_limit_probes);
		return false;
	}
	if (!reply && !probe_turn(e, c, now))
		return false;
	wire_begin_probe(&b, buf, sizeof(buf), c->ct_peer, sta, sent, n_sent, received, n_received);
	if (!emit(e, pair, &b))
		return false;
	context_note_sent(c, now, &pair->peer);
	return true;
}

static void op_episode_begin(void *owner, enum reap_cause cause)
{
	struct context *c = owner;
	struct liveness *v = c->engine->liveness;

	v->began = true;
	v->cause = cause;
}

static void op_episode_end(void *owner, enum reap_cause cause, const struct shim6_pair *old_pair,
			   const struct shim6_pair *new_pair, uint64_t elapsed, unsigned probes)
{
	struct context *c = owner;
	struct liveness *v = c->engine->liveness;

	v->ended = true;
	v->cause = cause;
	v->from = *old_pair;
	v->to = *new_pair;
	v->elapsed = elapsed;
	v->probes = probes;
}

static void op_state_changed(void *owner, enum reap_state from, enum reap_state to)
{
	/* The projection is brought up to date after each verb; nothing is left to do here. */
	(void)owner;
	(void)from;
	(void)to;
}

static void op_peer_probed(void *owner, const struct shim6_addr *locator)
{
	struct context *c = owner;
	int i = context_peer_index(c, locator);

	if (i >= 0)
		c->peer[i].flags |= REAP_LOC_PROBED; /* (PN-07) */
}

static uint32_t op_random32(void *owner)
{
	return engine_random32(((struct context *)owner)->engine);
}

static const struct reap_ops reap_ops = {
	.send_keepalive = op_send_keepalive,
	.send_probe = op_send_probe,
	.episode_begin = op_episode_begin,
	.episode_end = op_episode_end,
	.state_changed = op_state_changed,
	.peer_probed = op_peer_probed,
	.random32 = op_random32,
};

/* --- bracket ------------------------------------------------------------ */

void liveness_start(struct engine *e, struct context *c)
{
	reap_init(&c->reap, &e->config.reap, &reap_ops, c, &c->current);
}

void liveness_stop(struct context *c)
{
	if (c->reap.owner)
		reap_stop(&c->reap); /* (E12) */
	c->reap.owner = NULL;
	c->probe_turn = c->unsaid = 0;
	prefer_stop(c);
}

static void load_timers(struct engine *e, const struct context *c, struct shim6_stamps *st, struct reap_timers *t)
{
	if (!e->ops.dp_stamps(e->user, c->slot, st))
		*st = (struct shim6_stamps){ 0 };
	*t = (struct reap_timers){ .send_t0 = st->send_t0, .ka_t0 = st->ka_t0 };
}

void liveness_enter(struct liveness *v, struct engine *e, struct context *c, uint64_t now)
{
	*v = (struct liveness){ .engine = e, .context = c, .now = now };
	load_timers(e, c, &v->stamps, &v->timers);
	v->locators = context_locators(c);
	e->liveness = v;
}

static uint64_t silence(const struct liveness *v)
{
	return v->stamps.last_rx ? ago(v->now, v->stamps.last_rx) : 0;
}

static void tell_begin(const struct liveness *v, enum reap_cause cause)
{
	struct context *c = v->context;
	struct engine_event ev = {
		.type = ENGINE_EV_EXPLORING,
		.reason = reason_of_cause(cause),
		.now = v->now,
		.id = c->id,
		.slot = c->slot,
		.ulid = c->ulid,
		.fii = c->fii,
		.from = v->ended ? v->from : c->current,
		.silence = silence(v),
	};

	c->unsaid = 0;
	c->silence = ev.silence;
	count(v->engine, C_explorations);
	v->engine->ops.event(v->engine->user, &ev);
}

static void tell_end(const struct liveness *v)
{
	struct context *c = v->context;
	bool switched = !shim6_pair_eq(&v->from, &v->to);
	struct engine_event ev = {
		.type = switched ? ENGINE_EV_SWITCHED : ENGINE_EV_RECOVERED,
		.reason = reason_of_cause(v->cause),
		.now = v->now,
		.id = c->id,
		.slot = c->slot,
		.ulid = c->ulid,
		.fii = c->fii,
		.from = v->from,
		.to = v->to,
		.elapsed = v->elapsed,
		.silence = silence(v),
		.probes = v->probes,
	};

	/* the peer may have switched a moment ago: what already came by the new pair is no end of the silence
	 * told of */
	if (ev.silence < c->silence)
		ev.silence = c->silence;

	if (switched) {
		c->switches++;
		c->preferred_at = 0;
		context_note_switch(v->engine, c,
				    &(struct last_switch){ .time = v->now,
							   .elapsed = v->elapsed,
							   .from = v->from,
							   .to = v->to,
							   .reason = ev.reason });
		count(v->engine, C_switches);
	}
	v->engine->ops.event(v->engine->user, &ev);
}

/*
 * A test, ours or the peer's, begins like a failure and ends half a second later
 * on the same pair. Told are those that last, or that move the context.
 */
static void tell(const struct liveness *v)
{
	struct context *c = v->context;

	if (v->began && (v->cause == REAP_CAUSE_TEST || v->cause == REAP_CAUSE_PEER_PROBE)) {
		c->unsaid = v->now ? v->now : 1;
		c->unsaid_cause = (uint8_t)v->cause;
	} else if (v->began) {
		tell_begin(v, v->cause);
	}
	if (c->unsaid && v->ended && shim6_pair_eq(&v->from, &v->to)) {
		c->unsaid = 0;
		return;
	}
	if (c->unsaid && (v->ended || ago(v->now, c->unsaid) >= UNSAID))
		tell_begin(v, (enum reap_cause)c->unsaid_cause);
	if (v->ended)
		tell_end(v);
}

bool liveness_leave(struct liveness *v)
{
	struct engine *e = v->engine;
	struct context *c = v->context;
	struct reap_timers *t = &v->timers;

	e->liveness = NULL;
	if (t->send_dirty || t->ka_dirty)
		e->ops.dp_set_timers(e->user, c->slot, t->send_dirty ? &t->send_t0 : NULL,
				     t->ka_dirty ? &t->ka_t0 : NULL);
	c->current = c->reap.current;
	if (c->reap.state == REAP_OPERATIONAL)
		c->probe_turn = 0;
	if (!context_project(e, c, v->now))
		return false;
	tell(v);
	if (v->ended) {
		prefer_ended(e, c, v);
		/* What was in use until now may be withdrawn, what got no answer there be offered again. */
		if (!shim6_pair_eq(&v->from, &v->to))
			c->outside_version = 0;
		outside_poke(e, v->now);
	}
	context_notify(e, c, reap_wants_notify(&c->reap, t));
	context_rearm(e, c, v->now);
	return true;
}

void context_notify(struct engine *e, struct context *c, unsigned mask)
{
	if (mask == c->notify)
		return;
	c->notify = (uint8_t)mask;
	e->ops.dp_notify(e->user, c->slot, mask);
}

/* --- deadlines ---------------------------------------------------------- */

static uint64_t latest(uint64_t t, const struct shim6_stamps *st)
{
	if (st->last_tx > t)
		t = st->last_tx;
	return st->last_rx > t ? st->last_rx : t;
}

/* End of the idle time: only packets of the upper layer count (K-04, K-05, PI-08). */
static uint64_t idle_until(const struct engine *e, const struct context *c, const struct shim6_stamps *st)
{
	uint64_t last = latest(c->ready, st); /* a new projection has no stamps */
	const struct context *plain = c->fii && context_on_ulids(c) ? context_by_ulid(e, &c->ulid, 0) : NULL;
	struct shim6_stamps of_plain;

	/* Packets with ULIDs are stamped at the default context; they may be those of the fork. */
	if (plain && e->ops.dp_stamps(e->user, plain->slot, &of_plain))
		last = latest(last, &of_plain);
	return last + e->config.idle_timeout;
}

struct use {
	uint64_t last;
	struct context *context;
};

static int newest_first(const void *a, const void *b)
{
	const struct use *x = a, *y = b;

	return x->last < y->last ? 1 : x->last > y->last ? -1 : 0;
}

size_t contexts_by_use(struct engine *e, struct context ***out)
{
	size_t n = 0, k = 0;
	struct use *use;

	*out = NULL;
	for (struct context *c = e->contexts.oldest; c; c = c->newer)
		n++;
	use = malloc((n + 1) * sizeof(*use));
	*out = malloc((n + 1) * sizeof(struct context *));
	if (!use || !*out) {
		free(use);
		return 0;
	}
	for (struct context *c = e->contexts.oldest; c; c = c->newer) {
		struct shim6_stamps st = { 0 };

		if (c->installed)
			e->ops.dp_stamps(e->user, c->slot, &st);
		use[k++] = (struct use){ latest(c->ready, &st), c };
	}
	qsort(use, n, sizeof(*use), newest_first);
	for (k = 0; k < n; k++)
		(*out)[k] = use[k].context;
	free(use);
	return n;
}

uint64_t liveness_deadline(struct engine *e, const struct context *c, uint64_t now)
{
	struct shim6_stamps st;
	struct reap_timers t;
	uint64_t idle, reap;

	/* Read after the notice was asked for, so that a packet in between is not overlooked. */
	load_timers(e, c, &st, &t);
	idle = idle_until(e, c, &st);
	reap = reap_deadline(&c->reap, now, &t);
	if (reap < c->probe_turn)
		reap = c->probe_turn;
	if (prefer_deadline(c, &st) < reap)
		reap = prefer_deadline(c, &st);
	return reap < idle ? reap : idle;
}

void liveness_timer(struct engine *e, struct context *c, uint64_t now)
{
	struct liveness v;

	liveness_enter(&v, e, c, now);
	if (now >= idle_until(e, c, &v.stamps) && e->ops.in_use && e->ops.in_use(e->user, now, &c->ulid)) {
		count(e, C_contexts_kept);
		c->ready = now; /* (K-02): asked again after another such time */
	}
	if (now >= idle_until(e, c, &v.stamps)) {
		e->liveness = NULL;
		count(e, C_contexts_idle);
		context_free(e, c, now, ENGINE_WHY_IDLE);
		return;
	}
	reap_timer(&c->reap, now, &v.timers, &v.locators);
	if (liveness_leave(&v))
		prefer_timer(e, c, now, &v.stamps);
}

/* --- events ------------------------------------------------------------- */

bool liveness_payload(struct engine *e, struct context *c, uint64_t now, bool received)
{
	struct liveness v;

	liveness_enter(&v, e, c, now);
	if (received)
		reap_payload_received(&c->reap, now, &v.timers);
	else
		reap_payload_sent(&c->reap, now, &v.timers);
	return liveness_leave(&v);
}

bool liveness_explore(struct engine *e, struct context *c, uint64_t now, enum reap_cause cause,
		      const struct shim6_pair *wanted)
{
	struct liveness v;

	liveness_enter(&v, e, c, now);
	reap_explore(&c->reap, now, &v.timers, &v.locators, cause, wanted);
	return liveness_leave(&v);
}

bool liveness_test(struct engine *e, struct context *c, uint64_t now, const struct shim6_pair *pair)
{
	struct liveness v;

	liveness_enter(&v, e, c, now);
	reap_test(&c->reap, now, &v.timers, &v.locators, pair);
	return liveness_leave(&v);
}

bool liveness_locators(struct engine *e, struct context *c, uint64_t now, enum reap_cause cause)
{
	struct liveness v;

	liveness_enter(&v, e, c, now);
	reap_locators_changed(&c->reap, now, &v.timers, &v.locators, cause);
	return liveness_leave(&v);
}

void liveness_hint(struct engine *e, struct context *c, uint64_t now)
{
	if (c->state != ENGINE_ESTABLISHED || context_pairs(c) < 2)
		return;
	if (c->hinted && now - c->hinted < HINT_GAP) {
		count(e, C_limit_hint);
		return;
	}
	c->hinted = now;
	liveness_explore(e, c, now, REAP_CAUSE_HINT, NULL);
}

void recv_keepalive(struct engine *e, struct context *c, const struct rx *rx)
{
	struct liveness v;

	c->keepalives_received++;
	liveness_enter(&v, e, c, rx->now);
	reap_keepalive_received(&c->reap, rx->now, &v.timers, &rx->pair);
	liveness_leave(&v);
}

void recv_probe(struct engine *e, struct context *c, const struct rx *rx)
{
	bool unasked = c->reap.state == REAP_OPERATIONAL && rx->m.sta != WIRE_STA_OPERATIONAL && rx->m.n_received == 0;
	struct liveness v;

	liveness_enter(&v, e, c, rx->now);
	reap_probe_received(&c->reap, rx->now, &v.timers, &v.locators, &rx->pair, &rx->m);
	if (!liveness_leave(&v))
		return;
	prefer_peer_probed(e, c, rx, unasked);
	if (v.ended && c->update)
		update_timeout(e, c->update, rx->now); /* goes with the new pair at once (PI-07) */
}
