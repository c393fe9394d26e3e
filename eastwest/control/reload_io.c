/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new file is read, checked and turned into a table as a whole before anything is touched. The
 * folder is watched, not the file: a ConfigMap is swapped by renaming a link beside it.
 */
#include <errno.h>
#include <libgen.h>
#include <malloc.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/yaml.h"
#include "control/control_priv.h"
#include "control/copy.h"

enum {
	SETTLE_MS = 50 /* a swap is several events */
};

/* --- files ------------------------------------------------------------------------------------ */

static bool make_table(struct ew_control *control, const struct ew_config *config,
                       struct ew_table **ret_table, struct err *err)
{
	return ew_config_table(config, control->registry, ew_resolver_find, control->resolver,
	                       ret_table, err);
}

static void want_names(struct ew_control *control, const struct ew_config *config)
{
	struct str *hosts = NULL;
	size_t n = 0;
	struct ip ip;
	for (size_t i = 0; i < config->n_networks; i++) {
		const struct ew_network_config *network = &config->networks[i];
		hosts = xrealloc(hosts, (n + network->n_gateways + 1) * sizeof(*hosts));
		for (size_t k = 0; k < network->n_gateways; k++) {
			if (!ip_parse(network->gateways[k].host, &ip))
				hosts[n++] = network->gateways[k].host;
		}
	}
	ew_resolver_want(control->resolver, hosts, n);
	free(hosts);
}

static void save_copy(const struct ew_control *control, const struct ew_config *config)
{
	struct err err;
	const char *dir = control->boot->data_dir;
	if (dir != NULL && !ew_copy_save(dir, config->tree, &err))
		log_warn("eastwest", "no disk copy of the configuration: %s", err.msg);
}

/* Once the new table is in force: what nobody waits for. The table has the routes then, and the
 * disk the rest; the tree would be tens of MB for ten thousand routes. */
static void on_settle(void *arg)
{
	struct ew_control *control = arg;
	if (!control->from_copy)
		save_copy(control, control->config);
	ew_config_forget_routes(control->config);
	malloc_trim(0);
}

static bool adopt(struct ew_control *control, struct ew_config *config)
{
	if (control->config != control->boot)
		ew_config_destroy(control->config);
	control->config = config;
	ew_access_log_set(control->access_log, &config->access_log);
	ew_stats_set_limits(control->stats, &config->limits);
	loop_timer_set(&control->settle, 0);
	return true;
}

/* Applies a checked configuration. False: config is the caller's still. */
static bool apply(struct ew_control *control, struct ew_config *config, struct err *err)
{
	struct ew_table *table;
	if (control->plane != NULL)
		return adopt(control, config);
	want_names(control, config);
	if (!make_table(control, config, &table, err)) {
		if (control->config != NULL)
			want_names(control, control->config);
		return false;
	}
	ew_control_set_table(control, table);
	return adopt(control, config);
}

static bool read_file(const struct ew_control *control, struct buf *text, struct err *err)
{
	buf_init(text, EW_CONFIG_TEXT_MAX);
	return file_load(control->options->config, text, err);
}

static void keep_digest(struct ew_control *control, const struct buf *text, bool is_good)
{
	SHA256((const unsigned char *)buf_text(text), text->len, control->digest);
	control->text_is_good = is_good;
}

/* --- start ------------------------------------------------------------------------------------ */

/* Where the copy lies, from a file that cannot be used: its tree, or its one line. */
static char *guess_data_dir(struct str text)
{
	struct err err;
	json_t *tree CLEANUP(json_cleanup) = yaml_parse(text, "", &err);
	struct str key = STR_LIT("dataDir:");
	struct str line;
	if (tree != NULL) {
		const char *dir = json_str_at(tree, "dataDir", NULL);
		return dir != NULL ? xstrdup(dir) : NULL;
	}
	while (str_split(&text, '\n', &line)) {
		if (str_starts_with(line, key))
			return str_dup(str_trim(str_make(line.ptr + key.len, line.len - key.len)));
	}
	return NULL;
}

static bool load_copy(struct ew_control *control, struct str text, struct ew_config **ret_config,
                      struct err *err)
{
	char *dir CLEANUP(free_ptr) = guess_data_dir(text);
	if (dir == NULL)
		return err_set(err, ERR_NOT_FOUND, "no dataDir, so no copy on disk");
	json_t *tree CLEANUP(json_cleanup) = ew_copy_load(dir, err);
	if (tree == NULL || !ew_config_from_json(tree, dir, ret_config, err))
		return false;
	control->from_copy = true;
	return true;
}

