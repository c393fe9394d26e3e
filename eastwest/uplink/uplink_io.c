/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events go through a mailbox under a lock, so that nothing is lost or left behind when either side
 * ends. The parts that need the trust file are made on the thread, again and again until they can
 * be: a gateway that starts from its disk copy must not fail for the lack of one.
 */
#include "uplink/uplink_io.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "certs/cert_client_io.h"
#include "uplink/mesh_copy.h"
#include "uplink/report.h"
#include "uplink/report_io.h"
#include "xds/ads_client_io.h"

enum {
	BEGIN_AGAIN_MS = 2000,
	COPY_EVERY_MS = 1000, /* the first change at once, then at most one a second */
	COPY_IDLE_FACTOR = 10 /* and never more than a tenth of the time */
};

enum letter_kind {
	LETTER_BURST,
	LETTER_LEFT,
	LETTER_CREDENTIALS,
	LETTER_STREAM
};

struct letter {
	struct list link;
	enum letter_kind kind;
	struct ew_burst *burst;
	struct ew_credentials *credentials;
	bool up;
	uint64_t resyncs;
	char why[ERR_MSG_MAX];
};

struct ew_uplink {
	struct loop *home;
	const struct ew_uplink_events *events;
	void *arg;
	pthread_t thread;

	/* the thread's */
	struct loop *loop;
	struct ew_control_plane_config plane; /* owned texts */
	char *data_dir;
	struct xds_delta_client *client;
	struct cert_client *cert;
	struct xds_uplink *uplink;
	struct xds_ads_client *ads;
	struct ew_reporter *reporter;
	struct loop_timer begin;
	struct loop_timer save;
	int64_t save_not_before_ms;
	bool told_whole; /* the owner has had a burst with everything since the last left */
	char trouble[ERR_MSG_MAX]; /* last told */

	/* shared, under lock */
	pthread_mutex_t lock;
	struct list letters;
	struct buf report;
};

/* --- mailbox ---------------------------------------------------------------------------------- */

static void free_credentials(struct ew_credentials *credentials)
{
	if (credentials == NULL)
		return;
	free(credentials->chain);
	if (credentials->key != NULL)
		explicit_bzero(credentials->key, strlen(credentials->key));
	free(credentials->key);
	free(credentials->roots);
	free(credentials);
}

static void free_letter(struct letter *letter)
{
	ew_burst_destroy(letter->burst);
	free_credentials(letter->credentials);
	free(letter);
}

static struct letter *take_letter(struct ew_uplink *uplink)
{
	pthread_mutex_lock(&uplink->lock);
	struct list *first = list_first(&uplink->letters);
	if (first != NULL)
		list_remove(first);
	pthread_mutex_unlock(&uplink->lock);
	return first != NULL ? LIST_ENTRY(first, struct letter, link) : NULL;
}

static void open_letter(struct ew_uplink *uplink, struct letter *letter)
{
	switch (letter->kind) {
	case LETTER_BURST:
		uplink->events->on_burst(letter->burst, uplink->arg);
		letter->burst = NULL;
		break;
	case LETTER_LEFT:
		uplink->events->on_left(uplink->arg);
		break;
	case LETTER_CREDENTIALS:
		uplink->events->on_credentials(letter->credentials, uplink->arg);
		break;
	case LETTER_STREAM:
		uplink->events->on_stream(letter->up, letter->resyncs, letter->why, uplink->arg);
		break;
	}
}

/* On the owner's loop. */
static void on_mail(void *arg)
{
	struct ew_uplink *uplink = arg;
	for (struct letter *letter = take_letter(uplink); letter != NULL;
	     letter = take_letter(uplink)) {
		open_letter(uplink, letter);
		free_letter(letter);
	}
}

static void send_letter(struct ew_uplink *uplink, const struct letter *from)
{
	struct letter *letter = xmemdup(from, sizeof(*from));
	list_init(&letter->link);
	pthread_mutex_lock(&uplink->lock);
	list_append(&uplink->letters, &letter->link);
	pthread_mutex_unlock(&uplink->lock);
	loop_post(uplink->home, on_mail, uplink);
}

/* --- disk copy -------------------------------------------------------------------------------- */

static void on_save(void *arg)
{
	struct ew_uplink *uplink = arg;
	struct err err;
	int64_t began_ms = clock_now_ms();
	if (!ew_mesh_copy_save(uplink->data_dir, uplink->client, &err))
		log_warn("eastwest", "no disk copy of the mesh: %s", err.msg);
	int64_t now_ms = clock_now_ms();
	int64_t rest_ms = (now_ms - began_ms) * COPY_IDLE_FACTOR;
	uplink->save_not_before_ms = now_ms + (rest_ms > COPY_EVERY_MS ? rest_ms : COPY_EVERY_MS);
}

static void save_soon(struct ew_uplink *uplink)
{
	int64_t wait_ms = uplink->save_not_before_ms - clock_now_ms();
	if (!loop_timer_is_set(&uplink->save))
		loop_timer_set(&uplink->save, wait_ms > 0 ? wait_ms : 0);
}

