/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each attempt has an uplink of its own that lives until the answer: with the certificate there is,
 * or without and with the token. It is judged in a later turn than the answer comes, because a
 * refused certificate shows first as a lost call and only then as the alert that explains it
 * (TLS 1.3).
 */
#include "certs/cert_client_io.h"

#include "grant_priv.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/file.h"
#include "certs/ca.h"
#include "certs/key.h"
#include "xds/message.h"
#include "xds/proto/ca.pb-c.h"
#include "xds/uplink_io.h"

enum {
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 60000,
	RENEW_MIN_MS = 200,
	TOKEN_MAX = 16 << 10,
	CALL_MS = 20000
};

struct attempt {
	struct xds_uplink *uplink; /* NULL: none under way */
	struct xds_uplink_user user;
	struct grpc_stream *call;
	EVP_PKEY *key;
	bool by_cert;
	struct err why; /* of its failure, once known */
};

struct cert_client {
	struct cert_client_config config; /* texts owned */
	struct buf roots;
	struct grant have; /* not_after_s 0: nothing */
	struct attempt attempt;
	struct loop_timer timer;   /* until the next attempt */
	struct loop_timer verdict; /* the attempt has failed */
	struct loop_timer stored;  /* tells of a stored certificate */
	int64_t retry_ms;
	bool want_token; /* the certificate there is will not do */
	size_t renewals;
};

/* Nobody else is talked to, unless a foreign service is asked. */
static struct cert_verifier only_control_plane = {.kinds = 1u << CERT_CONTROL_PLANE};

static bool load_roots(struct cert_client *client, struct err *err)
{
	struct buf fresh CLEANUP(buf_fini) = {0};
	buf_init(&fresh, CERT_PEM_MAX);
	if (!file_load(client->config.trust_file, &fresh, err))
		return false;
	STACK_OF(X509) *certs = cert_x509_decode_all(buf_str(&fresh), err);
	if (certs == NULL)
		return err_wrap(err, "trust file '%s'", client->config.trust_file);
	cert_x509_stack_free(certs);
	buf_clear(&client->roots);
	buf_add_str(&client->roots, buf_str(&fresh));
	return true;
}

/* --- when ------------------------------------------------------------------------------------- */

static void renew_later(struct cert_client *client)
{
	int64_t left_ms = (client->have.not_after_s - clock_wall_s()) * 1000;
	uint32_t random = 0;
	IGNORE(getrandom(&random, sizeof(random), 0) < 0); /* a jitter of 0 will do */
	int64_t wait_ms = left_ms / 2 - left_ms / 100 * (random % 3);
	loop_timer_set(&client->timer, wait_ms > RENEW_MIN_MS ? wait_ms : RENEW_MIN_MS);
}

static void retry_later(struct cert_client *client)
{
	loop_timer_set(&client->timer, client->retry_ms);
	client->retry_ms *= 2;
	if (client->retry_ms > client->config.retry_max_ms)
		client->retry_ms = client->config.retry_max_ms;
}

static bool judge(const struct cert_client *client, struct grant *grant, struct err *err)
{
	return grant_judge(grant, buf_str(&client->roots), client->config.cluster, clock_wall_s(),
	                   err);
}

/* --- one attempt ------------------------------------------------------------------------------ */

static void end_attempt(struct cert_client *client)
{
	struct attempt *attempt = &client->attempt;
	struct xds_uplink *uplink = attempt->uplink;
	grpc_stream_cancel(attempt->call);
	attempt->uplink = NULL;
	attempt->call = NULL;
	loop_timer_cancel(&client->verdict);
	xds_uplink_destroy(uplink);
	EVP_PKEY_free(attempt->key);
	attempt->key = NULL;
}

static void fail_attempt(struct cert_client *client)
{
	struct err why = client->attempt.why;
	bool refused = why.code == ERR_UNAUTHORIZED || why.code == ERR_FORBIDDEN;
	bool first_token = client->attempt.by_cert && refused && client->config.token_file != NULL;
	end_attempt(client);
	if (first_token) {
		client->want_token = true;
		loop_timer_set(&client->timer, 0);
	} else {
		retry_later(client);
	}
	if (client->config.on_trouble != NULL)
		client->config.on_trouble(&why, client->config.arg);
}

static void on_verdict(void *arg)
{
	fail_attempt(arg);
}

static void on_down(const struct err *why, void *arg)
{
	struct cert_client *client = arg;
	client->attempt.why = *why;
	/* in a later turn: the uplink is not destroyed from inside its own callback */
	loop_timer_set(&client->verdict, 0);
}

