/* SPDX-License-Identifier: Apache-2.0 */
#include "netgroups/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"

enum {
	KEY_MAX = 300
};

struct reporter {
	bool live;
	int64_t heard_ms;
	int64_t failing_since_ms; /* meaningful while not live */
	char reason[HEALTH_REASON_MAX];
};

struct health_address {
	struct map reporters; /* name → struct reporter */
	struct health_verdict verdict;
	int64_t heard_ms; /* when there was a fresh reporter last */
};

static const char *make_key(const char *address, uint16_t port, char key[KEY_MAX])
{
	snprintf(key, KEY_MAX, "%s:%u", address, port);
	return key;
}

static void free_address(void *value)
{
	struct health_address *address = value;
	map_fini(&address->reporters, free);
	free(address);
}

void health_init(struct health *health)
{
	*health = (struct health){.addresses = MAP_EMPTY};
}

void health_fini(struct health *health)
{
	map_fini(&health->addresses, free_address);
}

static struct health_address *find_or_add(struct health *health, const char *address, uint16_t port)
{
	char key[KEY_MAX];
	struct str name = str_from(make_key(address, port, key));
	struct health_address *have = map_find(&health->addresses, name);
	if (have == NULL) {
		have = xcalloc(1, sizeof(*have));
		have->verdict.live = true;
		map_set(&health->addresses, name, have);
	}
	return have;
}

static void copy_reason(char to[HEALTH_REASON_MAX], const char *reason)
{
	snprintf(to, HEALTH_REASON_MAX, "%s", reason);
}

void health_report(struct health *health, const char *address, uint16_t port, const char *reporter,
                   bool live, const char *reason, int64_t now_ms)
{
	struct health_address *about = find_or_add(health, address, port);
	struct reporter *who = map_find_text(&about->reporters, reporter);
	if (who == NULL) {
		if (map_len(&about->reporters) >= HEALTH_REPORTERS_MAX)
			return;
		who = xcalloc(1, sizeof(*who));
		who->live = true;
		map_set(&about->reporters, str_from(reporter), who);
	}
	if (!live && who->live)
		who->failing_since_ms = now_ms;
	who->live = live;
	who->heard_ms = now_ms;
	copy_reason(who->reason, live ? "" : reason);
}

void health_forget_reporter(struct health *health, const char *reporter)
{
	map_for_each (it, &health->addresses) {
		struct health_address *address = map_value(it);
		free(map_remove(&address->reporters, str_from(reporter)));
	}
}

/* What the fresh reporters say together. */
struct opinion {
	size_t fresh;
	size_t failing;
	int64_t failing_since_ms; /* the last of them to fail */
	int64_t stale_ms;         /* when the next report grows stale, -1 none */
	const char *reason;
};

static struct opinion ask(const struct health_address *address, int64_t now_ms)
{
	struct opinion opinion = {.stale_ms = -1, .reason = ""};
	map_for_each (it, &address->reporters) {
		const struct reporter *who = map_value(it);
		int64_t stale_ms = who->heard_ms + HEALTH_FRESH_MS;
		if (stale_ms <= now_ms)
			continue;
		opinion.fresh++;
		if (opinion.stale_ms < 0 || stale_ms < opinion.stale_ms)
			opinion.stale_ms = stale_ms;
		if (who->live)
			continue;
		opinion.failing++;
		opinion.reason = who->reason;
		if (who->failing_since_ms > opinion.failing_since_ms)
			opinion.failing_since_ms = who->failing_since_ms;
	}
	return opinion;
}

static void earlier(int64_t *next_ms, int64_t at_ms)
{
	if (at_ms >= 0 && (*next_ms < 0 || at_ms < *next_ms))
		*next_ms = at_ms;
}

/* Nobody is there who could say so still, or that it is over. */
static bool forget_verdict(struct health_address *address, int64_t now_ms, int64_t *next_ms)
{
	int64_t due_ms = address->heard_ms + HEALTH_KEPT_MS;
	if (!address->verdict.judged)
		return false;
	if (due_ms > now_ms) {
		earlier(next_ms, due_ms);
		return false;
	}
	address->verdict = (struct health_verdict){.live = true};
	return true;
}

static bool judge(struct health_address *address, int64_t now_ms, int64_t *next_ms)
{
	struct health_verdict *verdict = &address->verdict;
	struct opinion opinion = ask(address, now_ms);
	verdict->fresh = opinion.fresh;
	verdict->failing = opinion.failing;
	earlier(next_ms, opinion.stale_ms);
	if (opinion.fresh == 0)
		return forget_verdict(address, now_ms, next_ms);
	address->heard_ms = now_ms;
	bool all_fail = opinion.failing == opinion.fresh;
	int64_t due_ms = opinion.failing_since_ms + HEALTH_FAILED_MS;
	if (all_fail && due_ms > now_ms) {
		earlier(next_ms, due_ms);
		return false;
	}
	bool live = !all_fail;
	bool changed = live != verdict->live || !verdict->judged;
	if (changed)
		verdict->since_ms = now_ms;
	verdict->judged = true;
	verdict->live = live;
	copy_reason(verdict->reason, live ? "" : opinion.reason);
	return changed;
}

bool health_judge(struct health *health, int64_t now_ms, int64_t *ret_next_ms)
{
	bool changed = false;
	*ret_next_ms = -1;
	map_for_each (it, &health->addresses)
		changed |= judge(map_value(it), now_ms, ret_next_ms);
	return changed;
}

struct health_verdict health_verdict_of(const struct health *health, const char *address,
                                        uint16_t port)
{
	char key[KEY_MAX];
	const struct health_address *have =
		map_find_text(&health->addresses, make_key(address, port, key));
	return have != NULL ? have->verdict : (struct health_verdict){.live = true};
}

void health_restore(struct health *health, const char *address, uint16_t port, bool live,
                    const char *reason, int64_t now_ms)
{
	struct health_address *about = find_or_add(health, address, port);
	if (about->verdict.judged)
		return;
	about->heard_ms = now_ms;
	about->verdict = (struct health_verdict){.live = live, .judged = true};
	copy_reason(about->verdict.reason, live ? "" : reason);
}
