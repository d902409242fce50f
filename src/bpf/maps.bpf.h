/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps. Sizes that depend on the configuration are set before loading; 1 stands for them here. */
#ifndef SHIM6_MAPS_BPF_H
#define SHIM6_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sb_config);
} s6_config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sb_context);
} s6_contexts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct sb_pair);
	__type(value, struct sb_by_ulid);
} s6_by_ulid SEC(".maps");

/* In front of s6_by_ulid: direct mapped, by recent_index(). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SB_RECENT);
	__type(key, __u32);
	__type(value, struct sb_recent);
} s6_recent SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u32);
} s6_by_tag SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct sb_quote_key);
	__type(value, __u32);
} s6_by_quote SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sb_activity);
} s6_activity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SB_MAX_LOCALS);
	__type(key, struct sb_addr);
	__type(value, struct sb_local);
} s6_locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SB_MAX_PAIRS);
	__type(key, struct sb_pair);
	__type(value, struct sb_seen);
} s6_seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SB_MAX_BYPASS);
	__type(key, struct sb_lpm_key);
	__type(value, __u8);
} s6_bypass SEC(".maps");

/* Devices attached to, for the process that takes them off again: 1 if the clsact is ours. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SB_MAX_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} s6_devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SB_N_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} s6_counters SEC(".maps");

/* About contexts we have: a stranger cannot fill it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SB_EVENTS_SIZE);
} s6_events SEC(".maps");

/* What any stranger can cause: unknown tags, new pairs. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SB_STRAYS_SIZE);
} s6_strays SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SB_HELD_SIZE);
} s6_held SEC(".maps");

#endif
