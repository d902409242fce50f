/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Private data out of a text. Each address, prefix, hardware address, and each
 * long hexadecimal string (context tags, modifiers, keys) gets a name of its own,
 * the same wherever it stands, so that a reader sees what belongs together:
 *
 *   2001:db8:SITE:SUBNET::N   for the Nth interface identifier in a /64
 *   192.0.2.N, 02:00:00:00:00:N, [hex N], host (for this host's name)
 *
 * PEM blocks are left out whole. Numbers are given in the order of appearance.
 */
#ifndef SHIM6_DOCTOR_MASK_H
#define SHIM6_DOCTOR_MASK_H

struct mask;

struct mask *mask_new(const char *host_name); /* NULL: out of memory */
void mask_free(struct mask *m);
/* The caller frees it. NULL: out of memory. */
char *mask_text(struct mask *m, const char *text);

#endif
