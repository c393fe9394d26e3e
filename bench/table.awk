# SPDX-License-Identifier: Apache-2.0
#
# Lines of KEY=VALUE words of bench-load -> one table of 80 columns. Variables: key, order, first and
# second (the peers that ratios are to).
# With stats.awk.

function ratio(peer, to,   b, n, r, s) {
	n = 0
	for (b in blocks)
		if ((peer, b) in value && (to, b) in value && value[to, b] > 0)
			r[++n] = value[peer, b] / value[to, b]
	if (n == 0)
		return "-"
	sorted(r, n, s)
	return sprintf("%.2f (%.2f-%.2f)", quantile(s, n, .5), quantile(s, n, .25), quantile(s, n, .75))
}

{
	split("", v)
	for (i = 1; i <= NF; i++) {
		split($i, word, "=")
		v[word[1]] = word[2]
	}
	p = v["peer"]
	failed[p] += v["failed"]
	calm = v["foreign_pct"] <= 25
	disturbed += !calm
	peer_of[++lines] = p
	block_of[lines] = v["block"]
	value_of[lines] = v[key]
	calm_of[lines] = calm
}

END {
	# On a machine that is never calm, disturbed figures are better than none.
	keep = disturbed * 2 > lines
	for (i = 1; i <= lines; i++) {
		if (!calm_of[i] && !keep)
			continue
		p = peer_of[i]
		blocks[block_of[i]] = 1
		value[p, block_of[i]] = value_of[i]
		list[p, ++count[p]] = value_of[i]
	}
	printf "  %-10s %10s %20s %20s %8s\n", "", "median", "/ " first, \
		"/ " (second == "relay" ? "bare relay" : second), "failed"
	n = split(order, peer, " ")
	for (k = 1; k <= n; k++) {
		p = peer[k]
		if (p == "direct")
			continue
		split("", l)
		split("", s)
		for (i = 1; i <= count[p]; i++)
			l[i] = list[p, i]
		sorted(l, count[p], s)
		if (count[p] == 0) {
			printf "  %-10s %10s\n", p, "-"
			continue
		}
		m = quantile(s, count[p], .5)
		printf "  %-10s %10s %20s %20s %8d\n", p, sprintf(m < 10 ? "%.3f" : "%.1f", m), \
			ratio(p, first), ratio(p, second), failed[p]
	}
	if (disturbed > 0)
		printf "  Other work took over a quarter of the CPUs in %d of %d measurements: %s.\n", \
			disturbed, lines, keep ? "kept" : "left out"
}
