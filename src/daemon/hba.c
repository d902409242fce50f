/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/hba.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/text.h"

#define HBA_PREFIX_LEN 64
#define NS_PER_S UINT64_C(1000000000)
#define SAME (2 * NS_PER_S) /* ends of lifetimes that are no further apart */
#define HBA_MAX_RECORDS (STORE_MAX_SETS * CGA_MAX_GENERATE)

/* An address that we added, as the record file has it. */
struct record {
	struct shim6_addr addr;
	char ifname[IF_NAMESIZE];
};

struct hba {
	char *dir, *record_path;
	struct counters *counters;
	unsigned n;
	struct hba_set sets[STORE_MAX_SETS];
	unsigned n_records;
	struct record records[HBA_MAX_RECORDS];
};

/* --- the record ----------------------------------------------------------- */

static unsigned read_records(const char *path, struct record *out, unsigned cap)
{
	FILE *f = fopen(path, "re");
	char line[128], addr[64];
	unsigned n = 0;

	while (f && n < cap && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s %15s", addr, out[n].ifname) == 2 && text_parse_addr(addr, &out[n].addr))
			n++;
	}
	if (f)
		fclose(f);
	return n;
}

static void write_records(const struct hba *h)
{
	char tmp[4096];
	FILE *f;
	bool ok;

	snprintf(tmp, sizeof(tmp), "%s.new", h->record_path);
	f = fopen(tmp, "we");
	for (unsigned i = 0; f && i < h->n_records; i++)
		fprintf(f, "%s %s\n", text_addr(&h->records[i].addr).s, h->records[i].ifname);
	ok = f && !ferror(f);
	if (f)
		ok = fclose(f) == 0 && ok;
	if (!ok || rename(tmp, h->record_path) < 0)
		log_warning("%s: %s; addresses may stay behind when shim6d ends", h->record_path, strerror(errno));
}

static int find_record(const struct hba *h, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < h->n_records; i++) {
		if (shim6_addr_eq(&h->records[i].addr, a))
			return (int)i;
	}
	return -1;
}

static void add_record(struct hba *h, const struct shim6_addr *a, const char *ifname)
{
	int i = find_record(h, a);

	if (i < 0) {
		if (h->n_records == HBA_MAX_RECORDS)
			return;
		i = (int)h->n_records++;
	}
	h->records[i].addr = *a;
	snprintf(h->records[i].ifname, IF_NAMESIZE, "%s", ifname);
	write_records(h);
}

static void remove_record(struct hba *h, unsigned i)
{
	h->records[i] = h->records[--h->n_records];
	write_records(h);
}

static void take_off(struct counters *c, struct rtnl *r, const struct record *rec)
{
	unsigned ifindex = if_nametoindex(rec->ifname);
	int rc = ifindex ? rtnl_addr_del(r, &rec->addr, HBA_PREFIX_LEN, ifindex) : 0;

	if (rc < 0) {
		log_warning("address %s not removed from %s: %s", text_addr(&rec->addr).s, rec->ifname, strerror(-rc));
		if (c)
			count(c, DC_rtnl_failed);
	}
}

/* --- life ----------------------------------------------------------------- */

struct hba *hba_new(const char *dir, const char *record, struct counters *c)
{
	struct hba *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->dir = strdup(dir);
	h->record_path = strdup(record);
	h->counters = c;
	if (!h->dir || !h->record_path) {
		hba_free(h);
		return NULL;
	}
	h->n_records = read_records(record, h->records, HBA_MAX_RECORDS);
	return h;
}

static void clear(struct hba_set *set)
{
	store_set_clear(&set->stored);
	cga_key_free(set->key);
	set->key = NULL;
}

void hba_free(struct hba *h)
{
	if (!h)
		return;
	for (unsigned i = 0; i < h->n; i++)
		clear(&h->sets[i]);
	free(h->dir);
	free(h->record_path);
	free(h);
}

unsigned hba_count(const struct hba *h)
{
	return h->n;
}

const struct hba_set *hba_set(const struct hba *h, unsigned i)
{
	return &h->sets[i];
}

const char *hba_dir(const struct hba *h)
{
	return h->dir;
}

