/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "control/control.h"
#include "daemon/log.h"
#include "daemon/text.h"

static bool make_run_dir(const char *dir, char *err, size_t err_len)
{
	if (mkdir(dir, 0755) == 0 || errno == EEXIST)
		return true;
	snprintf(err, err_len, "%s: %s", dir, strerror(errno));
	return false;
}

static void in_dir(char *out, size_t len, const char *dir, const char *name)
{
	snprintf(out, len, "%s/%s", dir, name);
}

/* --- the data path -------------------------------------------------------- */

static void datapath_settings(const struct daemon *d, struct datapath_config *dc)
{
	datapath_config_default(dc);
	dc->pin_dir = d->opt.pin_dir;
	dc->max_contexts = d->config.engine.max_contexts;
	dc->trigger_packets = d->config.trigger_packets;
	dc->device = d->config.device;
	dc->route_table = d->config.route_table;
	dc->rule_priority = d->config.rule_priority;
	dc->held_after = d->config.held_after;
}

static bool has_prefix(const struct config_prefixes *list, const struct config_prefix *p)
{
	for (unsigned i = 0; i < list->n; i++) {
		if (list->p[i].len == p->len && shim6_addr_eq(&list->p[i].addr, &p->addr))
			return true;
	}
	return false;
}

static void set_bypass(struct daemon *d, const struct config_prefixes *list, const struct config_prefixes *except,
		       bool on)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct config_prefix *p = &list->p[i];
		int rc;

		if (except && has_prefix(except, p))
			continue;
		rc = datapath_bypass_prefix(d->dp, &p->addr, p->len, on);
		if (rc < 0)
			log_warning("bypass %s not %s: %s", text_prefix(&p->addr, p->len).s, on ? "set" : "lifted",
				    strerror(-rc));
	}
}

/* --- local addresses ------------------------------------------------------ */

static bool has_device(const struct locals *l, unsigned ifindex)
{
	for (unsigned i = 0; i < l->n_devices; i++) {
		if (l->device[i] == ifindex)
			return true;
	}
	return false;
}

static void attach_devices(struct daemon *d)
{
	for (unsigned i = 0; i < d->locals_next->n_devices; i++) {
		unsigned ifindex = d->locals_next->device[i];
		const struct host_link *l = host_link(d->host, ifindex);
		int rc;

		if (has_device(d->locals, ifindex))
			continue;
		rc = datapath_attach(d->dp, ifindex);
		if (rc < 0)
			log_error("data path not attached to %s: %s; its packets pass without Shim6",
				  l ? l->name : "interface", strerror(-rc));
		else
			log_info("data path attached to %s", l ? l->name : "interface");
	}
	for (unsigned i = 0; i < d->locals->n_devices; i++) {
		unsigned ifindex = d->locals->device[i];

		if (!has_device(d->locals_next, ifindex))
			datapath_detach(d->dp, ifindex);
	}
}

static void tell_datapath(struct daemon *d)
{
	struct datapath_local *list = calloc(d->locals_next->n + 1u, sizeof(*list));
	unsigned n = 0;
	int rc = -ENOMEM;

	for (unsigned i = 0; list && i < d->locals_next->n; i++) {
		const struct local *l = &d->locals_next->l[i];

		if (l->ifindex)
			list[n++] =
				(struct datapath_local){ .addr = l->engine.addr, .ifindex = l->ifindex, .mtu = l->mtu };
	}
	if (list)
		rc = datapath_set_local(d->dp, list, n);
	if (rc < 0)
		log_error("local addresses not told to the data path: %s", strerror(-rc));
	free(list);
}

