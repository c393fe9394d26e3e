/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conn - the life of a connection as data: its states, why it ends, what is refused and why.
 *
 * Pure: decisions on values. conn_io.c and relay_io.c do what is decided here.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "eastwest/config.h"
#include "eastwest/hello.h"
#include "eastwest/mark.h"
#include "eastwest/table.h"

/*
 *            whole hello,        connected,        first byte of
 *   accept   endpoint chosen     hello written     the upstream
 *     │    ┌────────────▶ DIAL ─────────▶ ANSWER ─────────────▶ RELAY
 *     ▼    │               ▲ │  next         │                    │
 *    HELLO ┘               └─┴───endpoint────┘                    │
 *     │                      │ none left                          │ both ends done, idle, reset
 *     │ refused              ▼                                    ▼
 *     └────────────────▶ CLOSING (alert on its way) ──────────▶ CLOSED
 *
 *   state, may go to, deadline
 */
#define EW_CONN_STATES(X)                                                                          \
	X(EW_CONN_HELLO, "hello", 1 << EW_CONN_DIAL | 1 << EW_CONN_CLOSING | 1 << EW_CONN_CLOSED,  \
	  EW_HELLO_TIMEOUT_MS)                                                                     \
	X(EW_CONN_DIAL, "dial",                                                                    \
	  1 << EW_CONN_DIAL | 1 << EW_CONN_ANSWER | 1 << EW_CONN_CLOSING | 1 << EW_CONN_CLOSED,    \
	  EW_CONNECT_TIMEOUT_MS)                                                                   \
	X(EW_CONN_ANSWER, "answer",                                                                \
	  1 << EW_CONN_DIAL | 1 << EW_CONN_RELAY | 1 << EW_CONN_CLOSING | 1 << EW_CONN_CLOSED,     \
	  EW_IDLE_TIMEOUT_MS)                                                                      \
	X(EW_CONN_RELAY, "relay", 1 << EW_CONN_CLOSED, EW_IDLE_TIMEOUT_MS)                         \
	X(EW_CONN_CLOSING, "closing", 1 << EW_CONN_CLOSED, EW_LINGER_TIMEOUT_MS)                   \
	X(EW_CONN_CLOSED, "closed", 0, 0)

enum ew_conn_state {
#define X(state, name, next, deadline) state,
	EW_CONN_STATES(X)
#undef X
};

enum {
	EW_HELLO_TIMEOUT_MS = 5000, /* for the whole hello */
	EW_CONNECT_TIMEOUT_MS = 2000,
	EW_IDLE_TIMEOUT_MS = 3600 * 1000,
	EW_LINGER_TIMEOUT_MS = 1000,
	EW_GUARD_MS = 3 * 1000,   /* connections that last longer ask whether peers live */
	EW_KEEPALIVE_IDLE_S = 60, /* without a byte, then a probe */
	EW_KEEPALIVE_INTERVAL_S = 15,
	EW_DEAD_PEER_MS = 300 * 1000 /* without an answer, or with its window shut */
};

/* Why a connection ended: the metric label, is it an error, the alert (0: none), Envoy's response
 * flag, and a sentence. The order of the metric's series. */
