/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What list and status tell, in words and in JSON. */
#ifndef SHIM6_LAB_SHOW_H
#define SHIM6_LAB_SHOW_H

#include "lab/state.h"

struct json_object;

/* With what the daemons themselves say (status and contexts). */
struct json_object *show_lab_json(const struct lab *lab);
void show_lab(const struct lab *lab);
void show_lab_line(const struct lab *lab);
void show_json(struct json_object *o); /* prints and frees */

#endif
