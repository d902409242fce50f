/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The veth pair, and which programs a device gets. shim0 must not offload
 * segmentation: nobody behind it could do it for next header 140. Checksums are
 * finished there as well, since some hardware reads headers to find them. Neither
 * end resolves neighbours or configures itself: no packet there but those led there.
 */
#include <net/if.h>

#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "datapath/bpf/dp.h"
#include "datapath/bpf/skeleton.h"

static int device_ioctl(const char *name, unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	memcpy(ifr->ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	rc = ioctl(fd, request, ifr) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

static int ethtool(const char *name, void *data)
{
	struct ifreq ifr = { .ifr_data = data };

	return device_ioctl(name, SIOCETHTOOL, &ifr);
}

static int hardware_address(const char *name, struct sockaddr *sa)
{
	struct ifreq ifr = { 0 };
	int rc = device_ioctl(name, SIOCGIFHWADDR, &ifr);

	*sa = ifr.ifr_hwaddr;
	return rc;
}

static int offload(const char *name, uint32_t command, bool on)
{
	struct ethtool_value v = { .cmd = command, .data = on };

	return ethtool(name, &v);
}

/* The names of the features of a device; NULL when it does not tell. */
static struct ethtool_gstrings *feature_names(const char *name)
{
	union {
		struct ethtool_sset_info info;
		uint8_t room[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)]; /* one count behind it */
	} set = { .info = { .cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES } };
	struct ethtool_gstrings *names;
	uint32_t count;

	if (ethtool(name, &set) || !set.info.sset_mask)
		return NULL;
	memcpy(&count, set.room + sizeof(set.info), sizeof(count));
	names = calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	if (!names)
		return NULL;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = count;
	if (!ethtool(name, names))
		return names;
	free(names);
	return NULL;
}

/* Those that have no command of their own; one that the kernel does not know is off. */
static int feature_off(const char *name, const char *feature)
{
	struct ethtool_gstrings *names = feature_names(name);
	struct ethtool_sfeatures *set;
	int rc = names ? 0 : -EOPNOTSUPP;

	for (uint32_t i = 0; names && i < names->len; i++) {
		if (strncmp((const char *)names->data + (size_t)i * ETH_GSTRING_LEN, feature, ETH_GSTRING_LEN))
			continue;
		set = calloc(1, sizeof(*set) + (names->len + 31) / 32 * sizeof(set->features[0]));
		if (!set) {
			rc = -ENOMEM;
			break;
		}
		set->cmd = ETHTOOL_SFEATURES;
		set->size = (names->len + 31) / 32;
		set->features[i / 32].valid = 1u << i % 32;
		rc = ethtool(name, set);
		free(set);
		break;
	}
	free(names);
	return rc;
}

/*
 * Kernels before 6.11 refuse UDP_SEGMENT (EIO) where the device does not offer
 * checksums, so there shim0 offers them: the real device, or the stack in its
 * place, finishes them from where they start, whatever is in front. But a
 * packet that is to be split above the shim must be complete before.
 */
static bool kernel_wants_checksums_offered(void)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major < 6 || (major == 6 && minor < 11);
}

int dp_shim_checksums(const struct datapath *dp, bool may_split)
{
	char name[IFNAMSIZ + 1];

	if (!kernel_wants_checksums_offered())
		return 0;
	snprintf(name, sizeof(name), "%s0", dp->device);
	return offload(name, ETHTOOL_STXCSUM, !may_split);
}

static int offloads_off(const char *name)
{
	int rc = offload(name, ETHTOOL_STSO, false);

	rc = rc ? rc : offload(name, ETHTOOL_SGSO, false);
	rc = rc ? rc : feature_off(name, "tx-udp-segmentation");
	return rc ? rc : offload(name, ETHTOOL_STXCSUM, false);
}

int dp_device_is_ours(struct rtnl *r, const char *name)
{
	int rc = rtnl_link_has_alias(r, name, DP_ALIAS);

	if (rc == -ENODEV)
		return 0;
	return rc == 0 ? -EEXIST : rc;
}

static int set_up(struct datapath *dp, const char *name0)
{
	int rc = rtnl_link_alias(dp->rtnl, dp->shim0, DP_ALIAS);

	rc = rc ? rc : rtnl_link_alias(dp->rtnl, dp->shim1, DP_ALIAS);
	rc = rc ? rc : offloads_off(name0);
	rc = rc ? rc : rtnl_link_no_autoconf(dp->rtnl, dp->shim0);
	rc = rc ? rc : rtnl_link_no_autoconf(dp->rtnl, dp->shim1);
	rc = rc ? rc : rtnl_link_no_arp(dp->rtnl, dp->shim0);
	rc = rc ? rc : rtnl_link_no_arp(dp->rtnl, dp->shim1);
	rc = rc ? rc : rtnl_link_mtu(dp->rtnl, dp->shim1, DP_SHIM1_MTU);
	rc = rc ? rc : rtnl_link_mtu(dp->rtnl, dp->shim0, dp->shim0_mtu);
	rc = rc ? rc : rtnl_link_up(dp->rtnl, dp->shim1, true);
	return rc ? rc : rtnl_link_up(dp->rtnl, dp->shim0, true);
}

