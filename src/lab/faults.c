// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Faults in force. Drops are one nft chain per provider, rewritten as a whole
 * from the list of faults; a delay is a process in the provider's router
 * through which its traffic is routed (delay.c); a link goes down at the host.
 *
 * Drops match the interface a packet leaves by, which it does once even when it
 * passes a delay line on its way.
 */
#include "lab/faults.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lab/delay.h"
#include "lab/topology.h"

static void add_rule(struct strbuf *b, const struct fault *f, const char *device)
{
	strbuf_printf(b, "add rule ip6 lab fault oifname \"%s\" ", device);
	if (f->kind == FAULT_LOSS && f->amount < 100) /* nft takes no "< 100" of 100 */
		strbuf_printf(b, "numgen random mod 100 < %u ", f->amount);
	strbuf_puts(b, "counter drop\n");
}

static int apply_drops(const struct lab *lab, unsigned host, unsigned provider)
{
	char ns[NETNS_NAME_MAX];
	struct strbuf b = { 0 };
	int r;

	strbuf_puts(&b, "flush chain ip6 lab fault\n");
	for (unsigned i = 0; i < lab->n_faults; i++) {
		const struct fault *f = &lab->faults[i];

		if (f->host != host || f->provider != provider || f->kind == FAULT_LINK || f->kind == FAULT_DELAY)
			continue;
		if (f->direction != FAULT_OUT)
			add_rule(&b, f, "cust");
		if (f->direction != FAULT_IN)
			add_rule(&b, f, "up");
	}
	topology_router_ns(lab, host, provider, ns);
	r = netns_nft(ns, b.s);
	strbuf_free(&b);
	return r;
}

static int apply_delay(struct lab *lab, unsigned host, unsigned provider)
{
	unsigned ms = lab->delay_ms;
	char role[32], ns[NETNS_NAME_MAX];

	for (unsigned i = 0; i < lab->n_faults; i++)
		if (lab->faults[i].kind == FAULT_DELAY && lab->faults[i].host == host &&
		    lab->faults[i].provider == provider)
			ms += lab->faults[i].amount;
	topology_router_ns(lab, host, provider, ns);
	lab_format(role, sizeof(role), "delay-%c%u", topology_host_letter(host), provider + 1);
	if (lab_find_proc(lab, role)) {
		delay_detach(ns);
		lab_stop_proc(lab, role);
	}
	return ms ? delay_attach(lab, role, ns, ms) : 0;
}

int faults_apply_delays(struct lab *lab)
{
	for (unsigned h = 0; h < LAB_HOSTS; h++)
		for (unsigned p = 0; p < LAB_PROVIDERS; p++)
			if (apply_delay(lab, h, p))
				return -1;
	return 0;
}

static bool link_faulty(const struct lab *lab, unsigned host, unsigned provider)
{
	for (unsigned i = 0; i < lab->n_faults; i++)
		if (lab->faults[i].kind == FAULT_LINK && lab->faults[i].host == host &&
		    lab->faults[i].provider == provider)
			return true;
	return false;
}

static int apply_link(const struct lab *lab, unsigned host, unsigned provider)
{
	char ns[NETNS_NAME_MAX], batch[64];

	if (!link_faulty(lab, host, provider))
		return topology_uplink(lab, host, provider);
	topology_host_ns(lab, host, ns);
	lab_format(batch, sizeof(batch), "link set eth%u down\n", provider + 1);
	return netns_ip(ns, batch);
}

/* Bring the network into line with lab->faults after f came or went. */
static int apply(struct lab *lab, const struct fault *f)
{
	switch (f->kind) {
	case FAULT_LINK:
		return apply_link(lab, f->host, f->provider);
	case FAULT_DELAY:
		return apply_delay(lab, f->host, f->provider);
	default:
		return apply_drops(lab, f->host, f->provider);
	}
}

static void logged(const struct lab *lab, const char *what, const struct fault *f, uint64_t *when)
{
	char text[128];
	uint64_t now = lab_now();

	fault_text(f, text, sizeof(text));
	lab_log(lab, what, text, now);
	if (when)
		*when = now;
}

int faults_fail(struct lab *lab, const struct fault *f, uint64_t *when)
{
	const char *wrong = fault_check(f);

	if (wrong)
		return lab_error("%s", wrong);
	for (unsigned i = 0; i < lab->n_faults; i++)
		if (fault_equal(&lab->faults[i], f))
			return lab_error("that fault is in force already (heal it first)");
	if (lab->n_faults == LAB_MAX_FAULTS)
		return lab_error("%d faults are in force already", LAB_MAX_FAULTS);
	lab->faults[lab->n_faults++] = *f;
	if (apply(lab, f)) {
		lab->n_faults--;
		return -1;
	}
	logged(lab, "fail", f, when);
	return lab_save(lab);
}

int faults_heal(struct lab *lab, const struct fault *f, uint64_t *when)
{
	struct fault gone;
	unsigned i = lab->n_faults;

	while (i > 0 && f && !fault_equal(&lab->faults[i - 1], f))
		i--;
	if (i == 0)
		return lab_error(f ? "no such fault is in force (shim6 lab list shows them)" : "no fault is in force");
	gone = lab->faults[--i];
	lab->n_faults--;
	memmove(&lab->faults[i], &lab->faults[i + 1], (lab->n_faults - i) * sizeof(gone));
	if (apply(lab, &gone))
		return -1;
	logged(lab, "heal", &gone, when);
	return lab_save(lab);
}

int faults_heal_all(struct lab *lab)
{
	while (lab->n_faults)
		if (faults_heal(lab, NULL, NULL))
			return -1;
	return 0;
}
