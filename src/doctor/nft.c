/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/nft.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "doctor/internal.h"

#define MAX_JUMPS 16 /* as the kernel */

enum truth {
	NO,
	MAYBE,
	YES,
};

/* What became of the packet in a chain. */
enum course {
	GOES_ON,
	LEAVES, /* the chain, not the base chain */
	ENDS,	/* accepted or dropped */
};

struct walk {
	struct json_object *items;
	const struct nft_packet *p;
	void (*told)(void *user, const struct nft_verdict *v);
	void *user;
	struct json_object *chain; /* gone through now */
	bool maybe_accepted;	   /* by an earlier rule of this base chain */
	unsigned depth;
};

static enum truth both(enum truth a, enum truth b)
{
	return a < b ? a : b;
}

static enum truth either(enum truth a, enum truth b)
{
	return a > b ? a : b;
}

static bool same_text(struct json_object *o, const char *s)
{
	return json_object_is_type(o, json_type_string) && strcmp(json_object_get_string(o), s) == 0;
}

/* Are the members key of a and of b the same text? */
static bool alike(struct json_object *a, struct json_object *b, const char *key)
{
	return strcmp(doctor_string(a, key), doctor_string(b, key)) == 0;
}

/* --- comparisons ---------------------------------------------------------- */

static int number_of(struct json_object *o)
{
	const struct protoent *e;
	const char *name;

	if (json_object_is_type(o, json_type_int))
		return json_object_get_int(o);
	name = json_object_get_string(o);
	if (!name)
		return -1;
	if (strcmp(name, "icmpv6") == 0 || strcmp(name, "ipv6-icmp") == 0)
		return 58;
	e = getprotobyname(name);
	return e ? e->p_proto : -1;
}

static enum truth is_number(struct json_object *right, int n)
{
	struct json_object *range = doctor_get(right, "range");

	if (range)
		return n >= number_of(doctor_at(range, 0)) && n <= number_of(doctor_at(range, 1)) ? YES : NO;
	if (json_object_is_type(right, json_type_object))
		return MAYBE;
	return number_of(right) == n ? YES : NO;
}

static bool read_address(struct json_object *o, struct shim6_addr *a)
{
	return json_object_is_type(o, json_type_string) && inet_pton(AF_INET6, json_object_get_string(o), a->b) == 1;
}

static enum truth is_address(struct json_object *right, const struct shim6_addr *a)
{
	struct json_object *prefix = doctor_get(right, "prefix"), *range = doctor_get(right, "range");
	struct shim6_addr x, last;
	int len = prefix ? json_object_get_int(doctor_get(prefix, "len")) : 128;

	if (range) {
		if (!read_address(doctor_at(range, 0), &x) || !read_address(doctor_at(range, 1), &last))
			return MAYBE;
		return memcmp(a->b, x.b, 16) >= 0 && memcmp(a->b, last.b, 16) <= 0 ? YES : NO;
	}
	if (!read_address(prefix ? doctor_get(prefix, "addr") : right, &x))
		return MAYBE;
	for (int bit = 0; bit < len && bit < 128; bit++)
		if ((a->b[bit / 8] ^ x.b[bit / 8]) & 0x80 >> bit % 8)
			return NO;
	return YES;
}

static enum truth is_name(struct json_object *right, const char *name)
{
	const char *s = json_object_is_type(right, json_type_string) ? json_object_get_string(right) : NULL;
	size_t n = s ? strlen(s) : 0;

	if (!s || !name)
		return MAYBE;
	if (n && s[n - 1] == '*')
		return strncmp(s, name, n - 1) == 0 ? YES : NO;
	return strcmp(s, name) == 0 ? YES : NO;
}

static enum truth is_meta(const struct nft_packet *p, const char *key, struct json_object *right)
{
	if (strcmp(key, "l4proto") == 0)
		return is_number(right, p->proto);
	if (strcmp(key, "nfproto") == 0)
		return is_name(right, "ipv6");
	if (strcmp(key, "protocol") == 0)
		return is_name(right, "ip6");
	if (strcmp(key, "iifname") == 0 || strcmp(key, "iif") == 0)
		return p->out ? MAYBE : is_name(right, p->ifname);
	if (strcmp(key, "oifname") == 0 || strcmp(key, "oif") == 0)
		return p->out ? is_name(right, p->ifname) : MAYBE;
	return MAYBE;
}

