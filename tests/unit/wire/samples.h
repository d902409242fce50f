/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One full message of every type, from the builders; for the tests and the fuzzer's seeds. */
#ifndef TESTS_WIRE_SAMPLES_H
#define TESTS_WIRE_SAMPLES_H

#include "wire/wire.h"

#define SAMPLE_CT UINT64_C(0x123456789abc)
#define SAMPLE_PACKET_CT UINT64_C(0x0badc0ffee11)
#define SAMPLE_INIT 0xdeadbeef
#define SAMPLE_RESP 0x01020304

struct sample {
	const char *name;
	size_t (*build)(uint8_t *buf, size_t cap);
	size_t len; /* as computed from tables 1.3 and 1.4 */
};

extern const struct sample samples[];
extern const unsigned n_samples;

#endif
