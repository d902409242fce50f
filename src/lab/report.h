/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The report of a lab run: from the measurements (result.json) to one HTML file
 * that stands alone, with the plots as inline SVG; no script, nothing fetched.
 *
 *   report_data   result.json -> struct report, or an error that says what and where
 *   report_scale  ticks, rates, places of labels: pure arithmetic
 *   report_plot   one stream over time, all runs on the same axes
 *   report_topo   the network as a picture
 *   report_page   the page around them; report_tables its tables; report_style its CSS
 *   report_html   text to markup: everything that comes from outside is escaped there
 */
#ifndef SHIM6_LAB_REPORT_H
#define SHIM6_LAB_REPORT_H

#include "lab/util.h"

/* 0, or -1 after lab_error(). An older report at html_path is replaced at once or not at all. */
int report_write(const char *result_json_path, const char *html_path);
/* Where it goes when nobody says: RESULT.json -> RESULT.html. */
void report_beside(char out[static LAB_PATH_MAX], const char *result_json_path);

#endif
