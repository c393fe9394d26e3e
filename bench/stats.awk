# SPDX-License-Identifier: Apache-2.0
#
# Order statistics for the other awk programs; arrays begin at 1.

function sorted(from, n, to,   i, j, t) {
	for (i = 1; i <= n; i++)
		to[i] = from[i]
	for (i = 2; i <= n; i++) {
		t = to[i]
		for (j = i - 1; j > 0 && to[j] > t; j--)
			to[j + 1] = to[j]
		to[j + 1] = t
	}
}

function quantile(a, n, q,   at, k) {
	at = 1 + (n - 1) * q
	k = int(at)
	return k < n ? a[k] + (at - k) * (a[k + 1] - a[k]) : a[n]
}
