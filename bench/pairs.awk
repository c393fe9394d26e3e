# SPDX-License-Identifier: Apache-2.0
#
# Lines of KEY=VALUE words of bench-api -> one row a kind of work: medians of peers fedwayd and
# kube, and their ratio inside a block. With stats.awk.

# The median of what `key` was, over all calm blocks.
function median(work, peer, key,   b, n, l, s) {
	n = 0
	for (b = 0; b <= blocks; b++)
		if ((work, peer, key, b) in value)
			l[++n] = value[work, peer, key, b]
	if (n == 0)
		return -1
	sorted(l, n, s)
	return quantile(s, n, .5)
}

# Ratios inside blocks into s, sorted; returns how many.
function ratios(work, key, s,   b, n, r) {
	n = 0
	for (b = 0; b <= blocks; b++)
		if ((work, "fedwayd", key, b) in value && value[work, "kube", key, b] > 0)
			r[++n] = value[work, "fedwayd", key, b] / value[work, "kube", key, b]
	sorted(r, n, s)
	return n
}

function ratio(work, key,   n, s) {
	n = ratios(work, key, s)
	return n == 0 ? "-" : sprintf("%.3f", quantile(s, n, .5))
}

function quartiles(work, key,   n, s) {
	n = ratios(work, key, s)
	return n == 0 ? "" : sprintf("(%.3f-%.3f)", quantile(s, n, .25), quantile(s, n, .75))
}

function figure(work, peer, key,   m) {
	m = median(work, peer, key)
	return m < 0 ? "-" : sprintf("%.0f", m)
}

{
	split("", v)
	for (i = 1; i <= NF; i++) {
		split($i, word, "=")
		v[word[1]] = word[2]
	}
	if (v["block"] == 0)
		next
	calm = v["foreign_pct"] <= 25
	lines++
	disturbed += !calm
	calm_of[lines] = calm
	at[lines] = v["work"] SUBSEP v["peer"]
	block_of[lines] = v["block"]
	cpu[lines] = v["cpu_us"]
	wall[lines] = v["wall_us"]
	blocks = v["block"] > blocks ? v["block"] : blocks
	if (!(v["work"] in seen)) {
		seen[v["work"]] = 1
		order[++works] = v["work"]
	}
}

END {
	# On a machine that is never calm, disturbed figures are better than none.
	keep = disturbed * 2 > lines
	for (i = 1; i <= lines; i++)
		if (calm_of[i] || keep) {
			value[at[i], "cpu", block_of[i]] = cpu[i]
			value[at[i], "wall", block_of[i]] = wall[i]
		}
	form = "  %-8s %8s %8s %6s %-14s %8s %8s %6s\n"
	printf form, "", "CPU:kube", "fedwayd", "ratio", "", "lat:kube", "fedwayd", "ratio"
	for (k = 1; k <= works; k++) {
		w = order[k]
		rest = w == "rest"
		printf form, w, figure(w, "kube", "cpu"), figure(w, "fedwayd", "cpu"), \
			ratio(w, "cpu"), quartiles(w, "cpu"), \
			rest ? "" : figure(w, "kube", "wall"), \
			rest ? "" : figure(w, "fedwayd", "wall"), rest ? "" : ratio(w, "wall")
	}
	if (disturbed > 0)
		printf "  Other work took over a quarter of the CPUs in %d of %d measurements: %s.\n", \
			disturbed, lines, keep ? "kept" : "left out"
}
