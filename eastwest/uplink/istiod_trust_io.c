/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/istiod_trust_io.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "certs/cert_client_io.h"
#include "certs/key.h"
#include "uplink/istiod_node.h"

enum {
	AGAIN_MS = 2000, /* while the trust file cannot be read */
	/* an istiod that refuses what its own CA has just issued is asked with the token alone */
	ANOTHER_CERT_MS = 60000,
	TOKEN_MAX = 16 << 10
};

struct ew_istiod_trust {
	struct loop *loop;
	const struct ew_istiod_trust_events *events;
	void *arg;
	char *address;
	char *trust_file;
	char *token_file;
	char *cluster;
	char *uri;
	char *dir;
	struct loop_timer look;
	struct buf roots;         /* in use */
	struct cert_client *cert; /* NULL: there was no trust file yet */
	bool with_cert;           /* the context in use shows the certificate */
	bool is_refused;          /* the certificate there is will not do */
	int64_t asked_again_ms;   /* for another one; 0: never */
};

static void tell(struct ew_istiod_trust *trust, const char *what, const struct err *why)
{
	trust->events->on_trouble(what, why, trust->arg);
}

/* --- TLS -------------------------------------------------------------------------------------- */

static bool has_good_cert(const struct ew_istiod_trust *trust)
{
	return trust->cert != NULL && !trust->is_refused && cert_client_has_cert(trust->cert) &&
	       cert_client_not_after(trust->cert) > clock_wall_s();
}

static void make_tls(struct ew_istiod_trust *trust)
{
	struct err err;
	struct tls_config config = {
		.roots_pem = buf_str(&trust->roots), .alpn = "h2", .peer = TLS_PEER_REQUIRED};
	trust->with_cert = has_good_cert(trust);
	if (trust->with_cert) {
		config.cert_pem = cert_client_chain(trust->cert);
		config.key_pem = cert_client_key(trust->cert);
	}
	struct tls_ctx *tls = tls_client_create(&config, &err);
	if (tls == NULL) {
		tell(trust, "the mesh root or the certificate cannot be used", &err);
		return;
	}
	trust->events->on_tls(tls, trust->arg);
	tls_ctx_unref(tls);
}

/* Is another root in the file than the one in use? */
static bool load_roots(struct ew_istiod_trust *trust, struct err *err)
{
	struct buf fresh CLEANUP(buf_fini) = {0};
	buf_init(&fresh, CERT_PEM_MAX);
	if (!file_load(trust->trust_file, &fresh, err))
		return false;
	if (str_eq(buf_str(&fresh), buf_str(&trust->roots)))
		return true;
	STACK_OF(X509) *certs = cert_x509_decode_all(buf_str(&fresh), err);
	if (certs == NULL)
		return false;
	cert_x509_stack_free(certs);
	buf_clear(&trust->roots);
	buf_add_str(&trust->roots, buf_str(&fresh));
	make_tls(trust);
	return true;
}

/* --- certificate ------------------------------------------------------------------------------ */

static void on_cert(struct cert_client *cert, void *arg)
{
	struct ew_istiod_trust *trust = arg;
	/* texts are the client's until its next certificate, and borrowed for the call */
	char *chain CLEANUP(free_ptr) = str_dup(cert_client_chain(cert));
	char *key = str_dup(cert_client_key(cert));
	char *roots CLEANUP(free_ptr) = str_dup(cert_client_roots(cert));
	const struct ew_credentials credentials = {
		.chain = chain,
		.key = key,
		.roots = roots,
		.identity = *cert_client_identity(cert),
		.not_after_s = cert_client_not_after(cert),
		.renewals = cert_client_renewals(cert),
	};
	trust->is_refused = false;
	make_tls(trust);
	trust->events->on_credentials(&credentials, trust->arg);
	explicit_bzero(key, strlen(key));
	free(key);
}

static void on_cert_trouble(const struct err *why, void *arg)
{
	tell(arg, "no certificate from istiod", why);
}

