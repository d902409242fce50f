/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test of the daemon starts with: cmocka and a folder of its own. */
#ifndef SHIM6_TESTS_DAEMON_UNIT_H
#define SHIM6_TESTS_DAEMON_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char unit_dir[64];

static inline int unit_make_dir(void **state)
{
	(void)state;
	snprintf(unit_dir, sizeof(unit_dir), "/tmp/shim6-unit-XXXXXX");
	return mkdtemp(unit_dir) ? 0 : -1;
}

static inline int unit_remove_dir(void **state)
{
	char cmd[128];

	(void)state;
	snprintf(cmd, sizeof(cmd), "rm -r '%s'", unit_dir);
	return system(cmd);
}

static inline const char *unit_path(const char *name)
{
	static char path[2][256];
	static unsigned i;

	i ^= 1;
	snprintf(path[i], sizeof(path[i]), "%s/%s", unit_dir, name);
	return path[i];
}

static inline void unit_write(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline size_t unit_read(const char *path, char *out, size_t cap)
{
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(out, 1, cap, f);
	fclose(f);
	return n;
}

#endif
