/* SPDX-License-Identifier: Apache-2.0 */
#include "control/lost.h"

#include <stdlib.h>

#include "base/alloc.h"

static void free_gateway(void *value)
{
	struct ew_lost_gateway *gateway = value;
	if (gateway == NULL)
		return;
	ew_health_unref(gateway->health);
	free(gateway->network);
	free(gateway->cluster);
	free(gateway);
}

void ew_lost_fini(struct ew_lost *lost)
{
	map_fini(&lost->gateways, free_gateway);
}

static void add(struct ew_lost *lost, const struct ew_table *table,
                const struct ew_network *network, const struct ew_gateway *gateway, int64_t now_ms)
{
	char text[ADDR_TEXT_MAX];
	const struct ew_names *names = ew_table_names(table);
	struct str key = str_from(addr_format(&gateway->addr, text));
	bool live = atomic_load_explicit(&gateway->health->live, memory_order_acquire);
	if (live || map_len(&lost->gateways) >= EW_LOST_MAX)
		return;
	struct ew_lost_gateway *made = xcalloc(1, sizeof(*made));
	made->health = ew_health_ref(gateway->health);
	made->network = xstrdup(ew_names_text(names, network->name));
	made->cluster = xstrdup(ew_names_text(names, gateway->cluster));
	made->mark = gateway->mark;
	made->until_ms = now_ms + EW_LOST_KEEP_MS;
	free_gateway(map_set(&lost->gateways, key, made));
}

static void add_dead(struct ew_lost *lost, const struct ew_table *old, int64_t now_ms)
{
	for (uint32_t i = 0; i < ew_table_n_networks(old); i++) {
		const struct ew_network *network = ew_table_network_at(old, i);
		for (uint32_t k = 0; k < network->n_gateways; k++)
			add(lost, old, network, &network->gateways[k], now_ms);
	}
}

static void remove_known(struct ew_lost *lost, const struct ew_table *now)
{
	char text[ADDR_TEXT_MAX];
	for (uint32_t i = 0; i < ew_table_n_networks(now); i++) {
		const struct ew_network *network = ew_table_network_at(now, i);
		for (uint32_t k = 0; k < network->n_gateways; k++) {
			addr_format(&network->gateways[k].addr, text);
			free_gateway(map_remove(&lost->gateways, str_from(text)));
		}
	}
}

void ew_lost_follow(struct ew_lost *lost, const struct ew_table *old, const struct ew_table *now,
                    int64_t now_ms)
{
	if (old != NULL && old != now)
		add_dead(lost, old, now_ms);
	remove_known(lost, now);
	map_for_each (it, &lost->gateways) {
		struct ew_lost_gateway *gateway = map_value(it);
		if (gateway->until_ms <= now_ms)
			free_gateway(map_remove(&lost->gateways, map_key(it)));
	}
}
