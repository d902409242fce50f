/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service manager's readiness protocol: one datagram to $NOTIFY_SOCKET. */
#ifndef SHIM6_DAEMON_NOTIFY_H
#define SHIM6_DAEMON_NOTIFY_H

/* state: "READY=1", "STOPPING=1", ... Nothing happens without a service manager. */
void notify_manager(const char *state);

#endif