#define EW_CLOSE_REASONS(X)                                                                        \
	X(EW_CLOSE_DONE, "done", false, 0, "-", "both sides ended the connection")                 \
	X(EW_CLOSE_IDLE, "idle", false, 0, "SI",                                                   \
	  "no byte in either direction for the idle timeout, an hour unless its route says less")  \
	X(EW_CLOSE_CLIENT_RESET, "client_reset", false, 0, "DC", "the client reset it")            \
	X(EW_CLOSE_UPSTREAM_RESET, "upstream_reset", true, 0, "UC", "the endpoint reset it")       \
	X(EW_CLOSE_CLIENT_DEAD, "client_dead", false, 0, "DC",                                     \
	  "the client's host answered no TCP probe, or took nothing, for five minutes")            \
	X(EW_CLOSE_UPSTREAM_DEAD, "upstream_dead", true, 0, "UC",                                  \
	  "the endpoint's host answered no TCP probe, or took nothing, for five minutes")          \
	X(EW_CLOSE_CLIENT_LEFT, "client_left", false, 0, "DC",                                     \
	  "the client left before its hello was complete")                                         \
	X(EW_CLOSE_HELLO_TIMEOUT, "hello_timeout", true, 0, "DT",                                  \
	  "the hello was not complete within 5 seconds")                                           \
	X(EW_CLOSE_NOT_TLS, "not_tls", true, 0, "NR", "the first bytes are not TLS")               \
	X(EW_CLOSE_PLAIN_HTTP, "plain_http", true, 0, "NR",                                        \
	  "the first bytes are an HTTP request without TLS")                                       \
	X(EW_CLOSE_SSL2, "ssl2", true, 0, "NR",                                                    \
	  "the first bytes are a hello of SSL 2, which no mesh speaks")                            \
	X(EW_CLOSE_BAD_HELLO, "bad_hello", true, EW_ALERT_DECODE_ERROR, "NR",                      \
	  "the TLS hello is malformed")                                                            \
	X(EW_CLOSE_BAD_HEADER, "bad_proxy_header", true, 0, "NR",                                  \
	  "a PROXY header is malformed, or comes from an address that may not send one")           \
	X(EW_CLOSE_HELLO_MEMORY, "hello_memory", true, EW_ALERT_INTERNAL_ERROR, "UO",              \
	  "half hellos of all connections hold as much memory as limits.halfHelloMemoryMiB says")  \
	X(EW_CLOSE_NOT_ALLOWED, "not_allowed", true, 0, "NR",                                      \
	  "the source address is outside the ranges that this door allows")                        \
	X(EW_CLOSE_NO_SNI, "no_sni", true, EW_ALERT_UNRECOGNIZED_NAME, "NR",                       \
	  "the client named no server")                                                            \
	X(EW_CLOSE_UNKNOWN_NAME, "unknown_name", true, EW_ALERT_UNRECOGNIZED_NAME, "NR",           \
	  "no route has this name")                                                                \
	X(EW_CLOSE_UNKNOWN_SUBSET, "unknown_subset", true, EW_ALERT_UNRECOGNIZED_NAME, "NR",       \
	  "the host and port are known, the subset is not")                                        \
	X(EW_CLOSE_NOT_EXPOSED, "not_exposed", true, EW_ALERT_UNRECOGNIZED_NAME, "NR",             \
	  "the service is not exposed to other networks")                                          \
	X(EW_CLOSE_NO_ALPN, "no_mesh_alpn", true, EW_ALERT_NO_APPLICATION_PROTOCOL, "NR",          \
	  "the client offered no ALPN protocol of the mesh")                                       \
	X(EW_CLOSE_NO_ENDPOINT, "no_endpoint", true, EW_ALERT_INTERNAL_ERROR, "UH",                \
	  "no endpoint of the service is usable")                                                  \
	X(EW_CLOSE_NO_OWN_ENDPOINT, "no_own_endpoint", true, EW_ALERT_INTERNAL_ERROR, "UH",        \
	  "another gateway asks for an endpoint of this network, and none is usable")              \
	X(EW_CLOSE_CONNECT_FAILED, "connect_failed", true, EW_ALERT_INTERNAL_ERROR, "UF,URX",      \
	  "every endpoint that was tried refused, timed out or closed before its first byte")      \
	X(EW_CLOSE_ROUTE_FULL, "max_connections", true, EW_ALERT_INTERNAL_ERROR, "UO",             \
	  "the service has as many connections as its maxConnections allows")                      \
	X(EW_CLOSE_NO_DESCRIPTOR, "no_descriptor", true, EW_ALERT_INTERNAL_ERROR, "UO",            \
	  "the process has no file descriptor left")                                               \
	X(EW_CLOSE_TOO_MANY, "too_many_connections", true, 0, "UO",                                \
	  "as many connections are open as limits.connections allows")                             \
	X(EW_CLOSE_SOURCE_RATE, "source_rate", true, 0, "RL",                                      \
	  "its source opens more connections than limits.newConnectionsPerSecond allows")          \
	X(EW_CLOSE_DRAINED, "drained", true, 0, "DO",                                              \
	  "it was still open when the drain timeout of the gateway had passed")

enum ew_close_reason {
#define X(reason, name, is_error, alert, flags, sentence) reason,
	EW_CLOSE_REASONS(X)
#undef X
};

enum {
#define X(reason, name, is_error, alert, flags, sentence) +1
	N_EW_CLOSE_REASONS = 0 EW_CLOSE_REASONS(X)
#undef X
};

const char *ew_conn_state_name(enum ew_conn_state state);
/* How long a connection may stay in the state unless its route says otherwise; 0: it does not wait
 * there. */
uint32_t ew_conn_state_deadline_ms(enum ew_conn_state state);
/* The only writer of a connection's state: asserts that the move is in the table. */
void ew_conn_move(enum ew_conn_state *state, enum ew_conn_state next);

const char *ew_close_name(enum ew_close_reason reason);
const char *ew_close_sentence(enum ew_close_reason reason);
const char *ew_close_flags(enum ew_close_reason reason);
bool ew_close_is_error(enum ew_close_reason reason);
/* 0: closed without an alert. */
uint8_t ew_close_alert(enum ew_close_reason reason);

/* --- decisions -------------------------------------------------------------------------------- */

/* May this client come through this door at all? mesh: what the control plane's Snapshot says of
 * ingress doors; empty allows everybody. Both, door and mesh, have to allow it. */
bool ew_conn_is_allowed(const struct ew_listener_config *door, const struct ew_ranges *mesh,
                        const struct ip *client);

/* The route of a complete hello, or NULL and why it is refused. Borrowed from the table. */
const struct ew_route *ew_conn_route(const struct ew_table *table, enum ew_door door,
                                     const struct ew_hello *hello,
                                     enum ew_close_reason *ret_reason);

/* Of a side that failed with this errno. */
enum ew_close_reason ew_conn_failure(bool is_client, int errnum);

/* What it is that is not TLS, by as many of its first bytes as there are. */
enum ew_close_reason ew_conn_not_tls(const uint8_t *data, size_t len);

/* What the first bytes of an upstream say. */
enum ew_answer {
	EW_ANSWER_MORE,   /* the beginning of an alert: read on before passing it on */
	EW_ANSWER_PASS,   /* an answer */
	EW_ANSWER_REFUSED /* the whole first record is an alert 112 or 80 */
};
/* For gateways that take the mark; anybody else's answer passes. */
enum ew_answer ew_conn_answer(const uint8_t *data, size_t len);

/* A TLS alert record (fatal), for a client whose hello was read. Returns its length. */
enum {
	EW_ALERT_LEN = 7
};
void ew_conn_alert(uint8_t alert, uint8_t out[EW_ALERT_LEN]);
