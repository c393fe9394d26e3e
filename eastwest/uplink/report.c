/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/report.h"

#include "base/pb.h"
#include "eastwest/balance.h"
#include "table/news.h"
#include "table/traffic.h"
#include "xds/resource.h"

/* Fields of fedway.report.v1.Report; written by hand, as a report of thousands of addresses each
 * second needs no tree of messages. */
enum {
	REPORT_ADDRESSES = 1,
	REPORT_ROUTES = 2,
	REPORT_VERSION = 3,
	REPORT_REFUSED = 4
};

enum {
	HEALTH_NETWORK = 1,
	HEALTH_CLUSTER = 2,
	HEALTH_ADDRESS = 3,
	HEALTH_PORT = 4,
	HEALTH_LIVE = 5,
	HEALTH_REASON = 6,
	HEALTH_RTT = 7
};

enum {
	ROUTE_SNI = 1,
	ROUTE_USABLE = 2,
	ROUTE_OPENED = 3,
	ROUTE_FAILED = 4,
	ROUTE_OWN_USABLE = 5
};

enum {
	REFUSAL_TYPE = 1,
	REFUSAL_NAME = 2,
	REFUSAL_MESSAGE = 3
};

/* --- what was seen ---------------------------------------------------------------------------- */

static void add_health(const struct ew_health *health, const char *network, const char *cluster,
                       struct buf *out)
{
	char text[IP_TEXT_MAX];
	bool live = atomic_load_explicit(&health->live, memory_order_acquire);
	size_t begun = pb_begin(out, REPORT_ADDRESSES);
	pb_put_text(out, HEALTH_NETWORK, network);
	pb_put_text(out, HEALTH_CLUSTER, cluster);
	pb_put_text(out, HEALTH_ADDRESS, ip_format(&health->addr.ip, text));
	pb_put_varint(out, HEALTH_PORT, health->addr.port);
	pb_put_bool(out, HEALTH_LIVE, live);
	if (!live)
		pb_put_text(out, HEALTH_REASON, health->reason);
	pb_put_varint(out, HEALTH_RTT, health->rtt_us);
	pb_end(out, begun);
}

static void add_addresses(const struct ew_table *table, struct buf *out)
{
	const struct ew_names *names = ew_table_names(table);
	size_t n = 0;
	for (uint32_t i = 0; i < ew_table_n_networks(table); i++) {
		const struct ew_network *network = ew_table_network_at(table, i);
		for (uint32_t k = 0; k < network->n_gateways && n < EW_REPORT_ADDRESSES_MAX;
		     k++, n++)
			add_health(network->gateways[k].health, ew_names_text(names, network->name),
			           ew_names_text(names, network->gateways[k].cluster), out);
	}
}

/* Any live gateway of the network will do: those of the cluster are only preferred. */
static bool is_reachable(const struct ew_table *table, const struct ew_route *route,
                         const struct ew_endpoint *endpoint, int64_t now_ms)
{
	const struct ew_network *network = ew_table_network(table, endpoint->network);
	for (uint32_t i = 0; network != NULL && i < network->n_gateways; i++) {
		const struct ew_gateway *gateway = &network->gateways[i];
		if (atomic_load_explicit(&gateway->health->live, memory_order_acquire) &&
		    !ew_route_has_ejected(route, &gateway->addr, now_ms))
			return true;
	}
	return false;
}

bool ew_report_own(const struct ew_route *route, int64_t now_ms, uint32_t *ret_usable)
{
	uint32_t healthy = 0;
	uint32_t usable = 0;
	for (uint32_t i = 0; i < route->n_endpoints; i++) {
		const struct ew_endpoint *endpoint = &route->endpoints[i];
		struct addr addr = {endpoint->ip, endpoint->port};
		if (!endpoint->healthy || endpoint->network != EW_NAME_NONE)
			continue;
		healthy++;
		usable += !ew_route_has_ejected(route, &addr, now_ms);
	}
	*ret_usable = ew_traffic_own_fail(route->traffic, healthy, now_ms) ? 0 : usable;
	return healthy > 0;
}

uint32_t ew_report_usable(const struct ew_table *table, const struct ew_route *route,
                          int64_t now_ms)
{
	uint32_t n;
	ew_report_own(route, now_ms, &n);
	for (uint32_t i = 0; i < route->n_endpoints; i++) {
		const struct ew_endpoint *endpoint = &route->endpoints[i];
		n += endpoint->network != EW_NAME_NONE && endpoint->healthy &&
		     is_reachable(table, route, endpoint, now_ms);
	}
	return n;
}

struct telling {
	const struct ew_table *table;
	int64_t now_ms;
	struct buf *out;
	size_t n;
};

static void add_route(const struct ew_route *route, const struct telling *telling)
{
	struct ew_route_counts counts = ew_route_counts(route);
	uint32_t own;
	bool has_own = ew_report_own(route, telling->now_ms, &own);
	size_t begun = pb_begin(telling->out, REPORT_ROUTES);
	pb_put_text(telling->out, ROUTE_SNI, route->sni);
	pb_put_varint(telling->out, ROUTE_USABLE,
	              ew_report_usable(telling->table, route, telling->now_ms));
	pb_put_varint(telling->out, ROUTE_OPENED, counts.opened);
	pb_put_varint(telling->out, ROUTE_FAILED, counts.failed);
	if (has_own)
		pb_put_varint(telling->out, ROUTE_OWN_USABLE, own);
	pb_end(telling->out, begun);
	if (has_own && own == 0)
		ew_news_add(route);
}

/* The list may hold an older version of the route, or one that is gone. */
static void on_news(const struct ew_route *listed, void *arg)
{
	struct telling *telling = arg;
	const struct ew_route *route =
		ew_table_find(telling->table, str_make(listed->sni, listed->sni_len));
	if (route == NULL || route->traffic != listed->traffic)
		return;
	if (telling->n++ < EW_REPORT_ROUTES_MAX)
		add_route(route, telling);
	else
		ew_news_add(route);
}

void ew_report_add_lost(const struct ew_lost *lost, struct buf *out)
{
	map_for_each (it, &lost->gateways) {
		const struct ew_lost_gateway *gateway = map_value(it);
		add_health(gateway->health, gateway->network, gateway->cluster, out);
	}
}

void ew_report_add_seen(const struct ew_table *table, int64_t now_ms, struct buf *out)
{
	struct telling telling = {.table = table, .now_ms = now_ms, .out = out};
	add_addresses(table, out);
	ew_news_take(on_news, &telling);
}

/* --- what is in force ------------------------------------------------------------------------- */

struct refusals {
	struct buf *out;
	size_t n;
};

static void add_refusal(const struct xds_refusal *refusal, void *arg)
{
	struct refusals *refusals = arg;
	if (refusals->n++ >= EW_REPORT_REFUSALS_MAX)
		return;
	size_t begun = pb_begin(refusals->out, REPORT_REFUSED);
	pb_put_text(refusals->out, REFUSAL_TYPE, xds_type_url(refusal->type));
	pb_put_bytes(refusals->out, REFUSAL_NAME, refusal->name);
	pb_put_text(refusals->out, REFUSAL_MESSAGE, refusal->message);
	pb_end(refusals->out, begun);
}

void ew_report_add_held(const struct xds_delta_client *client, struct buf *out)
{
	struct refusals refusals = {out, 0};
	const struct xds_snapshot *snapshot = xds_delta_client_snapshot(client);
	if (snapshot != NULL && snapshot->version != NULL)
		pb_put_text(out, REPORT_VERSION, snapshot->version);
	xds_delta_client_refusals(client, add_refusal, &refusals);
}
