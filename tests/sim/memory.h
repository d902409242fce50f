/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the linker puts in place of malloc and its kin, and how to make an engine go without. */
#ifndef SHIM6_SIM_MEMORY_H
#define SHIM6_SIM_MEMORY_H

#include <stddef.h>

/* This allocation of an engine fails, counted from now; 0: none does. Volatile as sim_memory_of. */
extern volatile unsigned long sim_memory_fails;

void *__wrap_malloc(size_t size);
void __wrap_free(void *p);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

#endif
