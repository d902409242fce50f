/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done once per turn of the loop. Nothing is done without a reason: an idle daemon does not wake up. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/daemon.h"
#include "daemon/log.h"

uint64_t daemon_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

void daemon_pending(struct daemon *d, uint64_t id, uint32_t slot, bool release)
{
	if (d->n_pending && d->pending[d->n_pending - 1].id == id) {
		d->pending[d->n_pending - 1].slot = slot;
		d->pending[d->n_pending - 1].release |= release;
		return;
	}
	if (d->n_pending == d->cap_pending) {
		size_t cap = d->cap_pending ? 2 * d->cap_pending : 64;
		struct daemon_pending *p = realloc(d->pending, cap * sizeof(*p));

		if (!p) {
			count(&d->counters, DC_state_write_failed);
			return;
		}
		d->pending = p;
		d->cap_pending = cap;
	}
	d->pending[d->n_pending++] = (struct daemon_pending){ .id = id, .slot = slot, .release = release };
}

static bool save(struct daemon *d, uint64_t id)
{
	uint8_t blob[ENGINE_SAVED_MAX];
	int n = engine_save(d->engine, id, blob, sizeof(blob));
	int rc;

	if (!d->state)
		return true;
	rc = n > 0 ? state_put(d->state, id, blob, (size_t)n) : state_remove(d->state, id);
	if (rc == 0) {
		counter_add(&d->counters, DC_state_saved, n > 0);
		return true;
	}
	if (d->counters.v[DC_state_write_failed]++ == 0)
		log_error("contexts not saved: %s; they would not survive a restart", strerror(-rc));
	return false;
}

static int inject(void *arg, const uint8_t *packet, size_t len)
{
	struct daemon *d = arg;

	return datapath_inject(d->dp, packet, len);
}

static uint64_t last_rx(void *arg, uint32_t slot, uint64_t ct_local)
{
	struct daemon *d = arg;
	struct shim6_projection p;
	struct shim6_stamps stamps;

	if (!datapath_get(d->dp, slot, &p) || p.ct_local != ct_local || !datapath_stamps(d->dp, slot, &stamps))
		return HELD_NEVER;
	return stamps.last_rx;
}

static void release(struct daemon *d, uint64_t now, const struct daemon_pending *t)
{
	struct engine_ctx_info info;

	if (engine_get(d->engine, t->id, &info) && info.slot == t->slot)
		held_release(d->held, now, t->slot, info.ct_local, inject, d);
}

/* Now that the data path sends nothing there any more. */
static void clear_dead_interfaces(struct daemon *d)
{
	for (unsigned i = 0; i < d->n_left; i++) {
		int n = rtnl_neigh_drop_unresolved(d->rtnl, d->left[i]);

		if (n < 0)
			count(&d->counters, DC_rtnl_failed);
		else
			counter_add(&d->counters, DC_neighbours_dropped, (uint64_t)n);
	}
	d->n_left = 0;
}

/* Routers, prefixes, sets: what is due of them. Returns when the next is. */
static uint64_t settle_host(struct daemon *d, uint64_t now)
{
	uint64_t next;

	if (ra_next(d->ra) <= now && ra_timer(d->ra, now))
		daemon_refresh(d);
	/* Each run may call for another: the first one that finds nothing to do ends it. */
	for (unsigned i = 0; i < 4 && (d->autoset.next <= now || d->autoset.look <= now); i++)
		autoset_run(d, now);
	next = ra_next(d->ra);
	if (d->autoset.next < next)
		next = d->autoset.next;
	return d->autoset.look < next ? d->autoset.look : next;
}

static void forget_pairs(struct daemon *d, uint64_t now)
{
	d->retrigger_due = ENGINE_NEVER;
	for (unsigned i = 0; i < DAEMON_MAX_RETRIGGER; i++) {
		struct daemon_retrigger *r = &d->retrigger[i];

		if (!r->due)
			continue;
		if (r->due <= now) {
			datapath_pair_forget(d->dp, &r->ulid);
			r->due = 0;
		} else if (r->due < d->retrigger_due) {
			d->retrigger_due = r->due;
		}
	}
}

void daemon_settle(struct daemon *d)
{
	uint64_t now = daemon_now(), deadline, again, errors, host;

	host = settle_host(d, now);
	deadline = engine_next_deadline(d->engine);
	if (deadline <= now) {
		engine_timer(d->engine, now);
		deadline = engine_next_deadline(d->engine);
	}
	trace_flush(d);
	clear_dead_interfaces(d);
	/* First the segments that a connection waits for, then the journal. */
	for (size_t i = 0; i < d->n_pending; i++) {
		if (d->pending[i].release)
			release(d, now, &d->pending[i]);
	}
	again = held_again(d->held, now, last_rx, inject, d);
	errors = errors_due(d->errors, now);
	if (errors < again)
		again = errors;
	if (host < again)
		again = host;
	if (d->retrigger_due <= now)
		forget_pairs(d, now);
	if (d->retrigger_due < again)
		again = d->retrigger_due;
	for (size_t i = 0; i < d->n_pending; i++)
		save(d, d->pending[i].id);
	d->n_pending = 0;
	loop_arm(d->loop, now, again < deadline ? again : deadline);
}

static int pending_one(void *arg, const struct engine_ctx_info *info)
{
	daemon_pending(arg, info->id, info->slot, false);
	return 0;
}

bool daemon_save_all(struct daemon *d)
{
	bool ok = true;

	engine_each(d->engine, pending_one, d);
	for (size_t i = 0; i < d->n_pending; i++)
		ok &= save(d, d->pending[i].id);
	d->n_pending = 0;
	return ok;
}
