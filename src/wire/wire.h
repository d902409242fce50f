/* SPDX-License-Identifier: MIT */
/*
 * Bytes <-> Shim6 messages and options (RFC 5533 section 5, RFC 5534 section 5).
 *
 * Pure functions: no allocation, no state, no clock. A decoded message points
 * into the buffer it was decoded from, which must outlive it. Multi-octet
 * values are in host order once decoded. Requirement numbers (W-.., PF-..) are
 * those of the conformance rows.
 */
#ifndef SHIM6_WIRE_WIRE_H
#define SHIM6_WIRE_WIRE_H

#include <stddef.h>

#include "wire/addr.h"

#define WIRE_PROTO 140	     /* IPv6 Next Header of every Shim6 packet (W-01) */
#define WIRE_NEXT_NONE 59    /* Next Header of control messages (W-07) */
#define WIRE_MAX_PACKET 1280 /* with IPv6 header and all before Shim6 (W-04) */
#define WIRE_MAX_MSG (WIRE_MAX_PACKET - 40)
#define WIRE_PAYLOAD_HDR 8 /* payload extension header (W-12) */
#define WIRE_TAG_MASK ((UINT64_C(1) << 47) - 1)
#define WIRE_MAX_LOCATORS 71 /* a 1280-octet packet holds no more; longer lists are malformed (W-04) */
#define WIRE_RECORD_LEN 40   /* one probe record */
#define WIRE_MAX_RECORDS 15  /* sent, and received, records in a probe (PC-08) */

enum wire_type {
	WIRE_I1 = 1,
	WIRE_R1 = 2,
	WIRE_I2 = 3,
	WIRE_R2 = 4,
	WIRE_R1BIS = 5,
	WIRE_I2BIS = 6,
	WIRE_UPDATE_REQUEST = 64,
	WIRE_UPDATE_ACK = 65,
	WIRE_KEEPALIVE = 66,
	WIRE_PROBE = 67,
	WIRE_ERROR = 68,
};

enum wire_option_type {
	WIRE_OPT_VALIDATOR = 1,
	WIRE_OPT_LOCATOR_LIST = 2,
	WIRE_OPT_PREFERENCES = 3,
	WIRE_OPT_PDS = 4,
	WIRE_OPT_SIGNATURE = 5,
	WIRE_OPT_ULID_PAIR = 6,
	WIRE_OPT_FII = 7,
	WIRE_OPT_KEEPALIVE_TIMEOUT = 10,
};

/* Verification methods: body text of 5.15.2, not the swapped table of 17. */
enum wire_method {
	WIRE_METHOD_HBA = 1,
	WIRE_METHOD_CGA = 2,
};

enum wire_pref_flag {
	WIRE_PREF_BROKEN = 0x01,
	WIRE_PREF_TRANSIENT = 0x02,
};

enum wire_error_code {
	WIRE_ERR_UNKNOWN_TYPE = 0,
	WIRE_ERR_CRITICAL_OPTION = 1,
	WIRE_ERR_LOCATOR_VERIFICATION = 2,
	WIRE_ERR_GENERATION = 3,
	WIRE_ERR_PREF_COUNT = 4,
};

/* REAP state carried in a probe (PF-13). */
enum wire_sta {
	WIRE_STA_OPERATIONAL = 0,
	WIRE_STA_EXPLORING = 1,
	WIRE_STA_INBOUND_OK = 2,
};

struct wire_record {
	struct shim6_addr src;
	struct shim6_addr dst;
	uint32_t nonce;
	uint32_t data;
};

struct wire_blob {
	const uint8_t *p; /* NULL: option absent */
	size_t len;	  /* without option header and padding */
	size_t offset;	  /* of the option's Type field, from the message start */
};

struct wire_locator_list {
	bool present;
	uint32_t generation;
	unsigned n;
	const uint8_t *methods;	 /* n octets */
	const uint8_t *locators; /* n * 16 octets, any alignment */
	size_t offset;		 /* of the option in the message (Error pointers, V-09) */
};

