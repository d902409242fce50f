/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes between this host and a peer, from each address by its own provider, and what a provider drops. */
#include <errno.h>
#include <netinet/icmp6.h>
#include <stdlib.h>

#include "doctor/internal.h"
#include "doctor/probe.h"

#define MAX_TESTED 8 /* addresses of ours */
#define MAX_PROBES (MAX_TESTED * 3 + MAX_TESTED * (MAX_TESTED - 1))

struct tests {
	struct doctor *d;
	unsigned n_sources;
	unsigned n;
	struct probe p[MAX_PROBES];
};

static struct probe *add(struct tests *t, enum probe_kind kind, const struct shim6_addr *source, unsigned ifindex)
{
	struct probe *p = &t->p[t->n++];

	*p = (struct probe){ .kind = kind, .pair = { *source, t->d->opt->peer }, .ifindex = ifindex };
	return p;
}

static const char *failure(const struct probe *p)
{
	if (p->error == EPERM)
		return "the firewall of this host drops it";
	if (p->error)
		return strerror(p->error);
	if (p->answer == PROBE_REFUSED)
		return p->code == ICMP6_DST_UNREACH_ADMIN ? "refused: administratively prohibited"
		       : p->code == 5			  ? "refused: the source address failed the provider's policy"
							  : "refused: destination unreachable";
	return "no answer";
}

/* --- one source ----------------------------------------------------------- */

static void say_echo(struct doctor *d, const struct doctor_source *s, const struct probe *echo, const struct probe *i1)
{
	struct doctor_text from = doctor_addr(&s->addr), to = doctor_addr(&d->opt->peer);

	if (echo->answer == PROBE_ANSWERED)
		doctor_say(d, DOCTOR_OK, "path", NULL, NULL, "%s reaches %s by %s in %.1f ms", from.s, to.s,
			   s->link->name, echo->ms);
	else if (i1->answer == PROBE_ANSWERED)
		doctor_say(d, DOCTOR_OK, "path", NULL, NULL, "%s reaches %s by %s, which answers no echo requests",
			   from.s, to.s, s->link->name);
	else
		doctor_say(d, DOCTOR_PROBLEM, "path", "a session cannot move to a pair of addresses that does not work",
			   doctor_text("mtr -6 -c 5 -r -a %s %s    (shows how far packets come)", from.s, to.s).s,
			   "%s does not reach %s by %s: %s", from.s, to.s, s->link->name, failure(echo));
}

static void say_i1(struct doctor *d, const struct doctor_source *s, const struct probe *i1)
{
	struct doctor_text from = doctor_addr(&s->addr), to = doctor_addr(&d->opt->peer);

	if (i1->answer == PROBE_ANSWERED)
		doctor_say(d, DOCTOR_OK, "protocol", NULL, NULL, "protocol 140 passes from %s to %s and back, %.1f ms",
			   from.s, to.s, i1->ms);
	else if (i1->answer == PROBE_NO_SHIM6)
		doctor_say(d, DOCTOR_PROBLEM, "protocol", "both ends of a session must run Shim6",
			   "shim6 doctor    (at the peer, once shim6 is installed there)", "%s has no Shim6", to.s);
	else
		doctor_say(
			d, DOCTOR_PROBLEM, "protocol",
			"without it the two hosts cannot agree on a context, nor test other paths; doc/firewall.nft "
			"has "
			"what routers and hosts must pass",
			doctor_text(
				"tcpdump -ni %s 'ip6 proto 140'    (here and at the peer: shows where it is lost; or "
				"there is no shim6d)",
				s->link->name)
				.s,
			"protocol 140 does not pass from %s to %s and back: %s", from.s, to.s, failure(i1));
}

static void say_tagged(struct doctor *d, const struct doctor_source *s, const struct probe *tagged)
{
	struct doctor_text from = doctor_addr(&s->addr), to = doctor_addr(&d->opt->peer);

	if (tagged->answer == PROBE_ANSWERED)
		doctor_say(d, DOCTOR_OK, "payload", NULL, NULL, "tagged payload passes from %s to %s", from.s, to.s);
	else
		doctor_say(
			d, DOCTOR_PROBLEM, "payload",
			"sessions consist of such packets after a failover; a pair that drops them is of no use",
			doctor_text("tcpdump -ni %s 'ip6 proto 140'    (here and at the peer: shows where it is lost)",
				    s->link->name)
				.s,
			"tagged payload does not pass from %s to %s: %s", from.s, to.s, failure(tagged));
}

/* --- the others' providers ------------------------------------------------ */

static void say_foreign(struct doctor *d, const struct doctor_source *s, const struct doctor_source *by,
			const struct probe *p)
{
	if (p->answer == PROBE_ANSWERED)
		doctor_say(d, DOCTOR_OK, "provider", NULL, NULL, "the provider of %s lets the source %s pass, too",
			   by->link->name, doctor_addr(&s->addr).s);
	else if (p->error)
		doctor_say(
			d, DOCTOR_UNKNOWN, "provider", "whether it drops the sources of others (BCP 38) is not known",
			doctor_text("ip -6 route get %s from %s oif %s", doctor_addr(&d->opt->peer).s,
				    doctor_addr(&s->addr).s, by->link->name)
				.s,
			"cannot send from %s by %s: %s", doctor_addr(&s->addr).s, by->link->name, strerror(p->error));
	else
		doctor_say(
			d, DOCTOR_OK, "provider", NULL, NULL,
			"the provider of %s drops the source %s (BCP 38), as is usual: sources must leave by their own",
			by->link->name, doctor_addr(&s->addr).s);
}