static bool begin_cert(struct ew_istiod_trust *trust, struct err *err)
{
	struct cert_client_config config = {
		.loop = trust->loop,
		.address = trust->address,
		.trust_file = trust->trust_file,
		.token_file = trust->token_file,
		.cluster = trust->cluster,
		.foreign_uri = trust->uri,
		.dir = trust->dir,
		.on_cert = on_cert,
		.on_trouble = on_cert_trouble,
		.arg = trust,
	};
	if (trust->cert == NULL)
		trust->cert = cert_client_create(&config, err);
	return trust->cert != NULL;
}

/* --- looking ---------------------------------------------------------------------------------- */

static void on_look(void *arg)
{
	struct ew_istiod_trust *trust = arg;
	struct err err;
	bool ok = load_roots(trust, &err) && begin_cert(trust, &err);
	if (!ok)
		tell(trust, "the mesh root cannot be read", &err);
	loop_timer_set(&trust->look, ok ? EW_ISTIOD_LOOK_MS : AGAIN_MS);
}

void ew_istiod_trust_on_down(struct ew_istiod_trust *trust, const struct err *why)
{
	if (why->code == ERR_UNAUTHORIZED && trust->with_cert) {
		int64_t now_ms = clock_now_ms();
		trust->is_refused = true;
		if (trust->asked_again_ms == 0 ||
		    now_ms - trust->asked_again_ms > ANOTHER_CERT_MS) {
			trust->asked_again_ms = now_ms;
			cert_client_refused(trust->cert);
		}
	}
	/* in a later turn: whoever calls stands in the middle of a connection's end */
	loop_timer_set(&trust->look, 0);
	if (trust->with_cert && !has_good_cert(trust))
		make_tls(trust);
}

void ew_istiod_trust_add_metadata(const struct ew_istiod_trust *trust, struct http_fields *fields)
{
	struct buf token CLEANUP(buf_fini) = {0};
	struct err err;
	buf_init(&token, TOKEN_MAX);
	http_fields_add_text(fields, "clusterid", trust->cluster);
	if (!file_load(trust->token_file, &token, &err)) {
		/* the certificate may do */
		log_debug("eastwest", "no token: %s", err.msg);
		return;
	}
	char *value = xasprintf("Bearer %.*s", STR_ARG(str_trim(buf_str(&token))));
	if (!http_fields_add_text(fields, "authorization", value))
		log_warn("eastwest", "'%s' holds no token", trust->token_file);
	explicit_bzero(value, strlen(value));
	free(value);
	explicit_bzero(token.ptr, token.len);
}

/* --- life ------------------------------------------------------------------------------------- */

char *ew_istiod_dir(const struct ew_config *config)
{
	return xasprintf("%s/istiod", config->data_dir);
}

struct ew_istiod_trust *ew_istiod_trust_create(struct loop *loop, const struct ew_config *config,
                                               const struct ew_istiod_trust_events *events,
                                               void *arg, struct err *err)
{
	const struct ew_control_plane_config *plane = &config->control_plane;
	char *uri;
	if (!ew_istiod_node_uri(&plane->istiod, &uri, err))
		return NULL;
	struct ew_istiod_trust *trust = xcalloc(1, sizeof(*trust));
	trust->loop = loop;
	trust->events = events;
	trust->arg = arg;
	trust->address = xstrdup(plane->address);
	trust->trust_file = xstrdup(plane->trust_file);
	trust->token_file = xstrdup(plane->token_file);
	trust->cluster = xstrdup(plane->cluster);
	trust->uri = uri;
	trust->dir = ew_istiod_dir(config);
	buf_init(&trust->roots, CERT_PEM_MAX);
	loop_timer_init(&trust->look, loop, on_look, trust);
	loop_timer_set(&trust->look, 0);
	return trust;
}

void ew_istiod_trust_destroy(struct ew_istiod_trust *trust)
{
	if (trust == NULL)
		return;
	char *const texts[] = {trust->address, trust->trust_file, trust->token_file,
	                       trust->cluster, trust->uri,        trust->dir};
	cert_client_destroy(trust->cert);
	loop_timer_fini(&trust->look);
	buf_fini(&trust->roots);
	for (size_t i = 0; i < N_ELEMS(texts); i++)
		free(texts[i]);
	free(trust);
}
