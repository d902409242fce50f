/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scenarios of the best pair and the way back to it. */
#ifndef SHIM6_SIM_PREFERENCES_H
#define SHIM6_SIM_PREFERENCES_H

#include "scene.h"

void fail_back(struct scene *x);
void fail_back_under_load(struct scene *x);
void fail_back_hold_downs(struct scene *x);
void route_flap(struct scene *x);
void dead_for_an_hour(struct scene *x);
void failed_again(struct scene *x);
void second_failure(struct scene *x);
void preferences_at_both_ends(struct scene *x);
void crossing_updates(struct scene *x);

#endif
