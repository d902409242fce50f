/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network of the lab as a picture; where something failed in a run is crossed. */
#ifndef SHIM6_LAB_REPORT_TOPO_H
#define SHIM6_LAB_REPORT_TOPO_H

#include "lab/report_data.h"
#include "lab/util.h"

void report_topo(struct strbuf *out, const struct report *r);

#endif
