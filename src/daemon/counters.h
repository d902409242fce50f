/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's own counters: what it refused, dropped or could not do, by name.
 * The engine and the data path count for themselves.
 */
#ifndef SHIM6_DAEMON_COUNTERS_H
#define SHIM6_DAEMON_COUNTERS_H

#include <stdint.h>

#define DAEMON_COUNTERS(X)                                                                                             \
	X(ctl_sent)		 /* control messages handed to the kernel */                                           \
	X(ctl_send_failed)	 /* refused by the kernel: no route, no such source, queue full */                     \
	X(ctl_received)		 /* control messages read */                                                           \
	X(ctl_no_pktinfo)	 /* dropped: destination address unknown */                                            \
	X(ctl_truncated)	 /* dropped: longer than any Shim6 message may be */                                   \
	X(ctl_fragmented)	 /* dropped: came in fragments (A-32) */                                               \
	X(icmp_received)	 /* ICMPv6 errors that quote protocol 140 */                                           \
	X(icmp_foreign)		 /* ICMPv6 errors about something else: not ours */                                    \
	X(locals_refused)	 /* local addresses beyond the limit */                                                \
	X(dp_install_failed)	 /* projections the data path refused */                                               \
	X(dp_orphans_removed)	 /* projections found at start that no saved context explains */                       \
	X(stale_activity)	 /* notices for a slot that changed hands */                                           \
	X(trigger_received)	 /* ULID pairs the data path proposed */                                               \
	X(retrigger_forgotten)	 /* pairs waiting to be counted again, pushed out by newer ones */                     \
	X(state_saved)		 /* contexts written to the journal */                                                 \
	X(state_write_failed)	 /* journal writes that failed */                                                      \
	X(state_restored)	 /* contexts taken over at start */                                                    \
	X(state_refused)	 /* saved contexts the engine refused */                                               \
	X(state_damaged)	 /* journal octets that were no record */                                              \
	X(held_received)	 /* TCP segments copied to us while nothing came back */                               \
	X(held_replaced)	 /* dropped: another segment of the flow serves better */                              \
	X(held_refused)		 /* dropped: over a limit, or no TCP segment */                                        \
	X(held_stale)		 /* dropped: too old, or of a context that is gone */                                  \
	X(held_injected)	 /* sent again after a switch */                                                       \
	X(held_inject_failed)	 /* the data path refused it */                                                        \
	X(errors_received)	 /* ICMPv6 errors kept from their socket while another pair is looked for */           \
	X(errors_replaced)	 /* dropped: a newer one of the context came */                                        \
	X(errors_void)		 /* dropped: another pair works */                                                     \
	X(errors_delivered)	 /* given to the socket: none was found, or not in time */                             \
	X(errors_failed)	 /* the data path could not deliver it */                                              \
	X(control_clients)	 /* control connections accepted */                                                    \
	X(control_refused)	 /* control connections over the limit */                                              \
	X(control_bad)		 /* requests that were no request */                                                   \
	X(control_denied)	 /* requests refused for want of rights */                                             \
	X(control_events_missed) /* events and traced messages a slow client did not get */                            \
	X(hooks_done)		 /* runs of the hook command that ended well */                                        \
	X(hooks_failed)		 /* that could not be started, or ended otherwise */                                   \
	X(hooks_timed_out)	 /* killed at the time limit */                                                        \
	X(hooks_dropped)	 /* events that found the queue full */                                                \
	X(turn_longest_us)	 /* no count: processor time of the longest turn of the loop */                        \
	X(turns_slow)		 /* turns of more than 50 ms */                                                        \
	X(dad_collisions)	 /* HBA addresses found in use by another host */                                      \
	X(neighbours_dropped)	 /* neighbours that held back packets on an interface that went down */                \
	X(prefixes_refused)	 /* prefixes of uplinks beyond the limit */                                            \
	X(sets_made)		 /* HBA sets made without being asked */                                               \
	X(sets_retired)		 /* and let go, as nobody used them any more */                                        \
	X(sets_refused)		 /* not made: too many older ones are in use */                                        \
	X(rtnl_failed)		 /* addresses the kernel refused to add or remove */

enum daemon_counter {
#define X(name) DC_##name,
	DAEMON_COUNTERS(X)
#undef X
	DC_COUNT,
};

struct counters {
	uint64_t v[DC_COUNT];
};

const char *counter_name(unsigned i);

static inline void counter_add(struct counters *c, enum daemon_counter i, uint64_t n)
{
	c->v[i] += n;
}

static inline void count(struct counters *c, enum daemon_counter i)
{
	c->v[i]++;
}

#endif
