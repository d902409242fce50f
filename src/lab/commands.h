/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each verb does. The exit codes are those of the command shim6. */
#ifndef SHIM6_LAB_COMMANDS_H
#define SHIM6_LAB_COMMANDS_H

#include <stdbool.h>

enum lab_exit {
	LAB_OK = 0,
	LAB_FAILED = 1,
	LAB_USAGE = 2,
};

int lab_main(int argc, char **argv);

struct options;
struct trial_setup;
/* run.c */
int cmd_run(const struct options *o);
/* The setup that the options ask for, without output; false: err says why not. */
bool run_setup(const struct options *o, struct trial_setup *setup, char *err);

#endif
