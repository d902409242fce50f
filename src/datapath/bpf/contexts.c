/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Projections. The value of a context is written before the indexes that lead
 * to it and goes after them; each of these writes replaces one map element as a
 * whole, so a packet sees the old projection or the new one (never parts).
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "datapath/bpf/dp.h"
#include "datapath/bpf/skeleton.h"

static int fd_contexts(const struct datapath *dp)
{
	return bpf_map__fd(dp->skel->maps.s6_contexts);
}

static int fd_ulid(const struct datapath *dp)
{
	return bpf_map__fd(dp->skel->maps.s6_by_ulid);
}

static int fd_tag(const struct datapath *dp)
{
	return bpf_map__fd(dp->skel->maps.s6_by_tag);
}

static int fd_quote(const struct datapath *dp)
{
	return bpf_map__fd(dp->skel->maps.s6_by_quote);
}

/* Of a slot in use or about to be. */
static struct sb_activity *activity(const struct datapath *dp, uint32_t slot)
{
	return dp->activity[slot / DP_ACTIVITY_PART] + slot % DP_ACTIVITY_PART;
}

/* Octets of a part; the last one may be shorter. */
static size_t part_size(const struct datapath *dp, uint32_t part)
{
	uint32_t left = dp->cfg.max_contexts - part * DP_ACTIVITY_PART;

	return (left < DP_ACTIVITY_PART ? left : DP_ACTIVITY_PART) * sizeof(struct sb_activity);
}

/* What is mapped is resident at once: only parts that had a slot in use are. */
static int map_activity(struct datapath *dp, uint32_t slot)
{
	uint32_t part = slot / DP_ACTIVITY_PART;
	off_t at = (off_t)part * DP_ACTIVITY_PART * (off_t)sizeof(struct sb_activity);
	void *mapped;

	if (dp->activity[part])
		return 0;
	mapped = mmap(NULL, part_size(dp, part), PROT_READ | PROT_WRITE, MAP_SHARED,
		      bpf_map__fd(dp->skel->maps.s6_activity), at);
	if (mapped == MAP_FAILED)
		return -errno;
	dp->activity[part] = mapped;
	return 0;
}

void dp_unmap_activity(struct datapath *dp)
{
	for (uint32_t part = 0; dp->activity && part < DP_ACTIVITY_PARTS(dp->cfg.max_contexts); part++) {
		if (dp->activity[part])
			munmap(dp->activity[part], part_size(dp, part));
	}
	free(dp->activity);
}

static struct sb_quote_key quote_key(const struct shim6_projection *p)
{
	return (struct sb_quote_key){ .current = dp_pair(&p->current), .ct_peer = p->ct_peer };
}

static int put(int fd, const void *key, const void *value)
{
	int rc = bpf_map_update_elem(fd, key, value, BPF_ANY);

	return rc == -E2BIG ? -ENOSPC : rc;
}

/* What processors keep at hand of this slot holds no longer. After the writes, see find_in_table(). */
static void write_ends(struct datapath *dp, uint32_t slot)
{
	__atomic_add_fetch(&activity(dp, slot)->epoch, 1, __ATOMIC_SEQ_CST);
}

static int write_maps(struct datapath *dp, uint32_t slot, const struct shim6_projection *p)
{
	struct sb_by_ulid by_ulid = { .slot = slot, .flags = p->flags, .ct_local = p->ct_local };
	struct sb_quote_key quote = quote_key(p);
	struct sb_pair ulid = dp_pair(&p->ulid);
	struct sb_context c = { .seq = ++dp->seq,
				.flags = p->flags,
				.ulid = ulid,
				.current = quote.current,
				.ct_local = p->ct_local,
				.ct_peer = p->ct_peer,
				.fii = p->fii,
				.seq_end = dp->seq };
	__u64 tag = p->ct_local;
	int rc = put(fd_contexts(dp), &slot, &c);

	rc = rc ? rc : put(fd_tag(dp), &tag, &slot);
	rc = rc ? rc : put(fd_quote(dp), &quote, &slot);
	if (!p->fii)
		rc = rc ? rc : put(fd_ulid(dp), &ulid, &by_ulid);
	write_ends(dp, slot);
	return rc;
}