bool ew_control_load(struct ew_control *control, struct err *err)
{
	struct buf text CLEANUP(buf_fini);
	struct ew_config *config;
	struct err copy_err;
	loop_timer_init(&control->settle, control->loop, on_settle, control);
	bool read = read_file(control, &text, err);
	bool good = read && ew_config_parse(buf_str(&text), control->options->config, &config, err);
	if (!good && !load_copy(control, buf_str(&text), &config, &copy_err)) {
		log_info("eastwest", "no start from a disk copy: %s", copy_err.msg);
		return false;
	}
	if (!good)
		log_error("eastwest", "configuration rejected, starting from the disk copy: %s",
		          err->msg);
	metrics_add(good ? control->stats->reloads_ok : control->stats->reloads_bad, 1);
	control->boot = config;
	if (config->control_plane.address != NULL &&
	    !ew_plane_create(control, config, &control->plane, err))
		return false;
	if (!apply(control, config, err))
		return false;
	keep_digest(control, &text, good);
	return true;
}

/* --- again ------------------------------------------------------------------------------------ */

static bool is_known(const struct ew_control *control, const struct buf *text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	SHA256((const unsigned char *)buf_text(text), text->len, digest);
	return memcmp(digest, control->digest, sizeof(digest)) == 0;
}

static void reject(struct ew_control *control, const struct err *err)
{
	metrics_add(control->stats->reloads_bad, 1);
	log_error("eastwest", "configuration rejected, the running one stays: %s", err->msg);
}

static bool take(struct ew_control *control, const struct buf *text, struct err *err)
{
	struct ew_config *config;
	if (!ew_config_parse(buf_str(text), control->options->config, &config, err))
		return false;
	const char *key = ew_config_restart_key(control->boot, config);
	if (key != NULL)
		log_warn("eastwest", "a change of '%s' takes effect at the next start", key);
	struct ew_doors_change doors;
	if (!ew_doors_prepare(control, config, &doors, err)) {
		ew_config_destroy(config);
		return false;
	}
	if (!apply(control, config, err)) {
		ew_doors_abandon(control, &doors);
		ew_config_destroy(config);
		return false;
	}
	control->from_copy = false;
	ew_doors_commit(control, &doors);
	if (control->limiter != NULL)
		ew_limiter_set(control->limiter, &config->limits);
	return true;
}

void ew_control_reload(struct ew_control *control, bool asked)
{
	struct buf text CLEANUP(buf_fini);
	struct err err;
	if (!read_file(control, &text, &err)) {
		if (asked)
			reject(control, &err);
		return;
	}
	if (is_known(control, &text) && (!asked || control->text_is_good)) {
		if (asked)
			log_info("eastwest", "configuration is unchanged");
		return;
	}
	bool good = take(control, &text, &err);
	keep_digest(control, &text, good);
	if (!good) {
		reject(control, &err);
		return;
	}
	metrics_add(control->stats->reloads_ok, 1);
	log_info("eastwest", "configuration applied routes=%u networks=%u",
	         ew_table_n_routes(control->table), ew_table_n_networks(control->table));
}

void ew_control_on_resolved(void *arg)
{
	struct ew_control *control = arg;
	struct ew_table *table;
	struct err err;
	if (control->plane != NULL) {
		ew_plane_on_resolved(control->plane);
		log_info("eastwest", "addresses of gateways have changed");
		return;
	}
	if (!ew_config_networks(control->config, control->table, control->registry,
	                        ew_resolver_find, control->resolver, &table, &err)) {
		log_error("eastwest", "addresses of gateways are left as they were: %s", err.msg);
		return;
	}
	ew_control_set_table(control, table);
	log_info("eastwest", "addresses of gateways have changed");
}

/* --- watching --------------------------------------------------------------------------------- */

static void on_reload_soon(void *arg)
{
	ew_control_reload(arg, false);
}

static void on_folder(unsigned ready, void *arg)
{
	struct ew_control *control = arg;
	char events[4096];
	(void)ready;
	while (read(control->watch_fd, events, sizeof(events)) > 0) {
	}
	loop_timer_set(&control->reload_soon, SETTLE_MS);
}

void ew_control_watch(struct ew_control *control)
{
	char *path CLEANUP(free_ptr) = xstrdup(control->options->config);
	loop_timer_init(&control->reload_soon, control->loop, on_reload_soon, control);
	control->watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (control->watch_fd < 0 ||
	    inotify_add_watch(control->watch_fd, dirname(path),
	                      IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE) < 0) {
		log_warn("eastwest",
		         "the configuration's folder cannot be watched: %s; "
		         "SIGHUP still works",
		         strerror(errno));
		return;
	}
	loop_io_init(&control->watch, control->loop, control->watch_fd, on_folder, control);
	loop_io_set(&control->watch, LOOP_READ);
	/* it may have changed since it was read */
	loop_timer_set(&control->reload_soon, SETTLE_MS);
}
