/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire tells open and closed; what lies between (connected, which alert came) is read from
 * OpenSSL's info callback, so that the same wire code serves checks and everything else.
 */
#include "probe/ladder_io.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/dns.h"
#include "base/wire.h"
#include "certs/identity.h"

enum {
	ADDRESSES_MAX = 8, /* of a name; tried in turn */
	PING_BYTES = 8, /* echoed before the payload, so that a small packet is told from a large */
	WIRE_GRACE_MS = 1000 /* our own deadline comes first */
};

struct probe_run {
	struct loop *loop;
	struct probe_check check; /* texts owned */
	struct tls_ctx *tls;
	struct probe_ladder ladder;
	int64_t deadline_ms;
	struct loop_timer timer;
	struct dns_question *question;
	struct addr addrs[ADDRESSES_MAX];
	size_t n_addrs;
	size_t next_addr;
	struct wire *wire;
	SSL *ssl;  /* our reference, to ask for reasons after the wire has closed */
	int alert; /* received, -1 none */
	size_t received;
	probe_run_cb cb;
	void *arg;
};

struct tls_ctx *probe_run_tls(struct str chain_pem, struct str key_pem, struct str roots_pem,
                              struct err *err)
{
	const struct tls_config config = {
		.cert_pem = chain_pem,
		.key_pem = key_pem,
		.roots_pem = roots_pem,
		.alpn = "istio",
		.accept_expired = true,
	};
	return tls_client_create(&config, err);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void free_run(void *arg)
{
	struct probe_run *run = arg;
	free((void *)(uintptr_t)run->check.address);
	free((void *)(uintptr_t)run->check.sni);
	free((void *)(uintptr_t)run->check.cluster);
	tls_ctx_unref(run->tls);
	free(run);
}

static void drop_wire(struct probe_run *run)
{
	wire_close(run->wire);
	run->wire = NULL;
	if (run->ssl != NULL) {
		SSL_set_info_callback(run->ssl, NULL);
		SSL_free(run->ssl);
	}
	run->ssl = NULL;
}

void probe_run_cancel(struct probe_run *run)
{
	if (run == NULL)
		return;
	drop_wire(run);
	dns_cancel(run->question);
	run->question = NULL;
	loop_timer_fini(&run->timer);
	loop_bury(run->loop, free_run, run);
}

static void end(struct probe_run *run, enum probe_end how, const char *text)
{
	struct probe_event event = {.end = how, .alert = run->alert, .text = text};
	probe_ladder_end(&run->ladder, &event, clock_now_us());
	probe_run_cb cb = run->cb;
	void *arg = run->arg;
	probe_run_cancel(run);
	cb(&run->ladder.result, arg);
}

/* --- reply ------------------------------------------------------------------------------------ */

static char byte_at(size_t i)
{
	return (char)(unsigned char)((i * 31 + 7) & 0xff);
}

static void send_bytes(struct probe_run *run, size_t from, size_t n)
{
	char *bytes CLEANUP(free_ptr) = xmalloc(n);
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(from + i);
	wire_write(run->wire, str_make(bytes, n));
}

static void on_data(struct wire *wire, struct str data, void *arg)
{
	(void)wire;
	struct probe_run *run = arg;
	size_t total = PING_BYTES + run->check.payload;
	size_t before = run->received;
	if (run->check.must_refuse)
		return;
	for (size_t i = 0; i < data.len; i++) {
		if (run->received >= total || data.ptr[i] != byte_at(run->received)) {
			end(run, PROBE_END_WRONG_BYTES, NULL);
			return;
		}
		run->received++;
	}
	if (before < PING_BYTES && run->received >= PING_BYTES && run->received < total) {
		probe_ladder_set_answered(&run->ladder);
		send_bytes(run, PING_BYTES, run->check.payload);
	}
	if (run->received == total)
		end(run, PROBE_END_DONE, NULL);
}

/* --- identity --------------------------------------------------------------------------------- */

static bool judge_peer(struct probe_run *run, STACK_OF(X509) * chain, struct err *err)
{
	struct cert_identity peer;
	char uri[CERT_URI_MAX];
	if (chain == NULL)
		return err_set(err, ERR_FORBIDDEN, "no certificate was shown");
	if (!cert_identity_of_chain(chain, NULL, &peer, err))
		return false;
	if (peer.kind != CERT_PROBE || strcmp(peer.cluster, run->check.cluster) != 0)
		return err_set(err, ERR_FORBIDDEN, "%.120s answered, wanted a probe of %s",
		               cert_identity_format(&peer, uri), run->check.cluster);
	return true;
}

static void add_expiry(struct probe_run *run, STACK_OF(X509) * chain)
{
	char date[32];
	char text[64];
	int64_t not_after_s = cert_chain_not_after(chain);
	if (not_after_s >= clock_wall_s())
		return;
	snprintf(text, sizeof(text), "certificate expired at %s",
	         clock_format_rfc3339(not_after_s, date));
	probe_ladder_add_alarm(&run->ladder, PROBE_STAGE_IDENTITY, "FED-121", text);
}

static void on_open(struct wire *wire, void *arg)
{
	(void)wire;
	struct probe_run *run = arg;
	STACK_OF(X509) *chain = tls_peer_chain(run->ssl);
	struct err err;
	if (run->check.must_refuse) {
		end(run, PROBE_END_DONE, NULL);
		return;
	}
	int64_t now_us = clock_now_us();
	probe_ladder_pass(&run->ladder, now_us);
	if (!judge_peer(run, chain, &err)) {
		end(run, PROBE_END_WRONG_PEER, err.msg);
		return;
	}
	probe_ladder_pass(&run->ladder, now_us);
	/* Who was asked for has answered, so the route is right as well. */
	probe_ladder_pass(&run->ladder, now_us);
	add_expiry(run, chain);
	send_bytes(run, 0, PING_BYTES);
}

/* --- connect and handshake -------------------------------------------------------------------- */

static void set_timer(struct probe_run *run, int64_t parts)
{
	int64_t left_ms = run->deadline_ms - clock_now_ms();
	loop_timer_set(&run->timer, left_ms > 0 ? left_ms / parts : 0);
}

static void on_info(const SSL *ssl, int where, int value)
{
	struct probe_run *run = SSL_get_app_data(ssl);
	if ((where & SSL_CB_HANDSHAKE_START) != 0 && run->ladder.stage == PROBE_STAGE_CONNECT) {
		probe_ladder_pass(&run->ladder, clock_now_us());
		set_timer(run, 1);
	}
	if (where == SSL_CB_READ_ALERT && (value & 0xff) != SSL3_AD_CLOSE_NOTIFY)
		run->alert = value & 0xff;
}

static bool has_word(const struct err *why, int errnum)
{
	return strstr(why->msg, strerror(errnum)) != NULL;
}

static enum probe_end end_of_connect(const struct err *why)
{
	if (why->code == ERR_TIMEOUT || has_word(why, ETIMEDOUT))
		return PROBE_END_TIMEOUT;
	if (has_word(why, ECONNREFUSED))
		return PROBE_END_REFUSED;
	return has_word(why, ECONNRESET) ? PROBE_END_CUT : PROBE_END_UNREACHABLE;
}

static enum probe_end end_of_tls(const struct probe_run *run, const struct err *why)
{
	switch (SSL_get_verify_result(run->ssl)) {
	case X509_V_OK:
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return PROBE_END_EXPIRED;
	default:
		return PROBE_END_UNTRUSTED;
	}
	if (run->alert >= 0)
		return PROBE_END_ALERT;
	return why->code == ERR_TIMEOUT ? PROBE_END_TIMEOUT : PROBE_END_CUT;
}

static void connect_next(struct probe_run *run);

static void on_close(struct wire *wire, const struct err *why, void *arg)
{
	(void)wire;
	struct probe_run *run = arg;
	run->wire = NULL;
	if (run->ladder.stage != PROBE_STAGE_CONNECT)
		end(run, end_of_tls(run, why), why->msg);
	else if (run->next_addr < run->n_addrs)
		connect_next(run);
	else
		end(run, end_of_connect(why), why->msg);
}

static const struct wire_events events = {
	.on_open = on_open,
	.on_data = on_data,
	.on_close = on_close,
};

static void connect_next(struct probe_run *run)
{
	struct err err;
	bool failed = true;
	drop_wire(run);
	while (failed && run->next_addr < run->n_addrs) {
		SSL *ssl = tls_client_open(run->tls, run->check.sni, false);
		SSL_set_app_data(ssl, run);
		SSL_set_info_callback(ssl, on_info);
		SSL_up_ref(ssl);
		run->ssl = ssl;
		run->wire = wire_connect(run->loop, &run->addrs[run->next_addr++], ssl, &events,
		                         run, &err);
		failed = run->wire == NULL;
		if (failed)
			drop_wire(run);
	}
	if (failed) {
		end(run, end_of_connect(&err), err.msg);
		return;
	}
	wire_set_open_timeout(run->wire, PROBE_DEADLINE_MAX_MS + WIRE_GRACE_MS);
	/* Each address that is left gets its share. */
	set_timer(run, (int64_t)(run->n_addrs - run->next_addr) + 1);
}

static void on_timer(void *arg)
{
	struct probe_run *run = arg;
	if (run->ladder.stage == PROBE_STAGE_CONNECT && run->next_addr < run->n_addrs)
		connect_next(run);
	else
		end(run, PROBE_END_TIMEOUT, NULL);
}

static void on_resolved(const struct dns_answer *answer, const struct err *err, void *arg)
{
	struct probe_run *run = arg;
	run->question = NULL;
	if (answer == NULL) {
		end(run, PROBE_END_UNRESOLVED, err->msg);
		return;
	}
	while (run->n_addrs < answer->n && run->n_addrs < N_ELEMS(run->addrs)) {
		struct addr *addr = &run->addrs[run->n_addrs];
		*addr = (struct addr){answer->ips[run->n_addrs], run->check.port};
		run->n_addrs++;
	}
	probe_ladder_pass(&run->ladder, clock_now_us());
	connect_next(run);
}

struct probe_run *probe_run_start(struct loop *loop, const struct probe_check *check,
                                  struct tls_ctx *tls, probe_run_cb cb, void *arg)
{
	struct probe_run *run = xcalloc(1, sizeof(*run));
	int64_t ms = check->deadline_ms > 0 ? check->deadline_ms : PROBE_DEADLINE_MS;
	run->loop = loop;
	run->check = *check;
	run->check.address = xstrdup(check->address);
	run->check.sni = xstrdup(check->sni);
	run->check.cluster = xstrdup(check->cluster != NULL ? check->cluster : "");
	run->tls = tls_ctx_ref(tls);
	run->alert = -1;
	run->cb = cb;
	run->arg = arg;
	run->deadline_ms = clock_now_ms() + ms;
	probe_ladder_init(&run->ladder, &run->check, clock_now_us());
	loop_timer_init(&run->timer, loop, on_timer, run);
	loop_timer_set(&run->timer, ms);
	run->question = dns_ask(loop, check->address, NULL, on_resolved, run);
	return run;
}
