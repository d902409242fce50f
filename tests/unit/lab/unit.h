/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every test program of the lab includes. */
#ifndef SHIM6_TESTS_LAB_UNIT_H
#define SHIM6_TESTS_LAB_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MS(n) ((uint64_t)(n)*1000000u)

#endif