static void log_local_changes(const struct daemon *d)
{
	for (unsigned i = 0; i < d->locals_next->n; i++) {
		const struct local *now = &d->locals_next->l[i];
		const struct local *was = locals_find(d->locals, &now->engine.addr);
		bool down = now->engine.flags & ENGINE_LOCAL_DOWN;

		if (!was || ((was->engine.flags ^ now->engine.flags) & ENGINE_LOCAL_DOWN))
			log_info("locator %s %s%s", text_addr(&now->engine.addr).s, down ? "is down" : "is up",
				 now->engine.set < 0 ? " (no HBA set: its contexts have no other)" : "");
	}
	for (unsigned i = 0; i < d->locals->n; i++) {
		if (!locals_find(d->locals_next, &d->locals->l[i].engine.addr))
			log_info("locator %s is gone", text_addr(&d->locals->l[i].engine.addr).s);
	}
}

static bool is_uplink(void *user, const struct host_link *l)
{
	const struct daemon *d = user;

	return !hba_is_shim_device(&d->config, l->name) && config_interface(&d->config, l->name)->use;
}

static void route_by_source(struct daemon *d)
{
	char err[256];

	if (d->sadr &&
	    sadr_update(d->sadr, host_snapshot(d->host), ra_table(d->ra), is_uplink, d, err, sizeof(err)) < 0) {
		count(&d->counters, DC_rtnl_failed);
		log_warning("source routing: %s", err);
	}
}

static bool wants_advertisements(void *user, unsigned ifindex)
{
	const struct daemon *d = user;
	const struct host_link *l = d->host ? host_link(d->host, ifindex) : NULL;

	return l && !l->loopback && is_uplink(user, l);
}

static bool is_own(void *user, const struct shim6_addr *a)
{
	return hba_owns(user, a);
}

static void prefer_sets(struct daemon *d)
{
	struct shim6_addr list[LABELS_MAX];
	unsigned n = d->config.hba_prefer ? hba_preferred(d->hba, list, LABELS_MAX) : 0;

	if (labels_update(d->labels, list, n) < 0 && d->counters.v[DC_rtnl_failed]++ == 0)
		log_warning("new sessions may take other addresses than those of HBA sets: ip addrlabel refused");
}

void daemon_refresh(struct daemon *d)
{
	uint64_t now = daemon_now();
	unsigned refused;

	ra_links(d->ra, host_snapshot(d->host), now);
	refused = prefixes_compute(&d->prefixes, &d->config, host_snapshot(d->host), ra_table(d->ra), is_own, d->hba);
	counter_add(&d->counters, DC_prefixes_refused, refused);
	/* An address that comes up finds its way out already there. */
	route_by_source(d);
	hba_sync(d->hba, d->host, d->rtnl, &d->config, &d->prefixes, now);
	prefer_sets(d);
	refused = locals_compute(d->locals_next, d->host, ra_table(d->ra), d->hba, &d->config, &d->prefer);
	counter_add(&d->counters, DC_locals_refused, refused);
	if (!locals_equal(d->locals, d->locals_next)) {
		struct locals *told = d->locals;

		log_local_changes(d);
		attach_devices(d);
		/* The data path first: what the engine then installs may use new addresses. */
		tell_datapath(d);
		d->locals = d->locals_next;
		d->locals_next = told;
		if (locals_tell_engine(d->locals, d->hba, d->engine, daemon_now()) < 0)
			log_error("local addresses not told to the engine: out of memory");
	}
	d->autoset.next = now; /* daemon_settle() looks */
}

static void host_changed(void *user)
{
	struct daemon *d = user;

	/* The first snapshot comes before there is anybody to tell. */
	if (!d->engine)
		return;
	daemon_refresh(d);
	datapath_restore(d->dp);
}

/* --- start ---------------------------------------------------------------- */

static bool open_world(struct daemon *d, char *err, size_t err_len)
{
	static const struct sadr_config defaults;
	struct datapath_config dc;

	d->rtnl = rtnl_open();
	if (!d->rtnl) {
		snprintf(err, err_len, "rtnetlink: %s", strerror(errno));
		return false;
	}
	d->host = host_open(host_changed, d, err, err_len);
	if (!d->host)
		return false;
	d->ra = ra_open(wants_advertisements, d, err, err_len);
	d->labels = d->ra ? labels_open(d->rtnl, err, err_len) : NULL;
	if (!d->labels)
		return false;
	if (d->config.routing_manage) {
		d->sadr = sadr_open(d->rtnl, &defaults, err, err_len);
		if (!d->sadr)
			return false;
	}
	d->ctl = ctlsock_open(&daemon_ctlsock_events, d, &d->counters, err, err_len);
	if (!d->ctl)
		return false;
	datapath_settings(d, &dc);
	d->dp = datapath_bpf_open(&dc, &daemon_datapath_events, d, err, err_len);
	return d->dp != NULL;
}

