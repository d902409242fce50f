/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each verb does. The exit codes are those of the command shim6. */
#ifndef SHIM6_LAB_COMMANDS_H
#define SHIM6_LAB_COMMANDS_H

enum lab_exit {
	LAB_OK = 0,
	LAB_FAILED = 1,
	LAB_USAGE = 2,
};

int lab_main(int argc, char **argv);

#endif