/* --- what the daemon knows ------------------------------------------------ */

static void say_context(struct doctor *d, struct json_object *c)
{
	const char *reap = doctor_string(c, "reap"), *state = doctor_string(c, "state");
	int id = json_object_get_int(doctor_get(c, "id"));
	bool good = strcmp(state, "ESTABLISHED") == 0 && strcmp(reap, "Operational") == 0;

	doctor_say(d, good ? DOCTOR_OK : DOCTOR_WARNING, "context",
		   good ? NULL : "its session is not protected at this moment",
		   good ? NULL : doctor_text("shim6 trace %d    (shows what is asked and answered)", id).s,
		   "context %d: %s, %s, %s", id, state, reap,
		   doctor_true(c, "rewritten") ? "on other addresses than the session's own"
					       : "on the session's addresses");
}

static void say_contexts(struct doctor *d)
{
	struct json_object *list = doctor_ask(d, "contexts", NULL), *negative = doctor_ask(d, "negative", NULL);
	struct doctor_text peer = doctor_addr(&d->opt->peer);
	unsigned n = 0;

	for (size_t i = 0; i < doctor_length(list); i++) {
		struct json_object *c = doctor_at(list, i);

		if (strcmp(doctor_string(doctor_get(c, "ulid"), "peer"), peer.s) != 0)
			continue;
		n++;
		say_context(d, c);
	}
	for (size_t i = 0; i < doctor_length(negative); i++) {
		struct json_object *e = doctor_at(negative, i);

		if (strcmp(doctor_string(e, "peer"), peer.s) == 0)
			doctor_say(d, DOCTOR_WARNING, "context", "until then its new sessions are not protected",
				   doctor_text("shim6 establish %s %s",
					       d->n_sources ? doctor_addr(&d->sources[0].addr).s : "LOCAL", peer.s)
					   .s,
				   "%s did not answer before, and is asked again in %.0f s", peer.s,
				   json_object_get_double(doctor_get(e, "left_s")));
	}
	if (d->client && !n)
		doctor_say(d, DOCTOR_OK, "context", NULL, NULL,
			   "no context with %s yet; one is made when a session is worth it", peer.s);
	json_object_put(list);
	json_object_put(negative);
}

/* --- all of it ------------------------------------------------------------ */

static void run_tests(struct tests *t)
{
	const struct doctor_source *s = t->d->sources;
	unsigned at;
	int rc;

	for (unsigned i = 0; i < t->n_sources; i++)
		for (enum probe_kind kind = PROBE_ECHO; kind <= PROBE_TAGGED; kind++)
			add(t, kind, &s[i].addr, 0);
	at = t->n;
	for (unsigned i = 0; i < t->n_sources; i++)
		for (unsigned k = 0; k < t->n_sources; k++)
			if (s[i].ifindex != s[k].ifindex && s[k].router)
				add(t, PROBE_ECHO, &s[i].addr, s[k].ifindex);
	rc = probe_all(t->p, t->n);
	if (rc) {
		doctor_say(t->d, DOCTOR_PROBLEM, "path", "shim6d needs the same sockets", "sudo shim6 doctor",
			   "raw sockets cannot be opened: %s", strerror(-rc));
		return;
	}
	for (unsigned i = 0; i < t->n_sources; i++) {
		const struct probe *p = &t->p[i * 3];

		say_echo(t->d, &s[i], &p[PROBE_ECHO], &p[PROBE_I1]);
		if (p[PROBE_ECHO].answer == PROBE_ANSWERED || p[PROBE_I1].answer == PROBE_ANSWERED || p[PROBE_I1].error)
			say_i1(t->d, &s[i], &p[PROBE_I1]);
		if (p[PROBE_I1].answer == PROBE_ANSWERED)
			say_tagged(t->d, &s[i], &p[PROBE_TAGGED]);
	}
	for (unsigned i = 0; i < t->n_sources; i++)
		for (unsigned k = 0; k < t->n_sources; k++)
			if (s[i].ifindex != s[k].ifindex && s[k].router) {
				/* Nothing is known of a filter where a path does not work at all. */
				if (t->p[i * 3].answer == PROBE_ANSWERED && t->p[k * 3].answer == PROBE_ANSWERED)
					say_foreign(t->d, &s[i], &s[k], &t->p[at]);
				at++;
			}
}

void check_peer(struct doctor *d)
{
	struct tests *t = calloc(1, sizeof(*t));

	for (unsigned i = 0; i < d->snap->n_addresses; i++) {
		if (!shim6_addr_eq(&d->snap->addresses[i].addr, &d->opt->peer))
			continue;
		doctor_say(d, DOCTOR_PROBLEM, "path", "what passes to a peer can be tested with a peer only",
			   "shim6 doctor PEER    (an address of another host)", "%s is an address of this host",
			   doctor_addr(&d->opt->peer).s);
		free(t);
		return;
	}
	say_contexts(d);
	if (!d->raw)
		doctor_say(d, DOCTOR_UNKNOWN, "path", "whether packets pass to the peer is not tested",
			   doctor_text("sudo shim6 doctor %s", doctor_addr(&d->opt->peer).s).s,
			   "only root may send the packets for that");
	else if (t && d->n_sources) {
		t->d = d;
		t->n_sources = d->n_sources < MAX_TESTED ? d->n_sources : MAX_TESTED;
		run_tests(t);
	}
	free(t);
}