static int deliver_error(void *arg, const uint8_t *packet, size_t len)
{
	struct daemon *d = arg;

	return d->dp ? datapath_deliver(d->dp, packet, len) : -ENODEV;
}

static bool make_parts(struct daemon *d, char *err, size_t err_len)
{
	struct held_limits held = { .per_context = d->config.held_per_context,
				    .total = d->config.held_total,
				    .lifetime = d->config.held_lifetime };
	char dir[4096], record[4096];

	in_dir(dir, sizeof(dir), d->opt.state_dir, "hba");
	in_dir(record, sizeof(record), d->opt.run_dir, "addresses");
	d->hba = hba_new(dir, record, &d->counters);
	d->held = held_new(&held, &d->counters);
	d->errors = errors_new(&d->counters, deliver_error, d);
	d->events = events_new();
	d->trace = trace_new();
	d->sockets = sockets_new();
	d->locals = calloc(1, sizeof(*d->locals));
	d->locals_next = calloc(1, sizeof(*d->locals_next));
	if (d->hba && d->held && d->errors && d->events && d->trace && d->sockets && d->locals && d->locals_next)
		return true;
	snprintf(err, err_len, "out of memory");
	return false;
}

static bool open_state(struct daemon *d, char *err, size_t err_len)
{
	char path[4096], boot[37];

	in_dir(path, sizeof(path), d->opt.run_dir, "contexts");
	state_boot_id(boot);
	d->state = state_open(path, boot, err, err_len);
	return d->state != NULL;
}

static bool open_control(struct daemon *d, char *err, size_t err_len)
{
	char path[4096];

	in_dir(path, sizeof(path), d->opt.run_dir, CONTROL_SOCKET);
	d->control = control_server_open(loop_uv(d->loop), path, daemon_control, d, &d->counters, err, err_len);
	if (!d->control)
		return false;
	control_server_configure(d->control, d->config.control_clients, d->config.control_group);
	return true;
}

bool daemon_start(struct daemon *d, char *err, size_t err_len)
{
	d->started = daemon_now();
	d->retrigger_due = ENGINE_NEVER;
	if (!make_run_dir(d->opt.run_dir, err, err_len) || !make_parts(d, err, err_len))
		return false;
	d->loop = loop_new(d, err, err_len);
	if (d->loop)
		d->hooks = hooks_new(loop_uv(d->loop), &d->counters);
	if (d->hooks)
		hooks_configure(d->hooks, &d->config.hooks);
	if (!d->loop || !open_world(d, err, err_len) || !open_state(d, err, err_len) || !open_control(d, err, err_len))
		return false;
	d->engine = engine_new(&d->config.engine, &daemon_engine_ops, d, d->started);
	if (!d->engine) {
		snprintf(err, err_len, "out of memory");
		return false;
	}
	hba_load(d->hba);
	set_bypass(d, &d->config.bypass, NULL, true);
	daemon_refresh(d);
	daemon_take_over(d);
	return loop_watch(d->loop, err, err_len);
}

/* --- end ------------------------------------------------------------------ */

static void stop_protocol(struct daemon *d)
{
	if (!d->engine)
		return;
	/* A journal that could not be written whole is no base for a successor. */
	if (d->keep)
		daemon_save_all(d);
	engine_free(d->engine, true);
	d->engine = NULL;
}

