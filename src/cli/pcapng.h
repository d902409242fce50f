/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A capture file (pcapng) of control messages as IPv6 packets. The IPv6 header
 * is made here: version, length, next header and addresses are those of the
 * packet, hop limit and flow label are not known any more.
 */
#ifndef SHIM6_CLI_PCAPNG_H
#define SHIM6_CLI_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PCAPNG_MESSAGE_MAX 2048 /* octets; the daemon reads no longer ones */

struct pcapng_packet {
	uint64_t time_us; /* since 1970 */
	bool sent;
	uint8_t src[16], dst[16];
	const uint8_t *msg;
	size_t len; /* at most PCAPNG_MESSAGE_MAX */
	const char *comment;
};

/* Each writes through to f; false: it could not. */
bool pcapng_begin(FILE *f);
bool pcapng_add(FILE *f, const struct pcapng_packet *p);

#endif
