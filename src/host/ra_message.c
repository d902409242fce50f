/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/ra.h"

#define RA_TYPE 134
#define RA_HEADER 16
#define OPTION_PREFIX 3
#define OPTION_PREFIX_LEN 32 /* octets */

static uint32_t get_u32(const uint8_t *b)
{
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static bool is_for_hosts(const struct shim6_addr *prefix, unsigned len)
{
	return len > 0 && shim6_addr_is_usable(prefix);
}

/* One Prefix Information option (RFC 4861 4.6.2). false: of no use (RFC 4862 5.5.3 b, c). */
static bool take_prefix(struct ra_message *out, const uint8_t *b)
{
	struct ra_pio p = { .len = b[2], .on_link = b[3] & 0x80, .autonomous = b[3] & 0x40 };

	if (p.len > 128 || out->n == RA_MAX_PIO)
		return false;
	p.valid = get_u32(b + 4);
	p.preferred = get_u32(b + 8);
	memcpy(p.prefix.b, b + 16, 16);
	for (unsigned bit = p.len; bit < 128; bit++)
		p.prefix.b[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
	if (p.preferred > p.valid || !is_for_hosts(&p.prefix, p.len))
		return false;
	out->pio[out->n++] = p;
	return true;
}

/* Two bits of the flags: 01 high, 00 medium, 11 low, 10 is reserved and counts as medium. */
static int preference(uint8_t flags)
{
	unsigned v = flags >> 3 & 3;

	return v == 1 ? 1 : v == 3 ? -1 : 0;
}

bool ra_parse(struct ra_message *out, const uint8_t *b, size_t len, int hop_limit, const struct shim6_addr *from)
{
	memset(out, 0, sizeof(*out));
	if (len < RA_HEADER || b[0] != RA_TYPE || b[1] != 0 || hop_limit != 255 || !shim6_addr_is_link_local(from))
		return false;
	out->lifetime = (unsigned)b[6] << 8 | b[7];
	out->preference = preference(b[5]);
	for (size_t at = RA_HEADER, n; at < len; at += n) {
		/* An option of length zero, or one that the message ends in, makes all of it unbelievable. */
		if (len - at < 8 || b[at + 1] == 0)
			return false;
		n = (size_t)b[at + 1] * 8;
		if (n > len - at)
			return false;
		if (b[at] != OPTION_PREFIX)
			continue;
		if (n != OPTION_PREFIX_LEN)
			return false;
		out->left_out += !take_prefix(out, b + at);
	}
	return true;
}
