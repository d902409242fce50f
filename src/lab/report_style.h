/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CSS of the report: light, dark by the reader's setting, and always light on paper. */
#ifndef SHIM6_LAB_REPORT_STYLE_H
#define SHIM6_LAB_REPORT_STYLE_H

extern const char report_style[];

#endif
