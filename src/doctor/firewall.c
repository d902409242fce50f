/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firewall of this host: what its rules do to control messages, to the errors that REAP listens to, to tagged
 * packets before the data path has them, and to sessions whose packets come in elsewhere after a failover. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "doctor/internal.h"
#include "doctor/nft.h"
#include "wire/wire.h"

#define RULES_MAX (16u << 20)
#define PROGRAM_TIMEOUT 10

/* One look at the rules: many packets, each rule told once. */
struct look {
	struct doctor *d;
	struct json_object *said;
	const struct nft_packet *p;
	unsigned troubles;
};

static struct doctor_text place(const struct nft_verdict *v)
{
	if (v->handle)
		return doctor_text("rule %lld of %s %s, chain %s", (long long)v->handle, v->family, v->table, v->chain);
	return doctor_text("the policy of %s %s, chain %s", v->family, v->table, v->chain);
}

static const char *packet_name(const struct nft_packet *p)
{
	return p->proto == WIRE_PROTO ? "protocol 140 (Shim6)" : "ICMPv6 Packet Too Big";
}

static struct doctor_text accept_mend(const struct nft_verdict *v, const struct nft_packet *p)
{
	const char *match = p->proto == WIRE_PROTO ? "meta l4proto 140" : "icmpv6 type packet-too-big";

	if (strcmp(v->table, "firewalld") == 0)
		return doctor_text("firewall-cmd --permanent --add-protocol=%s && firewall-cmd --reload",
				   p->proto == WIRE_PROTO ? "shim6" : "ipv6-icmp");
	if (strcmp(v->family, "ip6") == 0 && strcmp(v->table, "filter") == 0 &&
	    (strcmp(v->chain, "INPUT") == 0 || strcmp(v->chain, "OUTPUT") == 0))
		return doctor_text("ip6tables -I %s -p %d -j ACCEPT", v->chain, p->proto);
	return doctor_text("nft insert rule %s %s %s %s accept    (and in the file the rules come from)", v->family,
			   v->table, v->chain, match);
}

static struct doctor_text loose_mend(const struct nft_verdict *v)
{
	if (strcmp(v->table, "firewalld") == 0)
		return doctor_text("sed -i 's/^IPv6_rpfilter=.*/IPv6_rpfilter=loose/' /etc/firewalld/firewalld.conf && "
				   "firewall-cmd --reload");
	return doctor_text("nft replace rule %s %s %s handle %lld fib saddr oif missing drop", v->family, v->table,
			   v->chain, (long long)v->handle);
}

static const char *drop_why(const struct nft_packet *p)
{
	if (p->proto != WIRE_PROTO)
		return "senders are not told that packets do not fit the path, and sessions hang after a failover";
	return p->out ? "this host can neither ask for protection nor test other paths"
		      : "peers cannot reach shim6d: no session is protected, or it is lost at the moment of a failure";
}

static void say_verdict(struct look *l, const struct nft_verdict *v)
{
	struct doctor_text at = place(v);
	const char *dir = l->p->out ? "outgoing" : "incoming";

	switch (v->fate) {
	case NFT_DROPPED:
		doctor_say(l->d, l->p->proto == WIRE_PROTO ? DOCTOR_PROBLEM : DOCTOR_WARNING, "firewall",
			   drop_why(l->p), accept_mend(v, l->p).s, "%s drops %s %s", at.s, dir, packet_name(l->p));
		break;
	case NFT_MAYBE_DROPPED:
		doctor_say(l->d, DOCTOR_WARNING, "firewall", drop_why(l->p), accept_mend(v, l->p).s,
			   "%s drops %s %s, in some cases at least", at.s, dir, packet_name(l->p));
		break;
	case NFT_TRANSLATED:
		doctor_say(
			l->d, DOCTOR_PROBLEM, "firewall",
			"addresses are what Shim6 is about: with NPTv6 or NAT66 peers do not believe them, and nothing "
			"is protected",
			doctor_text("nft delete rule %s %s %s handle %lld", v->family, v->table, v->chain,
				    (long long)v->handle)
				.s,
			"%s translates addresses of %s packets", at.s, dir);
		break;
	case NFT_STRICT_PATH:
		doctor_say(l->d, DOCTOR_PROBLEM, "firewall",
			   "after a failover packets of a session come in by another interface than its addresses say, "
			   "and "
			   "are dropped",
			   loose_mend(v).s, "%s is a strict reverse path filter", at.s);
		break;
	case NFT_PASSES:
		break;
	}
}

