/* SPDX-License-Identifier: MIT */
/*
 * The control protocol: JSON lines on a Unix stream socket, shared by the
 * daemon, the library and the command.
 *
 * Client to daemon, one object a line:
 *   {"v":1,"op":"contexts","args":{...}}
 * Daemon to client, one object a line:
 *   {"v":1,"ok":true,"result":...}
 *   {"v":1,"ok":false,"error":{"code":"no-context","message":"no context 17","hint":"shim6 contexts lists them"}}
 * After op "events" the daemon goes on sending {"v":1,"event":{...}} lines until
 * the client closes; a client that does not read gets {"v":1,"overflow":N} for
 * the N events it missed.
 *
 * Operations, their arguments and results; contexts and events are those that the caller may see:
 *   status                         {"version","pid","uptime_s","datapath","initiate","config_file",
 *                                   "send_timeout_s","contexts":N,"established":N,"exploring":N,"locators":[...]}
 *   contexts   {"id"?,"after"?}    [context...]; a long list ends early, and the reply has "more":ID to go on after
 *   locators                       {"locators":[{"addr","ifname","ifindex","up","deprecated","hba":bool,"set"?,
 *                                   "priority","weight","preference" (who says so; "": nobody)}],
 *                                   "sets":[as of addr.list, without "configured"]}
 *   stats                          {"engine":{name:number},"datapath":{...},"daemon":{...}}
 *   events     {"since"?}          null, then the events kept with a "seq" above since, then those to come
 *   trace      {"id"?,"local"?,"peer"?}  null, then what is told of messages from now on, of one context, of one
 *                                  ULID pair, or to and from one address of a peer; a connection has one subscription
 *   negative                       [{"local","peer","state","left_s"}]
 *   prefer     {"target"?,"priority"?,"weight"?,"reset"?:bool}
 *                                  {"preferences":[{"target","priority","weight"}],"locators":[as above]}
 *                                  without arguments it only tells; target: interface, prefix, address
 *   reload                         {"changed":[key...],"restart":[key...]} (the second: those that wait for one)
 *   establish  {"local","peer"}    {"id"?}
 *   explore    {"id","local"?,"peer"?}  null
 *   drop       {"id"}              null
 *   addr.generate {"prefixes":[...],"sec":N,"key":PEM?,"new_key":BITS?,"name"?}  {"file","addresses":[...]};
 *                                  it ends when the client goes away
 *   addr.progress                  null, or of the set being made: {"sec","threads","tries","expected","elapsed_s",
 *                                   "per_s":N|null,"left_s":N|null} (hashes; the time left is a mean)
 *   addr.list                      [{"file","sec","key":bool,"key_bits"?,"collisions","given_up":bool,"prefixes",
 *                                   "addresses","configured":[bool...]}]
 *   addr.delete {"file"}           null
 * A context:
 *   {"id","slot","state","fii","initiator","ulid":{"local","peer"},"tag":{"local","peer"},
 *    "current":{"local","peer"},"rewritten":bool,"reap","send_timeout_s","keepalive_timeout_s",
 *    "age_s","idle_s","mtu",
 *    "locators":{"local":[{"addr","up","method","priority","weight"}],
 *                "peer":[{"addr","broken","probed","verified","method","priority","weight"}]},
 *    "fail_back":null|{"pair":{"local","peer"},"works_s":null|N,"hold_down_s":null|N},
 *    "last_switch":null|{"ago_s","took_ms","reason","from":{"local","peer"},"to":{"local","peer"}},
 *    "counters":{"switches","episodes","probes_sent","probes_received","keepalives_sent","keepalives_received",
 *                "tx_packets","tx_bytes","rx_packets","rx_bytes"}}
 * An event:
 *   {"time" (ISO 8601 UTC, microseconds),"monotonic_s","seq","type","reason","noticed":"here"|"peer"|"command",
 *    "text","id","fii","ulid":{...},
 *    "from"?:{...},"to"?:{...},"took_ms"?,"silence_ms"?,"probes"?}
 * After op "trace" (for those who may change things), each in a line of its own, in the order of what happened:
 *   "message":     {"time","monotonic_s","direction":"sent"|"received","local","peer","octets":hexadecimal,
 *                   "verdict":"sent"|"failed"|"accepted"|"dropped","counters":[why, as in stats...],
 *                   "id"?,"state"?,"reap"? (of the context, once the message was handled),
 *                   "verified"?:[the peer's locators that are proved by now...]}
 *   "unknown_tag": {...,"tag"}     a payload packet that the data path did not know what to do with
 *   "icmp":        {...,"type","code"} an ICMPv6 error; octets: the packet that it quotes, from its IPv6 header
 *   "event":       an event, as above
 *   "overflow":    N of these were missed
 * Tags are 12 hexadecimal digits in strings; addresses are canonical text (RFC 5952).
 *
 * Error codes: bad-request, unknown-op, bad-argument, no-context, not-permitted,
 * not-local, no-preference, limit, exists, state, config, io, internal.
 */
#ifndef SHIM6_CONTROL_CONTROL_H
#define SHIM6_CONTROL_CONTROL_H

#include <stddef.h>

#define CONTROL_VERSION 1
#define CONTROL_LINE_MAX (1u << 20)   /* octets of one request line */
#define CONTROL_REPLY_MAX (64u << 20) /* octets of one reply line that a client takes: some 40,000 contexts */
#define CONTROL_SOCKET "shim6.sock"   /* in the runtime directory */
#define CONTROL_DEFAULT_DIR "/run/shim6"

struct json_object;

/* A line-buffered connection of a client; blocking. */
struct control_client;

/* path NULL: CONTROL_DEFAULT_DIR/CONTROL_SOCKET. 0 or negative errno. */
int control_connect(struct control_client **out, const char *path);
void control_close(struct control_client *c);
int control_fd(const struct control_client *c);
/* Send a request; takes over args (may be NULL). 0 or negative errno. */
int control_request(struct control_client *c, const char *op, struct json_object *args);
/* Read one line and parse it; caller owns *out. timeout_ms < 0 waits for ever. -ETIMEDOUT, -EPIPE at end, -EBADMSG,
 * -EMSGSIZE. */
int control_read(struct control_client *c, struct json_object **out, int timeout_ms);
/* Request and its one reply; events that come before it are dropped. */
int control_call(struct control_client *c, const char *op, struct json_object *args, struct json_object **reply,
		 int timeout_ms);

#endif
