/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the other programs of the suite are: beside this one, where meson builds or installs them, else in PATH. */
#ifndef SHIM6_LAB_PROGRAMS_H
#define SHIM6_LAB_PROGRAMS_H

#include "lab/util.h"

/* Absolute path of shim6d or shim6; 0 or -1 after lab_error(). */
int program_find(const char *name, char out[static LAB_PATH_MAX]);
/* Puts the folders of our programs first in PATH, for what is started from here. */
void programs_to_path(void);

#endif
