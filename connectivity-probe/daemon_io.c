/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/log.h"
#include "certs/cert_client_io.h"
#include "probe/ladder_io.h"
#include "probe/server_io.h"
#include "probe/worker_io.h"
#include "xds/uplink_io.h"

struct probe_daemon {
	struct cert_client *certs;
	struct xds_uplink *uplink;
	struct probe_worker *worker;
	struct probe_server *server;
};

static bool use_certificate(struct probe_daemon *daemon, struct cert_client *certs, struct err *err)
{
	struct str chain = cert_client_chain(certs);
	struct str key = cert_client_key(certs);
	struct str roots = cert_client_roots(certs);
	struct tls_ctx *checks = probe_run_tls(chain, key, roots, err);
	if (checks == NULL)
		return false;
	probe_worker_set_tls(daemon->worker, checks);
	tls_ctx_unref(checks);
	if (!probe_server_set_certificate(daemon->server, chain, key, roots, err))
		return false;
	struct tls_ctx *uplink = cert_client_tls(certs, err);
	if (uplink == NULL)
		return false;
	xds_uplink_set_tls(daemon->uplink, uplink);
	tls_ctx_unref(uplink);
	return true;
}

static void on_cert(struct cert_client *certs, void *arg)
{
	char uri[CERT_URI_MAX];
	struct err err;
	if (use_certificate(arg, certs, &err))
		log_info("probe", "certificate id=%s",
		         cert_identity_format(cert_client_identity(certs), uri));
	else
		log_error("probe", "certificate not used: %s", err.msg);
}

static void on_trouble(const struct err *why, void *arg)
{
	(void)arg;
	log_warn("probe", "no certificate yet: %s", why->msg);
}

static void on_down(const struct err *why, void *arg)
{
	struct probe_daemon *daemon = arg;
	log_warn("probe", "not connected to the control plane: %s", why->msg);
	if (why->code == ERR_UNAUTHORIZED)
		cert_client_refused(daemon->certs);
}

static bool start(struct probe_daemon *daemon, struct loop *loop, const struct probe_config *config,
                  struct err *err)
{
	const struct xds_uplink_config uplink = {
		.loop = loop, .address = config->address, .on_down = on_down, .arg = daemon};
	const struct cert_client_config certs = {
		.loop = loop,
		.address = config->address,
		.trust_file = config->trust_file,
		.token_file = config->token_file,
		.cluster = config->cluster,
		.dir = config->data_dir,
		.on_cert = on_cert,
		.on_trouble = on_trouble,
		.arg = daemon,
	};
	daemon->server = probe_server_create(loop, &config->listener, err);
	if (daemon->server == NULL)
		return false;
	daemon->uplink = xds_uplink_create(&uplink, err);
	if (daemon->uplink == NULL)
		return false;
	daemon->worker = probe_worker_create(loop, daemon->uplink);
	daemon->certs = cert_client_create(&certs, err);
	return daemon->certs != NULL;
}

struct probe_daemon *probe_daemon_create(struct loop *loop, const struct probe_config *config,
                                         struct err *err)
{
	struct probe_daemon *daemon = xcalloc(1, sizeof(*daemon));
	char text[ADDR_TEXT_MAX];
	if (!start(daemon, loop, config, err)) {
		probe_daemon_destroy(daemon);
		return NULL;
	}
	struct addr addr = probe_server_addr(daemon->server);
	log_info("probe", "listening address=%s cluster=%s", addr_format(&addr, text),
	         config->cluster);
	return daemon;
}

void probe_daemon_destroy(struct probe_daemon *daemon)
{
	if (daemon == NULL)
		return;
	cert_client_destroy(daemon->certs);
	probe_worker_destroy(daemon->worker);
	xds_uplink_destroy(daemon->uplink);
	probe_server_destroy(daemon->server);
	free(daemon);
}

struct addr probe_daemon_addr(const struct probe_daemon *daemon)
{
	return probe_server_addr(daemon->server);
}
