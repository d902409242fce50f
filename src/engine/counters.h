/* SPDX-License-Identifier: MIT */
/* The engine's counters: names are stable and public. */
#ifndef SHIM6_ENGINE_COUNTERS_H
#define SHIM6_ENGINE_COUNTERS_H

/* clang-format off */
#define ENGINE_COUNTERS(X) \
	/* messages sent and received, by type; received ones passed the checks of 12.3 */ \
	X(tx_i1) X(tx_r1) X(tx_i2) X(tx_r2) X(tx_r1bis) X(tx_i2bis) X(tx_update_request) X(tx_update_ack) \
	X(tx_keepalive) X(tx_probe) X(tx_error) X(tx_failed) X(tx_too_long) X(rx_i1) X(rx_r1) X(rx_i2) \
	X(rx_r2) X(rx_r1bis) X(rx_i2bis) X(rx_update_request) X(rx_update_ack) X(rx_keepalive) X(rx_probe) \
	X(rx_error) X(rx_icmp) X(rx_unknown_tag) \
	/* 12.3: refused before dispatch */ \
	X(drop_address) X(drop_own_source) X(drop_not_local) X(drop_short) X(drop_min_length) \
	X(drop_checksum) X(drop_not_control) X(drop_s_bit) X(drop_unknown_type) X(drop_critical_option) \
	X(drop_option) X(drop_duplicate) X(drop_probe) X(drop_no_validator) \
	/* handshake */ \
	X(drop_ulid_not_local) X(drop_ulid_unusable) X(drop_stale_nonce) X(drop_bad_validator) \
	X(drop_validator_too_long) X(drop_unknown_handshake) X(drop_wrong_state) X(drop_source_locator) \
	X(drop_pds) X(drop_sec) X(drop_list_without_pds) X(drop_method) X(drop_locator_verification) \
	X(drop_signature_budget) X(drop_r1bis_no_match) X(drop_r1bis_not_recent) \
	/* tagged messages */ \
	X(drop_tag_not_ready) X(drop_unknown_tag) X(drop_wrong_locators) X(drop_update_generation) \
	X(drop_update_count) X(drop_update_ack_nonce) X(drop_error_no_match) X(drop_icmp_no_match) \
	X(drop_icmp_other) \
	/* limits */ \
	X(limit_replies) X(limit_replies_per_64) X(limit_probes) X(limit_updates) X(limit_contexts) X(limit_contexts_per_64) \
	X(limit_forks) X(limit_tags) X(limit_negative) X(limit_resend) X(limit_hint) X(limit_preference) \
	X(limit_locators) X(limit_memory) X(limit_datapath) \
	/* tolerated */ \
	X(ignored_preferences) X(ignored_locator) X(ignored_trigger) \
	/* transitions */ \
	X(contexts_initiated) X(contexts_accepted) X(contexts_established) X(contexts_recovered) \
	X(contexts_restored) X(contexts_idle) X(contexts_kept) X(contexts_failed) X(contexts_confused) \
	X(contexts_ulid_gone) X(contexts_dropped) X(fallbacks_to_i1) X(negative_e_failed) \
	X(negative_no_support) X(explorations) X(switches) X(preference_moves) X(fail_backs) X(fail_back_tests) \
	X(fail_back_tests_passed) X(fail_backs_vain) X(updates_completed) X(updates_abandoned) \
	/* CGA signatures of our own */ \
	X(signatures_made) X(signature_failed) X(outside_added) X(outside_withdrawn) X(outside_refused) \
	X(limit_outside)
/* clang-format on */

enum counter {
#define X(name) C_##name,
	ENGINE_COUNTERS(X)
#undef X
	N_COUNTERS,
};

#endif
