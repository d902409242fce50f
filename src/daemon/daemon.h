/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shim6d: one process, one thread, one loop.
 *
 *   ctlsock ─┐                       ┌─> ctlsock (send)
 *   datapath ┼─> engine (protocol) ──┼─> datapath (projections, notices)
 *   locals ──┘        │              └─> events ─> log, control socket
 *                     └── state (journal)
 *
 * Each turn of the loop hands the engine what came in; before the loop sleeps,
 * daemon_settle() writes changed contexts to the journal, sends held segments
 * of those that have a working pair again, and arms the one timer from
 * engine_next_deadline(). Work that an engine callback calls for is put off until
 * then: the engine is not entered from within itself.
 *
 * Three ways to end: cleanly (SIGTERM: nothing stays behind), leaving all in
 * place for a successor (SIGUSR1, or keep_on_exit), or killed. The last two look
 * the same to the successor: the data path forwards on, the journal has the
 * contexts, the record of added addresses lies beside it.
 */
#ifndef SHIM6_DAEMON_DAEMON_H
#define SHIM6_DAEMON_DAEMON_H

#include "daemon/autoset.h"
#include "daemon/config.h"
#include "daemon/control_server.h"
#include "daemon/counters.h"
#include "daemon/ctlsock.h"
#include "daemon/events.h"
#include "daemon/generate.h"
#include "daemon/hba.h"
#include "daemon/held.h"
#include "daemon/hooks.h"
#include "daemon/errors.h"
#include "daemon/locals.h"
#include "daemon/state.h"
#include "daemon/trace.h"
#include "host/labels.h"
#include "host/ra.h"
#include "host/sadr.h"
#include "host/sockets.h"
#include "datapath/datapath.h"

#define DAEMON_MAX_RETRIGGER 1024 /* pairs waiting to be counted again */

struct daemon_options {
	const char *config_file; /* NULL: the default path if it exists */
	bool config_given;	 /* then it must exist */
	const char *run_dir, *state_dir, *pin_dir;
	bool debug;
};

/* Something to do for a context before the loop sleeps. */
struct daemon_pending {
	uint64_t id;
	uint32_t slot;
	bool release; /* its held segments may go */
};

struct daemon_retrigger {
	struct shim6_pair ulid;
	uint64_t due; /* 0: free */
};

struct loop;

struct daemon {
	struct daemon_options opt;
	struct config config;
	struct preferences prefer; /* said at run time */
	struct counters counters;
	uint64_t started;
	bool keep; /* end without taking anything out */

	struct loop *loop;
	struct engine *engine;
	struct datapath *dp;
	struct host *host;
	struct rtnl *rtnl;
	struct sadr *sadr; /* NULL: routing by source is not ours to manage */
	struct ra *ra;
	struct labels *labels;
	struct prefixes prefixes;
	struct autoset autoset;
	struct sockets *sockets;
	struct ctlsock *ctl;
	struct hba *hba;
	struct locals *locals, *locals_next; /* told; being computed */
	struct state *state;
	struct held *held;
	struct errors *errors;
	struct events *events;
	struct hooks *hooks;
	struct trace *trace;
	struct control_server *control;
	struct generate_job *job;
	struct control_call *job_call;

	struct daemon_pending *pending;
	size_t n_pending, cap_pending;
	unsigned left[HOST_MAX_LINKS]; /* dead interfaces that a context has left in this turn */
	unsigned n_left;
	bool triggered;	   /* engine_trigger() made a context */
	uint64_t last_new; /* its id */
	struct daemon_retrigger retrigger[DAEMON_MAX_RETRIGGER];
	unsigned next_retrigger;
	uint64_t retrigger_due; /* the earliest; ENGINE_NEVER */
};

uint64_t daemon_now(void); /* CLOCK_MONOTONIC, ns */

/* daemon.c: life */
bool daemon_start(struct daemon *d, char *err, size_t err_len);
void daemon_stop(struct daemon *d);
/* Remove what a dead process left. */
bool daemon_purge(struct daemon *d, char *err, size_t err_len);
/* Read the configuration and the HBA sets anew; apply differences. changed is told each key. */
bool daemon_reload(struct daemon *d, config_diff_fn changed, void *arg, char *err, size_t err_len);
/* The host changed: addresses, links, routers. */
void daemon_refresh(struct daemon *d);

/* work.c: each turn of the loop */
void daemon_settle(struct daemon *d);
void daemon_pending(struct daemon *d, uint64_t id, uint32_t slot, bool release);
bool daemon_save_all(struct daemon *d);

/* glue.c: what the engine and its sources of input call */
extern const struct engine_ops daemon_engine_ops;
extern const struct datapath_events daemon_datapath_events;
extern const struct ctlsock_events daemon_ctlsock_events;

/* takeover.c: contexts of an earlier process */
void daemon_take_over(struct daemon *d);

/* control_verbs.c */
struct daemon_pair {
	struct daemon *d;
	struct shim6_pair ulid;
};
/* Does a socket of this user speak between the ULIDs of a struct daemon_pair? */
bool daemon_pair_of_user(void *pair, uid_t uid);
void daemon_control(void *user, struct control_call *call, const char *op, struct json_object *args);

/* instance.c: one daemon per runtime directory. The file descriptor holds the lock; -1 and err. */
int instance_lock(const char *run_dir, char *err, size_t err_len);
void instance_unlock(int fd, const char *run_dir);

/* loop.c */
struct loop *loop_new(struct daemon *d, char *err, size_t err_len);
uv_loop_t *loop_uv(struct loop *l);
bool loop_watch(struct loop *l, char *err, size_t err_len); /* everything in *d is open */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
void loop_arm(struct loop *l, uint64_t now, uint64_t deadline);
void loop_unwatch(struct loop *l); /* before what it watches is closed */
void loop_free(struct loop *l);	   /* runs what still has to close */

#endif
