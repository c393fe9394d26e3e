/* SPDX-License-Identifier: Apache-2.0 */
#include "answers.h"
#include "answers_server.h"
#include "bootstrap.h"
#include "daemon.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "ads/ads.h"
#include "api/api.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/http.h"
#include "base/json.h"
#include "base/log.h"
#include "base/net.h"
#include "control/control.h"
#include "model/settings.h"

enum {
	API_QPS = 2000, /* our own API server: the limit is there for runaways only */
	API_BURST = 4000,
	API_IN_FLIGHT = 64,
	METRICS_TEXT_MAX = 8 << 20
};

struct daemon {
	const struct daemon_options *options;
	struct loop *loop;
	struct api *api; /* NULL: external */
	struct kube_client *client;
	struct bootstrap *bootstrap;
	struct cert_store *store;
	struct metrics *metrics;
	struct control *control;
	struct ads *ads;
	struct answers answers;
	struct answers_server *answers_server; /* NULL: on the hosted API, or off */
	struct http_server *http;              /* metrics; NULL: off */
	struct addr metrics_addr;
	bool failed;
};

/* --- metrics and health -------------------------------------------------------------------------
 */

static void on_request(struct http_exchange *ex, void *arg)
{
	struct daemon *daemon = arg;
	struct err err;
	struct str path = http_exchange_request(ex)->path;
	if (str_is(path, "/metrics")) {
		struct buf text CLEANUP(buf_fini);
		buf_init(&text, METRICS_TEXT_MAX);
		metrics_format(daemon->metrics, &text);
		http_exchange_reply(ex, 200, "text/plain; version=0.0.4", buf_str(&text));
	} else if (str_is(path, "/healthz") || str_is(path, "/readyz")) {
		bool ready = daemon->control != NULL && control_mesh(daemon->control) != NULL;
		bool ok = ready || str_is(path, "/healthz");
		http_exchange_reply(ex, ok ? 200 : 503, "text/plain",
		                    ok ? STR_LIT("ok") : STR_LIT("not ready"));
	} else {
		err_set(&err, ERR_NOT_FOUND, "try /metrics, /healthz, /readyz");
		http_exchange_reply_err(ex, &err);
	}
}

static bool serve_metrics(struct daemon *daemon, struct err *err)
{
	if (daemon->options->metrics_listen == NULL)
		return true;
	int fd = net_listen_text(daemon->options->metrics_listen, &daemon->metrics_addr, err);
	if (fd < 0)
		return err_wrap(err, "metrics listener");
	struct http_server_config config = {
		.loop = daemon->loop, .name = "metrics", .on_request = on_request, .arg = daemon};
	daemon->http = http_server_create(&config);
	http_server_listen(daemon->http, fd, NULL);
	return true;
}

/* --- the mesh's part, once Mesh/default is known -------------------------------------------------
 */

static bool open_store(struct daemon *daemon, const struct mesh_settings *mesh, struct err *err)
{
	char *dir = xasprintf("%s/certs", daemon->options->data_dir);
	struct cert_store_config config = {
		.dir = dir,
		.trust_domain = mesh->trust_domain,
		.intermediate_ttl_s = (int64_t)mesh->intermediate_ttl_ms / 1000,
		.leaf_ttl_s = (int64_t)mesh->leaf_ttl_ms / 1000,
	};
	daemon->store = cert_store_open(&config, clock_wall_s(), err);
	free(dir);
	return daemon->store != NULL;
}

static bool open_ads(struct daemon *daemon, struct err *err)
{
	const struct options_list *told = &daemon->options->xds_advertise;
	const char **names = xcalloc(told->n + 1, sizeof(*names));
	for (size_t i = 0; i < told->n; i++) {
		const char *colon = strrchr(told->items[i], ':');
		names[i] = xstrndup(told->items[i], (size_t)(colon - told->items[i]));
	}
	struct ads_config config = {
		.loop = daemon->loop,
		.store = daemon->store,
		.metrics = daemon->metrics,
		.listen = daemon->options->xds_listen,
		.advertise = names,
		.n_advertise = told->n,
		.control = control_ads_hooks(daemon->control),
	};
	daemon->ads = ads_create(&config, err);
	for (size_t i = 0; i < told->n; i++) {
		union {
			const char *in;
			char *out;
		} name = {.in = names[i]};
		free(name.out);
	}
	free(names);
	return daemon->ads != NULL;
}

static bool cluster_may(const char *cluster, void *arg, struct err *err)
{
	const struct daemon *daemon = arg;
	return control_cluster_may(daemon->control, cluster, err);
}