/* Carry over what we know of a set whose addresses are the same. */
static void inherit(struct hba_set *set, const struct hba_set *old, unsigned n_old)
{
	for (unsigned i = 0; i < n_old; i++) {
		const struct cga_set *a = &set->stored.set, *b = &old[i].stored.set;

		if (a->n != b->n || memcmp(a->addr, b->addr, a->n * sizeof(a->addr[0])) != 0)
			continue;
		set->live = old[i].live;
		set->collided = old[i].collided;
		memcpy(set->member, old[i].member, sizeof(set->member));
	}
}

unsigned hba_load(struct hba *h)
{
	char names[STORE_MAX_SETS][STORE_NAME_MAX + 1], err[STORE_ERR_MAX];
	int n = store_names(h->dir, names, STORE_MAX_SETS, err, sizeof(err));
	struct hba_set *old = NULL;
	unsigned n_old = h->n, refused = 0;

	if (n < 0) {
		log_error("%s; HBA sets stay as they are", err);
		return 1;
	}
	old = malloc(sizeof(h->sets));
	if (!old) {
		log_error("HBA sets not read: out of memory");
		return 1;
	}
	memcpy(old, h->sets, sizeof(h->sets));
	memset(h->sets, 0, sizeof(h->sets));
	h->n = 0;
	for (int i = 0; i < n; i++) {
		struct hba_set *set = &h->sets[h->n];

		if (!store_read(h->dir, names[i], &set->stored, err, sizeof(err))) {
			log_error("HBA set left out: %s", err);
			memset(set, 0, sizeof(*set));
			refused++;
			continue;
		}
		/* What was read was checked, the key as well: only memory can be short. */
		if (set->stored.pem && cga_key_load_pem(&set->key, set->stored.pem, set->stored.pem_len) != CGA_OK)
			log_error("HBA set %s: key not loaded; it signs nothing", set->stored.name);
		inherit(set, old, n_old);
		h->n++;
	}
	for (unsigned i = 0; i < n_old; i++)
		clear(&old[i]);
	free(old);
	return refused;
}

bool hba_sign(const struct hba *h, const struct shim6_addr *ulid, uint32_t generation,
	      const struct shim6_addr *locators, unsigned n, uint8_t *sig)
{
	uint8_t octets[CGA_MAX_SIGNATURE];
	size_t len;

	for (unsigned s = 0; s < h->n; s++) {
		const struct hba_set *set = &h->sets[s];

		for (unsigned i = 0; set->key && i < set->stored.set.n; i++) {
			if (!shim6_addr_eq(&set->stored.set.addr[i], ulid))
				continue;
			if (cga_sign(set->key, generation, locators, n, octets, &len) != CGA_OK ||
			    len != cga_signature_length(set->key))
				return false;
			memcpy(sig, octets, len);
			return true;
		}
	}
	return false;
}

/* --- on the interfaces ---------------------------------------------------- */

bool hba_is_shim_device(const struct config *c, const char *name)
{
	size_t n = strlen(c->device);

	return strncmp(name, c->device, n) == 0 && (strcmp(name + n, "0") == 0 || strcmp(name + n, "1") == 0);
}

static bool real_link(const struct config *c, const struct host_link *l)
{
	return l && !l->loopback && !hba_is_shim_device(c, l->name);
}

/* What hba_sync() works with. */
struct sync {
	struct hba *h;
	const struct host *host;
	struct rtnl *r;
	const struct config *c;
	const struct prefixes *prefixes;
	uint64_t now;
};

