/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/istiod_listener.h"

#include <string.h>

#include "base/pb.h"
#include "eastwest/names.h"

/* Field numbers of envoy.config.listener.v3 and what it holds. */
enum {
	LISTENER_ADDRESS = 2,
	LISTENER_CHAINS = 3,
	LISTENER_MATCHER = 32,
	ADDRESS_SOCKET = 1,
	SOCKET_PORT = 3,
	CHAIN_MATCH = 1,
	CHAIN_FILTERS = 3,
	CHAIN_TRANSPORT_SOCKET = 6,
	MATCH_TRANSPORT = 9,
	MATCH_ALPN = 10,
	MATCH_NAMES = 11,
	FILTER_CONFIG = 4,
	ANY_TYPE = 1,
	ANY_VALUE = 2,
	PROXY_CLUSTER = 2,
	PROXY_TUNNEL = 12
};

#define TYPE_PREFIX "type.googleapis.com/envoy.extensions.filters.network."
#define TCP_PROXY   TYPE_PREFIX "tcp_proxy.v3.TcpProxy"

/* Filters that decide who may pass. What they would refuse must not pass here. */
static const char *const judges[] = {TYPE_PREFIX "rbac.", TYPE_PREFIX "ext_authz."};

static const char needs_more[] = "matches by more than its server name";
static const char ends_tls[] = "ends TLS";
static const char is_judged[] = "has a filter that may refuse connections";
static const char leads_elsewhere[] = "does not lead to the cluster of its server name";

static bool is_name(struct str name)
{
	return name.len <= EW_NAME_LEN_MAX && str_starts_with(name, STR_LIT(EW_ISTIOD_PREFIX));
}

/* --- one chain -------------------------------------------------------------------------------- */

struct chain {
	struct str match;
	struct str cluster; /* of its tcp_proxy */
	bool ends_tls;
	bool is_judged;
	bool tunnels;
	size_t n_proxies;
};

static bool is_judge(struct str type)
{
	for (size_t i = 0; i < N_ELEMS(judges); i++) {
		if (str_starts_with(type, str_from(judges[i])))
			return true;
	}
	return false;
}

static void read_filter(struct str filter, struct chain *chain)
{
	struct str any = pb_find(filter, FILTER_CONFIG);
	struct str type = pb_find(any, ANY_TYPE);
	if (is_judge(type))
		chain->is_judged = true;
	if (!str_is(type, TCP_PROXY))
		return;
	struct str proxy = pb_find(any, ANY_VALUE);
	chain->n_proxies++;
	chain->tunnels |= pb_find(proxy, PROXY_TUNNEL).ptr != NULL;
	chain->cluster = pb_find(proxy, PROXY_CLUSTER);
}

static bool read_chain(struct str bytes, struct chain *ret_chain)
{
	struct pb_reader fields;
	struct pb_field field;
	struct chain chain = {0};
	pb_reader_init(&fields, bytes);
	while (pb_next(&fields, &field)) {
		if (field.wire != PB_BYTES)
			continue;
		if (field.number == CHAIN_MATCH)
			chain.match = field.bytes;
		else if (field.number == CHAIN_FILTERS)
			read_filter(field.bytes, &chain);
		else if (field.number == CHAIN_TRANSPORT_SOCKET)
			chain.ends_tls = true;
	}
	*ret_chain = chain;
	return fields.bad == NULL;
}

/* Every criterion but these narrows the chain in a way that we do not follow. */
static bool is_by_name_alone(struct str match)
{
	struct pb_reader fields;
	struct pb_field field;
	pb_reader_init(&fields, match);
	while (pb_next(&fields, &field)) {
		if (field.number != MATCH_NAMES && field.number != MATCH_ALPN &&
		    field.number != MATCH_TRANSPORT)
			return false;
	}
	return fields.bad == NULL;
}

/* NULL: the chain exposes name. */
static const char *judge(const struct chain *chain, struct str name)
{
	if (chain->ends_tls)
		return ends_tls;
	if (chain->is_judged)
		return is_judged;
	if (!is_by_name_alone(chain->match))
		return needs_more;
	bool passes_on = chain->n_proxies == 1 && !chain->tunnels;
	return passes_on && str_eq(chain->cluster, name) ? NULL : leads_elsewhere;
}

/* --- the listener ----------------------------------------------------------------------------- */

struct reader {
	struct ew_exposed exposed;
	struct map closed; /* names of chains that expose nothing: no other chain opens them */
	size_t n;
};

static bool open_name(struct reader *reader, struct str name, struct err *err)
{
	if (map_find(&reader->closed, name) != NULL || !map_add(&reader->exposed.names, name))
		return true;
	return ++reader->n <= EW_EXPOSED_MAX ||
	       err_set(err, ERR_TOO_LARGE, "more than %d names are exposed", EW_EXPOSED_MAX);
}

static void close_name(struct reader *reader, struct str name, const char *why)
{
	map_add(&reader->closed, name);
	map_remove(&reader->exposed.names, name);
	reader->exposed.n_left_out++;
	reader->exposed.why = why;
}

static bool add_chain(struct reader *reader, struct str bytes, struct err *err)
{
	struct chain chain;
	if (!read_chain(bytes, &chain))
		return err_set(err, ERR_BAD_REQUEST, "a filter chain is malformed");
	struct pb_reader fields;
	struct pb_field field;
	pb_reader_init(&fields, chain.match);
	while (pb_next(&fields, &field)) {
		if (field.number != MATCH_NAMES || field.wire != PB_BYTES || !is_name(field.bytes))
			continue;
		const char *why = judge(&chain, field.bytes);
		if (why != NULL)
			close_name(reader, field.bytes, why);
		else if (!open_name(reader, field.bytes, err))
			return false;
	}
	return fields.bad == NULL ||
	       err_set(err, ERR_BAD_REQUEST, "a filter chain's match is malformed");
}

static bool add_chains(struct reader *reader, struct str bytes, struct err *err)
{
	struct pb_reader fields;
	struct pb_field field;
	pb_reader_init(&fields, bytes);
	while (pb_next(&fields, &field)) {
		if (field.number == LISTENER_CHAINS && field.wire == PB_BYTES &&
		    !add_chain(reader, field.bytes, err))
			return false;
	}
	return true;
}

bool ew_istiod_listener_read(struct str bytes, uint16_t port, struct ew_exposed *ret_exposed,
                             struct err *err)
{
	struct reader reader = {0};
	*ret_exposed = reader.exposed;
	if (!pb_check(bytes, "the listener", err))
		return false;
	struct str socket = pb_find(pb_find(bytes, LISTENER_ADDRESS), ADDRESS_SOCKET);
	if (pb_find_value(socket, SOCKET_PORT, 0) != port) {
		ret_exposed->is_other_port = true;
		return true;
	}
	if (pb_find(bytes, LISTENER_MATCHER).ptr != NULL) {
		/* it takes the place of every chain's own match */
		ret_exposed->n_left_out = 1;
		ret_exposed->why = needs_more;
		return true;
	}
	bool ok = add_chains(&reader, bytes, err);
	map_fini(&reader.closed, NULL);
	if (ok)
		*ret_exposed = reader.exposed;
	else
		ew_exposed_fini(&reader.exposed);
	return ok;
}

void ew_exposed_fini(struct ew_exposed *exposed)
{
	map_fini(&exposed->names, NULL);
	*exposed = (struct ew_exposed){0};
}

bool ew_exposed_has(const struct ew_exposed *exposed, struct str name)
{
	return map_find(&exposed->names, name) != NULL;
}
