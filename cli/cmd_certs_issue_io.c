/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One certificate for who has no agent: token of a service account → control plane → files. With a
 * kubeconfig of the member everything that is needed is asked there.
 */
#include "command.h"
#include "join.h"
#include "remote.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "certs/cert_client_io.h"

enum {
	TOKEN_S = 3600
};

struct issue_options {
	struct cli_common common;
	const char *cluster;
	const char *kubeconfig;
	const char *context;
	const char *account;
	const char *token_file;
	const char *trust_file;
	const char *address;
	const char *dir;
	uint64_t ttl_ms;
};

static_assert(sizeof(struct issue_options) <= CLI_SIZE, "fits");

#define ROW(option, type, shown, value, says, field)                                               \
	{                                                                                          \
		.name = option, .no_env = true, .kind = type, .arg = shown, .dflt = value,         \
		.help = says, .offset = offsetof(struct issue_options, field)                      \
	}

static const struct options_row rows[] = {
	ROW("cluster", OPTIONS_TEXT, "NAME", NULL, "the Cluster it belongs to", cluster),
	ROW("dir", OPTIONS_TEXT, "DIR", ".", "where tls.crt, tls.key, roots.pem go", dir),
	ROW("service-account", OPTIONS_TEXT, "NS/NAME", NULL,
            "whose identity; a token is asked from the cluster", account),
	ROW("cluster-kubeconfig", OPTIONS_TEXT, "FILE", NULL,
            "the cluster: token, roots and address come from there", kubeconfig),
	ROW("cluster-context", OPTIONS_TEXT, "NAME", NULL, "which context of it", context),
	ROW("token-file", OPTIONS_TEXT, "FILE", NULL, "in place of --service-account", token_file),
	ROW("roots", OPTIONS_TEXT, "FILE", NULL, "in place of the cluster's ConfigMap fedway-trust",
            trust_file),
	ROW("address", OPTIONS_TEXT, "HOST:PORT", NULL,
            "of the control plane, in place of that ConfigMap's", address),
	ROW("ttl", OPTIONS_DURATION, "TIME", "24h", "how long it should live", ttl_ms),
	ROW("timeout", OPTIONS_DURATION, "TIME", "30s", "how long to try", common.timeout_ms),
	CLI_LOOK_ROWS,
};

const struct options_spec cmd_certs_issue_spec = {
	.program = "fedway certs issue",
	.about = "Gets one certificate from the control plane into files, for a workload without "
		 "an agent.",
	.rows = rows,
	.n_rows = N_ELEMS(rows),
};

struct issuing {
	const struct issue_options *options;
	char *token_file;
	char *trust_file;
	char *address;
	struct loop *loop;
	bool done;
	bool late;
	struct err trouble;
};

static void issuing_fini(struct issuing *issuing)
{
	free(issuing->token_file);
	free(issuing->trust_file);
	free(issuing->address);
	loop_destroy(issuing->loop);
}

/* --- what the cluster knows ------------------------------------------------------------------- */

static bool fetch_trust(struct issuing *issuing, struct remote *member, struct err *err)
{
	const struct issue_options *options = issuing->options;
	struct kube_ref ref = {&KUBE_CONFIG_MAPS, JOIN_NAMESPACE, "fedway-trust", NULL};
	if (options->trust_file != NULL && options->address != NULL)
		return true;
	json_t *map CLEANUP(json_cleanup) = remote_get(member, &ref, err);
	const json_t *data = json_object_get(map, "data");
	const char *roots = json_string_value(json_object_get(data, "roots.pem"));
	const char *address = json_str_at(data, "xdsAddress", NULL);
	if (map == NULL)
		return err_wrap(err, "cluster '%s' has no trust bundle; has it joined?",
		                options->cluster);
	if (roots == NULL || address == NULL)
		return err_set(err, ERR_INVALID,
		               "ConfigMap %s/fedway-trust lacks roots.pem or xdsAddress",
		               JOIN_NAMESPACE);
	if (issuing->address == NULL)
		issuing->address = xstrdup(address);
	if (issuing->trust_file != NULL)
		return true;
	issuing->trust_file = xasprintf("%s/roots.pem", options->dir);
	return file_save(issuing->trust_file, str_from(roots), 0644, err);
}

/* Accounts of fedway-system are components, all others workloads: the audience says which. */
static bool fetch_token(struct issuing *issuing, struct remote *member, struct err *err)
{
	const struct issue_options *options = issuing->options;
	const char *slash = options->account != NULL ? strchr(options->account, '/') : NULL;
	if (issuing->token_file != NULL)
		return true;
	if (slash == NULL)
		return err_set(err, ERR_INVALID, "give --service-account NS/NAME or --token-file");
	char *ns CLEANUP(free_ptr) = xstrndup(options->account, (size_t)(slash - options->account));
	bool ours = strcmp(ns, JOIN_NAMESPACE) == 0;
	struct kube_ref ref = {&KUBE_SERVICE_ACCOUNTS, ns, slash + 1, "token"};
	json_t *request CLEANUP(json_cleanup) =
		json_pack("{ss ss s{s[s] si}}", "apiVersion", "authentication.k8s.io/v1", "kind",
	                  "TokenRequest", "spec", "audiences", ours ? "fedway" : "istio-ca",
	                  "expirationSeconds", TOKEN_S);
	json_t *answer CLEANUP(json_cleanup) = remote_create(member, &ref, request, err);
	if (answer == NULL)
		return false;
	issuing->token_file = xasprintf("%s/token", options->dir);
	return file_save(issuing->token_file, str_from(json_str_at(answer, "status.token", "")),
	                 0600, err);
}