static enum truth is_payload(const struct nft_packet *p, struct json_object *payload, struct json_object *right)
{
	const char *protocol = doctor_string(payload, "protocol"), *field = doctor_string(payload, "field");
	static const char *const others[] = {
		"ip", "arp", "icmp", "tcp", "udp", "udplite", "sctp", "dccp", "esp", "ah"
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(protocol, others[i]) == 0)
			return NO;
	if (strcmp(protocol, "ip6") == 0 && strcmp(field, "nexthdr") == 0)
		return is_number(right, p->proto);
	if (strcmp(protocol, "ip6") == 0 && strcmp(field, "saddr") == 0)
		return p->has_src ? is_address(right, &p->src) : MAYBE;
	if (strcmp(protocol, "ip6") == 0 && strcmp(field, "daddr") == 0)
		return p->has_dst ? is_address(right, &p->dst) : MAYBE;
	if (strcmp(protocol, "icmpv6") == 0)
		return p->proto != 58 ? NO : strcmp(field, "type") == 0 && p->icmp ? is_name(right, p->icmp) : MAYBE;
	return MAYBE;
}

/* left against one value */
static enum truth is_one(const struct nft_packet *p, struct json_object *left, struct json_object *right)
{
	struct json_object *elem = doctor_get(right, "elem"), *o;

	if (elem)
		right = doctor_get(elem, "val");
	o = doctor_get(left, "meta");
	if (o)
		return is_meta(p, doctor_string(o, "key"), right);
	o = doctor_get(left, "payload");
	if (o)
		return is_payload(p, o, right);
	o = doctor_get(left, "ct");
	if (o && strcmp(doctor_string(o, "key"), "state") == 0)
		return is_name(right, p->state);
	return MAYBE;
}

static enum truth is_any(const struct nft_packet *p, struct json_object *left, struct json_object *list)
{
	enum truth t = NO;

	for (size_t i = 0; i < doctor_length(list); i++)
		t = either(t, is_one(p, left, doctor_at(list, i)));
	return t;
}

/* A named set of the table of the chain; NULL: not there. */
static struct json_object *named_set(const struct walk *w, const char *name)
{
	for (size_t i = 0; i < doctor_length(w->items); i++) {
		struct json_object *s = doctor_get(doctor_at(w->items, i), "set");

		if (s && strcmp(doctor_string(s, "name"), name) == 0 && alike(s, w->chain, "table") &&
		    alike(s, w->chain, "family"))
			return s;
	}
	return NULL;
}

static enum truth compare(const struct walk *w, struct json_object *left, struct json_object *right)
{
	struct json_object *set = doctor_get(right, "set");

	if (json_object_is_type(set, json_type_array))
		return is_any(w->p, left, set);
	if (json_object_is_type(right, json_type_array))
		return is_any(w->p, left, right);
	if (json_object_is_type(right, json_type_string) && json_object_get_string(right)[0] == '@') {
		set = named_set(w, json_object_get_string(right) + 1);
		if (!set)
			return MAYBE;
		set = doctor_get(set, "elem");
		return json_object_is_type(set, json_type_array) ? is_any(w->p, left, set) : NO;
	}
	return is_one(w->p, left, right);
}

static enum truth is_match(const struct walk *w, struct json_object *match)
{
	const char *op = doctor_string(match, "op");
	enum truth t = compare(w, doctor_get(match, "left"), doctor_get(match, "right"));

	if (strcmp(op, "==") == 0 || strcmp(op, "in") == 0)
		return t;
	return strcmp(op, "!=") == 0 ? (enum truth)(YES - t) : MAYBE;
}

