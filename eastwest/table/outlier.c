/* SPDX-License-Identifier: Apache-2.0 */
/*
 * There is no timer: an interval ends when somebody looks and it is over. What many intervals would
 * have done is computed at once, so that the result is the same however seldom one looks.
 */
#include "table/outlier.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

struct ew_outlier_host {
	struct addr addr;
	uint32_t failures; /* in a row */
	uint32_t times;    /* ejected, less the intervals since that were good */
	bool ejected;
	int64_t since_ms; /* if ejected */
};

/* An address as a key: a struct may have holes. */
struct key {
	char bytes[sizeof(struct ip) + sizeof(uint16_t)];
};

static struct str key_of(const struct addr *addr, struct key *key)
{
	memcpy(key->bytes, addr->ip.b, sizeof(addr->ip.b));
	memcpy(key->bytes + sizeof(addr->ip.b), &addr->port, sizeof(addr->port));
	return str_make(key->bytes, sizeof(key->bytes));
}

static struct ew_outlier_host *find(const struct ew_outlier *outlier, const struct addr *addr)
{
	struct key key;
	return map_find(&outlier->hosts, key_of(addr, &key));
}

/* NULL: no room. */
static struct ew_outlier_host *get(struct ew_outlier *outlier, const struct addr *addr)
{
	struct key key;
	struct str bytes = key_of(addr, &key);
	struct ew_outlier_host *host = map_find(&outlier->hosts, bytes);
	if (host != NULL || map_len(&outlier->hosts) >= EW_OUTLIER_HOSTS_MAX)
		return host;
	host = xcalloc(1, sizeof(*host));
	host->addr = *addr;
	map_set(&outlier->hosts, bytes, host);
	return host;
}

static void forget(struct ew_outlier *outlier, struct ew_outlier_host *host)
{
	struct key key;
	map_remove(&outlier->hosts, key_of(&host->addr, &key));
	outlier->n_ejected -= host->ejected;
	free(host);
}

void ew_outlier_fini(struct ew_outlier *outlier)
{
	map_fini(&outlier->hosts, free);
	*outlier = (struct ew_outlier){.n_ejected = 0};
}

/* --- time ------------------------------------------------------------------------------------- */

static int64_t ejection_ms(const struct ew_outlier_host *host,
                           const struct ew_outlier_policy *policy)
{
	int64_t max = policy->base_ms > EW_EJECTION_MAX_MS ? policy->base_ms : EW_EJECTION_MAX_MS;
	int64_t wanted = (int64_t)policy->base_ms * host->times;
	return wanted < max ? wanted : max;
}

static int64_t round_up(int64_t value, int64_t unit)
{
	return (value + unit - 1) / unit;
}

static void calm(struct ew_outlier_host *host, int64_t intervals)
{
	host->times -= host->times < intervals ? host->times : (uint32_t)intervals;
}

/* n intervals after ticked_ms have ended. True: it came back. */
static bool pass(struct ew_outlier *outlier, struct ew_outlier_host *host,
                 const struct ew_outlier_policy *policy, int64_t n)
{
	if (!host->ejected) {
		calm(host, n);
		return false;
	}
	int64_t until = host->since_ms + ejection_ms(host, policy);
	int64_t first = round_up(until - outlier->ticked_ms, policy->interval_ms);
	if (first < 1)
		first = 1;
	if (first > n)
		return false;
	host->ejected = false;
	host->failures = 0;
	outlier->n_ejected--;
	calm(host, n - first);
	return true;
}

static bool pass_time(struct ew_outlier *outlier, const struct ew_outlier_policy *policy,
                      int64_t now_ms)
{
	bool changed = false;
	int64_t passed_ms = now_ms - outlier->ticked_ms;
	int64_t n = passed_ms > 0 ? passed_ms / policy->interval_ms : 0;
	map_for_each (it, &outlier->hosts) {
		struct ew_outlier_host *host = map_value(it);
		if (n < 1)
			break;
		changed |= pass(outlier, host, policy, n);
		if (!host->ejected && host->failures == 0 && host->times == 0)
			forget(outlier, host);
	}
	outlier->ticked_ms += n * policy->interval_ms;
	/* the first failure begins the first interval */
	if (map_first(&outlier->hosts) == NULL)
		outlier->ticked_ms = now_ms;
	return changed;
}

int64_t ew_outlier_due_ms(const struct ew_outlier *outlier, const struct ew_outlier_policy *policy)
{
	return map_first(&outlier->hosts) != NULL ? outlier->ticked_ms + policy->interval_ms
	                                          : INT64_MAX;
}

/* --- connects --------------------------------------------------------------------------------- */

static bool eject(struct ew_outlier *outlier, struct ew_outlier_host *host,
                  const struct ew_outlier_policy *policy, const struct ew_outlier_event *event,
                  int64_t now_ms)
{
	uint64_t percent_of = 100 * ((uint64_t)outlier->n_ejected + 1);
	int64_t max = policy->base_ms > EW_EJECTION_MAX_MS ? policy->base_ms : EW_EJECTION_MAX_MS;
	if (host->ejected || percent_of > (uint64_t)policy->max_percent * event->n_hosts)
		return false;
	host->ejected = true;
	host->since_ms = now_ms;
	if ((int64_t)policy->base_ms * host->times < max + policy->base_ms)
		host->times++;
	outlier->n_ejected++;
	outlier->ejections++;
	return true;
}

static bool on_failed(struct ew_outlier *outlier, const struct ew_outlier_policy *policy,
                      const struct ew_outlier_event *event, int64_t now_ms)
{
	struct ew_outlier_host *host = get(outlier, event->addr);
	if (host == NULL || ++host->failures < policy->consecutive)
		return false;
	/* whether it is ejected or may not be: counted anew */
	host->failures = 0;
	return eject(outlier, host, policy, event, now_ms);
}

bool ew_outlier_step(struct ew_outlier *outlier, const struct ew_outlier_policy *policy,
                     const struct ew_outlier_event *event, int64_t now_ms)
{
	struct ew_outlier_host *host;
	bool changed = pass_time(outlier, policy, now_ms);
	switch (event->kind) {
	case EW_OUTLIER_TIME:
		return changed;
	case EW_OUTLIER_CONNECTED:
		host = find(outlier, event->addr);
		if (host != NULL)
			host->failures = 0;
		return changed;
	case EW_OUTLIER_FAILED:
		return on_failed(outlier, policy, event, now_ms) || changed;
	}
	return changed;
}

bool ew_outlier_has_ejected(const struct ew_outlier *outlier, const struct addr *addr)
{
	const struct ew_outlier_host *host = find(outlier, addr);
	return host != NULL && host->ejected;
}

void ew_outlier_for_each_ejected(const struct ew_outlier *outlier,
                                 void (*fn)(const struct addr *addr, void *arg), void *arg)
{
	map_for_each (it, &outlier->hosts) {
		const struct ew_outlier_host *host = map_value(it);
		if (host->ejected)
			fn(&host->addr, arg);
	}
}

bool ew_outlier_retain(struct ew_outlier *outlier,
                       bool (*is_there)(const struct addr *addr, void *arg), void *arg)
{
	uint32_t before = outlier->n_ejected;
	map_for_each (it, &outlier->hosts) {
		struct ew_outlier_host *host = map_value(it);
		if (!is_there(&host->addr, arg))
			forget(outlier, host);
	}
	return outlier->n_ejected != before;
}