static void on_mesh(struct mesh *mesh, void *arg)
{
	const struct daemon *daemon = arg;
	connectivity_follow(daemon->answers.connectivity, mesh);
}

static void open_connectivity(struct daemon *daemon)
{
	struct connectivity_config config = {
		.loop = daemon->loop,
		.grpc = ads_grpc(daemon->ads),
		.trust_domain = cert_store_trust_domain(daemon->store),
		.cluster_may = cluster_may,
		.arg = daemon,
	};
	daemon->answers.connectivity = connectivity_create(&config);
	control_on_mesh(daemon->control, on_mesh, daemon);
}

/* Beside an external API server, if a listener was asked for. */
static bool serve_answers(struct daemon *daemon, struct err *err)
{
	const struct daemon_options *options = daemon->options;
	struct answers_server_config config = {
		.loop = daemon->loop,
		.api = daemon->client,
		.answers = &daemon->answers,
		.listen = options->api_listen,
		.advertise = (const char *const *)options->api_advertise.items,
		.n_advertise = options->api_advertise.n,
	};
	if (daemon->api != NULL || options->api_listen == NULL)
		return true;
	daemon->answers_server = answers_server_create(&config, err);
	return daemon->answers_server != NULL;
}

static void open_answers(struct daemon *daemon)
{
	struct preflights_config config = {
		.loop = daemon->loop,
		.api = daemon->client,
		.control = daemon->control,
		.ads = daemon->ads,
		.connectivity = daemon->answers.connectivity,
	};
	daemon->answers.control = daemon->control;
	daemon->answers.plans = plans_create(daemon->client);
	daemon->answers.preflights = preflights_create(&config);
}

/* ports.json: what was chosen, for whoever started us with port 0. */
static void write_ports(struct daemon *daemon)
{
	struct err err;
	char text[ADDR_TEXT_MAX];
	json_t *ports = json_object();
	if (daemon->api != NULL) {
		struct addr addr = api_addr(daemon->api);
		json_object_set_new(ports, "api", json_string(addr_format(&addr, text)));
	}
	if (daemon->answers_server != NULL) {
		struct addr addr = answers_server_addr(daemon->answers_server);
		json_object_set_new(ports, "answers", json_string(addr_format(&addr, text)));
	}
	if (daemon->ads != NULL) {
		struct addr addr = ads_addr(daemon->ads);
		json_object_set_new(ports, "xds", json_string(addr_format(&addr, text)));
	}
	if (daemon->http != NULL)
		json_object_set_new(ports, "metrics",
		                    json_string(addr_format(&daemon->metrics_addr, text)));
	char *path = xasprintf("%s/ports.json", daemon->options->data_dir);
	char *line = json_format(ports);
	if (!file_save(path, str_from(line), 0600, &err))
		log_warn("fedwayd", "%s", err.msg);
	free(line);
	free(path);
	json_decref(ports);
}

static bool start_mesh(struct daemon *daemon, const json_t *obj, struct err *err)
{
	struct mesh_settings mesh;
	char text[ADDR_TEXT_MAX];
	if (!mesh_settings_decode(obj, &mesh, err))
		return err_wrap(err, "Mesh 'default'");
	bool ok = open_store(daemon, &mesh, err);
	mesh_settings_fini(&mesh);
	if (!ok)
		return err_wrap(err, "certificates");
	struct control_config config = {
		.loop = daemon->loop,
		.api = daemon->client,
		.store = daemon->store,
		.metrics = daemon->metrics,
		.data_dir = daemon->options->data_dir,
	};
	daemon->control = control_create(&config, err);
	if (daemon->control == NULL || !open_ads(daemon, err))
		return false;
	struct addr addr = ads_addr(daemon->ads);
	const struct options_list *told = &daemon->options->xds_advertise;
	control_start(daemon->control, daemon->ads,
	              told->n > 0 ? told->items[0] : addr_format(&addr, text));
	open_connectivity(daemon);
	open_answers(daemon);
	if (!serve_answers(daemon, err))
		return false;
	write_ports(daemon);
	log_info("fedwayd", "control plane runs  xds=%s", addr_format(&addr, text));
	return true;
}

static void on_bootstrapped(const json_t *mesh, void *arg)
{
	struct daemon *daemon = arg;
	struct err err;
	if (start_mesh(daemon, mesh, &err))
		return;
	log_error("fedwayd", "%s", err.msg);
	daemon->failed = true;
	loop_stop(daemon->loop);
}

