// SPDX-License-Identifier: GPL-2.0-or-later
/* shim6-lab, started by "shim6 lab ...". */
#include "lab/commands.h"

int main(int argc, char **argv)
{
	return lab_main(argc, argv);
}
