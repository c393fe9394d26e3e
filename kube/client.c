/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/client.h"

#include "client_priv.h"
#include "kubeconfig_priv.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* --- transports ------------------------------------------------------------------------------- */

static void transport_free(void *arg)
{
	struct kube_transport *transport = arg;

	http_client_destroy(transport->http);
	free(transport);
}

static struct kube_transport *transport_create(const struct kube_client *client,
                                               const struct kubeconfig *config, struct err *err)
{
	struct http_client_config http = kubeconfig_http(config, client->loop);
	http.dial = client->options.dial;
	http.dial_arg = client->options.dial_arg;
	struct http_client *made = http_client_create(&http, err);

	if (made == NULL)
		return NULL;
	struct kube_transport *transport = xcalloc(1, sizeof(*transport));

	transport->http = made;
	transport->loop = client->loop;
	return transport;
}

/* Buried, not freed: we may be inside one of its callbacks. */
static void bury_if_idle(struct kube_transport *transport)
{
	if (transport->retired && transport->n_calls == 0)
		loop_bury(transport->loop, transport_free, transport);
}

static void transport_retire(struct kube_transport *transport)
{
	transport->retired = true;
	bury_if_idle(transport);
}

void kube_transport_unref_call(struct kube_transport *transport)
{
	transport->n_calls--;
	bury_if_idle(transport);
}

/* --- life ------------------------------------------------------------------------------------- */

static void set_defaults(struct kube_client_options *options)
{
	if (options->qps <= 0)
		options->qps = KUBE_CLIENT_QPS;
	if (options->burst <= 0)
		options->burst = KUBE_CLIENT_BURST;
	if (options->in_flight <= 0)
		options->in_flight = KUBE_CLIENT_IN_FLIGHT;
	if (options->timeout_ms <= 0)
		options->timeout_ms = KUBE_CLIENT_TIMEOUT_MS;
	options->user_agent = xstrdup(options->user_agent != NULL ? options->user_agent
	                                                          : "fedway/" FEDWAY_VERSION);
}

struct kube_client *kube_client_create(const struct kubeconfig *config,
                                       const struct kube_client_options *options, struct err *err)
{
	struct kube_client *client = xcalloc(1, sizeof(*client));

	client->loop = options->loop;
	client->options = *options;
	set_defaults(&client->options);
	client->transport = transport_create(client, config, err);
	if (client->transport == NULL) {
		free_ptr(&client->options.user_agent);
		free(client);
		return NULL;
	}
	kubeconfig_copy(config, &client->config);
	list_init(&client->waiting);
	list_init(&client->sent);
	loop_timer_init(&client->timer, client->loop, kube_client_pump, client);
	client->milli_tokens = client->options.burst * 1000LL;
	client->refilled_ms = loop_now_ms(client->loop);
	client->token_read_ms = client->refilled_ms;
	return client;
}

static void cancel_all(struct list *calls)
{
	list_for_each_safe (it, calls) {
		kube_call_cancel(LIST_ENTRY(it, struct kube_call, link));
	}
}

void kube_client_destroy(struct kube_client *client)
{
	if (client == NULL)
		return;
	cancel_all(&client->sent);
	cancel_all(&client->waiting);
	loop_timer_fini(&client->timer);
	transport_retire(client->transport);
	kubeconfig_fini(&client->config);
	free_ptr(&client->options.user_agent);
	free(client);
}

bool kube_client_set_config(struct kube_client *client, const struct kubeconfig *config,
                            struct err *err)
{
	if (kubeconfig_eq(&client->config, config))
		return true;
	struct kube_transport *transport = transport_create(client, config, err);

	if (transport == NULL)
		return false;
	transport_retire(client->transport);
	client->transport = transport;
	kubeconfig_fini(&client->config);
	kubeconfig_copy(config, &client->config);
	client->token_read_ms = loop_now_ms(client->loop);
	return true;
}

bool kube_client_refresh_token(struct kube_client *client)
{
	struct kubeconfig *config = &client->config;
	struct err err;

	client->token_read_ms = loop_now_ms(client->loop);
	char *token =
		config->token_file != NULL ? kubeconfig_load_token(config->token_file, &err) : NULL;

	/* While it cannot be read the old one may still do; if not, the server says so. */
	if (token == NULL)
		return false;
	if (config->token != NULL && strcmp(token, config->token) == 0) {
		free(token);
		return false;
	}
	free(config->token);
	config->token = token;
	http_client_set_token(client->transport->http, token);
	return true;
}

const char *kube_client_server(const struct kube_client *client)
{
	return client->config.server;
}

enum kube_apply_outcome kube_client_apply_outcome(const struct kube_client *client)
{
	return client->outcome;
}

struct kube_client_counts kube_client_counts(const struct kube_client *client)
{
	return client->counts;
}
