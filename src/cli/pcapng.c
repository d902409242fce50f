/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/pcapng.h"

#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define LINKTYPE_IPV6 229
#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_FLAGS 2
#define DIRECTION_IN 1u
#define DIRECTION_OUT 2u

#define IPV6_HEADER 40
#define NEXT_HEADER 140
#define HOP_LIMIT 64
#define COMMENT_MAX 512
#define BLOCK_MAX (IPV6_HEADER + PCAPNG_MESSAGE_MAX + COMMENT_MAX + 64)

/* One block; integers are in the byte order of this machine, which the section header tells. */
struct block {
	size_t len;
	uint8_t octets[BLOCK_MAX];
};

static void add(struct block *b, const void *p, size_t len)
{
	if (len && b->len + len + 8 <= sizeof(b->octets)) {
		memcpy(b->octets + b->len, p, len);
		b->len += len;
	}
}

static void add16(struct block *b, uint16_t v)
{
	add(b, &v, sizeof(v));
}

static void add32(struct block *b, uint32_t v)
{
	add(b, &v, sizeof(v));
}

static void pad(struct block *b)
{
	add(b, "\0\0\0", (4 - b->len % 4) % 4);
}

static void begin(struct block *b, uint32_t type)
{
	b->len = 0;
	add32(b, type);
	add32(b, 0); /* the length, when it is known */
}

static bool finish(struct block *b, FILE *f)
{
	uint32_t len = (uint32_t)b->len + 4;

	memcpy(b->octets + 4, &len, sizeof(len));
	add32(b, len);
	return fwrite(b->octets, 1, b->len, f) == b->len;
}

bool pcapng_begin(FILE *f)
{
	static const uint64_t unknown_length = UINT64_MAX;
	struct block b;

	begin(&b, BLOCK_SECTION);
	add32(&b, BYTE_ORDER_MAGIC);
	add16(&b, 1);
	add16(&b, 0);
	add(&b, &unknown_length, sizeof(unknown_length));
	if (!finish(&b, f))
		return false;
	begin(&b, BLOCK_INTERFACE);
	add16(&b, LINKTYPE_IPV6);
	add16(&b, 0);
	add32(&b, 0); /* no limit on lengths; times are in microseconds */
	return finish(&b, f) && fflush(f) == 0;
}

static void add_ipv6_header(struct block *b, const struct pcapng_packet *p)
{
	const uint8_t first[8] = { 0x60, 0, 0, 0, (uint8_t)(p->len >> 8), (uint8_t)p->len, NEXT_HEADER, HOP_LIMIT };

	add(b, first, sizeof(first));
	add(b, p->src, sizeof(p->src));
	add(b, p->dst, sizeof(p->dst));
}

bool pcapng_add(FILE *f, const struct pcapng_packet *p)
{
	size_t comment = strnlen(p->comment, COMMENT_MAX);
	uint32_t len = (uint32_t)(IPV6_HEADER + p->len);
	struct block b;

	begin(&b, BLOCK_PACKET);
	add32(&b, 0); /* the interface */
	add32(&b, (uint32_t)(p->time_us >> 32));
	add32(&b, (uint32_t)p->time_us);
	add32(&b, len);
	add32(&b, len);
	add_ipv6_header(&b, p);
	add(&b, p->msg, p->len);
	pad(&b);
	add16(&b, OPTION_COMMENT);
	add16(&b, (uint16_t)comment);
	add(&b, p->comment, comment);
	pad(&b);
	add16(&b, OPTION_FLAGS);
	add16(&b, 4);
	add32(&b, p->sent ? DIRECTION_OUT : DIRECTION_IN);
	add16(&b, OPTION_END);
	add16(&b, 0);
	return finish(&b, f) && fflush(f) == 0;
}
