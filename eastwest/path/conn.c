/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/conn.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/macros.h"

static const struct {
	const char *name;
	unsigned next;
	uint32_t deadline_ms;
} states[] = {
#define X(state, name, next, deadline) [state] = {name, next, deadline},
	EW_CONN_STATES(X)
#undef X
};

static const struct {
	const char *name;
	bool is_error;
	uint8_t alert;
	const char *flags;
	const char *sentence;
} reasons[] = {
#define X(reason, name, is_error, alert, flags, sentence)                                          \
	[reason] = {name, is_error, alert, flags, sentence},
	EW_CLOSE_REASONS(X)
#undef X
};

const char *ew_conn_state_name(enum ew_conn_state state)
{
	return states[state].name;
}

uint32_t ew_conn_state_deadline_ms(enum ew_conn_state state)
{
	return states[state].deadline_ms;
}

void ew_conn_move(enum ew_conn_state *state, enum ew_conn_state next)
{
	assert(states[*state].next & 1u << next);
	*state = next;
}

const char *ew_close_name(enum ew_close_reason reason)
{
	return reasons[reason].name;
}

const char *ew_close_sentence(enum ew_close_reason reason)
{
	return reasons[reason].sentence;
}

const char *ew_close_flags(enum ew_close_reason reason)
{
	return reasons[reason].flags;
}

bool ew_close_is_error(enum ew_close_reason reason)
{
	return reasons[reason].is_error;
}

uint8_t ew_close_alert(enum ew_close_reason reason)
{
	return reasons[reason].alert;
}

bool ew_conn_is_allowed(const struct ew_listener_config *door, const struct ew_ranges *mesh,
                        const struct ip *client)
{
	if (door->door == EW_DOOR_EGRESS)
		return ew_ranges_have(&door->allow, client);
	return (door->allow.n == 0 || ew_ranges_have(&door->allow, client)) &&
	       (mesh->n == 0 || ew_ranges_have(mesh, client));
}

const struct ew_route *ew_conn_route(const struct ew_table *table, enum ew_door door,
                                     const struct ew_hello *hello, enum ew_close_reason *ret_reason)
{
	struct str sni = str_make(hello->sni, hello->sni_len);
	if (sni.len == 0) {
		*ret_reason = EW_CLOSE_NO_SNI;
		return NULL;
	}
	const struct ew_route *route = ew_table_find(table, sni);
	if (route == NULL) {
		*ret_reason = ew_table_has_other_subset(table, sni) ? EW_CLOSE_UNKNOWN_SUBSET
		                                                    : EW_CLOSE_UNKNOWN_NAME;
		return NULL;
	}
	if (door == EW_DOOR_INGRESS && !route->exposed) {
		*ret_reason = EW_CLOSE_NOT_EXPOSED;
		return NULL;
	}
	if (!hello->mesh_alpn) {
		*ret_reason = EW_CLOSE_NO_ALPN;
		return NULL;
	}
	return route;
}

enum ew_close_reason ew_conn_failure(bool is_client, int errnum)
{
	bool dead = errnum == ETIMEDOUT || errnum == EHOSTUNREACH || errnum == ENETUNREACH;
	if (is_client)
		return dead ? EW_CLOSE_CLIENT_DEAD : EW_CLOSE_CLIENT_RESET;
	return dead ? EW_CLOSE_UPSTREAM_DEAD : EW_CLOSE_UPSTREAM_RESET;
}

enum ew_close_reason ew_conn_not_tls(const uint8_t *data, size_t len)
{
	/* methods of RFC 9110 and 5789, and the preface of HTTP/2 (RFC 9113 3.4) */
	static const char *const methods[] = {"GET ",     "POST ",    "HEAD ",  "PUT ",   "DELETE ",
	                                      "OPTIONS ", "CONNECT ", "TRACE ", "PATCH ", "PRI * "};
	enum {
		SSL2_LONG = 0x80, /* a two-byte header, RFC 5246 E.2 */
		SSL2_CLIENT_HELLO = 1
	};
	for (size_t i = 0; i < N_ELEMS(methods); i++) {
		size_t n = strlen(methods[i]);
		if (memcmp(data, methods[i], n < len ? n : len) == 0)
			return EW_CLOSE_PLAIN_HTTP;
	}
	if (len >= 3 && (data[0] & SSL2_LONG) != 0 && data[2] == SSL2_CLIENT_HELLO)
		return EW_CLOSE_SSL2;
	return EW_CLOSE_NOT_TLS;
}

enum ew_answer ew_conn_answer(const uint8_t *data, size_t len)
{
	/* alert record, TLS 1.x, two bytes, fatal */
	static const struct {
		uint8_t mask;
		uint8_t value;
	} head[] = {{0xff, 21}, {0xff, 3}, {0, 0}, {0xff, 0}, {0xff, 2}, {0xff, 2}};
	for (size_t i = 0; i < N_ELEMS(head); i++) {
		if (i >= len)
			return EW_ANSWER_MORE;
		if ((data[i] & head[i].mask) != head[i].value)
			return EW_ANSWER_PASS;
	}
	if (len < EW_ALERT_LEN)
		return EW_ANSWER_MORE;
	uint8_t alert = data[EW_ALERT_LEN - 1];
	return alert == EW_ALERT_UNRECOGNIZED_NAME || alert == EW_ALERT_INTERNAL_ERROR
	               ? EW_ANSWER_REFUSED
	               : EW_ANSWER_PASS;
}

void ew_conn_alert(uint8_t alert, uint8_t out[EW_ALERT_LEN])
{
	/* RFC 8446 5.1: 0x0303 whatever is negotiated later */
	const uint8_t record[EW_ALERT_LEN] = {21, 3, 3, 0, 2, 2, alert};
	memcpy(out, record, EW_ALERT_LEN);
}