struct wire_preferences {
	bool present;
	uint32_t generation;
	unsigned n;
	unsigned elem_len;	 /* >= 1; octets after the third are skipped (W-57) */
	const uint8_t *elements; /* n * elem_len octets */
	size_t offset;
};

/* One preference element; absent octets read as 0 (W-56). */
struct wire_pref {
	uint8_t flags;
	uint8_t priority;
	uint8_t weight;
};

/*
 * A decoded control message. Which fields are meaningful depends on the type
 * (tables 1.3 and 1.5 of the rows); all others are zero.
 */
struct wire_msg {
	enum wire_type type;
	size_t len;		/* octets of the Shim6 header, from Hdr Ext Len */
	uint64_t tag;		/* Initiator, Responder or Receiver CT; R1bis: Packet CT */
	uint64_t packet_tag;	/* I2bis: Packet CT */
	uint32_t init_nonce;	/* I1 R1 I2 R2 I2bis */
	uint32_t resp_nonce;	/* R1 I2 R1bis I2bis */
	uint32_t request_nonce; /* Update Request and Acknowledgement */

	enum wire_sta sta;	/* Probe */
	unsigned n_sent;	/* Psent, 1..15 */
	unsigned n_received;	/* Precvd, 0..15 */
	const uint8_t *records; /* n_sent sent, then n_received received */

	uint8_t error_code;	/* Error */
	uint16_t error_pointer; /* octet offset in the quoted packet */
	struct wire_blob quote; /* the packet in error, with its IPv6 header */

	struct wire_blob validator;
	struct wire_locator_list locators;
	struct wire_preferences prefs;
	struct wire_blob pds;
	struct wire_blob signature;
	bool has_ulids;
	struct shim6_addr ulid_sender;
	struct shim6_addr ulid_receiver;
	bool has_fii;
	uint32_t fii;
	bool has_keepalive_timeout;
	uint16_t keepalive_timeout; /* seconds, as received; 0 to be ignored (AMB-R6) */
};

/* Why a message was not decoded. Each is a drop reason with its own counter. */
enum wire_status {
	WIRE_OK = 0,
	WIRE_E_SHORT = -1,	   /* fewer octets than the header says, or than 8 */
	WIRE_E_MIN_LENGTH = -2,	   /* Hdr Ext Len below the type's minimum (W-76) */
	WIRE_E_CHECKSUM = -3,	   /* (W-20) */
	WIRE_E_NOT_CONTROL = -4,   /* P = 1 */
	WIRE_E_S_BIT = -5,	   /* a HIP message */
	WIRE_E_UNKNOWN_TYPE = -6,  /* answer Error 0, pointer *err_offset (ERR-03) */
	WIRE_E_CRITICAL = -7,	   /* answer Error 1, pointer *err_offset (W-39) */
	WIRE_E_OPTION = -8,	   /* overrun, leftover, wrong fixed length (W-42, W-43, W-55, W-60) */
	WIRE_E_DUPLICATE = -9,	   /* a singleton option twice (W-44) */
	WIRE_E_PROBE = -10,	   /* Sta 3, Psent 0, or records past the end (PF-16) */
	WIRE_E_NO_VALIDATOR = -11, /* R1, I2, R1bis, I2bis without one (W-69, E-30) */
};
#define WIRE_N_STATUS 12

/* A short stable name ("checksum"), for counters and logs; status may be any sign. */
const char *wire_status_name(int status);
/* "I1", "R1bis", "Update Request", ...; "type N" is not built: unknown gives "unknown". */
const char *wire_type_name(unsigned type);

/*
 * Decode one control message: buf is the Shim6 header and whatever follows it;
 * octets past Hdr Ext Len are ignored (W-22). Order of the checks: length,
 * P and S bits, checksum, type, minimum length, options (V-23).
 *
 * Returns WIRE_OK or an enum wire_status below zero; *m is then undefined
 * except for type, len and, when WIRE_E_UNKNOWN_TYPE or WIRE_E_CRITICAL,
 * *err_offset: octets from buf to the culprit.
 */
