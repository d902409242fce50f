/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon knows, as the JSON of control/control.h. The caller owns what is returned. */
#ifndef SHIM6_DAEMON_CONTROL_JSON_H
#define SHIM6_DAEMON_CONTROL_JSON_H

#include "daemon/daemon.h"

#define CONTROL_RESULT_MAX (CONTROL_LINE_MAX - 4096) /* octets of a list in one reply; more is told by "more" */

struct json_object *control_json_status(struct daemon *d, const char *version);
struct json_object *control_json_context(struct daemon *d, const struct engine_ctx_info *info);
/* Those with an id above after, of this user's sockets (NULL: all); *more: the id to go on after, or NULL when that was
 * all. */
struct json_object *control_json_contexts(struct daemon *d, uint64_t after, const uid_t *uid,
					  struct json_object **more);
struct json_object *control_json_locators(struct daemon *d);
struct json_object *control_json_generated(const struct store_set *set); /* the reply of addr.generate */
struct json_object *control_json_sets(struct daemon *d, bool configured);
struct json_object *control_json_progress(const struct generate_job *j); /* of addr.progress */
struct json_object *control_json_prefer(struct daemon *d);
struct json_object *control_json_stats(struct daemon *d);
/* *more: true when not all fit. */
struct json_object *control_json_negative(struct daemon *d, struct json_object **more);
struct json_object *control_json_addrs(const struct shim6_addr *a, unsigned n);

#endif
