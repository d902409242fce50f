/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opening: maps that an earlier process pinned are used again when their layout
 * and sizes are ours, else all it left is removed first. Programs are loaded
 * anew and replace the running ones filter by filter.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "datapath/bpf/dp.h"
#include "datapath/bpf/skeleton.h"

#define MAX_CONTEXTS_LIMIT (1u << 22)

void datapath_config_default(struct datapath_config *c)
{
	*c = (struct datapath_config){ .pin_dir = "/sys/fs/bpf/shim6",
				       .max_contexts = 65536,
				       .trigger_packets = 32,
				       .device = "shim",
				       .route_table = 5533,
				       .rule_priority = 140,
				       .held_after = 300 * 1000000ull };
}

/* The last complaint of libbpf, for the error text; the library has one printer per process. */
static char last_complaint[256];

static int keep_complaint(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN && strncmp(format, "libbpf: Kernel error", 20)) {
		vsnprintf(last_complaint, sizeof(last_complaint), format, args);
		last_complaint[strcspn(last_complaint, "\n")] = 0;
	}
	return 0;
}

static int check_config(const struct datapath_config *c, char *err, size_t err_len)
{
	if (!c->pin_dir || !*c->pin_dir || strlen(c->pin_dir) >= DP_PATH_MAX - 32)
		snprintf(err, err_len, "pin directory: empty or too long");
	else if (!c->device || !*c->device || strlen(c->device) + 1 >= IFNAMSIZ)
		snprintf(err, err_len, "device name: at most %d characters are possible", IFNAMSIZ - 2);
	else if (!c->max_contexts || c->max_contexts > MAX_CONTEXTS_LIMIT)
		snprintf(err, err_len, "number of contexts: 1 to %u are possible", MAX_CONTEXTS_LIMIT);
	else if (!c->route_table || c->route_table >= UINT32_MAX - 1)
		snprintf(err, err_len, "routing table %u: not possible", c->route_table);
	else
		return 0;
	return -EINVAL;
}

/* Where no init system has done it: mounted at the usual place. Failing shows when the pin directory is made. */
static void mount_bpffs(const char *pin_dir)
{
	static const char usual[] = "/sys/fs/bpf";
	struct statfs fs;

	if (strncmp(pin_dir, usual, sizeof(usual) - 1) == 0 && statfs(usual, &fs) == 0 && fs.f_type != BPF_FS_MAGIC)
		mount("bpf", usual, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
}

/* The directory, in a bpf file system. */
static int make_pin_dir(const char *dir, char *err, size_t err_len)
{
	char path[DP_PATH_MAX];
	struct statfs fs;
	bool made;

	mount_bpffs(dir);
	snprintf(path, sizeof(path), "%s", dir);
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		if (mkdir(path, 0700) && errno != EEXIST && errno != EPERM && errno != EROFS)
			break;
		*p = '/';
	}
	made = !mkdir(dir, 0700);
	if (!made && errno != EEXIST) {
		snprintf(err, err_len, "cannot create %s: %s; is a bpf file system mounted there (mount -t bpf)?", dir,
			 strerror(errno));
		return -1;
	}
	if (statfs(dir, &fs) || fs.f_type != BPF_FS_MAGIC) {
		if (made)
			rmdir(dir);
		snprintf(err, err_len, "%s is not in a bpf file system: mount one with 'mount -t bpf bpf /sys/fs/bpf'",
			 dir);
		return -1;
	}
	return 0;
}

/* What an earlier process left: 1 ours to take over, 0 nothing, -1 something else. */
static int left_behind(const struct datapath_config *c)
{
	char path[DP_PATH_MAX + 32];
	struct sb_config old;
	uint32_t zero = 0;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/s6_config", c->pin_dir);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	rc = bpf_map_lookup_elem(fd, &zero, &old);
	close(fd);
	return !rc && old.layout == SB_LAYOUT && old.max_contexts == c->max_contexts ? 1 : -1;
}

