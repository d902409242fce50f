// SPDX-License-Identifier: GPL-2.0-or-later
/* The delay line: a TUN device and a queue ordered by time (every packet waits equally long: first in, first out). */
#define _GNU_SOURCE
#include "lab/delay.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lab/netns.h"

#define DELAY_DEVICE "delay0"
#define DELAY_MAX_OCTETS 65536 /* of one packet */

struct held {
	uint64_t due;
	size_t len;
	uint8_t *packet;
};

struct delay_line {
	int tun;
	uint64_t wait; /* ns */
	struct held *ring;
	unsigned head, n;
	uint64_t passed, dropped_full, dropped_write;
};

static volatile sig_atomic_t ending;

static void on_signal(int sig)
{
	(void)sig;
	ending = 1;
}

static int open_tun(void)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return lab_error("cannot open /dev/net/tun: %s", strerror(errno));
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	memcpy(ifr.ifr_name, DELAY_DEVICE, sizeof(DELAY_DEVICE));
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		close(fd);
		return lab_error("cannot make the device " DELAY_DEVICE ": %s", strerror(errno));
	}
	return fd;
}

static void take_in(struct delay_line *d)
{
	static uint8_t buf[DELAY_MAX_OCTETS];
	ssize_t n;

	while ((n = read(d->tun, buf, sizeof(buf))) > 0) {
		struct held *h = &d->ring[(d->head + d->n) % DELAY_MAX_PACKETS];

		if (d->n == DELAY_MAX_PACKETS) {
			d->dropped_full++;
			continue;
		}
		h->due = lab_now() + d->wait;
		h->len = (size_t)n;
		h->packet = lab_alloc(h->len);
		memcpy(h->packet, buf, h->len);
		d->n++;
	}
}

static void let_out(struct delay_line *d, uint64_t now)
{
	while (d->n && d->ring[d->head].due <= now) {
		struct held *h = &d->ring[d->head];

		if (write(d->tun, h->packet, h->len) == (ssize_t)h->len)
			d->passed++;
		else
			d->dropped_write++;
		free(h->packet);
		d->head = (d->head + 1) % DELAY_MAX_PACKETS;
		d->n--;
	}
}

static void run(struct delay_line *d)
{
	/* when told to end, what is held still goes out at its time */
	while (!ending || d->n) {
		struct pollfd p = { .fd = d->tun, .events = ending ? 0 : POLLIN };
		uint64_t now = lab_now();
		struct timespec ts = { .tv_sec = 1 };

		let_out(d, now);
		if (d->n) {
			uint64_t left = d->ring[d->head].due - now;

			ts.tv_sec = (time_t)(left / NSEC_PER_SEC);
			ts.tv_nsec = (long)(left % NSEC_PER_SEC);
		}
		if (ppoll(&p, 1, &ts, NULL) > 0 && p.revents & POLLIN)
			take_in(d);
	}
}

int delay_main(int argc, char **argv)
{
	struct delay_line d = { 0 };
	uint64_t ms;

	if (argc != 2 || !parse_u64(argv[1], 1, 60000, &ms))
		return lab_error("usage: shim6-lab traffic delay MILLISECONDS") * -2;
	d.tun = open_tun();
	if (d.tun < 0)
		return 1;
	d.wait = ms * NSEC_PER_MSEC;
	d.ring = lab_alloc(DELAY_MAX_PACKETS * sizeof(*d.ring));
	signal(SIGTERM, on_signal);
	if (write(STDOUT_FILENO, "ready\n", 6) != 6)
		return 1;
	run(&d);
	lab_error("delay line: %llu packets passed, %llu dropped (queue full), %llu dropped (write)",
		  (unsigned long long)d.passed, (unsigned long long)d.dropped_full,
		  (unsigned long long)d.dropped_write);
	free(d.ring);
	return 0;
}

/* The child says "ready" once its device is there. */
static int start(struct lab *lab, const char *role, const char *ns, unsigned ms, struct proc *p)
{
	char amount[16], log[LAB_PATH_MAX], word[8];
	const char *const argv[] = { "/proc/self/exe", "traffic", "delay", amount, NULL };
	struct proc_spec spec = { .netns = ns, .argv = argv, .log = log, .in = -1 };
	int ready[2];
	ssize_t n;

	lab_format(amount, sizeof(amount), "%u", ms);
	lab_format(log, sizeof(log), "%s/%s.log", lab->dir, role);
	if (pipe2(ready, O_CLOEXEC))
		return lab_error("cannot make a pipe: %s", strerror(errno));
	spec.out = ready[1];
	if (proc_spawn(&spec, p)) {
		close(ready[0]);
		close(ready[1]);
		return -1;
	}
	close(ready[1]);
	do {
		n = read(ready[0], word, sizeof(word));
	} while (n < 0 && errno == EINTR);
	close(ready[0]);
	if (n <= 0) {
		proc_stop(p, 0);
		return lab_error("the delay line did not start; see %s", log);
	}
	return 0;
}

int delay_attach(struct lab *lab, const char *role, const char *router_ns, unsigned ms)
{
	struct proc p;

	if (start(lab, role, router_ns, ms, &p) || lab_add_proc(lab, role, &p))
		return -1;
	return netns_ip(router_ns, "link set " DELAY_DEVICE " up txqueuelen 10000\n"
				   "route replace default dev " DELAY_DEVICE " table 60\n"
				   "rule add iif cust lookup 60 priority 60\n"
				   "rule add iif up lookup 60 priority 60\n");
}

void delay_detach(const char *router_ns)
{
	netns_ip_try(router_ns, "rule del iif cust lookup 60 priority 60\nrule del iif up lookup 60 priority 60\n");
}
