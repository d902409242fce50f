/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs on devices. Kernels from 6.6 on call them directly (tcx), for half of
 * what a filter of a clsact costs each packet; older ones get the filter. Both
 * stay when this process ends, go with the device, and are found again by the
 * program's name. A tcx program runs before all filters, whoever's they are.
 */
#include <linux/bpf.h>
#include <unistd.h>

#include "datapath/bpf/dp.h"

/* Not in the headers of older kernels: enum bpf_attach_type. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_MAX 64 /* programs at one place of a device, BPF_MPROG_MAX of the kernel */

static bool is_ours(uint32_t prog_id)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);
	bool ours;

	if (fd < 0)
		return false;
	ours = !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       !strncmp(info.name, DP_PROGRAM_PREFIX, strlen(DP_PROGRAM_PREFIX));
	close(fd);
	return ours;
}

/* --- tcx ------------------------------------------------------------------- */

static enum bpf_attach_type tcx_at(bool ingress)
{
	return (enum bpf_attach_type)(ingress ? TCX_INGRESS : TCX_EGRESS);
}

/* Our program there: its number, 0 for none; negative errno where the kernel has no tcx. */
static int64_t tcx_query(unsigned ifindex, bool ingress)
{
	uint32_t ids[TCX_MAX], n = TCX_MAX;

	if (bpf_prog_query((int)ifindex, tcx_at(ingress), 0, NULL, ids, &n))
		return errno == ENOENT ? 0 : -errno;
	for (uint32_t i = 0; i < n && i < TCX_MAX; i++)
		if (is_ours(ids[i]))
			return ids[i];
	return 0;
}

static int tcx_attach(unsigned ifindex, bool ingress, int prog_fd)
{
	LIBBPF_OPTS(bpf_prog_attach_opts, opts);
	int64_t old = tcx_query(ifindex, ingress);
	int rc;

	if (old < 0)
		return (int)old;
	if (old) {
		opts.flags = BPF_F_REPLACE;
		opts.replace_prog_fd = bpf_prog_get_fd_by_id((uint32_t)old);
		if (opts.replace_prog_fd < 0)
			return -errno;
	}
	rc = bpf_prog_attach_opts(prog_fd, (int)ifindex, tcx_at(ingress), &opts) ? -errno : 0;
	if (old)
		close(opts.replace_prog_fd);
	return rc == -EEXIST ? 0 : rc; /* that very program */
}

static int tcx_detach(unsigned ifindex, bool ingress)
{
	int64_t id = tcx_query(ifindex, ingress);
	int fd, rc;

	if (id <= 0)
		return 0;
	fd = bpf_prog_get_fd_by_id((uint32_t)id);
	if (fd < 0)
		return -errno;
	rc = bpf_prog_detach2(fd, (int)ifindex, tcx_at(ingress)) ? -errno : 0;
	close(fd);
	return rc;
}

/* --- clsact ---------------------------------------------------------------- */

static void hook_init(struct bpf_tc_hook *hook, unsigned ifindex, enum bpf_tc_attach_point at)
{
	memset(hook, 0, sizeof(*hook));
	hook->sz = sizeof(*hook);
	hook->ifindex = (int)ifindex;
	hook->attach_point = at;
}

static uint32_t clsact_query(unsigned ifindex, bool ingress)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = DP_FILTER_ID, .priority = DP_FILTER_ID);
	struct bpf_tc_hook hook;

	hook_init(&hook, ifindex, ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
	return bpf_tc_query(&hook, &opts) || !is_ours(opts.prog_id) ? 0 : opts.prog_id;
}

/* 1: a clsact was created, 0: one was there; or negative errno. */
static int clsact_attach(unsigned ifindex, bool ingress, int prog_fd)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = DP_FILTER_ID, .priority = DP_FILTER_ID, .prog_fd = prog_fd,
		    .flags = BPF_TC_F_REPLACE);
	struct bpf_tc_hook hook;
	int created, rc;

	hook_init(&hook, ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
	created = bpf_tc_hook_create(&hook);
	if (created && created != -EEXIST)
		return created;
	hook.attach_point = ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS;
	rc = bpf_tc_attach(&hook, &opts);
	return rc ? rc : !created;
}

static int clsact_detach(unsigned ifindex, bool ingress)
{
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = DP_FILTER_ID, .priority = DP_FILTER_ID);
	struct bpf_tc_hook hook;

	if (!clsact_query(ifindex, ingress))
		return 0;
	hook_init(&hook, ifindex, ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
	return bpf_tc_detach(&hook, &opts);
}

int dp_clsact_remove(struct rtnl *r, unsigned ifindex)
{
	struct bpf_tc_hook hook;
	int n = rtnl_clsact_filters(r, ifindex);

	if (n)
		return n < 0 ? n : 0;
	hook_init(&hook, ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
	return bpf_tc_hook_destroy(&hook);
}

/* --- either ---------------------------------------------------------------- */

int dp_filter_attach(unsigned ifindex, bool ingress, int prog_fd)
{
	int rc = tcx_attach(ifindex, ingress, prog_fd);

	if (rc == -EINVAL || rc == -EOPNOTSUPP)
		return clsact_attach(ifindex, ingress, prog_fd);
	/* a packet must not meet both: an earlier process may have left the other kind */
	return rc ? rc : clsact_detach(ifindex, ingress);
}

int dp_filter_detach(unsigned ifindex, bool ingress)
{
	int rc = tcx_detach(ifindex, ingress), rc2 = clsact_detach(ifindex, ingress);

	return rc ? rc : rc2;
}

uint32_t dp_filter_program(unsigned ifindex, bool ingress)
{
	int64_t id = tcx_query(ifindex, ingress);

	return id > 0 ? (uint32_t)id : clsact_query(ifindex, ingress);
}
