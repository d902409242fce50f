/* SPDX-License-Identifier: GPL-2.0-or-later */
/* shim6d addr generate|list|delete: HBA sets without a running daemon. Returns the exit code. */
#ifndef SHIM6_DAEMON_ADDR_CMD_H
#define SHIM6_DAEMON_ADDR_CMD_H

int addr_cmd(const char *state_dir, int argc, char **argv);

#endif