/* The interface that a prefix belongs to; NULL: none now. */
static const struct host_link *home_of(const struct hba_set *set, unsigned i, const struct host *host,
				       const struct config *c, const struct prefixes *p)
{
	const struct host_snapshot *snap = host_snapshot(host);
	const struct shim6_addr *a = &set->stored.set.addr[i];
	const struct prefix_now *known = prefixes_find(p, a->b);
	const struct host_link *l;

	if (set->stored.automatic)
		return known ? host_link(host, known->ifindex) : NULL;
	for (unsigned k = 0; k < c->n_interfaces; k++) {
		const struct config_prefixes *list = &c->interfaces[k].prefixes;

		for (unsigned j = 0; j < list->n; j++) {
			if (memcmp(list->p[j].addr.b, a->b, 8) == 0)
				return host_link_by_name(host, c->interfaces[k].name);
		}
	}
	for (unsigned k = 0; k < snap->n_addresses; k++) {
		const struct host_address *x = &snap->addresses[k];

		l = host_link(host, x->ifindex);
		if (x->prefix_len <= HBA_PREFIX_LEN && memcmp(x->addr.b, a->b, 8) == 0 && real_link(c, l) &&
		    !shim6_addr_eq(&x->addr, a))
			return l;
	}
	for (unsigned k = 0; k < snap->n_prefixes; k++) {
		l = host_link(host, snap->prefixes[k].ifindex);
		if (memcmp(snap->prefixes[k].prefix, a->b, 8) == 0 && real_link(c, l))
			return l;
	}
	l = set->member[i].ifindex ? host_link(host, set->member[i].ifindex) : NULL;
	return real_link(c, l) ? l : NULL;
}

/* Bring a member's state up to date. false: another host has its address. */
static bool look_for(struct hba_set *set, unsigned i, const struct host *host, const struct config *c)
{
	const struct host_snapshot *snap = host_snapshot(host);
	struct hba_member *m = &set->member[i];
	bool collision = false;

	m->present = m->tentative = false;
	for (unsigned k = 0; k < snap->n_addresses; k++) {
		const struct host_address *x = &snap->addresses[k];
		const struct host_link *l = host_link(host, x->ifindex);

		if (!shim6_addr_eq(&x->addr, &set->stored.set.addr[i]))
			continue;
		/* On our own device: this address is a ULID in use, whatever became of its interface. */
		if (l && hba_is_shim_device(c, l->name))
			set->live = true;
		if (!real_link(c, l))
			continue;
		m->ifindex = x->ifindex;
		m->deprecated = x->deprecated;
		collision |= x->dad_failed;
		m->tentative |= x->tentative && !x->dad_failed;
		m->present |= !x->tentative && !x->dad_failed;
	}
	if (m->present) {
		m->proven = true;
		set->live = true;
		m->error = 0;
	}
	return !collision;
}

static bool newer(const struct store_set *a, const struct store_set *b)
{
	return a->created != b->created ? a->created > b->created : strcmp(a->name, b->name) > 0;
}

/* Does a newer set have a working address in this member's prefix? */
static bool superseded(const struct hba *h, const struct hba_set *set, unsigned i)
{
	for (unsigned s = 0; s < h->n; s++) {
		const struct hba_set *other = &h->sets[s];

		for (unsigned k = 0; k < other->stored.set.n && newer(&other->stored, &set->stored); k++) {
			if (other->member[k].present &&
			    memcmp(other->stored.set.addr[k].b, set->stored.set.addr[i].b, 8) == 0)
				return true;
		}
	}
	return false;
}

static uint32_t seconds_left(uint64_t until, uint64_t now)
{
	uint64_t left = until > now ? (until - now) / NS_PER_S : 0;

	return until == RA_NEVER || left >= UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

/* The lifetimes that a member should have now (HD-04, HD-11). */
static void life_of(const struct sync *y, struct hba_set *set, unsigned i, struct rtnl_address *a)
{
	const struct prefix_now *p = prefixes_find(y->prefixes, a->addr.b);
	struct hba_member *m = &set->member[i];

	m->valid_until = m->preferred_until = RA_NEVER;
	if (set->stored.automatic && p) {
		m->valid_until = p->valid_until;
		m->preferred_until = p->current ? p->preferred_until : 0;
	}
	if (superseded(y->h, set, i))
		m->preferred_until = 0;
	a->valid = seconds_left(m->valid_until, y->now);
	a->preferred = seconds_left(m->preferred_until, y->now);
}

static void put_on(const struct sync *y, struct hba_set *set, unsigned i)
{
	const struct host_link *l = home_of(set, i, y->host, y->c, y->prefixes);
	struct hba_member *m = &set->member[i];
	struct rtnl_address a = {
		.addr = set->stored.set.addr[i],
		.prefix_len = HBA_PREFIX_LEN,
		.nodad = m->proven || !y->c->hba_dad,
		.noprefixroute = set->stored.automatic,
	};
	int rc;

	if (!l || !l->up)
		return;
	a.ifindex = l->ifindex;
	life_of(y, set, i, &a);
	if (a.valid == 0)
		return;
	/* The record first: a process killed in between must not leave an address that nobody takes off. */
	add_record(y->h, &a.addr, l->name);
	rc = rtnl_addr_add(y->r, &a);
	if (rc < 0) {
		count(y->h->counters, DC_rtnl_failed);
		if (rc != m->error)
			log_error("HBA address %s not added to %s: %s", text_addr(&a.addr).s, l->name, strerror(-rc));
		m->error = rc;
		return;
	}
	m->error = 0;
	m->ifindex = l->ifindex;
	m->added = true;
	log_info("HBA address %s of set %s added to %s", text_addr(&a.addr).s, set->stored.name, l->name);
}

static bool differs(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) >= SAME;
}