static bool ask_member(struct issuing *issuing, struct err *err)
{
	const struct issue_options *options = issuing->options;
	if (options->kubeconfig == NULL && options->context == NULL)
		return true;
	struct remote *member = remote_open_file(options->kubeconfig, options->context, err);
	bool ok = member != NULL && fetch_trust(issuing, member, err) &&
	          fetch_token(issuing, member, err);
	remote_close(member);
	return ok;
}

/* --- the certificate -------------------------------------------------------------------------- */

static void on_cert(struct cert_client *client, void *arg)
{
	struct issuing *issuing = arg;
	(void)client;
	issuing->done = true;
	loop_stop(issuing->loop);
}

static void on_trouble(const struct err *why, void *arg)
{
	struct issuing *issuing = arg;
	if (strcmp(issuing->trouble.msg, why->msg) != 0)
		fprintf(stderr, "        %s\n", why->msg);
	issuing->trouble = *why;
}

static void on_late(void *arg)
{
	struct issuing *issuing = arg;
	issuing->late = true;
	loop_stop(issuing->loop);
}

static bool wait_cert(struct issuing *issuing, struct err *err)
{
	struct loop_timer timer;
	loop_timer_init(&timer, issuing->loop, on_late, issuing);
	loop_timer_set(&timer, (int64_t)issuing->options->common.timeout_ms);
	while (!issuing->done && !issuing->late)
		loop_run(issuing->loop);
	loop_timer_fini(&timer);
	return issuing->done ||
	       err_set(err, ERR_TIMEOUT, "no certificate from %s: %s", issuing->address,
	               issuing->trouble.msg[0] != '\0' ? issuing->trouble.msg : "no answer");
}

static bool save_pair(const struct issuing *issuing, const struct cert_client *client,
                      struct err *err)
{
	char *crt CLEANUP(free_ptr) = xasprintf("%s/tls.crt", issuing->options->dir);
	char *key CLEANUP(free_ptr) = xasprintf("%s/tls.key", issuing->options->dir);
	char *roots CLEANUP(free_ptr) = xasprintf("%s/roots.pem", issuing->options->dir);
	return file_save(key, cert_client_key(client), 0600, err) &&
	       file_save(crt, cert_client_chain(client), 0644, err) &&
	       file_save(roots, cert_client_roots(client), 0644, err);
}

/* The client's own store: an older certificate, perhaps of another account, must not answer. */
static void forget_store(const char *dir)
{
	char *store CLEANUP(free_ptr) = xasprintf("%s/tls.pem", dir);
	unlink(store);
}

static bool issue(struct issuing *issuing, struct err *err)
{
	const struct issue_options *options = issuing->options;
	struct cert_client_config config = {
		.loop = issuing->loop,
		.address = issuing->address,
		.trust_file = issuing->trust_file,
		.token_file = issuing->token_file,
		.cluster = options->cluster,
		.dir = options->dir,
		.ttl_s = (int64_t)options->ttl_ms / 1000,
		.on_cert = on_cert,
		.on_trouble = on_trouble,
		.arg = issuing,
	};
	forget_store(options->dir);
	struct cert_client *client = cert_client_create(&config, err);
	char uri[CERT_URI_MAX];
	if (client == NULL)
		return false;
	bool ok = wait_cert(issuing, err) && save_pair(issuing, client, err);
	if (ok)
		cli_done(&options->common, "%s/tls.crt: %s", options->dir,
		         cert_identity_format(cert_client_identity(client), uri));
	cert_client_destroy(client);
	forget_store(options->dir);
	return ok;
}

int cmd_certs_issue(void *arg)
{
	const struct issue_options *options = arg;
	struct issuing CLEANUP(issuing_fini) issuing = {.options = options};
	struct err err;
	if (options->cluster == NULL)
		return cli_usage("certs issue needs --cluster, and --cluster-kubeconfig with "
		                 "--service-account, or --token-file, --roots and --address");
	issuing.loop = loop_create();
	issuing.token_file = options->token_file != NULL ? xstrdup(options->token_file) : NULL;
	issuing.trust_file = options->trust_file != NULL ? xstrdup(options->trust_file) : NULL;
	issuing.address = options->address != NULL ? xstrdup(options->address) : NULL;
	if (!file_make_dirs(options->dir, &err) || !ask_member(&issuing, &err))
		return remote_fail(&err);
	if (issuing.token_file == NULL || issuing.trust_file == NULL || issuing.address == NULL)
		return cli_usage("without --cluster-kubeconfig, --token-file, --roots and "
		                 "--address are needed");
	return issue(&issuing, &err) ? EXIT_DONE : cli_fail(&err);
}
