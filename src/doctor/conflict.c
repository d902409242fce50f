/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Others that do the same as shim6d, or get in its way. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor/internal.h"
#include "wire/wire.h"

#define PROTO_HIP 139
#define MAX_PROCESSES 16

/* --- devices -------------------------------------------------------------- */

/* Is it one end of a veth pair? -1: no such device. */
static int is_veth(const char *name)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq ifr = { .ifr_data = (void *)&info };
	int fd, rc, e;

	if (!if_nametoindex(name))
		return -1;
	memcpy(ifr.ifr_name, name, strnlen(name, IF_NAMESIZE - 1));
	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	rc = fd < 0 ? -1 : ioctl(fd, SIOCETHTOOL, &ifr);
	e = errno;
	if (fd >= 0)
		close(fd);
	if (rc < 0 && e == ENODEV)
		return -1;
	return rc == 0 && strcmp(info.driver, "veth") == 0;
}

static void check_devices(struct doctor *d)
{
	for (int i = 0; i < 2; i++) {
		struct doctor_text name = doctor_text("%s%d", d->device, i);
		int veth = is_veth(name.s);
		const struct host_link *l = veth < 0 ? NULL : host_link_by_name(d->host, name.s);

		if (veth == 0)
			doctor_say(d, DOCTOR_PROBLEM, "conflict",
				   "shim6d makes a veth pair of these names and does not start while something else "
				   "has them",
				   doctor_text("ip link set %s down && ip link set %s name %s    (or device = NAME "
					       "under [datapath])",
					       name.s, name.s, i ? "other1" : "other0")
					   .s,
				   "the device %s is not one of shim6d", name.s);
		else if (d->status && (veth < 0 || (l && !l->up)))
			doctor_say(d, DOCTOR_WARNING, "conflict", "sessions that have switched go through it",
				   veth < 0 ? "systemctl restart shim6d" : doctor_text("ip link set %s up", name.s).s,
				   "the device %s %s", name.s,
				   veth < 0 ? "is missing (unless it has another name)" : "is down");
	}
}

/* --- processes ------------------------------------------------------------ */

static bool same_netns(long pid)
{
	char mine[64], theirs[64];
	ssize_t a = readlink("/proc/self/ns/net", mine, sizeof(mine));
	ssize_t b = readlink(doctor_text("/proc/%ld/ns/net", pid).s, theirs, sizeof(theirs));

	return a > 0 && a == b && memcmp(mine, theirs, (size_t)a) == 0;
}

/* Processes of that name in this network namespace, other than not_this. */
static unsigned find_processes(const char *name, long not_this, long *pids)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	unsigned n = 0;
	char comm[32];

	while (dir && (e = readdir(dir)) && n < MAX_PROCESSES) {
		long pid = strtol(e->d_name, NULL, 10);

		if (pid <= 0 || pid == not_this || !isdigit((unsigned char)e->d_name[0]))
			continue;
		if (doctor_read(doctor_text("/proc/%ld/comm", pid).s, comm, sizeof(comm)) && strcmp(comm, name) == 0 &&
		    same_netns(pid))
			pids[n++] = pid;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void check_processes(struct doctor *d)
{
	static const char *const hip[] = { "hipd", "hipfw", "hip" };
	long mine = d->status ? json_object_get_int64(doctor_get(d->status, "pid")) : 0, pids[MAX_PROCESSES];
	unsigned n = find_processes("shim6d", mine, pids);

	for (unsigned i = 0; i < n; i++)
		doctor_say(d, DOCTOR_PROBLEM, "conflict",
			   mine ? "two daemons in one network namespace answer the same messages in contradiction"
				: "it answers at another socket: --socket, or SHIM6_SOCKET",
			   mine ? doctor_text("kill %ld", pids[i]).s
				: doctor_text("tr '\\0' ' ' < /proc/%ld/cmdline    (its --runtime-dir has the socket)",
					      pids[i])
					   .s,
			   mine ? "another shim6d runs, process %ld"
				: "a shim6d runs, process %ld, but not at this socket",
			   pids[i]);
	for (size_t k = 0; k < sizeof(hip) / sizeof(hip[0]); k++) {
		n = find_processes(hip[k], 0, pids);
		for (unsigned i = 0; i < n; i++)
			doctor_say(d, DOCTOR_PROBLEM, "conflict",
				   "HIP puts a shim at the same place: of the two, one only can translate a session's "
				   "addresses",
				   doctor_text("kill %ld    (and disable its service)", pids[i]).s,
				   "HIP runs: %s, process %ld", hip[k], pids[i]);
	}
}

/* --- raw sockets ---------------------------------------------------------- */

/* How many raw IPv6 sockets there are for a protocol. */
static unsigned raw_sockets(unsigned proto)
{
	FILE *f = fopen("/proc/net/raw6", "re");
	char line[512];
	unsigned n = 0, port;

	while (f && fgets(line, sizeof(line), f))
		n += sscanf(line, " %*u: %*32[0-9A-Fa-f]:%x", &port) == 1 && port == proto;
	if (f)
		fclose(f);
	return n;
}

static void check_sockets(struct doctor *d)
{
	unsigned shim = raw_sockets(WIRE_PROTO), expected = d->status ? 1 : 0;

	if (raw_sockets(PROTO_HIP))
		doctor_say(
			d, DOCTOR_PROBLEM, "conflict",
			"HIP puts a shim at the same place: of the two, one only can translate a session's addresses",
			"ss -6 -w -a -p    (shows which program; stop it)", "a program listens to protocol 139 (HIP)");
	if (shim > expected)
		doctor_say(d, DOCTOR_WARNING, "conflict", "it may answer Shim6 messages in its own way",
			   "ss -6 -w -a -p    (shows which program; stop it)",
			   "another program listens to protocol 140 (Shim6)");
}

void check_conflicts(struct doctor *d)
{
	unsigned before = d->count[DOCTOR_WARNING] + d->count[DOCTOR_PROBLEM];

	check_devices(d);
	check_processes(d);
	check_sockets(d);
	if (before == d->count[DOCTOR_WARNING] + d->count[DOCTOR_PROBLEM])
		doctor_say(d, DOCTOR_OK, "conflict", NULL, NULL, "no HIP, no other shim6d, no device in the way");
}