static bool take_reply(struct cert_client *client, struct str reply, struct err *err)
{
	struct grant grant;
	ProtobufCMessage *message = xds_message_unpack(
		&istio__v1__auth__istio_certificate_response__descriptor, reply, err);
	if (message == NULL)
		return false;
	const Istio__V1__Auth__IstioCertificateResponse *msg =
		(const Istio__V1__Auth__IstioCertificateResponse *)message;
	grant_init(&grant);
	/* the last element is the root bundle; ours comes from the trust file */
	for (size_t i = 0; i + 1 < msg->n_cert_chain; i++)
		buf_add_text(&grant.chain, msg->cert_chain[i]);
	xds_message_free(message);
	cert_key_encode(client->attempt.key, &grant.key);
	if (!judge(client, &grant, err) || !grant_save(&grant, client->config.dir, err)) {
		grant_fini(&grant);
		return false;
	}
	grant_fini(&client->have);
	client->have = grant;
	return true;
}

static void on_reply(int status, const char *message, struct str reply, void *arg)
{
	struct cert_client *client = arg;
	struct err err;
	client->attempt.call = NULL;
	bool ok = status == GRPC_OK ? take_reply(client, reply, &err)
	                            : err_set(&err, grpc_status_to_err(status), "%s: %s",
	                                      grpc_status_name(status), message);
	if (!ok) {
		client->attempt.why = err;
		loop_timer_set(&client->verdict, 0);
		return;
	}
	end_attempt(client);
	client->renewals++;
	client->want_token = false;
	client->retry_ms = client->config.retry_min_ms;
	renew_later(client);
	client->config.on_cert(client, client->config.arg);
}

static bool add_token(const struct cert_client *client, struct http_fields *fields, struct err *err)
{
	struct buf token CLEANUP(buf_fini) = {0};
	buf_init(&token, TOKEN_MAX);
	if (client->config.token_file == NULL)
		return err_set(err, ERR_UNAUTHORIZED, "there is no token file and no certificate");
	if (!file_load(client->config.token_file, &token, err))
		return err_wrap(err, "token file");
	char *value = xasprintf("Bearer %.*s", STR_ARG(str_trim(buf_str(&token))));
	bool ok = http_fields_add_text(fields, "authorization", value) ||
	          err_set(err, ERR_INVALID, "token file '%s' holds no token",
	                  client->config.token_file);
	explicit_bzero(value, strlen(value));
	free(value);
	explicit_bzero(token.ptr, token.len);
	return ok;
}

static void pack_request(const struct cert_client *client, struct buf *out)
{
	struct buf csr CLEANUP(buf_fini) = {0};
	buf_init(&csr, CERT_CSR_MAX);
	cert_csr_encode(client->attempt.key, client->config.foreign_uri, &csr);
	Istio__V1__Auth__IstioCertificateRequest msg =
		ISTIO__V1__AUTH__ISTIO_CERTIFICATE_REQUEST__INIT;
	msg.csr = csr.ptr;
	msg.has_validity_duration = true;
	msg.validity_duration = client->config.ttl_s;
	xds_message_pack(&msg.base, out);
}

static void on_up(struct grpc_conn *conn, void *arg)
{
	struct cert_client *client = arg;
	struct attempt *attempt = &client->attempt;
	struct http_fields fields CLEANUP(http_fields_fini) = HTTP_FIELDS_EMPTY;
	struct buf request CLEANUP(buf_fini) = {0};
	if (attempt->call != NULL || loop_timer_is_set(&client->verdict))
		return; /* the connection came back before the verdict */
	http_fields_add_text(&fields, "clusterid", client->config.cluster);
	if (!attempt->by_cert && !add_token(client, &fields, &attempt->why)) {
		loop_timer_set(&client->verdict, 0);
		return;
	}
	EVP_PKEY_free(attempt->key);
	attempt->key = cert_key_create();
	buf_init(&request, 2 * CERT_CSR_MAX);
	pack_request(client, &request);
	struct grpc_unary unary = {
		.path = "/istio.v1.auth.IstioCertificateService/CreateCertificate",
		.metadata = &fields,
		.request = buf_str(&request),
		.deadline_ms = CALL_MS,
		.cb = on_reply,
		.arg = client,
	};
	attempt->call = grpc_unary_start(conn, &unary);
}

static struct tls_ctx *make_tls(const struct cert_client *client, bool with_cert, struct err *err)
{
	struct tls_config config = {
		.roots_pem = buf_str(&client->roots),
		.alpn = "h2",
		.peer = TLS_PEER_REQUIRED,
	};
	if (client->config.foreign_uri == NULL) {
		config.verify = cert_verifier_check;
		config.verify_arg = &only_control_plane;
	}
	if (with_cert) {
		config.cert_pem = buf_str(&client->have.chain);
		config.key_pem = buf_str(&client->have.key);
	}
	return tls_client_create(&config, err);
}

