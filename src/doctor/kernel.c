/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel must be able to do, whether we may ask it, and what time it is. */
#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <linux/magic.h>

#include "doctor/internal.h"

#define CONFIG_MAX (1u << 20)
#define PROGRAM_TIMEOUT 10
#define SANE_SINCE 1735689600 /* 2025-01-01 UTC: before this the clock was never set */

/* --- features ------------------------------------------------------------- */

static void check_version(struct doctor *d)
{
	unsigned major = 0, minor = 0;
	struct utsname u;

	if (uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	    (major > 6 || (major == 6 && minor >= 1)))
		doctor_say(d, DOCTOR_OK, "kernel", NULL, NULL, "Linux %s", u.release);
	else
		doctor_say(d, DOCTOR_PROBLEM, "kernel", "the eBPF programs of the data path need Linux 6.1 or newer",
			   "apt install linux-image-amd64    (and reboot)", "Linux %s is too old", u.release);
}

/* The configuration of the running kernel; NULL when it is nowhere. The caller frees it. */
static char *kernel_config(void)
{
	static const char *const inside[] = { "zcat", "/proc/config.gz", NULL };
	const char *beside[] = { "cat", NULL, NULL };
	struct doctor_text path;
	struct utsname u;

	if (access("/proc/config.gz", R_OK) == 0)
		return doctor_run(inside, PROGRAM_TIMEOUT, CONFIG_MAX, true);
	if (uname(&u) < 0)
		return NULL;
	path = doctor_text("/boot/config-%s", u.release);
	beside[1] = path.s;
	return doctor_run(beside, PROGRAM_TIMEOUT, CONFIG_MAX, true);
}

static void check_options(struct doctor *d)
{
	static const struct {
		const char *option, *why;
	} wanted[] = {
		{ "CONFIG_BPF_SYSCALL", "eBPF rewrites the packets" },
		{ "CONFIG_CGROUP_BPF", "eBPF gives programs the socket options of RFC 6316" },
		{ "CONFIG_NET_CLS_ACT", "the data path hangs at tc" },
		{ "CONFIG_NET_CLS_BPF", "the data path hangs at tc" },
		{ "CONFIG_NET_SCH_INGRESS", "the data path hangs at tc" },
		{ "CONFIG_VETH", "sessions that have switched go through a veth pair" },
		{ "CONFIG_IPV6_MULTIPLE_TABLES", "each source has a routing table of its own" },
	};
	char *config = kernel_config();
	unsigned missing = 0;

	if (!config) {
		doctor_say(d, d->status ? DOCTOR_OK : DOCTOR_UNKNOWN, "kernel",
			   d->status ? NULL : "without eBPF, veth and policy routing shim6d cannot start",
			   d->status ? NULL : "modprobe configs", "%s",
			   d->status ? "has all that the data path needs: it runs"
				     : "the configuration of the kernel is neither in /proc/config.gz nor in /boot");
		return;
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		struct doctor_text y = doctor_text("\n%s=y\n", wanted[i].option),
				   m = doctor_text("\n%s=m\n", wanted[i].option);

		if (strstr(config, y.s) || strstr(config, m.s))
			continue;
		missing++;
		doctor_say(d, DOCTOR_PROBLEM, "kernel", wanted[i].why,
			   "apt install linux-image-amd64    (and reboot: kernels of Debian have it)",
			   "the kernel was built without %s", wanted[i].option);
	}
	if (!missing)
		doctor_say(d, DOCTOR_OK, "kernel", NULL, NULL, "has eBPF, tc, veth and policy routing");
	free(config);
}

static void check_ipv6(struct doctor *d)
{
	char value[16];

	if (!doctor_read("/proc/sys/net/ipv6/conf/all/disable_ipv6", value, sizeof(value)))
		doctor_say(d, DOCTOR_PROBLEM, "kernel", "Shim6 is about IPv6",
			   "modprobe ipv6    (or boot without ipv6.disable=1)", "the kernel runs without IPv6");
	else if (atoi(value))
		doctor_say(d, DOCTOR_PROBLEM, "kernel", "Shim6 is about IPv6",
			   "sysctl -w net.ipv6.conf.all.disable_ipv6=0",
			   "IPv6 is turned off: net.ipv6.conf.all.disable_ipv6 = %s", value);
}

void check_kernel(struct doctor *d)
{
	check_version(d);
	check_options(d);
	check_ipv6(d);
}

/* --- eBPF ----------------------------------------------------------------- */

/* The smallest program of the kind that the data path has; loaded, then let go. 0 or errno. */
static int try_to_load(void)
{
	struct bpf_insn code[] = { { .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT } };
	union bpf_attr attr = { 0 };
	static const char license[] = "GPL";
	int fd;

	attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
	attr.insns = (uint64_t)(uintptr_t)code;
	attr.insn_cnt = sizeof(code) / sizeof(code[0]);
	attr.license = (uint64_t)(uintptr_t)license;
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void check_bpffs(struct doctor *d)
{
	struct statfs fs;

	if (!d->status && (statfs("/sys/fs/bpf", &fs) < 0 || fs.f_type != BPF_FS_MAGIC))
		doctor_say(d, DOCTOR_WARNING, "ebpf",
			   "the data path keeps its maps there, so that sessions outlive the daemon; shim6d mounts it "
			   "when it may",
			   "mount -t bpf bpf /sys/fs/bpf", "no bpf file system at /sys/fs/bpf");
}

void check_bpf(struct doctor *d)
{
	int e;

	if (!d->admin) {
		doctor_say(d, DOCTOR_UNKNOWN, "ebpf", "without the right to load eBPF programs shim6d cannot start",
			   "sudo shim6 doctor", "only root may load eBPF programs of this kind");
		return;
	}
	check_bpffs(d);
	e = try_to_load();
	if (!e)
		doctor_say(d, DOCTOR_OK, "ebpf", NULL, NULL, "programs can be loaded");
	else
		doctor_say(d, DOCTOR_PROBLEM, "ebpf",
			   "packets are rewritten by eBPF programs; without them shim6d does not start",
			   e == EPERM ? "capsh --print    (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed; give "
					"them to the "
					"container, and see /sys/kernel/security/lockdown)"
				      : "zgrep CONFIG_BPF /proc/config.gz",
			   "the kernel refuses to load an eBPF program: %s", strerror(e));
}

/* --- clock ---------------------------------------------------------------- */

void check_clock(struct doctor *d)
{
	struct timex t = { 0 };
	int state = adjtimex(&t);

	if (time(NULL) < SANE_SINCE)
		doctor_say(d, DOCTOR_PROBLEM, "clock",
			   "of two sets of addresses the younger one is used; with a wrong clock the wrong one",
			   "timedatectl set-ntp true", "the clock is years behind");
	else if (state == TIME_ERROR || (t.status & STA_UNSYNC))
		doctor_say(d, DOCTOR_WARNING, "clock",
			   "sessions do not depend on it, but the events of two hosts cannot be laid side by side",
			   "timedatectl set-ntp true", "the clock is not synchronised");
	else
		doctor_say(d, DOCTOR_OK, "clock", NULL, NULL, "synchronised");
}
