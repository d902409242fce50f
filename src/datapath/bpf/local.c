/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local addresses, bypass prefixes, counted pairs, and the configuration the programs read. */
#include <net/if.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "datapath/bpf/dp.h"
#include "datapath/bpf/skeleton.h"

static int mac_of(unsigned ifindex, uint8_t mac[6])
{
	struct ifreq ifr = { 0 };
	int fd, rc;

	if (!if_indextoname(ifindex, ifr.ifr_name))
		return -ENODEV;
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = ioctl(fd, SIOCGIFHWADDR, &ifr) < 0 ? -errno : 0;
	close(fd);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	return rc;
}

int dp_config_write(struct datapath *dp)
{
	struct sb_config c = { .layout = SB_LAYOUT,
			       .max_contexts = dp->cfg.max_contexts,
			       .trigger_packets = dp->cfg.trigger_packets,
			       .n_bypass = dp->n_bypass,
			       .held_after = dp->cfg.held_after,
			       .shim0 = dp->shim0,
			       .shim1 = dp->shim1 };
	uint32_t zero = 0;
	int rc = mac_of(dp->shim0, c.shim0_mac);

	memcpy(dp->shim0_mac, c.shim0_mac, sizeof(dp->shim0_mac));
	return rc ? rc : bpf_map_update_elem(bpf_map__fd(dp->skel->maps.s6_config), &zero, &c, BPF_ANY);
}

const struct datapath_local *dp_local(const struct datapath *dp, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < dp->n_locals; i++)
		if (shim6_addr_eq(&dp->locals[i].addr, a))
			return &dp->locals[i];
	return NULL;
}

static bool in_list(const struct datapath_local *l, unsigned n, const struct shim6_addr *a)
{
	for (unsigned i = 0; i < n; i++)
		if (shim6_addr_eq(&l[i].addr, a))
			return true;
	return false;
}

/* shim0 takes what the widest of our paths can carry; routes say less where less fits. */
static void adapt_shim0(struct datapath *dp)
{
	unsigned mtu = 0;

	for (unsigned i = 0; i < dp->n_locals; i++)
		mtu = dp->locals[i].mtu > mtu ? dp->locals[i].mtu : mtu;
	mtu = (mtu ? mtu : DP_DEFAULT_MTU) - SB_SHIM_LEN;
	mtu = mtu < DP_MIN_MTU ? DP_MIN_MTU : mtu;
	mtu = mtu > DP_SHIM1_MTU - SB_SHIM_LEN ? DP_SHIM1_MTU - SB_SHIM_LEN : mtu;
	if (mtu != dp->shim0_mtu && !rtnl_link_mtu(dp->rtnl, dp->shim0, mtu))
		dp->shim0_mtu = mtu;
}

int datapath_set_local(struct datapath *dp, const struct datapath_local *locals, unsigned n)
{
	int fd = bpf_map__fd(dp->skel->maps.s6_locals), rc = 0;
	struct datapath_local *copy;

	if (n > SB_MAX_LOCALS)
		return -ENOSPC;
	copy = calloc(n + 1, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, locals, n * sizeof(*copy));
	for (unsigned i = 0; i < dp->n_locals; i++) {
		struct sb_addr key = dp_addr(&dp->locals[i].addr);

		if (!in_list(copy, n, &dp->locals[i].addr))
			bpf_map_delete_elem(fd, &key);
	}
	for (unsigned i = 0; i < n; i++) {
		struct sb_addr key = dp_addr(&copy[i].addr);
		struct sb_local value = { .ifindex = copy[i].ifindex, .mtu = copy[i].mtu };
		int one = bpf_map_update_elem(fd, &key, &value, BPF_ANY);

		rc = rc ? rc : one;
	}
	free(dp->locals);
	dp->locals = copy;
	dp->n_locals = n;
	adapt_shim0(dp);
	for (uint32_t slot = 0; slot < dp->slots_end; slot++)
		if (dp->slots[slot].routed)
			dp_route_update(dp, slot);
	return rc;
}