static bool begin(struct cert_client *client, struct err *err)
{
	struct attempt *attempt = &client->attempt;
	bool valid = client->have.not_after_s > clock_wall_s();
	attempt->by_cert = valid && (!client->want_token || client->config.token_file == NULL);
	if (!load_roots(client, err))
		return false;
	struct tls_ctx *tls = make_tls(client, attempt->by_cert, err);
	if (tls == NULL)
		return false;
	struct xds_uplink_config config = {
		.loop = client->config.loop,
		.address = client->config.address,
		.tls = tls,
		.check_name = client->config.foreign_uri != NULL,
		.on_down = on_down,
		.arg = client,
	};
	attempt->uplink = xds_uplink_create(&config, err);
	tls_ctx_unref(tls);
	if (attempt->uplink == NULL)
		return false;
	attempt->user = (struct xds_uplink_user){.on_up = on_up, .arg = client};
	xds_uplink_add(attempt->uplink, &attempt->user);
	return true;
}

static void on_timer(void *arg)
{
	struct cert_client *client = arg;
	if (client->attempt.uplink == NULL && !begin(client, &client->attempt.why))
		fail_attempt(client);
}

static void on_stored(void *arg)
{
	struct cert_client *client = arg;
	client->config.on_cert(client, client->config.arg);
}

/* --- life ------------------------------------------------------------------------------------- */

static char *own_text(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

static void own_texts(struct cert_client *client)
{
	struct cert_client_config *config = &client->config;
	config->address = xstrdup(config->address);
	config->trust_file = xstrdup(config->trust_file);
	config->token_file = own_text(config->token_file);
	config->foreign_uri = own_text(config->foreign_uri);
	config->cluster = xstrdup(config->cluster);
	config->dir = xstrdup(config->dir);
}

static void free_text(const char *text)
{
	free((char *)(uintptr_t)text);
}

/* A stored certificate that does not fit is as good as none. */
static void load_stored(struct cert_client *client)
{
	struct grant grant;
	struct err err;
	grant_init(&grant);
	if (grant_load(&grant, client->config.dir, &err) && judge(client, &grant, &err)) {
		grant_fini(&client->have);
		client->have = grant;
	} else {
		grant_fini(&grant);
	}
}

struct cert_client *cert_client_create(const struct cert_client_config *config, struct err *err)
{
	struct cert_client *client = xcalloc(1, sizeof(*client));
	client->config = *config;
	own_texts(client);
	client->config.ttl_s = config->ttl_s > 0 ? config->ttl_s : CERT_LEAF_TTL_S;
	client->config.retry_min_ms =
		config->retry_min_ms > 0 ? config->retry_min_ms : RETRY_MIN_MS;
	client->config.retry_max_ms =
		config->retry_max_ms > 0 ? config->retry_max_ms : RETRY_MAX_MS;
	client->retry_ms = client->config.retry_min_ms;
	buf_init(&client->roots, CERT_PEM_MAX);
	grant_init(&client->have);
	loop_timer_init(&client->timer, config->loop, on_timer, client);
	loop_timer_init(&client->verdict, config->loop, on_verdict, client);
	loop_timer_init(&client->stored, config->loop, on_stored, client);
	if (!file_make_dirs(config->dir, err) || !load_roots(client, err)) {
		cert_client_destroy(client);
		return NULL;
	}
	load_stored(client);
	if (client->have.not_after_s > 0)
		loop_timer_set(&client->stored, 0);
	if (client->have.not_after_s > clock_wall_s())
		renew_later(client);
	else
		loop_timer_set(&client->timer, 0);
	return client;
}

void cert_client_destroy(struct cert_client *client)
{
	if (client == NULL)
		return;
	end_attempt(client);
	loop_timer_fini(&client->timer);
	loop_timer_fini(&client->verdict);
	loop_timer_fini(&client->stored);
	grant_fini(&client->have);
	buf_fini(&client->roots);
	free_text(client->config.address);
	free_text(client->config.trust_file);
	free_text(client->config.token_file);
	free_text(client->config.foreign_uri);
	free_text(client->config.cluster);
	free_text(client->config.dir);
	free(client);
}

bool cert_client_has_cert(const struct cert_client *client)
{
	return client->have.not_after_s > 0;
}

void cert_client_refused(struct cert_client *client)
{
	/* said again and again, it must not push the attempt under way or ahead */
	if (client->want_token)
		return;
	client->want_token = true;
	if (client->attempt.uplink == NULL)
		loop_timer_set(&client->timer, 0);
}

struct str cert_client_chain(const struct cert_client *client)
{
	return buf_str(&client->have.chain);
}

struct str cert_client_key(const struct cert_client *client)
{
	return buf_str(&client->have.key);
}

struct str cert_client_roots(const struct cert_client *client)
{
	return buf_str(&client->roots);
}

const struct cert_identity *cert_client_identity(const struct cert_client *client)
{
	return &client->have.identity;
}

int64_t cert_client_not_after(const struct cert_client *client)
{
	return client->have.not_after_s;
}

size_t cert_client_renewals(const struct cert_client *client)
{
	return client->renewals;
}

struct tls_ctx *cert_client_tls(const struct cert_client *client, struct err *err)
{
	if (client->have.not_after_s == 0) {
		err_set(err, ERR_UNAVAILABLE, "there is no certificate yet");
		return NULL;
	}
	return make_tls(client, true, err);
}
