/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the linker puts in place of malloc and its kin. */
#ifndef SHIM6_SIM_MEMORY_H
#define SHIM6_SIM_MEMORY_H

#include <stddef.h>

void *__wrap_malloc(size_t size);
void __wrap_free(void *p);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);

#endif
