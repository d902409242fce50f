/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A decoded message written again with the builders, options in the order of
 * their types; shared by the unit tests and the fuzzer. Unknown options and
 * reserved bits are not in a decoded message, so they do not come back.
 */
#ifndef TESTS_WIRE_REBUILD_H
#define TESTS_WIRE_REBUILD_H

#include "wire/wire.h"

#define REBUILD_MAX 2048

/* Octets written, 0 when no builder can say it. */
size_t rebuild(const struct wire_msg *m, uint8_t *out, size_t cap);
/* Do two decoded messages say the same? */
bool same_message(const struct wire_msg *a, const struct wire_msg *b);

#endif
