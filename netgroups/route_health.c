/* SPDX-License-Identifier: Apache-2.0 */
#include "netgroups/route_health.h"

#include <stdlib.h>

#include "base/alloc.h"

struct reporter {
	char *gateway;
	bool usable;
	int64_t heard_ms;
	int64_t failing_since_ms; /* meaningful while not usable */
};

struct route_entry {
	char *network;
	char *sni;
	struct map reporters; /* name → struct reporter */
	bool withdrawn;
	bool has_changed;
	int64_t changed_ms; /* if it has */
};

static void free_reporter(void *value)
{
	struct reporter *reporter = value;
	free(reporter->gateway);
	free(reporter);
}

static void free_entry(void *value)
{
	struct route_entry *entry = value;
	map_fini(&entry->reporters, free_reporter);
	free(entry->network);
	free(entry->sni);
	free(entry);
}

void route_health_init(struct route_health *health,
                       void (*on_change)(const struct route_verdict *verdict, void *arg), void *arg)
{
	*health = (struct route_health){.routes = MAP_EMPTY, .on_change = on_change, .arg = arg};
}

void route_health_fini(struct route_health *health)
{
	map_fini(&health->routes, free_entry);
}

/* --- what was heard --------------------------------------------------------------------------- */

/* NULL: nothing is failing there, and the word does not begin it. */
static struct route_entry *find_or_add(struct route_health *health, const struct route_word *word)
{
	char *key = xasprintf("%s %s", word->network, word->sni);
	struct route_entry *entry = map_find_text(&health->routes, key);
	if (entry == NULL && !word->usable && map_len(&health->routes) < ROUTE_HEALTH_ROUTES_MAX) {
		entry = xcalloc(1, sizeof(*entry));
		entry->network = xstrdup(word->network);
		entry->sni = xstrdup(word->sni);
		map_set(&health->routes, str_from(key), entry);
	}
	free(key);
	return entry;
}

static void hear(struct route_entry *entry, const struct route_word *word, int64_t now_ms)
{
	struct reporter *who = map_find_text(&entry->reporters, word->reporter);
	if (who == NULL) {
		if (map_len(&entry->reporters) >= ROUTE_HEALTH_REPORTERS_MAX)
			return;
		who = xcalloc(1, sizeof(*who));
		who->gateway = xstrdup(word->gateway);
		who->usable = true;
		map_set(&entry->reporters, str_from(word->reporter), who);
	}
	if (!word->usable && who->usable)
		who->failing_since_ms = now_ms;
	who->usable = word->usable;
	who->heard_ms = now_ms;
}

/* What the fresh words say together. */
struct opinion {
	size_t fresh;
	size_t failing;
	int64_t failing_since_ms; /* the last of them to fail */
	int64_t stale_ms;         /* when the next word grows stale */
	const char *gateway;      /* the last of them to fail */
};

static struct opinion ask(struct route_entry *entry, int64_t now_ms)
{
	struct opinion opinion = {.stale_ms = INT64_MAX, .gateway = ""};
	map_for_each (it, &entry->reporters) {
		struct reporter *who = map_value(it);
		int64_t stale_ms = who->heard_ms + ROUTE_HEALTH_FRESH_MS;
		if (stale_ms <= now_ms) {
			free_reporter(map_remove(&entry->reporters, map_key(it)));
			continue;
		}
		opinion.fresh++;
		if (stale_ms < opinion.stale_ms)
			opinion.stale_ms = stale_ms;
		if (who->usable)
			continue;
		if (opinion.failing++ == 0 || who->failing_since_ms > opinion.failing_since_ms) {
			opinion.failing_since_ms = who->failing_since_ms;
			opinion.gateway = who->gateway;
		}
	}
	return opinion;
}

/* --- what follows ----------------------------------------------------------------------------- */

static void change(struct route_health *health, struct route_entry *entry, const char *gateway,
                   int64_t now_ms)
{
	entry->withdrawn = !entry->withdrawn;
	entry->has_changed = true;
	entry->changed_ms = now_ms;
	health->n_withdrawn += entry->withdrawn ? 1 : -1;
	struct route_verdict verdict = {entry->network, entry->sni, entry->withdrawn, gateway};
	health->on_change(&verdict, health->arg);
}

/* When to look again; -1: the route is forgotten, as nobody says that it fails. */
static int64_t judge(struct route_health *health, struct route_entry *entry, int64_t now_ms)
{
	struct opinion opinion = ask(entry, now_ms);
	bool all_fail = opinion.fresh > 0 && opinion.failing == opinion.fresh;
	int64_t due_ms = all_fail ? opinion.failing_since_ms + ROUTE_HEALTH_FAILED_MS : now_ms;
	int64_t paced_ms = entry->has_changed ? entry->changed_ms + ROUTE_HEALTH_PACE_MS : now_ms;
	if (due_ms < paced_ms)
		due_ms = paced_ms;
	if (all_fail != entry->withdrawn) {
		if (due_ms > now_ms)
			return due_ms < opinion.stale_ms ? due_ms : opinion.stale_ms;
		change(health, entry, opinion.gateway, now_ms);
	}
	if (!entry->withdrawn && opinion.failing == 0 && paced_ms <= now_ms)
		return -1;
	/* kept for its pace */
	return opinion.failing == 0 && !entry->withdrawn ? paced_ms : opinion.stale_ms;
}

static void forget(struct route_health *health, struct route_entry *entry)
{
	char *key = xasprintf("%s %s", entry->network, entry->sni);
	free_entry(map_remove(&health->routes, str_from(key)));
	free(key);
}

void route_health_hear(struct route_health *health, const struct route_word *word, int64_t now_ms)
{
	struct route_entry *entry = find_or_add(health, word);
	if (entry == NULL)
		return;
	hear(entry, word, now_ms);
	if (judge(health, entry, now_ms) < 0)
		forget(health, entry);
}

void route_health_judge(struct route_health *health, int64_t now_ms, int64_t *ret_next_ms)
{
	*ret_next_ms = -1;
	map_for_each (it, &health->routes) {
		struct route_entry *entry = map_value(it);
		int64_t next_ms = judge(health, entry, now_ms);
		if (next_ms < 0)
			forget(health, entry);
		else if (*ret_next_ms < 0 || next_ms < *ret_next_ms)
			*ret_next_ms = next_ms;
	}
}
