/* SPDX-License-Identifier: MIT */
/*
 * Dispatch: the checks of RFC 5533 12.3 and the look-ups of 12.4 (section 16 of
 * the rows). Up to a context nothing costs more than a checksum and a hash.
 */
#include "engine/internal.h"

/* L-01, L-12; silent (L-10) */
static bool addresses_ok(struct engine *e, const struct shim6_addr *src, const struct shim6_addr *dst)
{
	if (shim6_addr_is_multicast(src) || shim6_addr_is_unspecified(src) || shim6_addr_is_multicast(dst) ||
	    shim6_addr_is_unspecified(dst)) {
		count(e, C_drop_address);
		return false;
	}
	if (shim6_addr_is_loopback(src) || engine_is_local(e, src)) {
		count(e, C_drop_own_source);
		return false;
	}
	if (!engine_is_local(e, dst)) {
		count(e, C_drop_not_local);
		return false;
	}
	return true;
}

static enum counter status_counter(int status)
{
	switch (status) {
	case WIRE_E_SHORT:
		return C_drop_short;
	case WIRE_E_MIN_LENGTH:
		return C_drop_min_length;
	case WIRE_E_CHECKSUM:
		return C_drop_checksum;
	case WIRE_E_NOT_CONTROL:
		return C_drop_not_control;
	case WIRE_E_S_BIT:
		return C_drop_s_bit;
	case WIRE_E_UNKNOWN_TYPE:
		return C_drop_unknown_type;
	case WIRE_E_CRITICAL:
		return C_drop_critical_option;
	case WIRE_E_DUPLICATE:
		return C_drop_duplicate;
	case WIRE_E_PROBE:
		return C_drop_probe;
	case WIRE_E_NO_VALIDATOR:
		return C_drop_no_validator;
	default:
		return C_drop_option;
	}
}

static void refused(struct engine *e, const struct rx *rx, int status, size_t offset)
{
	count(e, status_counter(status));
	if (status == WIRE_E_UNKNOWN_TYPE)
		emit_error(e, rx, WIRE_ERR_UNKNOWN_TYPE, offset); /* (ERR-03) */
	else if (status == WIRE_E_CRITICAL && rx->m.type != WIRE_ERROR)
		emit_error(e, rx, WIRE_ERR_CRITICAL_OPTION, offset); /* (W-39, Z-09) */
}

static void tagged_established(struct engine *e, struct context *c, const struct rx *rx)
{
	if (!context_hears(c, &rx->pair)) {
		count(e, C_drop_wrong_locators);
		send_r1bis(e, rx->now, &rx->pair, rx->m.tag); /* (R-03, U-13) */
		return;
	}
	switch (rx->m.type) {
	case WIRE_UPDATE_REQUEST:
		recv_update_request(e, c, rx);
		return;
	case WIRE_UPDATE_ACK:
		recv_update_ack(e, c, rx);
		return;
	case WIRE_KEEPALIVE:
		recv_keepalive(e, c, rx);
		return;
	default:
		recv_probe(e, c, rx);
		return;
	}
}

/* I2BIS-SENT still knows CT(peer) and Ls(peer): it can apply and acknowledge an Update Request (U-15). */
static void tagged_i2bis_sent(struct engine *e, struct context *c, const struct rx *rx)
{
	if (!context_hears(c, &rx->pair)) {
		count(e, C_drop_wrong_locators);
		send_r1bis(e, rx->now, &rx->pair, rx->m.tag);
		return;
	}
	resend_handshake(e, c, rx->now);
	if (rx->m.type == WIRE_UPDATE_REQUEST)
		recv_update_request(e, c, rx);
	else if (rx->m.type == WIRE_UPDATE_ACK)
		recv_update_ack(e, c, rx);
	else
		count(e, C_drop_tag_not_ready); /* nothing for REAP */
}

/* Update Request, Update Acknowledgement, Keepalive, Probe: by CT(local) (L-07, R-02) */
static void tagged(struct engine *e, const struct rx *rx)
{
	struct context *c = context_by_tag(e, rx->m.tag);

	if (!c) {
		count(e, C_drop_unknown_tag);
		send_r1bis(e, rx->now, &rx->pair, rx->m.tag);
		return;
	}
	switch (c->state) {
	case ENGINE_ESTABLISHED:
		tagged_established(e, c, rx);
		return;
	case ENGINE_I2BIS_SENT:
		tagged_i2bis_sent(e, c, rx);
		return;
	case ENGINE_I2_SENT:
		count(e, C_drop_tag_not_ready);
		resend_handshake(e, c, rx->now); /* CT(peer) is unknown: no Ack possible */
		return;
	default:
		count(e, C_drop_tag_not_ready); /* I1-SENT */
		return;
	}
}

static void dispatch(struct engine *e, const struct rx *rx)
{
	switch (rx->m.type) {
	case WIRE_I1:
		count(e, C_rx_i1);
		recv_i1(e, rx);
		return;
	case WIRE_R1:
		count(e, C_rx_r1);
		recv_r1(e, rx);
		return;
	case WIRE_I2:
		count(e, C_rx_i2);
		recv_i2(e, rx);
		return;
	case WIRE_R2:
		count(e, C_rx_r2);
		recv_r2(e, rx);
		return;
	case WIRE_R1BIS:
		count(e, C_rx_r1bis);
		recv_r1bis(e, rx);
		return;
	case WIRE_I2BIS:
		count(e, C_rx_i2bis);
		recv_i2bis(e, rx);
		return;
	case WIRE_ERROR:
		count(e, C_rx_error);
		recv_error(e, rx);
		return;
	case WIRE_UPDATE_REQUEST:
		count(e, C_rx_update_request);
		break;
	case WIRE_UPDATE_ACK:
		count(e, C_rx_update_ack);
		break;
	case WIRE_KEEPALIVE:
		count(e, C_rx_keepalive);
		break;
	case WIRE_PROBE:
		count(e, C_rx_probe);
		break;
	}
	tagged(e, rx);
}

void engine_input_control(struct engine *e, uint64_t now, const struct shim6_addr *src, const struct shim6_addr *dst,
			  const uint8_t *buf, size_t len)
{
	struct rx rx = { .now = now, .pair = { .local = *dst, .peer = *src }, .buf = buf, .len = len };
	size_t offset = 0;
	int status;

	if (!addresses_ok(e, src, dst))
		return;
	status = wire_decode(buf, len, &rx.m, &offset);
	if (status != WIRE_OK) {
		refused(e, &rx, status, offset);
		return;
	}
	dispatch(e, &rx);
}

void engine_input_unknown_tag(struct engine *e, uint64_t now, const struct shim6_addr *src,
			      const struct shim6_addr *dst, uint64_t tag)
{
	struct shim6_pair pair = { .local = *dst, .peer = *src };

	count(e, C_rx_unknown_tag);
	if (!addresses_ok(e, src, dst))
		return;
	if (context_by_tag(e, tag & WIRE_TAG_MASK)) {
		/* I1-SENT (D-11), or the projection was on its way when the packet came. */
		count(e, C_drop_tag_not_ready);
		return;
	}
	count(e, C_drop_unknown_tag);
	send_r1bis(e, now, &pair, tag & WIRE_TAG_MASK);
}
