/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A control message as JSON, for shim6 trace:
 *   {"type","tag"?,"packet_tag"?,"initiator_nonce"?,"responder_nonce"?,"request_nonce"?,
 *    "reap"?,"sent"?:[record...],"received"?:[...]       a Probe; record: {"src","dst","nonce","data"}
 *    "error"?:{"code","text","pointer","quote":{"src","dst","type"?,"octets"}},
 *    "ulids"?:{"sender","receiver"},"fii"?,"validator"?,
 *    "locators"?:{"generation","list":[{"addr","method"}]},
 *    "preferences"?:{"generation","list":[{"broken","transient","priority","weight"}]},
 *    "pds"?,"signature"?,"keepalive_timeout_s"?}
 * or {"type"?,"undecodable":why,"offset"?}. Tags and nonces are hexadecimal, and
 * so are the contents of what has no structure here.
 */
#ifndef SHIM6_CLI_DECODE_H
#define SHIM6_CLI_DECODE_H

#include <json-c/json.h>
#include <stddef.h>
#include <stdint.h>

struct json_object *decode_message(const uint8_t *msg, size_t len);

#endif