int wire_decode(const uint8_t *buf, size_t len, struct wire_msg *m, size_t *err_offset);

/* i-th of a decoded message's parts; i must be in range. */
void wire_record_get(const struct wire_msg *m, unsigned i, struct wire_record *r);
void wire_locator_get(const struct wire_locator_list *l, unsigned i, struct shim6_addr *a);
void wire_pref_get(const struct wire_preferences *p, unsigned i, struct wire_pref *e);

/* Checksum of a Shim6 header, its own field taken as zero, without a pseudo header (W-20, W-21). */
uint16_t wire_checksum(const uint8_t *buf, size_t len);

/* Payload extension header (1.2): 8 octets. */
void wire_payload_put(uint8_t out[WIRE_PAYLOAD_HDR], uint8_t next_header, uint64_t tag);
/* false: not a payload header (P = 0) or Hdr Ext Len != 0. */
bool wire_payload_get(const uint8_t *buf, size_t len, uint8_t *next_header, uint64_t *tag);

/*
 * Encoding: begin, options in any order, finish. A builder never writes past
 * its capacity; overflow, or an argument that no message can carry, is
 * remembered and wire_finish() then returns 0.
 * Capacity WIRE_MAX_MSG keeps W-04.
 */
struct wire_builder {
	uint8_t *buf;
	size_t cap;
	size_t len;
	bool overflow;
};

void wire_begin_i1(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce);
void wire_begin_r1(struct wire_builder *b, uint8_t *buf, size_t cap, uint32_t init_nonce, uint32_t resp_nonce);
void wire_begin_i2(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce,
		   uint32_t resp_nonce);
void wire_begin_r2(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce);
void wire_begin_r1bis(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t packet_ct, uint32_t resp_nonce);
void wire_begin_i2bis(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t init_nonce,
		      uint32_t resp_nonce, uint64_t packet_ct);
void wire_begin_update_request(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t nonce);
void wire_begin_update_ack(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, uint32_t nonce);
void wire_begin_keepalive(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct);
/* sent[0] describes this very probe (PF-07); 1 <= n_sent <= 15, n_received <= 15. */
void wire_begin_probe(struct wire_builder *b, uint8_t *buf, size_t cap, uint64_t ct, enum wire_sta sta,
		      const struct wire_record *sent, unsigned n_sent, const struct wire_record *received,
		      unsigned n_received);
/* quote: the offending packet from its IPv6 header; cut and padded to what fits (ERR-02). */
void wire_begin_error(struct wire_builder *b, uint8_t *buf, size_t cap, uint8_t code, uint16_t pointer,
		      const uint8_t *quote, size_t quote_len);

void wire_opt_validator(struct wire_builder *b, const uint8_t *v, size_t len);
void wire_opt_locator_list(struct wire_builder *b, uint32_t generation, const struct shim6_addr *locators,
			   const uint8_t *methods, unsigned n);
/* elem_len 1, 2 or 3 (W-56) */
void wire_opt_preferences(struct wire_builder *b, uint32_t generation, const struct wire_pref *prefs, unsigned n,
			  unsigned elem_len);
void wire_opt_pds(struct wire_builder *b, const uint8_t *pds, size_t len);
void wire_opt_signature(struct wire_builder *b, const uint8_t *sig, size_t len);
void wire_opt_ulid_pair(struct wire_builder *b, const struct shim6_addr *sender, const struct shim6_addr *receiver);
void wire_opt_fii(struct wire_builder *b, uint32_t fii);
void wire_opt_keepalive_timeout(struct wire_builder *b, uint16_t seconds);

/* Sets Hdr Ext Len and the checksum. Returns the message's octets, 0 after an overflow. */
size_t wire_finish(struct wire_builder *b);

#endif
