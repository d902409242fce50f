/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking everything out. Routes go first, so that traffic takes its plain way
 * while the rest goes; the pins last, for they lead the next attempt to what is
 * left. Filters are found on every device by their number and program name, also
 * when the pins are lost; a clsact goes only if we made it and nobody else uses it.
 */
#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "datapath/bpf/dp.h"

static int open_pin(const struct datapath_config *c, const char *map)
{
	char path[DP_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", c->pin_dir, map);
	return bpf_obj_get(path);
}

static void purge_device(struct rtnl *r, unsigned ifindex, int devices)
{
	uint32_t created = 0, key = ifindex;

	dp_filter_detach(ifindex, false);
	dp_filter_detach(ifindex, true);
	if (devices >= 0 && !bpf_map_lookup_elem(devices, &key, &created) && created)
		dp_clsact_remove(r, ifindex);
}

static int purge_devices(struct rtnl *r, const struct datapath_config *c)
{
	struct if_nameindex *all = if_nameindex();
	int devices = open_pin(c, "s6_devices");
	char name[IFNAMSIZ + 1];
	int rc = 0;

	for (struct if_nameindex *i = all; i && i->if_index; i++)
		purge_device(r, i->if_index, devices);
	if_freenameindex(all);
	if (devices >= 0)
		close(devices);
	snprintf(name, sizeof(name), "%s0", c->device);
	if (dp_device_is_ours(r, name) > 0)
		rc = rtnl_link_del(r, name);
	return rc;
}

static int purge_pins(const struct datapath_config *c)
{
	DIR *d = opendir(c->pin_dir);
	struct dirent *e;
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0 : -errno;
	while ((e = readdir(d)))
		if (!strncmp(e->d_name, DP_MAP_PREFIX, strlen(DP_MAP_PREFIX)) && unlinkat(dirfd(d), e->d_name, 0))
			rc = -errno;
	closedir(d);
	/* Others' pins, or a directory that was made for us and is not ours to remove. */
	if (rmdir(c->pin_dir) && errno != ENOTEMPTY && errno != ENOENT && errno != EBUSY && errno != EACCES &&
	    errno != EPERM && errno != EROFS && !rc)
		rc = -errno;
	return rc;
}

int datapath_bpf_purge(const struct datapath_config *c, char *err, size_t err_len)
{
	struct rtnl *r = rtnl_open();
	int rc;

	if (!r) {
		snprintf(err, err_len, "cannot open a netlink socket: %s", strerror(errno));
		return -1;
	}
	dp_rules_purge(r, c);
	rc = purge_devices(r, c);
	rtnl_close(r);
	if (rc) {
		snprintf(err, err_len, "cannot remove the device %s0: %s", c->device, strerror(-rc));
		return -1;
	}
	rc = purge_pins(c);
	if (rc) {
		snprintf(err, err_len, "cannot remove the pins in %s: %s", c->pin_dir, strerror(-rc));
		return -1;
	}
	return 0;
}

void datapath_remove_all(struct datapath *dp)
{
	char pin_dir[DP_PATH_MAX], device[IFNAMSIZ], err[256];
	struct datapath_config c = dp->cfg;

	snprintf(pin_dir, sizeof(pin_dir), "%s", dp->pin_dir);
	snprintf(device, sizeof(device), "%s", dp->device);
	c.pin_dir = pin_dir;
	c.device = device;
	datapath_close(dp);
	datapath_bpf_purge(&c, err, sizeof(err));
}
