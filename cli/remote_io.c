/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests go through the Kubernetes client, or, where the form of the answer is asked for, through
 * an HTTP client of its own; the loop runs until the answer is there.
 */
#include "command.h"
#include "remote_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "kube/status.h"

#define TABLE_FORM "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"

/* --- opening ---------------------------------------------------------------------------------- */

static struct remote *open_config(struct kubeconfig *config, struct err *err)
{
	struct remote *remote = xcalloc(1, sizeof(*remote));
	remote->config = *config;
	remote->loop = loop_create();
	struct kube_client_options options = {.loop = remote->loop,
	                                      .timeout_ms = REMOTE_REQUEST_MS};
	struct http_client_config http = kubeconfig_http(config, remote->loop);
	remote->client = kube_client_create(&remote->config, &options, err);
	remote->http = remote->client != NULL ? http_client_create(&http, err) : NULL;
	if (remote->http != NULL)
		return remote;
	remote_close(remote);
	return NULL;
}

void remote_close(struct remote *remote)
{
	if (remote == NULL)
		return;
	kube_client_destroy(remote->client);
	http_client_destroy(remote->http);
	loop_destroy(remote->loop);
	kubeconfig_fini(&remote->config);
	free(remote);
}

/* Owned. */
static char *usual_file(void)
{
	const char *env = getenv("KUBECONFIG");
	const char *home = getenv("HOME");
	if (env != NULL && env[0] != '\0')
		return xstrndup(env, strcspn(env, ":"));
	return xasprintf("%s/.kube/config", home != NULL ? home : "");
}

struct remote *remote_open_file(const char *path, const char *context, struct err *err)
{
	struct kubeconfig config;
	char *file CLEANUP(free_ptr) = path != NULL ? xstrdup(path) : usual_file();
	if (!kubeconfig_load(file, context, &config, err))
		return NULL;
	return open_config(&config, err);
}

static void replace(char **field, const char *value)
{
	if (value == NULL)
		return;
	free(*field);
	*field = xstrdup(value);
}

static bool apply_options(const struct cli_common *common, struct kubeconfig *config,
                          struct err *err)
{
	struct buf pem CLEANUP(buf_fini);
	buf_init(&pem, KUBECONFIG_PEM_MAX);
	replace(&config->server, common->server);
	replace(&config->token, common->token);
	if (common->ca_file != NULL) {
		if (!file_load(common->ca_file, &pem, err))
			return err_wrap(err, "--certificate-authority");
		replace(&config->ca_pem, buf_text(&pem));
	}
	if (common->insecure) {
		free(config->ca_pem);
		config->ca_pem = NULL;
		config->insecure = true;
	}
	return true;
}

struct remote *remote_open(const struct cli_common *common, struct err *err)
{
	struct kubeconfig config = {0};
	char *path CLEANUP(free_ptr) =
		common->kubeconfig != NULL ? xstrdup(common->kubeconfig) : usual_file();
	bool needed = common->server == NULL || common->kubeconfig != NULL;
	if (!kubeconfig_load(path, common->context, &config, err)) {
		config = (struct kubeconfig){0};
		if (needed) {
			err_wrap(err, "cannot tell where the control plane is; give --kubeconfig "
			              "DATA-DIR/admin.kubeconfig");
			return NULL;
		}
	}
	if (!apply_options(common, &config, err)) {
		kubeconfig_fini(&config);
		return NULL;
	}
	return open_config(&config, err);
}

struct remote *remote_open_beside(const struct remote *hub, const char *address, const char *ca_pem,
                                  struct err *err)
{
	if (hub->config.token == NULL) {
		err_set(err, ERR_INVALID,
		        "the answers at %s need a bearer token, and the credentials for %s have "
		        "none; give --token",
		        address, hub->config.server);
		return NULL;
	}
	struct kubeconfig config = {.server = xasprintf("https://%s", address),
	                            .token = xstrdup(hub->config.token),
	                            .ca_pem = xstrdup(ca_pem)};
	return open_config(&config, err);
}

const char *remote_server(const struct remote *remote)
{
	return remote->config.server;
}

char *remote_kubeconfig(const struct remote *remote)
{
	return kubeconfig_format(&remote->config);
}

int64_t remote_took_ms(const struct remote *remote)
{
	return remote->took_ms;
}

/* --- one request ------------------------------------------------------------------------------ */

static void on_answer(json_t *answer, const struct err *err, void *arg)
{
	struct remote *remote = arg;
	remote->done = true;
	remote->answer = answer != NULL ? json_incref(answer) : NULL;
	if (err != NULL)
		remote->err = *err;
	loop_stop(remote->loop);
}

