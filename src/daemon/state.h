/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Contexts that outlive the process: a journal in the runtime directory.
 *
 * The file starts with a header that names the boot (saved contexts hold
 * monotonic times and data path slots, which mean nothing after the next one).
 * Then records are appended: magic, length, CRC-32, context id, the engine's
 * octets; length 0 says that the context is gone. A context's last record
 * counts. When more than half of the file is superseded it is written anew
 * beside and renamed. A record goes out in one write(), so that a process killed
 * at any point leaves at most one torn record at the end, which is cut off.
 */
#ifndef SHIM6_DAEMON_STATE_H
#define SHIM6_DAEMON_STATE_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

struct state;

/* boot: names this boot; contexts saved under another are discarded. NULL and err on failure. */
struct state *state_open(const char *path, const char *boot, char *err, size_t err_len);
/* keep: leave the file for a successor; else remove it. */
void state_close(struct state *s, bool keep);

/* What the file held when it was opened, by ascending age. fn must not change s. */
void state_each(struct state *s, void (*fn)(void *arg, uint64_t id, const uint8_t *blob, size_t len), void *arg);

/* 0 or negative errno. */
int state_put(struct state *s, uint64_t id, const uint8_t *blob, size_t len);
int state_remove(struct state *s, uint64_t id);

unsigned state_count(const struct state *s);   /* contexts saved */
size_t state_size(const struct state *s);      /* octets of the file */
uint64_t state_damaged(const struct state *s); /* octets cut off when it was opened */
bool state_discarded(const struct state *s);   /* another boot's, or no journal of ours */

/* Boot id of this system ("" when there is none). */
void state_boot_id(char out[37]);

#endif