static const char *why_deprecated(const struct sync *y, const struct hba_set *set, unsigned i, bool deprecated)
{
	if (!deprecated)
		return "preferred again";
	return superseded(y->h, set, i) ? "deprecated: a newer set has one in its prefix"
					: "deprecated: no router offers its prefix to new sessions";
}

/* Lifetimes, preferred or deprecated, as it should be; addresses that somebody else added are left as they are. */
static void keep_up(const struct sync *y, struct hba_set *set, unsigned i)
{
	struct hba_member *m = &set->member[i];
	struct rtnl_address a = {
		.addr = set->stored.set.addr[i],
		.prefix_len = HBA_PREFIX_LEN,
		.ifindex = m->ifindex,
		.nodad = true,
		.noprefixroute = set->stored.automatic,
	};
	const uint64_t valid = m->valid_until, preferred = m->preferred_until;
	bool deprecated;
	int rc;

	if (!m->present || find_record(y->h, &a.addr) < 0 ||
	    (set->stored.automatic && !prefixes_find(y->prefixes, a.addr.b)))
		return;
	life_of(y, set, i, &a);
	deprecated = a.preferred == 0;
	if (a.valid == 0 || /* the kernel takes it off at this moment */
	    (m->deprecated == deprecated && (!set->stored.automatic || (!differs(valid, m->valid_until) &&
									!differs(preferred, m->preferred_until))))) {
		m->valid_until = valid;
		m->preferred_until = preferred;
		return;
	}
	rc = rtnl_addr_add(y->r, &a);
	if (rc < 0) {
		count(y->h->counters, DC_rtnl_failed);
		log_warning("lifetimes of HBA address %s not set: %s", text_addr(&a.addr).s, strerror(-rc));
		return;
	}
	if (m->deprecated != deprecated)
		log_info("HBA address %s of set %s is %s", text_addr(&a.addr).s, set->stored.name,
			 why_deprecated(y, set, i, deprecated));
	m->deprecated = deprecated;
}

/* HG-09: the set moves to its next collision count as a whole. */
static void collide(struct hba *h, struct hba_set *set, struct rtnl *r)
{
	char err[STORE_ERR_MAX];
	uint8_t next = (uint8_t)(set->stored.collision_count + 1);

	count(h->counters, DC_dad_collisions);
	for (unsigned i = 0; i < set->stored.set.n; i++) {
		int k = find_record(h, &set->stored.set.addr[i]);

		if (k < 0)
			continue;
		take_off(h->counters, r, &h->records[k]);
		remove_record(h, (unsigned)k);
	}
	if (next > 2 || cga_set_collide(&set->stored.set, next) != CGA_OK) {
		set->collided = true;
		set->live = false;
		log_error("HBA set %s: third address collision; it is not used any more. Look for a host that copies "
			  "addresses, then generate another set",
			  set->stored.name);
		return;
	}
	set->stored.collision_count = next;
	for (unsigned i = 0; i < set->stored.set.n; i++)
		set->member[i] = (struct hba_member){ .ifindex = set->member[i].ifindex };
	set->live = false;
	log_warning("HBA set %s: another host has one of its addresses; all addresses of the set change (count %u)",
		    set->stored.name, next);
	if (!store_write(h->dir, &set->stored, err, sizeof(err)))
		log_error("HBA set %s with its new addresses not saved: %s", set->stored.name, err);
}

