/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts faults into force and takes them back; both are logged with their exact time. */
#ifndef SHIM6_LAB_FAULTS_H
#define SHIM6_LAB_FAULTS_H

#include "lab/state.h"

/* 0 or -1 after lab_error(). when: set to the moment the change was in force (may be NULL). */
int faults_fail(struct lab *lab, const struct fault *f, uint64_t *when);
/* The fault equal to f; f NULL: the newest one. */
int faults_heal(struct lab *lab, const struct fault *f, uint64_t *when);
int faults_heal_all(struct lab *lab);
/* Put the delay of every provider into force (lab->delay_ms and delay faults). */
int faults_apply_delays(struct lab *lab);

#endif