/* Runs until the request has ended; the answer is the caller's. */
static json_t *await(struct remote *remote, int64_t began_ms, struct err *err)
{
	while (!remote->done)
		loop_run(remote->loop);
	json_t *answer = remote->answer;
	remote->took_ms = loop_now_ms(remote->loop) - began_ms;
	remote->done = false;
	remote->answer = NULL;
	if (answer == NULL)
		*err = remote->err;
	return answer;
}

json_t *remote_get(struct remote *remote, const struct kube_ref *ref, struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	kube_client_get(remote->client, ref, on_answer, remote);
	return await(remote, began_ms, err);
}

json_t *remote_get_path(struct remote *remote, const char *path, struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	kube_client_get_path(remote->client, path, on_answer, remote);
	return await(remote, began_ms, err);
}

json_t *remote_list(struct remote *remote, const struct kube_ref *ref, const char *selector,
                    struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	struct kube_list_options options = {.label_selector = selector};
	kube_client_list(remote->client, ref, &options, on_answer, remote);
	return await(remote, began_ms, err);
}

json_t *remote_create(struct remote *remote, const struct kube_ref *ref, const json_t *obj,
                      struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	kube_client_create_object(remote->client, ref, obj, on_answer, remote);
	return await(remote, began_ms, err);
}

json_t *remote_apply(struct remote *remote, const struct kube_ref *ref, const json_t *obj,
                     struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	kube_client_apply(remote->client, ref, obj, on_answer, remote);
	return await(remote, began_ms, err);
}

json_t *remote_patch(struct remote *remote, const struct kube_ref *ref, const json_t *patch,
                     struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	kube_client_patch(remote->client, ref, patch, on_answer, remote);
	return await(remote, began_ms, err);
}

bool remote_delete(struct remote *remote, const struct kube_ref *ref, struct err *err)
{
	int64_t began_ms = loop_now_ms(remote->loop);
	kube_client_delete(remote->client, ref, NULL, on_answer, remote);
	json_t *answer = await(remote, began_ms, err);
	json_decref(answer);
	return answer != NULL;
}

/* --- requests in a form of their own ---------------------------------------------------------- */

static void on_done(struct http_call *call, const struct http_response *response,
                    const struct err *err, void *arg)
{
	struct remote *remote = arg;
	(void)call;
	remote->done = true;
	if (response == NULL) {
		remote->err = *err;
	} else {
		remote->answer = json_parse(response->body, &remote->err);
		if (response->status >= 300) {
			IGNORE(kube_status_to_err(remote->answer, response->status, &remote->err));
			json_decref(remote->answer);
			remote->answer = NULL;
		}
	}
	loop_stop(remote->loop);
}

static json_t *exchange(struct remote *remote, const char *method, const char *path,
                        const json_t *obj, struct err *err)
{
	struct http_fields fields = HTTP_FIELDS_EMPTY;
	char *url CLEANUP(free_ptr) = xasprintf("%s%s", remote->config.server, path);
	char *body CLEANUP(free_ptr) = obj != NULL ? json_format(obj) : xstrdup("");
	int64_t began_ms = loop_now_ms(remote->loop);
	IGNORE(!http_fields_add_text(&fields, "accept", TABLE_FORM));
	if (obj != NULL)
		IGNORE(!http_fields_add_text(&fields, "content-type", "application/json"));
	struct http_call_config config = {
		.method = method,
		.url = url,
		.fields = &fields,
		.body = str_from(body),
		.timeout_ms = REMOTE_REQUEST_MS,
		.on_done = on_done,
		.arg = remote,
	};
	http_client_send(remote->http, &config);
	json_t *answer = await(remote, began_ms, err);
	http_fields_fini(&fields);
	if (answer == NULL)
		err_wrap(err, "%s %s", method, path);
	return answer;
}

json_t *remote_table(struct remote *remote, const char *path, struct err *err)
{
	return exchange(remote, "GET", path, NULL, err);
}

json_t *remote_post(struct remote *remote, const char *path, const json_t *obj, struct err *err)
{
	return exchange(remote, "POST", path, obj, err);
}

static void on_pause_over(void *arg)
{
	struct remote *remote = arg;
	remote->done = true;
	loop_stop(remote->loop);
}

void remote_pause(struct remote *remote, int64_t ms)
{
	struct loop_timer timer;
	loop_timer_init(&timer, remote->loop, on_pause_over, remote);
	loop_timer_set(&timer, ms);
	while (!remote->done)
		loop_run(remote->loop);
	remote->done = false;
	loop_timer_fini(&timer);
}

int remote_fail(const struct err *err)
{
	int status = cli_fail(err);
	bool unanswered =
		err->code == ERR_IO || err->code == ERR_TIMEOUT || err->code == ERR_UNAVAILABLE;
	return unanswered ? EXIT_UNREACHABLE : status;
}
