/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of a report: summary, plots, tables, and how it was measured. */
#ifndef SHIM6_LAB_REPORT_PAGE_H
#define SHIM6_LAB_REPORT_PAGE_H

#include "lab/report_data.h"
#include "lab/util.h"

void report_page(struct strbuf *out, const struct report *r);

#endif
