/* SPDX-License-Identifier: MIT */
/* Causes and states of REAP in words, for events and the log. */
#include "engine/reap.h"

const char *reap_cause_name(enum reap_cause cause)
{
	switch (cause) {
	case REAP_CAUSE_NONE:
		return "none";
	case REAP_CAUSE_SEND_TIMEOUT:
		return "send-timeout";
	case REAP_CAUSE_PEER_PROBE:
		return "peer-probe";
	case REAP_CAUSE_LOCAL_DOWN:
		return "local-down";
	case REAP_CAUSE_PEER_BROKEN:
		return "peer-broken";
	case REAP_CAUSE_HINT:
		return "hint";
	case REAP_CAUSE_COMMAND:
		return "command";
	case REAP_CAUSE_PREFERENCE:
		return "preference";
	case REAP_CAUSE_FAIL_BACK:
		return "fail-back";
	case REAP_CAUSE_TEST:
		return "test";
	}
	return "unknown";
}

const char *reap_state_name(enum reap_state state)
{
	switch (state) {
	case REAP_OPERATIONAL:
		return "Operational";
	case REAP_EXPLORING:
		return "Exploring";
	case REAP_INBOUND_OK:
		return "InboundOk";
	}
	return "unknown";
}