/* "fib saddr . iif oif missing": no route back to the source by the interface that it came from */
static bool is_strict_path(struct json_object *match)
{
	struct json_object *fib = doctor_get(doctor_get(match, "left"), "fib"), *flags = doctor_get(fib, "flags");
	struct json_object *right = doctor_get(match, "right");
	bool saddr = false, iif = false;

	if (!fib || !json_object_is_type(flags, json_type_array) ||
	    !(json_object_is_type(right, json_type_boolean) || json_object_is_type(right, json_type_int)) ||
	    json_object_get_int(right) != (strcmp(doctor_string(match, "op"), "!=") == 0))
		return false;
	for (size_t i = 0; i < doctor_length(flags); i++) {
		saddr = saddr || same_text(doctor_at(flags, i), "saddr");
		iif = iif || same_text(doctor_at(flags, i), "iif");
	}
	return saddr && iif;
}

/* --- rules ---------------------------------------------------------------- */

static enum course through_chain(struct walk *w, const char *name, enum truth t);

static void tell(const struct walk *w, enum nft_fate fate, int64_t handle)
{
	struct nft_verdict v = {
		.fate = fate,
		.family = doctor_string(w->chain, "family"),
		.table = doctor_string(w->chain, "table"),
		.chain = doctor_string(w->chain, "name"),
		.handle = handle,
	};

	w->told(w->user, &v);
}

/* A verdict statement, reached if t. */
static enum course decide(struct walk *w, struct json_object *statement, enum truth t, int64_t handle)
{
	struct json_object *jump = doctor_get(statement, "jump"), *go = doctor_get(statement, "goto");
	struct json_object *unused;

	if (json_object_object_get_ex(statement, "accept", &unused)) {
		w->maybe_accepted = w->maybe_accepted || t == MAYBE;
		return t == YES ? ENDS : GOES_ON;
	}
	if (json_object_object_get_ex(statement, "drop", &unused) ||
	    json_object_object_get_ex(statement, "reject", &unused)) {
		tell(w, t == YES && !w->maybe_accepted ? NFT_DROPPED : NFT_MAYBE_DROPPED, handle);
		return t == YES ? ENDS : GOES_ON;
	}
	if (jump)
		return through_chain(w, doctor_string(jump, "target"), t);
	if (go) {
		enum course c = through_chain(w, doctor_string(go, "target"), t);

		return c == GOES_ON && t == YES ? LEAVES : c;
	}
	if (json_object_object_get_ex(statement, "return", &unused)) {
		w->maybe_accepted = w->maybe_accepted || t == MAYBE;
		return t == YES ? LEAVES : GOES_ON;
	}
	return GOES_ON;
}

static enum course decide_by_map(struct walk *w, struct json_object *vmap, enum truth t, int64_t handle)
{
	struct json_object *key = doctor_get(vmap, "key"), *pairs = doctor_get(doctor_get(vmap, "data"), "set");

	for (size_t i = 0; i < doctor_length(pairs); i++) {
		struct json_object *pair = doctor_at(pairs, i);
		enum truth here = both(t, compare(w, key, doctor_at(pair, 0)));

		if (here != NO) {
			enum course c = decide(w, doctor_at(pair, 1), here, handle);

			if (c != GOES_ON)
				return c;
		}
	}
	return GOES_ON;
}

static bool translates(struct json_object *statement)
{
	static const char *const kinds[] = { "snat", "dnat", "masquerade", "redirect" };
	static const char *const targets[] = { "SNPT", "DNPT", "NETMAP", "MASQUERADE", "SNAT", "DNAT" };
	struct json_object *o;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (json_object_object_get_ex(statement, kinds[i], &o))
			return true;
	o = doctor_get(statement, "xt");
	for (size_t i = 0; o && i < sizeof(targets) / sizeof(targets[0]); i++)
		if (strcmp(doctor_string(o, "name"), targets[i]) == 0)
			return true;
	return false;
}

static enum course through_rule(struct walk *w, struct json_object *rule, enum truth t)
{
	struct json_object *list = doctor_get(rule, "expr");
	int64_t handle = json_object_get_int64(doctor_get(rule, "handle"));
	enum course c;
	bool strict = false;

