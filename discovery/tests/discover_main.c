/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fedway-discover-test DIR NAME=KUBECONFIG...: follows clusters and prints each snapshot and each
 * status as a line of JSON, for tests that start it beside real API servers.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/loop.h"
#include "discovery/discovery.h"

static struct discovery *discovery;
static struct loop *loop;

static void print(json_t *line)
{
	char *text = json_format(line);

	puts(text);
	fflush(stdout);
	free(text);
	json_decref(line);
}

static json_t *endpoints_of(const struct snap_service *service)
{
	json_t *all = json_array();

	for (size_t i = 0; service != NULL && i < service->n_ports; i++) {
		const struct snap_port *port = &service->ports[i];

		for (size_t k = 0; k < port->n_endpoints; k++) {
			const struct snap_endpoint *ep = &port->endpoints[k];
			char ip[IP_TEXT_MAX];

			json_array_append_new(
				all, json_pack("{s:s, s:i, s:s, s:b, s:b}", "address",
			                       ip_format(&ep->ip, ip), "port", (int)ep->port,
			                       "locality", ep->locality->text, "ready",
			                       (int)ep->ready, "mtls", (int)ep->mtls));
		}
	}
	return all;
}

static void on_snapshot(const struct discovery_change *change, void *arg)
{
	json_t *services = json_object();

	(void)arg;
	for (size_t i = 0; i < change->n_services; i++) {
		const struct snap_service *service =
			snapshot_find(change->snapshot, change->services[i]);

		json_object_set_new(services, change->services[i],
		                    service != NULL ? endpoints_of(service) : json_null());
	}
	print(json_pack("{s:s, s:s, s:b, s:s, s:s, s:i, s:o}", "event", "snapshot", "cluster",
	                change->cluster, "fromCopy", (int)change->from_copy, "uid",
	                change->snapshot->uid, "network", change->snapshot->network, "total",
	                (int)tree_len(change->snapshot->services), "services", services));
}

static void on_status(const char *cluster, void *arg)
{
	struct discovery_status status;

	(void)arg;
	if (!discovery_status(discovery, cluster, &status))
		return;
	print(json_pack("{s:s, s:s, s:b, s:b, s:b, s:s, s:s, s:s, s:I}", "event", "status",
	                "cluster", cluster, "reachable", (int)status.reachable, "complete",
	                (int)status.complete, "fromCopy", (int)status.from_copy, "version",
	                status.version, "uid", status.uid, "error", status.error, "lists",
	                (json_int_t)status.lists));
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static int refuse(const struct err *err)
{
	fprintf(stderr, "fedway-discover-test: %s\n", err->msg);
	return 1;
}

static bool add(const char *word, struct err *err)
{
	struct kubeconfig CLEANUP(kubeconfig_fini) config = {0};
	const char *path = strchr(word, '=');
	char name[64];

	if (path == NULL)
		return err_set(err, ERR_INVALID, "'%s' is not NAME=KUBECONFIG", word);
	snprintf(name, sizeof(name), "%.*s", (int)(path - word), word);
	return kubeconfig_load(path + 1, NULL, &config, err) &&
	       discovery_put(discovery, name, &config, err);
}

int main(int argc, char **argv)
{
	struct discovery_handlers handlers = {.on_snapshot = on_snapshot, .on_status = on_status};
	struct err err = {.msg = "usage: fedway-discover-test DIR NAME=KUBECONFIG..."};

	if (argc < 3)
		return refuse(&err);
	loop = loop_create();
	discovery = discovery_create(loop, argv[1], &handlers, &err);
	if (discovery == NULL)
		return refuse(&err);
	for (int i = 2; i < argc; i++)
		if (!add(argv[i], &err))
			return refuse(&err);
	struct loop_signal *signal = loop_signal_create(loop, SIGTERM, stop, NULL);

	loop_run(loop);
	loop_signal_destroy(signal);
	discovery_destroy(discovery);
	loop_destroy(loop);
	return 0;
}