/* --- ADS -------------------------------------------------------------------------------------- */

static void on_applied(struct ew_uplink *uplink)
{
	struct letter letter = {.kind = LETTER_BURST};
	letter.burst = ew_burst_create(uplink->client, !uplink->told_whole);
	uplink->told_whole = true;
	send_letter(uplink, &letter);
	save_soon(uplink);
}

static void on_left(struct ew_uplink *uplink)
{
	const struct letter letter = {.kind = LETTER_LEFT};
	loop_timer_cancel(&uplink->save);
	ew_mesh_copy_remove(uplink->data_dir);
	uplink->told_whole = false;
	send_letter(uplink, &letter);
}

static void on_event(enum xds_client_event event, void *arg)
{
	if (event == XDS_CLIENT_LEFT)
		on_left(arg);
	else if (event == XDS_CLIENT_APPLIED)
		on_applied(arg);
}

/* Tells a trouble when it is another than the last one. */
static void tell_trouble(struct ew_uplink *uplink, const char *what, const struct err *why)
{
	if (strcmp(uplink->trouble, why->msg) == 0)
		return;
	memcpy(uplink->trouble, why->msg, sizeof(uplink->trouble));
	log_warn("eastwest", "%s: %s", what, why->msg);
}

static void on_stream(bool up, const struct err *why, void *arg)
{
	struct ew_uplink *uplink = arg;
	struct letter letter = {.kind = LETTER_STREAM, .up = up};
	letter.resyncs = uplink->ads != NULL ? xds_ads_client_resyncs(uplink->ads) : 0;
	if (up) {
		uplink->trouble[0] = '\0';
	} else if (why != NULL) {
		memcpy(letter.why, why->msg, sizeof(letter.why));
		tell_trouble(uplink, "the stream from the control plane ended", why);
		if (why->code == ERR_UNAUTHORIZED)
			cert_client_refused(uplink->cert);
	}
	send_letter(uplink, &letter);
}

static void on_down(const struct err *why, void *arg)
{
	struct ew_uplink *uplink = arg;
	tell_trouble(uplink, "no connection to the control plane", why);
	if (why->code == ERR_UNAUTHORIZED)
		cert_client_refused(uplink->cert);
}

/* --- certificate ------------------------------------------------------------------------------ */

static void tell_credentials(struct ew_uplink *uplink)
{
	struct ew_credentials *credentials = xcalloc(1, sizeof(*credentials));
	credentials->chain = str_dup(cert_client_chain(uplink->cert));
	credentials->key = str_dup(cert_client_key(uplink->cert));
	credentials->roots = str_dup(cert_client_roots(uplink->cert));
	credentials->identity = *cert_client_identity(uplink->cert);
	credentials->not_after_s = cert_client_not_after(uplink->cert);
	credentials->renewals = cert_client_renewals(uplink->cert);
	const struct letter letter = {.kind = LETTER_CREDENTIALS, .credentials = credentials};
	send_letter(uplink, &letter);
}

static void on_cert(struct cert_client *cert, void *arg)
{
	struct ew_uplink *uplink = arg;
	struct err err;
	struct tls_ctx *tls = cert_client_tls(cert, &err);
	if (tls == NULL) {
		log_error("eastwest", "the certificate cannot be used: %s", err.msg);
		return;
	}
	xds_uplink_set_tls(uplink->uplink, tls);
	tls_ctx_unref(tls);
	tell_credentials(uplink);
}

static void on_cert_trouble(const struct err *why, void *arg)
{
	tell_trouble(arg, "no certificate from the control plane", why);
}

/* --- reports ---------------------------------------------------------------------------------- */

static void fill_report(struct buf *out, void *arg)
{
	struct ew_uplink *uplink = arg;
	pthread_mutex_lock(&uplink->lock);
	buf_add_str(out, buf_str(&uplink->report));
	pthread_mutex_unlock(&uplink->lock);
	ew_report_add_held(uplink->client, out);
}

void ew_uplink_set_report(struct ew_uplink *uplink, struct str report)
{
	pthread_mutex_lock(&uplink->lock);
	buf_clear(&uplink->report);
	buf_add_str(&uplink->report, report);
	pthread_mutex_unlock(&uplink->lock);
}

/* --- life ------------------------------------------------------------------------------------- */

static void end_parts(struct ew_uplink *uplink)
{
	ew_reporter_destroy(uplink->reporter);
	xds_ads_client_destroy(uplink->ads);
	xds_uplink_destroy(uplink->uplink);
	cert_client_destroy(uplink->cert);
	uplink->reporter = NULL;
	uplink->ads = NULL;
	uplink->uplink = NULL;
	uplink->cert = NULL;
}