/* Removes the indexes of old that keep (NULL: nothing) does not need, if they lead to this slot. */
static void remove_indexes(struct datapath *dp, uint32_t slot, const struct shim6_projection *old,
			   const struct shim6_projection *keep)
{
	struct sb_quote_key quote = quote_key(old), kept;
	struct sb_pair ulid = dp_pair(&old->ulid);
	struct sb_by_ulid by_ulid;
	__u64 tag = old->ct_local;
	uint32_t at;

	if (keep)
		kept = quote_key(keep);
	if (!old->fii && !(keep && !keep->fii && shim6_pair_eq(&old->ulid, &keep->ulid)) &&
	    !bpf_map_lookup_elem(fd_ulid(dp), &ulid, &by_ulid) && by_ulid.slot == slot)
		bpf_map_delete_elem(fd_ulid(dp), &ulid);
	if (!(keep && keep->ct_local == old->ct_local) && !bpf_map_lookup_elem(fd_tag(dp), &tag, &at) && at == slot)
		bpf_map_delete_elem(fd_tag(dp), &tag);
	if (!(keep && !memcmp(&kept, &quote, sizeof(kept))) && !bpf_map_lookup_elem(fd_quote(dp), &quote, &at) &&
	    at == slot)
		bpf_map_delete_elem(fd_quote(dp), &quote);
	write_ends(dp, slot);
}

/* -EEXIST: the tag or the ULID pair belongs to another slot. */
static int check_free(const struct datapath *dp, uint32_t slot, const struct shim6_projection *p)
{
	struct sb_pair ulid = dp_pair(&p->ulid);
	struct sb_by_ulid by_ulid;
	__u64 tag = p->ct_local;
	uint32_t at;

	if (!bpf_map_lookup_elem(fd_tag(dp), &tag, &at) && at != slot)
		return -EEXIST;
	if (!p->fii && !bpf_map_lookup_elem(fd_ulid(dp), &ulid, &by_ulid) && by_ulid.slot != slot)
		return -EEXIST;
	return 0;
}

/* what is no locator, multicast and link-local above all, is never shimmed. */
static bool are_usable(const struct shim6_pair *p)
{
	return shim6_addr_is_usable(&p->local) && shim6_addr_is_usable(&p->peer);
}

int datapath_install(struct datapath *dp, uint32_t slot, const struct shim6_projection *p)
{
	struct dp_slot *s;
	bool fresh, moved;
	int rc;

	if (slot >= dp->cfg.max_contexts || p->ct_local > SB_TAG_MASK || p->ct_peer > SB_TAG_MASK ||
	    !are_usable(&p->ulid) || !are_usable(&p->current))
		return -EINVAL;
	s = &dp->slots[slot];
	rc = check_free(dp, slot, p);
	rc = rc ? rc : map_activity(dp, slot);
	if (rc)
		return rc;
	fresh = !s->used;
	if (fresh)
		*activity(dp, slot) = (struct sb_activity){ .epoch = activity(dp, slot)->epoch };
	else if (!shim6_pair_eq(&s->p.current, &p->current))
		activity(dp, slot)->mtu = 0; /* another path (D-20) */

	rc = write_maps(dp, slot, p);
	if (rc) {
		remove_indexes(dp, slot, p, fresh ? NULL : &s->p);
		if (fresh)
			bpf_map_delete_elem(fd_contexts(dp), &slot);
		else
			write_maps(dp, slot, &s->p);
		return rc;
	}
	moved = fresh || !shim6_pair_eq(&s->p.ulid, &p->ulid);
	if (moved) {
		rc = dp_ulid_hold(dp, &p->ulid.local);
		if (!fresh) {
			dp_route_remove(dp, slot);
			dp_ulid_release(dp, &s->p.ulid.local);
		}
	}
	if (!fresh)
		remove_indexes(dp, slot, &s->p, p);
	s->used = true;
	s->p = *p;
	if (slot >= dp->slots_end)
		dp->slots_end = slot + 1;
	dp_route_update(dp, slot);
	return rc;
}

void datapath_remove(struct datapath *dp, uint32_t slot)
{
	struct dp_slot *s;

	if (slot >= dp->cfg.max_contexts || !dp->slots[slot].used)
		return;
	s = &dp->slots[slot];
	dp_route_remove(dp, slot);
	remove_indexes(dp, slot, &s->p, NULL);
	bpf_map_delete_elem(fd_contexts(dp), &slot);
	dp_ulid_release(dp, &s->p.ulid.local);
	s->used = false;
	while (dp->slots_end && !dp->slots[dp->slots_end - 1].used)
		dp->slots_end--;
}