static void told(void *user, const struct nft_verdict *v)
{
	struct look *l = user;
	struct doctor_text key = doctor_text("%d %d %s", v->fate, l->p->proto, place(v).s);

	/* PTB is one of many packets that a strict filter or a translation meets: told once. */
	if (l->p->proto != WIRE_PROTO && (v->fate == NFT_TRANSLATED || v->fate == NFT_STRICT_PATH))
		return;
	if (doctor_get(l->said, key.s))
		return;
	json_object_object_add(l->said, key.s, json_object_new_boolean(true));
	l->troubles++;
	say_verdict(l, v);
}

static void look_for(struct look *l, struct json_object *rules, const struct doctor_source *s)
{
	struct nft_packet in = { .proto = WIRE_PROTO, .state = "new", .ifname = s->link->name, .has_dst = true };
	struct nft_packet out = in, too_big;

	in.dst = s->addr;
	in.has_src = l->d->opt->has_peer;
	in.src = l->d->opt->peer;
	too_big = in;
	too_big.proto = IPPROTO_ICMPV6;
	too_big.icmp = "packet-too-big";
	too_big.state = "related";
	too_big.has_src = false; /* of a router on the way */
	out.out = true;
	out.has_dst = in.has_src;
	out.dst = in.src;
	out.has_src = true;
	out.src = s->addr;
	l->p = &in;
	nft_examine(rules, &in, told, l);
	l->p = &out;
	nft_examine(rules, &out, told, l);
	l->p = &too_big;
	nft_examine(rules, &too_big, told, l);
}

/* --- ip6tables ------------------------------------------------------------ */

/* Rules of the older kind: what breaks a failover has names of its own there. */
static unsigned look_at_ip6tables(struct doctor *d, const char *program)
{
	const char *const argv[] = { program, NULL };
	char *said = doctor_run(argv, PROGRAM_TIMEOUT, RULES_MAX, true), *save = NULL;
	unsigned n = 0;

	for (char *line = said ? strtok_r(said, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		bool translates = strstr(line, "-j SNPT") || strstr(line, "-j DNPT") || strstr(line, "-j NETMAP") ||
				  strstr(line, "-j MASQUERADE") || strstr(line, "-j SNAT");
		bool strict = strstr(line, "-m rpfilter") && !strstr(line, "--loose") && strstr(line, "-j DROP");
		struct doctor_text table = doctor_text("%s", translates && !strstr(line, "NPT") ? "nat" : "mangle");

		if (strncmp(line, "-A ", 3) != 0 || !(translates || strict))
			continue;
		n++;
		if (strict)
			table = doctor_text("TABLE");
		doctor_say(d, DOCTOR_PROBLEM, "firewall",
			   translates
				   ? "addresses are what Shim6 is about: with NPTv6 or NAT66 peers do not believe them"
				   : "after a failover packets of a session come in by another interface than its "
				     "addresses say, and are dropped",
			   doctor_text("ip6tables -t %s -D %s", table.s, line + 3).s, "ip6tables: %s", line);
	}
	free(said);
	return n;
}

void check_firewall(struct doctor *d)
{
	static const char *const argv[] = { "nft", "-j", "list", "ruleset", NULL };
	struct look l = { .d = d };
	struct json_object *rules = NULL;
	char *said;

	if (!d->admin) {
		doctor_say(d, DOCTOR_UNKNOWN, "firewall", "rules that drop protocol 140 prevent all protection",
			   "sudo shim6 doctor", "only root sees the rules of the firewall");
		return;
	}
	said = doctor_run(argv, PROGRAM_TIMEOUT, RULES_MAX, true);
	if (said)
		rules = json_tokener_parse(said);
	if (!rules) {
		doctor_say(d, DOCTOR_UNKNOWN, "firewall", "rules that drop protocol 140 prevent all protection",
			   errno == ENOENT ? "apt install nftables" : "nft -j list ruleset",
			   "cannot read the rules of nftables");
		free(said);
		return;
	}
	free(said);
	l.said = json_object_new_object();
	for (unsigned i = 0; i < d->n_sources; i++)
		look_for(&l, rules, &d->sources[i]);
	l.troubles += look_at_ip6tables(d, "ip6tables-save");
	if (access("/proc/net/ip6_tables_names", F_OK) == 0)
		l.troubles += look_at_ip6tables(d, "ip6tables-legacy-save");
	if (l.troubles == 0)
		doctor_say(d, DOCTOR_OK, "firewall", NULL, NULL, "nothing here drops protocol 140 or Packet Too Big");
	json_object_put(l.said);
	json_object_put(rules);
}