static bool begin_parts(struct ew_uplink *uplink, struct err *err)
{
	const struct ew_control_plane_config *plane = &uplink->plane;
	struct xds_uplink_config to = {
		.loop = uplink->loop, .address = plane->address, .on_down = on_down, .arg = uplink};
	struct cert_client_config cert = {
		.loop = uplink->loop,
		.address = plane->address,
		.trust_file = plane->trust_file,
		.token_file = plane->token_file,
		.cluster = plane->cluster,
		.dir = uplink->data_dir,
		.on_cert = on_cert,
		.on_trouble = on_cert_trouble,
		.arg = uplink,
	};
	uplink->uplink = xds_uplink_create(&to, err);
	if (uplink->uplink == NULL)
		return false;
	uplink->cert = cert_client_create(&cert, err);
	if (uplink->cert == NULL)
		return false;
	struct xds_ads_client_config ads = {
		.loop = uplink->loop,
		.uplink = uplink->uplink,
		.client = uplink->client,
		.on_event = on_event,
		.on_stream = on_stream,
		.arg = uplink,
	};
	uplink->ads = xds_ads_client_create(&ads);
	uplink->reporter = ew_reporter_create(uplink->loop, uplink->uplink, fill_report, uplink);
	return true;
}

static void on_begin(void *arg)
{
	struct ew_uplink *uplink = arg;
	struct err err;
	if (begin_parts(uplink, &err))
		return;
	tell_trouble(uplink, "the control plane cannot be asked", &err);
	end_parts(uplink);
	loop_timer_set(&uplink->begin, BEGIN_AGAIN_MS);
}

static void *run(void *arg)
{
	struct ew_uplink *uplink = arg;
	loop_run(uplink->loop);
	return NULL;
}

static void on_stop(void *arg)
{
	struct ew_uplink *uplink = arg;
	loop_stop(uplink->loop);
}

static char *own_text(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

struct ew_uplink *ew_uplink_create(struct loop *home, const struct ew_config *config,
                                   struct xds_delta_client *client,
                                   const struct ew_uplink_events *events, void *arg)
{
	const struct ew_control_plane_config *plane = &config->control_plane;
	struct ew_uplink *uplink = xcalloc(1, sizeof(*uplink));
	uplink->home = home;
	uplink->events = events;
	uplink->arg = arg;
	uplink->client = client;
	uplink->told_whole = xds_delta_client_snapshot(client) != NULL;
	uplink->plane = (struct ew_control_plane_config){
		.address = own_text(plane->address),
		.trust_file = own_text(plane->trust_file),
		.token_file = own_text(plane->token_file),
		.cluster = own_text(plane->cluster),
		.name = own_text(plane->name),
	};
	uplink->data_dir = xstrdup(config->data_dir);
	uplink->loop = loop_create();
	list_init(&uplink->letters);
	buf_init(&uplink->report, EW_REPORT_MAX);
	pthread_mutex_init(&uplink->lock, NULL);
	loop_timer_init(&uplink->begin, uplink->loop, on_begin, uplink);
	loop_timer_init(&uplink->save, uplink->loop, on_save, uplink);
	loop_timer_set(&uplink->begin, 0);
	if (pthread_create(&uplink->thread, NULL, run, uplink) != 0)
		UNREACHABLE("cannot start the uplink's thread");
	return uplink;
}

static void free_all(struct ew_uplink *uplink)
{
	char *texts[] = {uplink->plane.address, uplink->plane.trust_file, uplink->plane.token_file,
	                 uplink->plane.cluster, uplink->plane.name,       uplink->data_dir};
	for (size_t i = 0; i < N_ELEMS(texts); i++)
		free(texts[i]);
	buf_fini(&uplink->report);
	pthread_mutex_destroy(&uplink->lock);
	free(uplink);
}

void ew_uplink_destroy(struct ew_uplink *uplink)
{
	if (uplink == NULL)
		return;
	loop_post(uplink->loop, on_stop, uplink);
	pthread_join(uplink->thread, NULL);
	/* a change that waits for its second is not lost */
	if (loop_timer_is_set(&uplink->save))
		on_save(uplink);
	end_parts(uplink);
	loop_timer_fini(&uplink->begin);
	loop_timer_fini(&uplink->save);
	loop_destroy(uplink->loop);
	xds_delta_client_destroy(uplink->client);
	for (struct letter *letter = take_letter(uplink); letter != NULL;
	     letter = take_letter(uplink))
		free_letter(letter);
	free_all(uplink);
}

/* --- node ------------------------------------------------------------------------------------- */

void ew_uplink_node(const struct ew_config *config, struct xds_node *ret_node)
{
	const struct ew_control_plane_config *plane = &config->control_plane;
	char host[XDS_NODE_TEXT_MAX / 2] = "";
	struct str rest = str_from(config->locality);
	struct str part;
	char **const places[] = {&ret_node->region, &ret_node->zone, &ret_node->subzone};
	IGNORE(gethostname(host, sizeof(host) - 1) < 0); /* an instance without a name */
	*ret_node = (struct xds_node){
		.id = xasprintf("%s/%s", plane->name, host),
		.role = XDS_ROLE_GATEWAY,
		.name = xstrdup(plane->name),
		.version = xstrdup(FEDWAY_VERSION),
		.mark = true,
	};
	for (size_t i = 0; i < N_ELEMS(places) && str_split(&rest, '/', &part); i++) {
		if (part.len > 0)
			*places[i] = str_dup(part);
	}
}