bool datapath_get(struct datapath *dp, uint32_t slot, struct shim6_projection *out)
{
	if (slot >= dp->cfg.max_contexts || !dp->slots[slot].used)
		return false;
	*out = dp->slots[slot].p;
	return true;
}

static void take_over_slot(struct datapath *dp, uint32_t slot, const struct sb_context *c)
{
	struct shim6_projection p = { .ulid = dp_from_pair(&c->ulid),
				      .fii = c->fii,
				      .current = dp_from_pair(&c->current),
				      .ct_local = c->ct_local,
				      .ct_peer = c->ct_peer,
				      .flags = c->flags };
	struct dp_slot *s = &dp->slots[slot];

	/* Its process may have ended between two writes. */
	if (check_free(dp, slot, &p) || map_activity(dp, slot) || write_maps(dp, slot, &p)) {
		bpf_map_delete_elem(fd_contexts(dp), &slot);
		return;
	}
	s->p = p;
	s->used = true;
	if (slot >= dp->slots_end)
		dp->slots_end = slot + 1;
	dp_ulid_hold(dp, &p.ulid.local);
	dp_route_update(dp, slot);
}

int dp_takeover_contexts(struct datapath *dp)
{
	struct sb_context c;

	for (uint32_t slot = 0; slot < dp->cfg.max_contexts; slot++)
		if (!bpf_map_lookup_elem(fd_contexts(dp), &slot, &c))
			take_over_slot(dp, slot, &c);
	return 0;
}

bool datapath_stamps(struct datapath *dp, uint32_t slot, struct shim6_stamps *out)
{
	const volatile struct sb_activity *a;

	if (slot >= dp->cfg.max_contexts || !dp->slots[slot].used)
		return false;
	a = activity(dp, slot);
	*out = (struct shim6_stamps){ .last_tx = a->last_tx,
				      .last_rx = a->last_rx,
				      .send_t0 = a->send_t0,
				      .ka_t0 = a->ka_t0,
				      .tx_packets = a->tx_packets,
				      .tx_bytes = a->tx_bytes,
				      .rx_packets = a->rx_packets,
				      .rx_bytes = a->rx_bytes };
	return true;
}

void datapath_set_timers(struct datapath *dp, uint32_t slot, const uint64_t *send_t0, const uint64_t *ka_t0)
{
	volatile struct sb_activity *a;

	if (slot >= dp->cfg.max_contexts || !dp->slots[slot].used)
		return;
	a = activity(dp, slot);
	if (send_t0)
		a->send_t0 = *send_t0;
	if (ka_t0)
		a->ka_t0 = *ka_t0;
}

void datapath_notify(struct datapath *dp, uint32_t slot, unsigned mask)
{
	if (slot < dp->cfg.max_contexts && dp->slots[slot].used)
		__atomic_store_n(&activity(dp, slot)->notify, mask & (SHIM6_NOTIFY_TX | SHIM6_NOTIFY_RX),
				 __ATOMIC_RELAXED);
}

/* As the programs see it: the least of what the path and the outgoing interface take. */
unsigned dp_slot_mtu(const struct datapath *dp, uint32_t slot)
{
	const struct datapath_local *l = dp_local(dp, &dp->slots[slot].p.current.local);
	unsigned mtu = l ? l->mtu : dp->shim0_mtu + SB_SHIM_LEN;
	unsigned learnt = activity(dp, slot)->mtu;

	if (learnt && learnt < mtu)
		mtu = learnt;
	return mtu < DP_MIN_MTU ? DP_MIN_MTU : mtu;
}

unsigned datapath_mtu(struct datapath *dp, uint32_t slot)
{
	if (slot >= dp->cfg.max_contexts || !dp->slots[slot].used)
		return 0;
	return dp_slot_mtu(dp, slot);
}

int datapath_set_mtu(struct datapath *dp, uint32_t slot, unsigned mtu)
{
	if (slot >= dp->cfg.max_contexts || !dp->slots[slot].used)
		return -ENOENT;
	activity(dp, slot)->mtu = mtu && mtu < DP_MIN_MTU ? DP_MIN_MTU : mtu;
	dp_route_update(dp, slot);
	return 0;
}