int dp_shim_create(struct datapath *dp, char *err, size_t err_len)
{
	char name[2][IFNAMSIZ + 1];
	int rc = 0;

	for (int i = 0; i < 2; i++) {
		snprintf(name[i], sizeof(name[i]), "%s%d", dp->device, i);
		rc = dp_device_is_ours(dp->rtnl, name[i]);
		if (rc < 0) {
			snprintf(err, err_len,
				 "a device %s exists that is not ours: choose another name ([datapath] device)",
				 name[i]);
			return rc;
		}
	}
	rc = 0;
	if (!if_nametoindex(name[0]) || !if_nametoindex(name[1]))
		rc = rtnl_veth_add(dp->rtnl, name[0], name[1]);
	if (rc) {
		snprintf(err, err_len, "cannot create the veth pair %s, %s: %s", name[0], name[1], strerror(-rc));
		return rc;
	}
	dp->shim0 = if_nametoindex(name[0]);
	dp->shim1 = if_nametoindex(name[1]);
	if (!dp->shim0 || !dp->shim1)
		rc = -ENODEV;
	rc = rc ? rc : set_up(dp, name[0]);
	rc = rc ? rc : dp_filter_attach(dp->shim1, true, bpf_program__fd(dp->skel->progs.shim6_shim));
	if (rc < 0)
		snprintf(err, err_len, "cannot set up %s and %s: %s", name[0], name[1], strerror(-rc));
	return rc < 0 ? rc : 0;
}

/* The programs for a device: with or without a link-layer header. */
static int programs_for(const struct datapath *dp, unsigned ifindex, int *egress, int *ingress)
{
	char name[IFNAMSIZ];
	struct sockaddr sa = { 0 };
	int rc;

	if (!if_indextoname(ifindex, name))
		return -ENODEV;
	rc = hardware_address(name, &sa);
	if (rc)
		return rc;
	switch (sa.sa_family) {
	case ARPHRD_ETHER:
		*egress = bpf_program__fd(dp->skel->progs.shim6_egress);
		*ingress = bpf_program__fd(dp->skel->progs.shim6_ingress);
		return 0;
	case ARPHRD_NONE:
	case ARPHRD_PPP:
	case ARPHRD_RAWIP:
		*egress = bpf_program__fd(dp->skel->progs.shim6_egress_l3);
		*ingress = bpf_program__fd(dp->skel->progs.shim6_ingress_l3);
		return 0;
	default:
		return -EOPNOTSUPP;
	}
}

int datapath_attach(struct datapath *dp, unsigned ifindex)
{
	uint32_t was = 0, key = ifindex;
	int egress, ingress, created, rc;

	if (ifindex == dp->shim0 || ifindex == dp->shim1)
		return -EINVAL;
	rc = programs_for(dp, ifindex, &egress, &ingress);
	if (rc)
		return rc;
	bpf_map_lookup_elem(bpf_map__fd(dp->skel->maps.s6_devices), &key, &was);
	created = dp_filter_attach(ifindex, true, ingress);
	if (created < 0)
		return created;
	was = was || created;
	rc = bpf_map_update_elem(bpf_map__fd(dp->skel->maps.s6_devices), &key, &was, BPF_ANY);
	if (!rc)
		rc = dp_filter_attach(ifindex, false, egress);
	if (rc < 0)
		datapath_detach(dp, ifindex);
	return rc < 0 ? rc : 0;
}

int datapath_detach(struct datapath *dp, unsigned ifindex)
{
	int devices = bpf_map__fd(dp->skel->maps.s6_devices);
	uint32_t created = 0, key = ifindex;
	char name[IFNAMSIZ];
	int rc = 0, rc2 = 0;

	if (if_indextoname(ifindex, name)) {
		rc = dp_filter_detach(ifindex, false);
		rc2 = dp_filter_detach(ifindex, true);
		bpf_map_lookup_elem(devices, &key, &created);
		if (created)
			dp_clsact_remove(dp->rtnl, ifindex);
	}
	bpf_map_delete_elem(devices, &key);
	return rc ? rc : rc2;
}

/* After a takeover: the devices of the earlier process run our programs from now on. */
int dp_reattach_all(struct datapath *dp)
{
	int devices = bpf_map__fd(dp->skel->maps.s6_devices);
	uint32_t list[SB_MAX_DEVICES], key, *at = NULL;
	unsigned n = 0;

	while (n < SB_MAX_DEVICES && !bpf_map_get_next_key(devices, at, &key)) {
		list[n++] = key;
		at = &key;
	}
	for (unsigned i = 0; i < n; i++) {
		int rc = datapath_attach(dp, list[i]);

		if (rc == -ENODEV)
			bpf_map_delete_elem(devices, &list[i]);
		else if (rc)
			return rc;
	}
	return 0;
}