/* Addresses that we added for a set which is no more, or which is not ours to manage any more. */
static void take_off_strays(struct hba *h, struct rtnl *r)
{
	for (unsigned k = h->n_records; k-- > 0;) {
		bool known = false;

		for (unsigned s = 0; s < h->n && !known; s++) {
			for (unsigned i = 0; i < h->sets[s].stored.set.n; i++)
				known |= shim6_addr_eq(&h->sets[s].stored.set.addr[i], &h->records[k].addr);
		}
		if (known)
			continue;
		log_info("HBA address %s removed from %s: its set is gone", text_addr(&h->records[k].addr).s,
			 h->records[k].ifname);
		take_off(h->counters, r, &h->records[k]);
		remove_record(h, k);
	}
}

bool hba_sync(struct hba *h, const struct host *host, struct rtnl *r, const struct config *c, const struct prefixes *p,
	      uint64_t now)
{
	const struct sync y = { .h = h, .host = host, .r = r, .c = c, .prefixes = p, .now = now };
	bool changed = false;

	take_off_strays(h, r);
	for (unsigned s = 0; s < h->n; s++) {
		struct hba_set *set = &h->sets[s];
		bool free_of_doubles = true;

		for (unsigned i = 0; i < set->stored.set.n; i++)
			free_of_doubles &= look_for(set, i, host, c);
		if (!c->hba_manage || set->collided)
			continue;
		if (!free_of_doubles) {
			collide(h, set, r);
			changed = true;
		}
		for (unsigned i = 0; i < set->stored.set.n && !set->collided; i++) {
			if (!set->member[i].present && !set->member[i].tentative)
				put_on(&y, set, i);
		}
	}
	for (unsigned s = 0; s < h->n && c->hba_manage; s++) {
		for (unsigned i = 0; i < h->sets[s].stored.set.n; i++)
			keep_up(&y, &h->sets[s], i);
	}
	return changed;
}

bool hba_owns(const struct hba *h, const struct shim6_addr *a)
{
	for (unsigned s = 0; s < h->n; s++) {
		for (unsigned i = 0; i < h->sets[s].stored.set.n; i++) {
			if (shim6_addr_eq(&h->sets[s].stored.set.addr[i], a))
				return true;
		}
	}
	return find_record(h, a) >= 0;
}

unsigned hba_preferred(const struct hba *h, struct shim6_addr *out, unsigned cap)
{
	unsigned n = 0;

	for (unsigned s = 0; s < h->n; s++) {
		const struct hba_set *set = &h->sets[s];

		for (unsigned i = 0; i < set->stored.set.n && !set->collided; i++) {
			if (n < cap && set->member[i].present && !set->member[i].deprecated && !superseded(h, set, i))
				out[n++] = set->stored.set.addr[i];
		}
	}
	return n;
}

const struct hba_set *hba_newest(const struct hba *h)
{
	const struct hba_set *newest = NULL;

	for (unsigned s = 0; s < h->n; s++) {
		if (!h->sets[s].collided && (!newest || newer(&h->sets[s].stored, &newest->stored)))
			newest = &h->sets[s];
	}
	return newest;
}

bool hba_renew(struct hba *h, unsigned i)
{
	struct store_set *stored = &h->sets[i].stored;
	const struct hba_set *newest = hba_newest(h);
	uint64_t was = stored->created;
	char err[STORE_ERR_MAX];

	stored->created = (uint64_t)time(NULL);
	if (newest && newest->stored.created >= stored->created)
		stored->created = newest->stored.created + 1;
	if (store_write(h->dir, stored, err, sizeof(err)))
		return true;
	stored->created = was;
	log_error("HBA set %s not renewed: %s", stored->name, err);
	return false;
}

void hba_withdraw(struct hba *h, struct rtnl *r)
{
	while (h->n_records) {
		take_off(h->counters, r, &h->records[h->n_records - 1]);
		h->n_records--;
	}
	unlink(h->record_path);
}

unsigned hba_purge(const char *record, struct rtnl *r)
{
	struct record *list = calloc(HBA_MAX_RECORDS, sizeof(*list));
	unsigned n = list ? read_records(record, list, HBA_MAX_RECORDS) : 0;

	for (unsigned i = 0; i < n; i++)
		take_off(NULL, r, &list[i]);
	free(list);
	unlink(record);
	return n;
}
