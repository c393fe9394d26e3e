/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/ping_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/wire.h"
#include "certs/identity.h"
#include "eastwest/mesh.h"
#include "uplink/uplink_io.h"

enum {
	SNI_MAX = EW_NAME_LEN_MAX + 32
};

struct ew_ping {
	struct loop *loop;
	struct ew_health *health; /* shared */
	ew_ping_cb on_result;
	void *arg;
	char *network;
	char *cluster;
	struct tls_ctx *tls; /* shared; of the last turn */
	struct wire *wire;   /* NULL: none */
	bool open;
	bool tried_again;  /* since the last turn */
	bool expired;      /* its certificate is, and that was said */
	int64_t opened_ms; /* of wire */
	int64_t pinged_us; /* 0: no echo is due */
};

static void connect_anew(struct ew_ping *ping);

static void drop_wire(struct ew_ping *ping)
{
	wire_close(ping->wire);
	ping->wire = NULL;
	ping->open = false;
	ping->pinged_us = 0;
}

static void miss(struct ew_ping *ping, const char *why)
{
	drop_wire(ping);
	ping->on_result(ping->health, why, 0, ping->arg);
	if (ping->tried_again)
		return;
	ping->tried_again = true;
	connect_anew(ping);
}

static void send_ping(struct ew_ping *ping)
{
	ping->pinged_us = clock_now_us();
	if (!wire_write(ping->wire, STR_LIT("p")))
		miss(ping, "the connection takes no bytes");
}

/* An alarm, never death. */
static void note_end(struct ew_ping *ping, STACK_OF(X509) * chain)
{
	char text[ADDR_TEXT_MAX];
	char time[32];
	int64_t not_after_s = cert_chain_not_after(chain);
	bool expired = not_after_s < clock_wall_s();
	ping->health->not_after_s = not_after_s;
	if (expired && !ping->expired)
		log_warn("eastwest",
		         "the certificate of a remote gateway is expired; it is used all the same "
		         "address=%s notAfter=%s",
		         addr_format(&ping->health->addr, text),
		         clock_format_rfc3339(not_after_s, time));
	ping->expired = expired;
}

/* The hook of the context has seen that it is a gateway; is it the right one? */
static bool check_peer(struct ew_ping *ping, struct err *err)
{
	struct cert_identity who;
	STACK_OF(X509) *chain = tls_peer_chain(wire_tls(ping->wire));
	if (chain == NULL)
		return err_set(err, ERR_FORBIDDEN, "it showed no certificate");
	if (!cert_identity_of_chain(chain, NULL, &who, err))
		return false;
	note_end(ping, chain);
	if (ping->cluster[0] != '\0' && strcmp(who.cluster, ping->cluster) != 0)
		return err_set(err, ERR_FORBIDDEN, "it is a gateway of cluster '%s', not of '%s'",
		               who.cluster, ping->cluster);
	return true;
}

static void on_open(struct wire *wire, void *arg)
{
	struct ew_ping *ping = arg;
	struct err err;
	(void)wire;
	if (!check_peer(ping, &err)) {
		ping->tried_again = true; /* the next one would be no other */
		miss(ping, err.msg);
		return;
	}
	ping->open = true;
	send_ping(ping);
}

static void on_data(struct wire *wire, struct str data, void *arg)
{
	struct ew_ping *ping = arg;
	(void)wire;
	(void)data;
	if (ping->pinged_us == 0)
		return;
	int64_t took_us = clock_now_us() - ping->pinged_us;
	ping->pinged_us = 0;
	ping->on_result(ping->health, NULL, took_us, ping->arg);
}

static void on_close(struct wire *wire, const struct err *why, void *arg)
{
	struct ew_ping *ping = arg;
	(void)wire;
	ping->wire = NULL;
	miss(ping, why->msg);
}

static const struct wire_events events = {
	.on_open = on_open, .on_data = on_data, .on_close = on_close};

static void connect_anew(struct ew_ping *ping)
{
	char sni[SNI_MAX];
	struct err err;
	snprintf(sni, sizeof(sni), EW_CANARY_SNI, ping->network);
	ping->opened_ms = loop_now_ms(ping->loop);
	ping->wire = wire_connect(ping->loop, &ping->health->addr,
	                          tls_client_open(ping->tls, sni, false), &events, ping, &err);
	if (ping->wire == NULL) {
		ping->tried_again = true;
		miss(ping, err.msg);
	}
}

void ew_ping_turn(struct ew_ping *ping, struct tls_ctx *tls)
{
	tls_ctx_ref(tls);
	tls_ctx_unref(ping->tls);
	ping->tls = tls;
	ping->tried_again = false;
	if (ping->wire == NULL) {
		ping->tried_again = true;
		connect_anew(ping);
	} else if (!ping->open) {
		miss(ping, "no handshake within a second");
	} else if (ping->pinged_us != 0) {
		miss(ping, "no echo within a second");
	} else if (loop_now_ms(ping->loop) - ping->opened_ms >= EW_PING_FRESH_MS) {
		drop_wire(ping);
		connect_anew(ping);
	} else {
		send_ping(ping);
	}
}

struct ew_ping *ew_ping_create(struct loop *loop, struct ew_health *health,
                               const struct ew_ping_target *target, ew_ping_cb on_result, void *arg)
{
	struct ew_ping *ping = xcalloc(1, sizeof(*ping));
	ping->loop = loop;
	ping->health = ew_health_ref(health);
	ping->on_result = on_result;
	ping->arg = arg;
	ping->network = xstrdup(target->network);
	ping->cluster = xstrdup(target->cluster);
	return ping;
}

void ew_ping_destroy(struct ew_ping *ping)
{
	if (ping == NULL)
		return;
	drop_wire(ping);
	tls_ctx_unref(ping->tls);
	ew_health_unref(ping->health);
	free(ping->network);
	free(ping->cluster);
	free(ping);
}

struct ew_health *ew_ping_health(const struct ew_ping *ping)
{
	return ping->health;
}

bool ew_ping_is_for(const struct ew_ping *ping, const struct ew_ping_target *target)
{
	return strcmp(ping->network, target->network) == 0 &&
	       strcmp(ping->cluster, target->cluster) == 0;
}

/* --- context ---------------------------------------------------------------------------------- */

static bool judge(STACK_OF(X509) * chain, void *arg, struct err *err)
{
	static struct cert_verifier only_gateways = {.kinds = 1u << CERT_GATEWAY};
	(void)arg;
	return cert_verifier_check(chain, &only_gateways, err);
}

struct tls_ctx *ew_ping_tls(const struct ew_credentials *credentials, struct err *err)
{
	struct tls_config config = {
		.cert_pem = str_from(credentials->chain),
		.key_pem = str_from(credentials->key),
		.roots_pem = str_from(credentials->roots),
		.alpn = "istio",
		.accept_expired = true,
		.accept_early = true,
		.verify = judge,
	};
	return tls_client_create(&config, err);
}
