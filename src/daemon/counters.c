/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/counters.h"

static const char *const names[DC_COUNT] = {
#define X(name) [DC_##name] = #name,
	DAEMON_COUNTERS(X)
#undef X
};

const char *counter_name(unsigned i)
{
	return i < DC_COUNT ? names[i] : "unknown";
}
