/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/health.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/str.h"

struct ew_health_registry {
	struct map known; /* address text to struct ew_health, one reference each */
	_Atomic uint32_t generation;
};

struct ew_health_registry *ew_health_registry_create(void)
{
	return xcalloc(1, sizeof(struct ew_health_registry));
}

static void drop(void *health)
{
	ew_health_unref(health);
}

void ew_health_registry_destroy(struct ew_health_registry *registry)
{
	if (registry == NULL)
		return;
	map_fini(&registry->known, drop);
	free(registry);
}

struct ew_health *ew_health_get(struct ew_health_registry *registry, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];
	struct str key = str_from(addr_format(addr, text));
	struct ew_health *health = map_find(&registry->known, key);
	if (health == NULL) {
		health = xcalloc(1, sizeof(*health));
		health->addr = *addr;
		health->refs = 1;
		health->live = true;
		map_set(&registry->known, key, health);
	}
	return ew_health_ref(health);
}

struct ew_health *ew_health_ref(struct ew_health *health)
{
	atomic_fetch_add_explicit(&health->refs, 1, memory_order_relaxed);
	return health;
}

void ew_health_unref(struct ew_health *health)
{
	if (health == NULL || atomic_fetch_sub_explicit(&health->refs, 1, memory_order_acq_rel) > 1)
		return;
	free(health);
}

uint32_t ew_health_generation(const struct ew_health_registry *registry)
{
	return atomic_load_explicit(&registry->generation, memory_order_acquire);
}

static void set_live(struct ew_health_registry *registry, struct ew_health *health, bool live,
                     int64_t now_ms)
{
	health->changed_ms = now_ms;
	atomic_store_explicit(&health->live, live, memory_order_release);
	atomic_fetch_add_explicit(&registry->generation, 1, memory_order_acq_rel);
}

bool ew_health_on_good(struct ew_health_registry *registry, struct ew_health *health,
                       uint32_t rtt_us, int64_t now_ms)
{
	health->misses = 0;
	health->answered_ms = now_ms;
	health->rtt_us = rtt_us;
	if (health->live) {
		health->good = 0;
		return false;
	}
	if (++health->good < EW_HEALTH_GOOD)
		return false;
	health->good = 0;
	health->reason[0] = '\0';
	set_live(registry, health, true, now_ms);
	return true;
}

bool ew_health_on_miss(struct ew_health_registry *registry, struct ew_health *health,
                       const char *reason, int64_t now_ms)
{
	snprintf(health->reason, sizeof(health->reason), "%s", reason);
	health->good = 0;
	if (health->misses < EW_HEALTH_MISSES)
		health->misses++;
	if (health->answered_ms == 0)
		health->answered_ms = now_ms;
	bool silent = health->misses >= EW_HEALTH_SILENT_MISSES &&
	              now_ms - health->answered_ms >= EW_HEALTH_SILENT_MS;
	bool out = silent || health->misses >= EW_HEALTH_MISSES;
	if (!out || !health->live)
		return false;
	set_live(registry, health, false, now_ms);
	return true;
}

void ew_health_walk(struct ew_health_registry *registry,
                    void (*fn)(struct ew_health *health, void *arg), void *arg)
{
	map_for_each (it, &registry->known) {
		struct ew_health *health = map_value(it);
		if (atomic_load_explicit(&health->refs, memory_order_acquire) > 1) {
			fn(health, arg);
			continue;
		}
		map_remove(&registry->known, map_key(it));
		ew_health_unref(health);
	}
}