/* --- the API ------------------------------------------------------------------------------------
 */

static bool is_member(const struct daemon *daemon)
{
	return strcmp(daemon->options->role, "member") == 0;
}

static bool open_api(struct daemon *daemon, struct err *err)
{
	const struct daemon_options *options = daemon->options;
	struct api_options config = {
		.data_dir = options->data_dir,
		.listen = options->api_listen,
		.advertise = (const char *const *)options->api_advertise.items,
		.n_advertise = options->api_advertise.n,
	};
	daemon->api = api_create(daemon->loop, &config, err);
	if (daemon->api == NULL)
		return false;
	if (!is_member(daemon))
		answers_add(daemon->api, &daemon->answers);
	return true;
}

static bool open_client(struct daemon *daemon, const char *path, struct err *err)
{
	struct kubeconfig config = {0};
	struct kube_client_options options = {
		.loop = daemon->loop,
		.user_agent = "fedwayd/" FEDWAY_VERSION,
		.qps = API_QPS,
		.burst = API_BURST,
		.in_flight = API_IN_FLIGHT,
	};
	if (!kubeconfig_load(path, NULL, &config, err))
		return false;
	daemon->client = kube_client_create(&config, &options, err);
	kubeconfig_fini(&config);
	return daemon->client != NULL;
}

/* Asked here, once, so that what fails later need not guess at the reason. */
static bool check_data_dir(const char *dir, struct err *err)
{
	if (!file_make_dirs(dir, err))
		return err_wrap(err, "--data-dir");
	if (access(dir, W_OK | X_OK) != 0)
		return err_set_errno(err, errno, "--data-dir: '%s' cannot be written", dir);
	return true;
}

static bool start(struct daemon *daemon, struct err *err)
{
	const char *kubeconfig = daemon->options->kubeconfig;
	if (!is_member(daemon) && strcmp(daemon->options->role, "control-plane") != 0)
		return err_set(err, ERR_INVALID, "--role is 'control-plane' or 'member', not '%s'",
		               daemon->options->role);
	if (!check_data_dir(daemon->options->data_dir, err) || !serve_metrics(daemon, err))
		return false;
	if (kubeconfig == NULL && !open_api(daemon, err))
		return false;
	write_ports(daemon);
	if (is_member(daemon))
		return true;
	if (!open_client(daemon, kubeconfig != NULL ? kubeconfig : api_kubeconfig(daemon->api),
	                 err))
		return false;
	daemon->bootstrap = bootstrap_start(daemon->loop, daemon->client, on_bootstrapped, daemon);
	return true;
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;
	log_info("fedwayd", "stops");
	loop_stop(daemon->loop);
}

/* In the reverse order of their making; ads tells nobody any more once its streams are cut. */
static void finish(struct daemon *daemon)
{
	preflights_destroy(daemon->answers.preflights);
	plans_destroy(daemon->answers.plans);
	answers_server_destroy(daemon->answers_server);
	control_stop(daemon->control);
	ads_destroy(daemon->ads);
	connectivity_destroy(daemon->answers.connectivity);
	control_destroy(daemon->control);
	bootstrap_destroy(daemon->bootstrap);
	kube_client_destroy(daemon->client);
	cert_store_close(daemon->store);
	http_server_destroy(daemon->http);
	api_destroy(daemon->api);
	metrics_destroy(daemon->metrics);
}

int daemon_run(const struct daemon_options *options)
{
	struct daemon daemon = {.options = options};
	struct err err;
	enum log_level level;
	if (!log_level_parse(options->log_level, &level)) {
		log_error("fedwayd", "--log-level is debug, info, warn or error, not '%s'",
		          options->log_level);
		return 2;
	}
	log_set_level(level);
	log_set_json(options->log_json);
	signal(SIGPIPE, SIG_IGN);
	daemon.loop = loop_create();
	daemon.metrics = metrics_create();
	struct loop_signal *term = loop_signal_create(daemon.loop, SIGTERM, on_stop, &daemon);
	struct loop_signal *intr = loop_signal_create(daemon.loop, SIGINT, on_stop, &daemon);
	if (start(&daemon, &err)) {
		loop_run(daemon.loop);
	} else {
		log_error("fedwayd", "%s", err.msg);
		daemon.failed = true;
	}
	finish(&daemon);
	loop_signal_destroy(term);
	loop_signal_destroy(intr);
	loop_destroy(daemon.loop);
	return daemon.failed ? 1 : 0;
}
