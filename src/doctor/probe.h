/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets that ask for an answer and leave no state at the peer: an echo request;
 * an I1, which is answered by R1 (or by ICMPv6 Parameter Problem where there is no
 * Shim6); a tagged packet with a tag that nobody has, which is answered by R1bis.
 */
#ifndef SHIM6_DOCTOR_PROBE_H
#define SHIM6_DOCTOR_PROBE_H

#include "wire/addr.h"

enum probe_kind {
	PROBE_ECHO,
	PROBE_I1,
	PROBE_TAGGED,
};

enum probe_answer {
	PROBE_SILENCE,
	PROBE_ANSWERED,
	PROBE_NO_SHIM6, /* Parameter Problem: unrecognized next header */
	PROBE_REFUSED,	/* Destination Unreachable */
};

struct probe {
	enum probe_kind kind;
	struct shim6_pair pair;
	unsigned ifindex; /* of PROBE_ECHO: sent out there, whatever the rules say; 0: as they say */

	int error; /* errno of sending; then there is no answer to wait for */
	enum probe_answer answer;
	unsigned code; /* of Destination Unreachable */
	double ms;
	uint64_t id; /* sequence, nonce or tag, by which the answer is known */
	uint64_t sent_ns;
};

/* Send them all, again where there is silence, and wait. 0 or a negative errno: nothing was sent. */
int probe_all(struct probe *p, unsigned n);

#endif