	for (size_t i = 0; i < doctor_length(list); i++) {
		struct json_object *e = doctor_at(list, i), *match = doctor_get(e, "match"), *unused;
		struct json_object *vmap = doctor_get(e, "vmap");

		if (match && is_strict_path(match)) {
			strict = true;
		} else if (match) {
			t = both(t, is_match(w, match));
		} else if (json_object_object_get_ex(e, "limit", &unused) ||
			   json_object_object_get_ex(e, "xt", &unused) ||
			   json_object_object_get_ex(e, "quota", &unused)) {
			t = both(t, MAYBE);
		}
		if (t == NO)
			return GOES_ON;
		if (translates(e))
			tell(w, NFT_TRANSLATED, handle);
		if (strict && json_object_object_get_ex(e, "drop", &unused)) {
			tell(w, NFT_STRICT_PATH, handle);
			return GOES_ON;
		}
		c = vmap ? decide_by_map(w, vmap, t, handle) : decide(w, e, strict ? MAYBE : t, handle);
		if (c != GOES_ON)
			return c;
	}
	return GOES_ON;
}

/* The chain of that name in the table of another; NULL: not there. */
static struct json_object *find_chain(const struct walk *w, const char *name)
{
	for (size_t i = 0; i < doctor_length(w->items); i++) {
		struct json_object *c = doctor_get(doctor_at(w->items, i), "chain");

		if (c && strcmp(doctor_string(c, "name"), name) == 0 && alike(c, w->chain, "table") &&
		    alike(c, w->chain, "family"))
			return c;
	}
	return NULL;
}

static enum course through_chain(struct walk *w, const char *name, enum truth t)
{
	struct json_object *from = w->chain, *here = find_chain(w, name);
	enum course c = GOES_ON;

	if (t == NO || w->depth == MAX_JUMPS || !here)
		return GOES_ON;
	w->depth++;
	w->chain = here;
	for (size_t i = 0; i < doctor_length(w->items) && c == GOES_ON; i++) {
		struct json_object *rule = doctor_get(doctor_at(w->items, i), "rule");

		if (rule && alike(rule, here, "family") && alike(rule, here, "table") &&
		    strcmp(doctor_string(rule, "chain"), name) == 0)
			c = through_rule(w, rule, t);
	}
	w->chain = from;
	w->depth--;
	/* What ends a chain that was perhaps not entered ends nothing for certain. */
	return c == ENDS && t == YES ? ENDS : GOES_ON;
}

/* --- base chains ---------------------------------------------------------- */

static bool on_the_way(struct json_object *chain, const struct nft_packet *p)
{
	static const char *const in[] = { "ingress", "prerouting", "input" };
	static const char *const out[] = { "output", "postrouting", "egress" };
	const char *hook = doctor_string(chain, "hook"), *family = doctor_string(chain, "family");
	const char *dev = doctor_string(chain, "dev");

	if (strcmp(family, "ip6") != 0 && strcmp(family, "inet") != 0 && strcmp(family, "netdev") != 0)
		return false;
	if (*dev && p->ifname && strcmp(dev, p->ifname) != 0)
		return false;
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(hook, p->out ? out[i] : in[i]) == 0)
			return true;
	return false;
}

void nft_examine(struct json_object *ruleset, const struct nft_packet *p,
		 void (*told)(void *user, const struct nft_verdict *v), void *user)
{
	struct walk w = { .items = doctor_get(ruleset, "nftables"), .p = p, .told = told, .user = user };

	if (!json_object_is_type(w.items, json_type_array))
		return;
	for (size_t i = 0; i < doctor_length(w.items); i++) {
		struct json_object *chain = doctor_get(doctor_at(w.items, i), "chain");

		if (!chain || !*doctor_string(chain, "hook") || !on_the_way(chain, p))
			continue;
		w.chain = chain;
		w.maybe_accepted = false;
		if (through_chain(&w, doctor_string(chain, "name"), YES) == GOES_ON &&
		    strcmp(doctor_string(chain, "policy"), "drop") == 0)
			tell(&w, w.maybe_accepted ? NFT_MAYBE_DROPPED : NFT_DROPPED, 0);
	}
}
