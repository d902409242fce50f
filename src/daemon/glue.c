/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls between the engine on one side and data path, sockets and watchers
 * on the other. Each carries a fact over; none decides anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "daemon/text.h"

/* --- out of the engine ---------------------------------------------------- */

static bool op_send(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		    size_t len)
{
	struct daemon *d = user;
	const struct local *l = locals_find(d->locals, src);

	/* An address that is no locator (an Error answered from one that just went) leaves by any interface. */
	bool ok = ctlsock_send(d->ctl, src, l ? l->ifindex : 0, dst, msg, len);

	if (trace_on(d))
		trace_sent(d, src, dst, msg, len, ok);
	return ok;
}

static bool op_install(void *user, uint32_t slot, const struct shim6_projection *p)
{
	struct daemon *d = user;
	int rc;

	if (d->keep)
		return true;
	rc = datapath_install(d->dp, slot, p);
	if (rc == 0)
		return true;
	count(&d->counters, DC_dp_install_failed);
	log_warning("data path refused the context %s: %s", text_pair(&p->ulid).s, strerror(-rc));
	return false;
}

static void op_remove(void *user, uint32_t slot)
{
	struct daemon *d = user;

	if (d->keep)
		return;
	datapath_remove(d->dp, slot);
	held_forget(d->held, slot);
	errors_release(d->errors, slot);
}

static bool op_stamps(void *user, uint32_t slot, struct shim6_stamps *out)
{
	struct daemon *d = user;

	return datapath_stamps(d->dp, slot, out);
}

static void op_set_timers(void *user, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0)
{
	struct daemon *d = user;

	datapath_set_timers(d->dp, slot, send_t0, ka_t0);
}

static void op_notify(void *user, uint32_t slot, unsigned mask)
{
	struct daemon *d = user;

	datapath_notify(d->dp, slot, mask);
}

static bool op_sign(void *user, const struct shim6_addr *ulid, uint32_t generation, const struct shim6_addr *locators,
		    unsigned n, uint8_t *sig)
{
	struct daemon *d = user;

	return hba_sign(d->hba, ulid, generation, locators, n, sig);
}

static void op_random(void *user, void *buf, size_t len)
{
	uint8_t *p = buf;

	(void)user;
	while (len) {
		ssize_t n = getrandom(p, len, 0);

		if (n > 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EINTR) {
			/* Tags and nonces from anything weaker would be worse than no daemon (G-09). */
			log_error("no random numbers from the kernel: %s", strerror(errno));
			abort();
		}
	}
}

/* Count a pair again once it makes sense to ask again. */
static void retrigger_at(struct daemon *d, const struct shim6_pair *ulid, uint64_t due)
{
	struct daemon_retrigger *r = &d->retrigger[d->next_retrigger++ % DAEMON_MAX_RETRIGGER];

	if (r->due) {
		datapath_pair_forget(d->dp, &r->ulid);
		count(&d->counters, DC_retrigger_forgotten);
	}
	*r = (struct daemon_retrigger){ .ulid = *ulid, .due = due };
	if (due < d->retrigger_due)
		d->retrigger_due = due;
}

/* Of a locator that is down: its interface holds back what it still got (daemon_settle). */
static void note_left(struct daemon *d, const struct shim6_addr *locator)
{
	const struct local *l = locals_find(d->locals, locator);

	if (!l || !l->ifindex || !(l->engine.flags & ENGINE_LOCAL_DOWN))
		return;
	for (unsigned i = 0; i < d->n_left; i++) {
		if (d->left[i] == l->ifindex)
			return;
	}
	if (d->n_left < HOST_MAX_LINKS)
		d->left[d->n_left++] = l->ifindex;
}

static bool op_in_use(void *user, uint64_t now, const struct shim6_pair *ulid)
{
	struct daemon *d = user;

	return sockets_between(d->sockets, now, ulid);
}

static void op_event(void *user, const struct engine_event *ev)
{
	struct daemon *d = user;
	const struct engine_config *ec = &d->config.engine;
	struct json_object *o;

	switch (ev->type) {
	case ENGINE_EV_NEW:
		d->triggered = true;
		d->last_new = ev->id;
		break;
	case ENGINE_EV_FAILED:
		retrigger_at(d, &ev->ulid,
			     ev->now + (ev->reason == ENGINE_WHY_NO_SUPPORT ? ec->icmp_holddown : ec->no_r1_holddown));
		break;
	case ENGINE_EV_SWITCHED:
		note_left(d, &ev->from.local);
		errors_void(d->errors, ev->slot);
		break;
	case ENGINE_EV_RECOVERED:
		errors_release(d->errors, ev->slot);
		break;
	case ENGINE_EV_GONE:
		if (!d->keep && ev->reason != ENGINE_WHY_SHUTDOWN)
			datapath_pair_forget(d->dp, &ev->ulid);
		break;
	default:
		break;
	}
	daemon_pending(d, ev->id, ev->slot, ev->type == ENGINE_EV_SWITCHED || ev->type == ENGINE_EV_RECOVERED);
	o = events_add(d->events, ev);
	if (!o || !d->control)
		return;
	hooks_event(d->hooks, o);
	control_server_event(d->control, o, daemon_pair_of_user, &(struct daemon_pair){ d, ev->ulid });
	if (trace_on(d))
		trace_event(d, ev, o);
}