/* A start that failed half-way must not take out what an earlier process left for its successor. */
void daemon_stop(struct daemon *d)
{
	bool remove = d->engine && !d->keep;

	loop_unwatch(d->loop);
	if (d->job)
		generate_cancel(d->job);
	control_server_close(d->control);
	hooks_close(d->hooks);
	d->hooks = NULL;
	stop_protocol(d);
	errors_free(d->errors);
	d->errors = NULL;
	if (d->dp && remove)
		datapath_remove_all(d->dp);
	else if (d->dp)
		datapath_close(d->dp);
	if (d->hba && d->rtnl && remove)
		hba_withdraw(d->hba, d->rtnl);
	sadr_close(d->sadr, !remove);
	labels_close(d->labels, !remove);
	ra_close(d->ra);
	/* Answers of a generation that was cancelled need control server and loop. */
	loop_free(d->loop);
	state_close(d->state, !remove);
	ctlsock_close(d->ctl);
	if (d->host)
		host_close(d->host);
	if (d->rtnl)
		rtnl_close(d->rtnl);
	hba_free(d->hba);
	held_free(d->held);
	events_free(d->events);
	trace_free(d->trace);
	sockets_free(d->sockets);
	free(d->locals);
	free(d->locals_next);
	free(d->pending);
}

bool daemon_purge(struct daemon *d, char *err, size_t err_len)
{
	static const struct sadr_config defaults;
	struct datapath_config dc;
	char path[4096];
	unsigned n;

	d->rtnl = rtnl_open();
	if (!d->rtnl) {
		snprintf(err, err_len, "rtnetlink: %s", strerror(errno));
		return false;
	}
	in_dir(path, sizeof(path), d->opt.run_dir, "addresses");
	n = hba_purge(path, d->rtnl);
	sadr_close(sadr_open(d->rtnl, &defaults, err, err_len), false);
	labels_close(labels_open(d->rtnl, err, err_len), false);
	rtnl_close(d->rtnl);
	in_dir(path, sizeof(path), d->opt.run_dir, "contexts");
	remove(path);
	in_dir(path, sizeof(path), d->opt.run_dir, CONTROL_SOCKET);
	remove(path);
	datapath_settings(d, &dc);
	if (datapath_bpf_purge(&dc, err, err_len) < 0)
		return false;
	log_info("removed the data path and %u address(es)", n);
	return true;
}

/* --- reload --------------------------------------------------------------- */

struct reload {
	config_diff_fn changed;
	void *arg;
};

static void note_change(void *arg, const char *key, bool needs_restart)
{
	struct reload *r = arg;

	log_info("configuration: %s changed%s", key, needs_restart ? "; takes effect at the next start" : "");
	if (r->changed)
		r->changed(r->arg, key, needs_restart);
}

static void apply(struct daemon *d, const struct config *old)
{
	struct held_limits held = { .per_context = d->config.held_per_context,
				    .total = d->config.held_total,
				    .lifetime = d->config.held_lifetime };

	log_set_debug(d->config.debug || d->opt.debug);
	engine_reconfigure(d->engine, daemon_now(), &d->config.engine);
	held_set_limits(d->held, &held);
	if (d->hooks)
		hooks_configure(d->hooks, &d->config.hooks);
	control_server_configure(d->control, d->config.control_clients, d->config.control_group);
	set_bypass(d, &old->bypass, &d->config.bypass, false);
	set_bypass(d, &d->config.bypass, &old->bypass, true);
}

bool daemon_reload(struct daemon *d, config_diff_fn changed, void *arg, char *err, size_t err_len)
{
	struct reload r = { .changed = changed, .arg = arg };
	struct config *next = malloc(2 * sizeof(*next)), *old = next + 1;
	bool ok;

	if (!next) {
		snprintf(err, err_len, "out of memory");
		return false;
	}
	config_default(next);
	ok = !d->opt.config_file || config_load(next, d->opt.config_file, err, err_len);
	if (ok) {
		*old = d->config;
		config_diff(old, next, note_change, &r);
		config_keep_fixed(next, old);
		d->config = *next;
		apply(d, old);
		hba_load(d->hba);
		daemon_refresh(d);
	}
	free(next);
	return ok;
}
