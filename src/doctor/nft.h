/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What would a ruleset of nftables do to a packet? The ruleset is that of
 * `nft -j list ruleset`; each base chain is gone through as the kernel does it,
 * but a comparison may also come out as "maybe": what the packet will carry, or
 * what a rule means, is not always known.
 */
#ifndef SHIM6_DOCTOR_NFT_H
#define SHIM6_DOCTOR_NFT_H

#include "wire/addr.h"

struct json_object;

struct nft_packet {
	bool out;	    /* leaves this host; else comes in */
	int proto;	    /* of the transport */
	const char *icmp;   /* type as nft names it; NULL: any */
	const char *state;  /* of connection tracking: "new", "related" */
	const char *ifname; /* where it goes out or comes in */
	bool has_src, has_dst;
	struct shim6_addr src, dst;
};

enum nft_fate {
	NFT_PASSES,
	NFT_MAYBE_DROPPED, /* depends on what is not known */
	NFT_DROPPED,
	NFT_TRANSLATED,	 /* its addresses are changed, perhaps */
	NFT_STRICT_PATH, /* dropped when the way back is not by the same interface */
};

struct nft_verdict {
	enum nft_fate fate;
	const char *family, *table, *chain; /* of the rule, or of the base chain when its policy decides */
	int64_t handle;			    /* of the rule; 0: the policy */
};

/* Tells everything but NFT_PASSES, at most once per rule and base chain. */
void nft_examine(struct json_object *ruleset, const struct nft_packet *p,
		 void (*told)(void *user, const struct nft_verdict *v), void *user);

#endif