const struct engine_ops daemon_engine_ops = {
	.send = op_send,
	.dp_install = op_install,
	.dp_remove = op_remove,
	.dp_stamps = op_stamps,
	.dp_set_timers = op_set_timers,
	.dp_notify = op_notify,
	.in_use = op_in_use,
	.event = op_event,
	.random = op_random,
	.sign = op_sign,
};

/* --- into the engine ------------------------------------------------------ */

static void in_control(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		       size_t len)
{
	struct daemon *d = user;
	bool traced = trace_on(d) && trace_received(d, src, dst, msg, len);

	engine_input_control(d->engine, daemon_now(), src, dst, msg, len);
	if (traced)
		trace_handled(d);
}

static void in_refused(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, const uint8_t *msg,
		       size_t len, enum daemon_counter why)
{
	struct daemon *d = user;

	if (trace_on(d))
		trace_refused(d, src, dst, msg, len, counter_name(why));
}

static void in_icmp(void *user, uint8_t type, uint8_t code, uint32_t param, const uint8_t *quote, size_t len)
{
	struct daemon *d = user;
	bool traced = trace_on(d) && trace_icmp(d, type, code, quote, len);

	engine_input_icmp(d->engine, daemon_now(), type, code, param, quote, len);
	if (traced)
		trace_handled(d);
}

const struct ctlsock_events daemon_ctlsock_events = {
	.control = in_control,
	.refused = in_refused,
	.icmp = in_icmp,
};

static void dp_unknown_tag(void *user, const struct shim6_addr *src, const struct shim6_addr *dst, uint64_t tag)
{
	struct daemon *d = user;
	bool traced = trace_on(d) && trace_unknown_tag(d, src, dst, tag);

	engine_input_unknown_tag(d->engine, daemon_now(), src, dst, tag);
	if (traced)
		trace_handled(d);
}

/* A notice may be older than the context that has the slot now. */
static bool slot_context(struct daemon *d, uint32_t slot, struct engine_ctx_info *info)
{
	uint64_t id;

	if (engine_slot_id(d->engine, slot, &id) && engine_get(d->engine, id, info))
		return true;
	count(&d->counters, DC_stale_activity);
	return false;
}

static void dp_activity(void *user, uint32_t slot, uint64_t ct_local, unsigned mask)
{
	struct daemon *d = user;
	struct engine_ctx_info info;

	if (!slot_context(d, slot, &info))
		return;
	if (info.ct_local != ct_local)
		count(&d->counters, DC_stale_activity);
	else
		engine_activity(d->engine, daemon_now(), slot, mask);
}

static void dp_trigger(void *user, const struct shim6_pair *ulid, uint64_t packets)
{
	struct daemon *d = user;
	uint64_t now = daemon_now();

	count(&d->counters, DC_trigger_received);
	log_debug("%s: %llu packets", text_pair(ulid).s, (unsigned long long)packets);
	d->triggered = false;
	engine_trigger(d->engine, now, ulid);
	/* Known not to answer, or not to be asked: count it again later, not at each packet. */
	if (!d->triggered)
		retrigger_at(d, ulid, now + d->config.trigger_retry);
}

/* I-06: Packet Too Big sets the path MTU. I-03, I-04: others are hints (I-16). */
static void dp_icmp(void *user, uint32_t slot, uint64_t ct_peer, uint8_t type, uint8_t code, uint32_t mtu)
{
	struct daemon *d = user;
	struct engine_ctx_info info;

	if (!slot_context(d, slot, &info))
		return;
	if (info.ct_peer != ct_peer)
		count(&d->counters, DC_stale_activity);
	else if (type == 2 && mtu)
		datapath_set_mtu(d->dp, slot, mtu);
	else if ((type == 1 && code != 4) || type == 3)
		engine_hint(d->engine, daemon_now(), slot);
}

static void dp_held(void *user, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len)
{
	struct daemon *d = user;

	held_add(d->held, daemon_now(), slot, ct_local, packet, len);
}

static void dp_error(void *user, uint32_t slot, uint64_t ct_local, const uint8_t *packet, size_t len)
{
	struct daemon *d = user;

	errors_add(d->errors, daemon_now(), slot, ct_local, packet, len);
}

const struct datapath_events daemon_datapath_events = {
	.unknown_tag = dp_unknown_tag,
	.activity = dp_activity,
	.trigger = dp_trigger,
	.icmp = dp_icmp,
	.held = dp_held,
	.error = dp_error,
};
