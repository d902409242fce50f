/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One stream of traffic and the programs that make it: our own paced TCP and
 * numbered UDP, or real ones (curl and an HTTP server, ssh and sshd, iperf3)
 * with a measuring program behind what the receiver gets. The receiving host
 * always asks for the data, from its provider 1 to the other's.
 */
#ifndef SHIM6_LAB_FLOW_H
#define SHIM6_LAB_FLOW_H

#include "lab/state.h"
#include "lab/stream.h"

enum flow_kind {
	FLOW_TCP,
	FLOW_UDP,
	FLOW_CURL,
	FLOW_SSH,
	FLOW_IPERF3,
	FLOW_KINDS
};

#define FLOW_UDP_PER_SECOND 200
#define FLOW_UDP_OCTETS 1000

struct flow_env {
	const struct lab *lab;
	const char *logs; /* folder */
	const char *tag;  /* of the run, for the names of log files */
	uint64_t t0;
	unsigned seconds;
	uint64_t rate; /* octets per s of a TCP stream; 0: as fast as it goes */
	uint64_t size; /* of a download */
};

struct flow_pipe {
	int fd; /* -1: closed */
	struct stream_reader reader;
};

struct flow {
	enum flow_kind kind;
	unsigned from, to; /* hosts */
	struct stream s;
	struct flow_pipe in[2];			   /* what measures, what sends */
	struct proc server, client, meter, digest; /* sender of our own streams: client */
	int digest_fd;
	char want[65], got[65]; /* SHA-256 of the file and of what came */
	uint64_t told_silent;	/* live account: silent since, 0: not */
	bool told_end;
};

const char *flow_kind_name(enum flow_kind k);
bool flow_kind_parse(const char *name, enum flow_kind *k);
void flow_init(struct flow *f, enum flow_kind kind, unsigned from, unsigned to);

/* All return 0, or -1 after lab_error(). */
int flow_prepare(struct flow *f, const struct flow_env *env); /* keys, files, servers; before t0 */
int flow_start(struct flow *f, const struct flow_env *env);
/* Something can be read from in[i]. */
void flow_read(struct flow *f, unsigned i);
/* It has ended, and the program that received it has said how. */
bool flow_ended(struct flow *f);
/* The programs tell the rest and end; within a few seconds. */
void flow_finish(struct flow *f, const struct flow_env *env);
/* Ends whatever runs, measured or not. */
void flow_kill(struct flow *f);

#endif