static int find_prefix(const struct datapath *dp, const struct dp_prefix *p)
{
	for (unsigned i = 0; i < dp->n_bypass; i++)
		if (dp->bypass[i].len == p->len && shim6_addr_eq(&dp->bypass[i].addr, &p->addr))
			return (int)i;
	return -1;
}

static int remember_prefix(struct datapath *dp, const struct dp_prefix *p)
{
	struct dp_prefix *v = realloc(dp->bypass, (dp->n_bypass + 1) * sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[dp->n_bypass++] = *p;
	dp->bypass = v;
	return 0;
}

static struct dp_prefix masked(const struct shim6_addr *prefix, unsigned len)
{
	struct dp_prefix p = { .addr = *prefix, .len = len };

	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = len > 8 * i ? len - 8 * i : 0;

		if (bits < 8)
			p.addr.b[i] &= (uint8_t)(0xff00 >> bits);
	}
	return p;
}

int datapath_bypass_prefix(struct datapath *dp, const struct shim6_addr *prefix, unsigned len, bool on)
{
	int fd = bpf_map__fd(dp->skel->maps.s6_bypass), at, rc;
	struct sb_lpm_key key;
	struct dp_prefix p;
	uint8_t one = 1;

	if (len > 128)
		return -EINVAL;
	p = masked(prefix, len);
	at = find_prefix(dp, &p);
	if ((at >= 0) == on)
		return 0;
	key = (struct sb_lpm_key){ .prefix_len = len, .addr = dp_addr(&p.addr) };
	if (on) {
		rc = bpf_map_update_elem(fd, &key, &one, BPF_ANY);
		rc = rc ? rc : remember_prefix(dp, &p);
	} else {
		rc = bpf_map_delete_elem(fd, &key);
		dp->bypass[at] = dp->bypass[--dp->n_bypass];
	}
	return rc ? rc : dp_config_write(dp);
}

void datapath_pair_forget(struct datapath *dp, const struct shim6_pair *ulid)
{
	struct sb_pair key = dp_pair(ulid);

	bpf_map_delete_elem(bpf_map__fd(dp->skel->maps.s6_seen), &key);
}

static int take_over_locals(struct datapath *dp)
{
	int fd = bpf_map__fd(dp->skel->maps.s6_locals);
	struct sb_addr key, *at = NULL;
	struct sb_local value;

	dp->locals = calloc(SB_MAX_LOCALS, sizeof(*dp->locals));
	if (!dp->locals)
		return -ENOMEM;
	while (dp->n_locals < SB_MAX_LOCALS && !bpf_map_get_next_key(fd, at, &key)) {
		struct datapath_local *l = &dp->locals[dp->n_locals];

		at = &key;
		if (bpf_map_lookup_elem(fd, &key, &value))
			continue;
		memcpy(l->addr.b, &key, sizeof(l->addr.b));
		l->ifindex = value.ifindex;
		l->mtu = value.mtu;
		dp->n_locals++;
	}
	adapt_shim0(dp);
	return 0;
}

/*
 * The process that was told of a pair is gone, and with it what it wanted to do
 * about it: an I1 without answer, a time to ask again. Each pair counts anew.
 */
static void forget_pairs(struct datapath *dp)
{
	int fd = bpf_map__fd(dp->skel->maps.s6_seen);
	struct sb_pair key, after;
	bool more = !bpf_map_get_next_key(fd, NULL, &key);

	for (unsigned n = 0; more && n < SB_MAX_PAIRS; n++) {
		more = !bpf_map_get_next_key(fd, &key, &after);
		bpf_map_delete_elem(fd, &key);
		key = after;
	}
}

int dp_takeover_local(struct datapath *dp)
{
	int fd = bpf_map__fd(dp->skel->maps.s6_bypass), rc = take_over_locals(dp);
	struct sb_lpm_key key, *at = NULL;

	forget_pairs(dp);
	while (!rc && dp->n_bypass < SB_MAX_BYPASS && !bpf_map_get_next_key(fd, at, &key)) {
		struct dp_prefix p = { .len = key.prefix_len };

		memcpy(p.addr.b, &key.addr, sizeof(p.addr.b));
		rc = remember_prefix(dp, &p);
		at = &key;
	}
	return rc;
}
