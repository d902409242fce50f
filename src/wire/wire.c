/* SPDX-License-Identifier: MIT */
/*
 * What every Shim6 header shares: the checksum, the payload extension header,
 * and the names of messages and of decoding results. decode.c reads control
 * messages, options.c reads their options, encode.c writes both.
 */
#include "wire/internal.h"

uint16_t wire_sum(const uint8_t *buf, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i + 1 < len; i += 2) {
		sum += wire_get16(buf + i);
		sum = (sum & 0xffff) + (sum >> 16);
	}
	if (i < len) {
		sum += (uint32_t)buf[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

/* The checksum field counts as zero, whatever it holds (W-20); the result 0 is sent as it is (W-23). */
uint16_t wire_checksum(const uint8_t *buf, size_t len)
{
	uint32_t sum = wire_sum(buf, len);

	if (len >= 6)
		sum += (uint16_t)~wire_get16(buf + 4);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void wire_payload_put(uint8_t out[WIRE_PAYLOAD_HDR], uint8_t next_header, uint64_t tag)
{
	out[0] = next_header;
	out[1] = 0; /* W-12 */
	wire_put_tag(out + 2, tag);
	out[2] |= 0x80; /* P */
}

bool wire_payload_get(const uint8_t *buf, size_t len, uint8_t *next_header, uint64_t *tag)
{
	if (len < WIRE_PAYLOAD_HDR || !(buf[2] & 0x80) || buf[1] != 0)
		return false;
	*next_header = buf[0];
	*tag = wire_get_tag(buf + 2);
	return true;
}

const char *wire_status_name(int status)
{
	static const char *const names[WIRE_N_STATUS] = {
		[-WIRE_OK] = "ok",
		[-WIRE_E_SHORT] = "short",
		[-WIRE_E_MIN_LENGTH] = "min-length",
		[-WIRE_E_CHECKSUM] = "checksum",
		[-WIRE_E_NOT_CONTROL] = "not-control",
		[-WIRE_E_S_BIT] = "s-bit",
		[-WIRE_E_UNKNOWN_TYPE] = "unknown-type",
		[-WIRE_E_CRITICAL] = "critical-option",
		[-WIRE_E_OPTION] = "option",
		[-WIRE_E_DUPLICATE] = "duplicate-option",
		[-WIRE_E_PROBE] = "probe",
		[-WIRE_E_NO_VALIDATOR] = "no-validator",
	};

	if (status > -WIRE_N_STATUS && status < WIRE_N_STATUS)
		return names[status < 0 ? -status : status];
	return "unknown";
}

const char *wire_type_name(unsigned type)
{
	switch (type) {
	case WIRE_I1:
		return "I1";
	case WIRE_R1:
		return "R1";
	case WIRE_I2:
		return "I2";
	case WIRE_R2:
		return "R2";
	case WIRE_R1BIS:
		return "R1bis";
	case WIRE_I2BIS:
		return "I2bis";
	case WIRE_UPDATE_REQUEST:
		return "Update Request";
	case WIRE_UPDATE_ACK:
		return "Update Acknowledgement";
	case WIRE_KEEPALIVE:
		return "Keepalive";
	case WIRE_PROBE:
		return "Probe";
	case WIRE_ERROR:
		return "Error";
	default:
		return "unknown";
	}
}