static int set_sizes_and_pins(struct shim6_bpf *skel, const struct datapath_config *c)
{
	char path[DP_PATH_MAX + 32];
	struct bpf_map *sized[] = { skel->maps.s6_contexts, skel->maps.s6_by_ulid, skel->maps.s6_by_tag,
				    skel->maps.s6_by_quote, skel->maps.s6_activity };
	struct bpf_map *map;
	int rc;

	for (size_t i = 0; i < sizeof(sized) / sizeof(sized[0]); i++) {
		/* An update adds the new key before the old one goes: room for one more. */
		rc = bpf_map__set_max_entries(sized[i], c->max_contexts + (sized[i] != skel->maps.s6_activity));
		if (rc)
			return rc;
	}
	bpf_object__for_each_map(map, skel->obj)
	{
		if (strncmp(bpf_map__name(map), DP_MAP_PREFIX, strlen(DP_MAP_PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", c->pin_dir, bpf_map__name(map));
		rc = bpf_map__set_pin_path(map, path);
		if (rc)
			return rc;
	}
	return 0;
}

static int load(struct datapath *dp)
{
	int rc;

	dp->skel = shim6_bpf__open();
	if (!dp->skel)
		return -errno;
	rc = set_sizes_and_pins(dp->skel, &dp->cfg);
	rc = rc ? rc : shim6_bpf__load(dp->skel);
	if (rc) {
		shim6_bpf__destroy(dp->skel);
		dp->skel = NULL;
	}
	return rc;
}

static int prepare(struct datapath *dp, char *err, size_t err_len)
{
	int left = left_behind(&dp->cfg), rc;

	if (left < 0 && datapath_bpf_purge(&dp->cfg, err, err_len))
		return -1;
	if (make_pin_dir(dp->pin_dir, err, err_len))
		return -1;
	rc = load(dp);
	if (rc && left > 0) {
		/* Pinned maps that this program cannot use: begin anew. */
		if (datapath_bpf_purge(&dp->cfg, err, err_len) || make_pin_dir(dp->pin_dir, err, err_len))
			return -1;
		rc = load(dp);
	}
	if (rc)
		snprintf(err, err_len, "cannot load the eBPF programs: %s (%s)%s", strerror(-rc), last_complaint,
			 rc == -EPERM || rc == -EACCES ? "; CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed" : "");
	return rc ? -1 : left > 0;
}

static int allocate(struct datapath *dp, char *err, size_t err_len)
{
	dp->slots = calloc(dp->cfg.max_contexts, sizeof(*dp->slots));
	dp->activity = calloc(DP_ACTIVITY_PARTS(dp->cfg.max_contexts), sizeof(struct sb_activity *));
	dp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	dp->refresh_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dp->rtnl = rtnl_open();
	if (dp->slots && dp->activity && dp->epoll_fd >= 0 && dp->refresh_fd >= 0 && dp->rtnl)
		return 0;
	snprintf(err, err_len, "cannot allocate room for %u contexts: %s", dp->cfg.max_contexts, strerror(errno));
	return -1;
}

static int install_all(struct datapath *dp, char *err, size_t err_len)
{
	int rc;

	dp->shim0_mtu = DP_DEFAULT_MTU - SB_SHIM_LEN;
	if (dp_shim_create(dp, err, err_len))
		return -1;
	rc = dp_takeover_local(dp);
	rc = rc ? rc : dp_config_write(dp);
	rc = rc ? rc : dp_takeover_contexts(dp);
	rc = rc ? rc : dp_rules_settle(dp);
	rc = rc ? rc : dp_shim_checksums(dp, dp->n_tcp_routes);
	rc = rc ? rc : dp_reattach_all(dp);
	if (rc) {
		snprintf(err, err_len, "cannot install the data path: %s", strerror(-rc));
		return -1;
	}
	return dp_events_open(dp, err, err_len);
}

struct datapath *datapath_bpf_open(const struct datapath_config *c, const struct datapath_events *ev, void *user,
				   char *err, size_t err_len)
{
	struct datapath *dp;
	struct timespec now;
	int taken;

	libbpf_set_print(keep_complaint);
	if (check_config(c, err, err_len))
		return NULL;
	dp = calloc(1, sizeof(*dp));
	if (!dp) {
		snprintf(err, err_len, "out of memory");
		return NULL;
	}
	dp->cfg = *c;
	snprintf(dp->pin_dir, sizeof(dp->pin_dir), "%s", c->pin_dir);
	snprintf(dp->device, sizeof(dp->device), "%s", c->device);
	dp->cfg.pin_dir = dp->pin_dir;
	dp->cfg.device = dp->device;
	dp->ev = *ev;
	dp->user = user;
	dp->epoll_fd = dp->refresh_fd = dp->packet_fd = -1;
	clock_gettime(CLOCK_MONOTONIC, &now);
	dp->seq = (uint32_t)(now.tv_sec * 1000000 + now.tv_nsec / 1000); /* unlike an earlier process's */
	taken = prepare(dp, err, err_len);
	if (taken >= 0 && !allocate(dp, err, err_len) && !install_all(dp, err, err_len))
		return dp;
	/* What was running goes on running; what is new goes. */
	if (taken == 0)
		datapath_remove_all(dp);
	else
		datapath_close(dp);
	return NULL;
}

void datapath_close(struct datapath *dp)
{
	if (!dp)
		return;
	dp_events_close(dp);
	dp_unmap_activity(dp);
	if (dp->epoll_fd >= 0)
		close(dp->epoll_fd);
	if (dp->refresh_fd >= 0)
		close(dp->refresh_fd);
	rtnl_close(dp->rtnl);
	shim6_bpf__destroy(dp->skel);
	free(dp->slots);
	free(dp->locals);
	free(dp->ulids);
	free(dp->bypass);
	free(dp);
}
