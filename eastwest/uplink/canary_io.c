/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/canary_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/net.h"
#include "base/wire.h"

enum {
	OPEN_MS = 5000,
	SWEEP_MS = 10000,
	QUEUE_MAX = 64 << 10, /* a pinger that does not read is closed */
	WARN_PER_SECOND = 5
};

struct caller {
	struct list link;
	struct ew_canary *canary;
	struct wire *wire;
	int64_t active_ms;
};

struct ew_canary {
	struct loop *loop;
	ew_peer_cb is_peer;
	void *arg;
	int fd; /* -1: stopped */
	struct addr addr;
	struct loop_io io;
	struct loop_timer sweep;
	struct tls_ctx *tls; /* NULL: no certificate yet */
	char trust_domain[CERT_TRUST_DOMAIN_MAX + 1];
	struct list callers;
	size_t n_callers;
	struct log_limit limit;
};

/* --- who calls -------------------------------------------------------------------------------- */

static bool judge(STACK_OF(X509) * chain, void *arg, struct err *err)
{
	struct ew_canary *canary = arg;
	struct cert_identity who;
	if (!cert_identity_of_chain(chain, canary->trust_domain, &who, err))
		return false;
	if (who.kind != CERT_GATEWAY && who.kind != CERT_PROBE)
		return err_set(err, ERR_FORBIDDEN, "a %s has no business with a canary",
		               cert_kind_name(who.kind));
	if (!canary->is_peer(who.cluster, canary->arg))
		return err_set(err, ERR_FORBIDDEN, "cluster '%s' is no peer of this gateway",
		               who.cluster);
	/* an alarm, never death: its own control plane may be away for long */
	if (cert_chain_not_after(chain) < clock_wall_s() &&
	    log_limit_pass(&canary->limit, clock_now_ms(), WARN_PER_SECOND))
		log_warn("eastwest", "the certificate of %s '%s' of cluster '%s' is expired",
		         cert_kind_name(who.kind), who.name, who.cluster);
	return true;
}

bool ew_canary_set_credentials(struct ew_canary *canary, const struct ew_credentials *credentials,
                               struct err *err)
{
	struct tls_config config = {
		.cert_pem = str_from(credentials->chain),
		.key_pem = str_from(credentials->key),
		.roots_pem = str_from(credentials->roots),
		.alpn = "istio",
		.accept_expired = true,
		.accept_early = true,
		.verify = judge,
		.verify_arg = canary,
	};
	struct tls_ctx *tls = tls_server_create(&config, err);
	if (tls == NULL)
		return false;
	tls_ctx_unref(canary->tls);
	canary->tls = tls;
	memcpy(canary->trust_domain, credentials->identity.trust_domain,
	       sizeof(canary->trust_domain));
	return true;
}

/* --- callers ---------------------------------------------------------------------------------- */

static void forget(struct caller *caller)
{
	list_remove(&caller->link);
	caller->canary->n_callers--;
	free(caller);
}

static void close_caller(struct caller *caller)
{
	wire_close(caller->wire);
	forget(caller);
}

static void on_open(struct wire *wire, void *arg)
{
	struct caller *caller = arg;
	(void)wire;
	caller->active_ms = loop_now_ms(caller->canary->loop);
}

static void on_data(struct wire *wire, struct str data, void *arg)
{
	struct caller *caller = arg;
	caller->active_ms = loop_now_ms(caller->canary->loop);
	if (wire_queued(wire) > QUEUE_MAX || !wire_write(wire, data))
		close_caller(caller);
}

static void on_close(struct wire *wire, const struct err *why, void *arg)
{
	struct caller *caller = arg;
	struct ew_canary *canary = caller->canary;
	(void)wire;
	if (why->code == ERR_FORBIDDEN &&
	    log_limit_pass(&canary->limit, clock_now_ms(), WARN_PER_SECOND))
		log_warn("eastwest", "canary refused a caller: %s", why->msg);
	forget(caller);
}

static const struct wire_events events = {
	.on_open = on_open, .on_data = on_data, .on_close = on_close};

static void take(struct ew_canary *canary, int fd)
{
	if (canary->tls == NULL || canary->n_callers >= EW_CANARIES_MAX) {
		close(fd);
		return;
	}
	struct caller *caller = xcalloc(1, sizeof(*caller));
	list_init(&caller->link);
	list_append(&canary->callers, &caller->link);
	canary->n_callers++;
	caller->canary = canary;
	caller->active_ms = loop_now_ms(canary->loop);
	caller->wire = wire_accept(canary->loop, fd, tls_server_open(canary->tls), &events, caller);
	wire_set_open_timeout(caller->wire, OPEN_MS);
}

static void on_acceptable(unsigned ready, void *arg)
{
	struct ew_canary *canary = arg;
	struct addr peer;
	(void)ready;
	for (int fd = net_accept(canary->fd, &peer); fd >= 0; fd = net_accept(canary->fd, &peer))
		take(canary, fd);
	/* without descriptors the listener stays readable: look again at the next sweep only */
	if (errno == EMFILE || errno == ENFILE)
		loop_io_set(&canary->io, 0);
}

static void on_sweep(void *arg)
{
	struct ew_canary *canary = arg;
	int64_t now_ms = loop_now_ms(canary->loop);
	loop_timer_set(&canary->sweep, SWEEP_MS);
	loop_io_set(&canary->io, LOOP_READ);
	list_for_each_safe (it, &canary->callers) {
		struct caller *caller = LIST_ENTRY(it, struct caller, link);
		if (now_ms - caller->active_ms > EW_CANARY_IDLE_MS)
			close_caller(caller);
	}
}

/* --- life ------------------------------------------------------------------------------------- */

struct ew_canary *ew_canary_create(struct loop *loop, ew_peer_cb is_peer, void *arg,
                                   struct err *err)
{
	struct addr any = {.port = 0};
	if (!ip_parse(STR_LIT("127.0.0.1"), &any.ip))
		UNREACHABLE("127.0.0.1 is an address");
	struct ew_canary *canary = xcalloc(1, sizeof(*canary));
	canary->loop = loop;
	canary->is_peer = is_peer;
	canary->arg = arg;
	list_init(&canary->callers);
	canary->fd = net_listen(&any, false, &canary->addr, err);
	if (canary->fd < 0) {
		free(canary);
		IGNORE(err_wrap(err, "canary"));
		return NULL;
	}
	loop_io_init(&canary->io, loop, canary->fd, on_acceptable, canary);
	loop_io_set(&canary->io, LOOP_READ);
	loop_timer_init(&canary->sweep, loop, on_sweep, canary);
	loop_timer_set(&canary->sweep, SWEEP_MS);
	return canary;
}

void ew_canary_stop(struct ew_canary *canary)
{
	if (canary->fd < 0)
		return;
	loop_io_fini(&canary->io);
	loop_timer_fini(&canary->sweep);
	close(canary->fd);
	canary->fd = -1;
	list_for_each_safe (it, &canary->callers)
		close_caller(LIST_ENTRY(it, struct caller, link));
}

void ew_canary_destroy(struct ew_canary *canary)
{
	if (canary == NULL)
		return;
	ew_canary_stop(canary);
	tls_ctx_unref(canary->tls);
	free(canary);
}

const struct addr *ew_canary_addr(const struct ew_canary *canary)
{
	return &canary->addr;
}
