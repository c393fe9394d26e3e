/* SPDX-License-Identifier: Apache-2.0 */
#include "ads_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "xds/message.h"
#include "xds/proto/report.pb-c.h"

enum {
	REPORT_EVERY_MS = 1000,
	REPORT_MESSAGE_MAX = 1 << 20,
	REPORT_ADDRESSES_MAX = 4096,
	REPORT_ROUTES_MAX = 1000,
	PROCESS_MAX = 24
};

/* The gateway may have been deleted since its stream began. */
static bool is_known(const struct ads *ads, const struct cert_identity *who, struct err *err)
{
	const char *network;
	const struct locality *locality;
	return ads->control.find_gateway(who->cluster, who->name, &network, &locality,
	                                 ads->control.arg, err);
}

bool ads_call_gateway(struct ads *ads, const struct grpc_call *call,
                      struct cert_identity *ret_identity, int64_t *ret_not_after_s, struct err *err)
{
	STACK_OF(X509) *chain = http_exchange_peer_chain(grpc_call_exchange(call));
	if (chain == NULL)
		return err_set(err, ERR_UNAUTHORIZED,
		               "a client certificate of a gateway is needed (CreateCertificate "
		               "gives one for a token)");
	if (!cert_identity_of_chain(chain, cert_store_trust_domain(ads->store), ret_identity, err))
		return false;
	if (ret_identity->kind != CERT_GATEWAY)
		return err_set(err, ERR_FORBIDDEN, "a %s has no business here",
		               cert_kind_name(ret_identity->kind));
	*ret_not_after_s = cert_chain_not_after(chain);
	return is_known(ads, ret_identity, err);
}

/* --- one stream of reports -------------------------------------------------------------------- */

struct reporter {
	struct cert_identity who;
	int64_t not_after_s;
	char process[PROCESS_MAX]; /* no other stream has it: replicas share a certificate's name */
};

static void send_interval(struct grpc_call *call)
{
	Fedway__Report__V1__Ack ack = FEDWAY__REPORT__V1__ACK__INIT;
	struct buf bytes CLEANUP(buf_fini);
	buf_init(&bytes, 64);
	ack.has_interval_ms = 1;
	ack.interval_ms = REPORT_EVERY_MS;
	xds_message_pack(&ack.base, &bytes);
	IGNORE(grpc_call_send(call, buf_str(&bytes)));
}

static void on_open(struct grpc_call *call, void *arg)
{
	struct ads *ads = arg;
	struct err err;
	struct reporter *reporter = xcalloc(1, sizeof(*reporter));
	snprintf(reporter->process, sizeof(reporter->process), "%llu",
	         (unsigned long long)++ads->n_reporters);
	if (!ads_call_gateway(ads, call, &reporter->who, &reporter->not_after_s, &err)) {
		free(reporter);
		grpc_call_end(call, grpc_status_of_err(err.code), err.msg);
		return;
	}
	grpc_call_set_data(call, reporter);
	send_interval(call);
}

static size_t read_addresses(const Fedway__Report__V1__Report *report,
                             struct ads_address_health *addresses)
{
	size_t n = 0;
	for (size_t i = 0; i < report->n_addresses && n < REPORT_ADDRESSES_MAX; i++) {
		const Fedway__Report__V1__AddressHealth *from = report->addresses[i];
		if (from->network == NULL || from->address == NULL || from->port > UINT16_MAX)
			continue;
		addresses[n++] = (struct ads_address_health){
			.network = from->network,
			.cluster = from->cluster != NULL ? from->cluster : "",
			.address = from->address,
			.port = (uint16_t)from->port,
			.live = from->live != 0,
			.reason = from->reason != NULL ? from->reason : "",
			.rtt_us = from->rtt_us,
		};
	}
	return n;
}

static size_t read_routes(const Fedway__Report__V1__Report *report, struct ads_route_state *routes)
{
	size_t n = 0;
	for (size_t i = 0; i < report->n_routes && n < REPORT_ROUTES_MAX; i++) {
		const Fedway__Report__V1__RouteState *from = report->routes[i];
		if (from->sni != NULL && from->has_own_usable)
			routes[n++] = (struct ads_route_state){from->sni, from->own_usable > 0};
	}
	return n;
}

/* Hands what is in the report to control. */
static void tell(struct ads *ads, const struct reporter *reporter,
                 const Fedway__Report__V1__Report *report)
{
	struct ads_address_health *addresses = xcalloc(report->n_addresses + 1, sizeof(*addresses));
	struct ads_route_state *routes = xcalloc(report->n_routes + 1, sizeof(*routes));
	size_t n_addresses = read_addresses(report, addresses);
	size_t n_routes = read_routes(report, routes);
	struct ads_instance instance = {
		.cluster = reporter->who.cluster,
		.gateway = reporter->who.name,
		.instance = "",
		.version = "",
		.ours = true,
	};
	if (report->applied_version != NULL)
		snprintf(instance.acked_version, sizeof(instance.acked_version), "%s",
		         report->applied_version);
	if (ads->control.on_report != NULL)
		ads->control.on_report(&instance, addresses, n_addresses, ads->control.arg);
	if (ads->control.on_routes != NULL)
		ads->control.on_routes(&instance, reporter->process, routes, n_routes,
		                       ads->control.arg);
	free(addresses);
	free(routes);
}

static void end_stream(struct grpc_call *call, enum grpc_status status, const char *message)
{
	free(grpc_call_data(call));
	grpc_call_set_data(call, NULL);
	grpc_call_end(call, status, message);
}

static void on_message(struct grpc_call *call, struct str message, void *arg)
{
	struct ads *ads = arg;
	struct reporter *reporter = grpc_call_data(call);
	struct err err;
	if (reporter == NULL)
		return;
	if (!is_known(ads, &reporter->who, &err)) {
		end_stream(call, grpc_status_of_err(err.code), err.msg);
		return;
	}
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__report__v1__report__descriptor, message, &err);
	if (base == NULL) {
		log_warn("xds", "report of gateway %s of %s left out: %s", reporter->who.name,
		         reporter->who.cluster, err.msg);
		return;
	}
	tell(ads, reporter, (const void *)base);
	xds_message_free(base);
}

static void on_half_close(struct grpc_call *call, void *arg)
{
	(void)arg;
	end_stream(call, GRPC_OK, NULL);
}

static void on_gone(struct grpc_call *call, const struct err *why, void *arg)
{
	(void)why;
	(void)arg;
	free(grpc_call_data(call));
}

void ads_reports_start(struct ads *ads)
{
	ads->reports = (struct grpc_method){
		.path = "/fedway.report.v1.Reports/Stream",
		.message_max = REPORT_MESSAGE_MAX,
		.arg = ads,
		.on_open = on_open,
		.on_message = on_message,
		.on_half_close = on_half_close,
		.on_gone = on_gone,
	};
	grpc_server_add(ads->grpc, &ads->reports);
}
