# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
#
# Read by bench/run: control groups, processes of ours, tables. Everything here runs inside the
# network namespace that bench/run has entered.

# Proxies on one CPU, load and upstream on the other, where there are two.
LOAD_CPU=0 PROXY_CPU=$(($(nproc) > 1 ? 1 : 0))
SPAWNED=

say() {
	printf '%s\n' "$*"
}

die() {
	printf 'bench: %s\n' "$*" >&2
	exit 1
}

# Where a group of ours can be made: cgroup v1 cpuacct, else v2 (cpu.stat is in every group).
find_groups() {
	local at
	for at in ${BENCH_CGROUP:-/sys/fs/cgroup/cpuacct /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup \
		/sys/fs/cgroup/unified}; do
		[ -e "$at/cpuacct.usage" ] || [ -e "$at/cgroup.controllers" ] || continue
		GROUPS_AT=$at/fedway-bench.$$
		mkdir "$GROUPS_AT" 2>/dev/null && return
	done
	die "no control group can be made below /sys/fs/cgroup: run as root, with it writable"
}

# spawn NAME CPU WORD...: a process in a group of its own, pinned; output to $TMP/NAME.log
spawn() {
	local name=$1 cpu=$2
	shift 2
	mkdir -p "$GROUPS_AT/$name"
	SPAWNED="$SPAWNED $name"
	(
		echo "$BASHPID" >"$GROUPS_AT/$name/cgroup.procs"
		exec nice -n "$NICE" taskset -c "$cpu" "$@"
	) >"$TMP/$name.log" 2>&1 &
}

# stop NAME...: ends every process of these groups, by pid: they hold nothing but what we started.
stop() {
	local name signal pids
	for name in "$@"; do
		for signal in TERM TERM TERM TERM TERM KILL KILL KILL; do
			pids=$(cat "$GROUPS_AT/$name/cgroup.procs" 2>/dev/null) || break
			[ -n "$pids" ] || break
			# shellcheck disable=SC2086
			kill -s "$signal" $pids 2>/dev/null
			sleep 0.2
		done
		rmdir "$GROUPS_AT/$name" 2>/dev/null
	done
	return 0
}

clean_up() {
	# shellcheck disable=SC2086
	stop $SPAWNED
	rmdir "$GROUPS_AT"/*/ "$GROUPS_AT" 2>/dev/null
	[ -n "${KEEP:-}" ] || rm -rf "$TMP"
}

# wait_port NAME PORT: until NAME listens on PORT of 127.0.0.1; gives up when it has ended.
wait_port() {
	local _
	for _ in $(seq 200); do
		(: <"/dev/tcp/127.0.0.1/$2") 2>/dev/null && return
		sleep 0.05
		[ -n "$(cat "$GROUPS_AT/$1/cgroup.procs")" ] || break
	done
	die "$1 does not listen: $(tail -n 1 "$TMP/$1.log")"
}

# Resident memory of a group in KiB, and its share in that of all (PSS).
memory() {
	local pid
	for pid in $(cat "$GROUPS_AT/$1/cgroup.procs"); do
		cat "/proc/$pid/smaps_rollup"
	done | awk '/^Rss:/ { r += $2 } /^Pss:/ { p += $2 } END { print r + 0, p + 0 }'
}

load() {
	nice -n "$NICE" taskset -c "$LOAD_CPU" "$BENCH_BIN/bench-load" "$@"
}

load_api() {
	nice -n "$NICE" taskset -c "$LOAD_CPU" "$BENCH_BIN/bench-api" "$@"
}

# table KEY FILE: each peer's median of KEY and its ratios, inside a block, to two of them.
table() {
	awk -v key="$1" -v order="$PEERS" -v first="${FIRST:-haproxy}" -v second="${SECOND:-relay}" -f "$HERE/stats.awk" -f "$HERE/table.awk" "$2"
}
