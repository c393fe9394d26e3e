/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/buf.h"
#include "uplink/istiod_listener.h"

#define WEB     "outbound_.80_._.web.shop.svc.cluster.local"
#define API     "outbound_.9000_._.api.shop.svc.cluster.local"
#define FILTERS "type.googleapis.com/envoy.extensions.filters.network."
#define PROXY   FILTERS "tcp_proxy.v3.TcpProxy"
#define STATS   "type.googleapis.com/stats.PluginConfig"

/* --- a small writer of protobuf --------------------------------------------------------------- */

static void put_varint(struct buf *out, uint64_t value)
{
	for (; value > 127; value >>= 7)
		buf_add_char(out, (char)(value | 128));
	buf_add_char(out, (char)value);
}

static void put_number(struct buf *out, uint32_t field, uint64_t value)
{
	put_varint(out, (uint64_t)field << 3);
	put_varint(out, value);
}

static void put_bytes(struct buf *out, uint32_t field, struct str bytes)
{
	put_varint(out, (uint64_t)field << 3 | 2);
	put_varint(out, bytes.len);
	buf_add_str(out, bytes);
}

static void put_text(struct buf *out, uint32_t field, const char *text)
{
	put_bytes(out, field, str_from(text));
}

static void begin(struct buf *out)
{
	buf_init(out, 1 << 20);
}

static void end(struct buf *out, uint32_t field, struct buf *inner)
{
	put_bytes(out, field, buf_str(inner));
	buf_fini(inner);
}

static void put_filter(struct buf *chain, const char *type, const char *cluster)
{
	struct buf filter;
	struct buf any;
	struct buf value;
	begin(&filter);
	begin(&any);
	begin(&value);
	put_text(&value, 1, "stat");
	if (cluster != NULL)
		put_text(&value, 2, cluster);
	put_text(&any, 1, type);
	end(&any, 2, &value);
	put_text(&filter, 1, "name");
	end(&filter, 4, &any);
	end(chain, 3, &filter);
}

/* A chain as istiod writes it, with what a case changes. */
struct chain {
	const char *sni;
	const char *cluster;   /* NULL: as sni */
	const char *filter;    /* one more, before the proxy */
	uint32_t match_field;  /* one more criterion */
	bool transport_socket; /* ends TLS */
	bool without_proxy;
};

static void put_chain(struct buf *listener, const struct chain *from)
{
	struct buf chain;
	struct buf match;
	begin(&chain);
	begin(&match);
	put_text(&match, 10, "istio");
	put_text(&match, 10, "istio-peer-exchange");
	put_text(&match, 11, from->sni);
	if (from->match_field > 0)
		put_text(&match, from->match_field, "x");
	end(&chain, 1, &match);
	put_filter(&chain, STATS, NULL);
	if (from->filter != NULL)
		put_filter(&chain, from->filter, NULL);
	if (!from->without_proxy)
		put_filter(&chain, PROXY, from->cluster != NULL ? from->cluster : from->sni);
	if (from->transport_socket)
		put_text(&chain, 6, "x");
	end(listener, 3, &chain);
}

static void put_address(struct buf *listener, uint32_t port)
{
	struct buf address;
	struct buf socket;
	begin(&address);
	begin(&socket);
	put_text(&socket, 2, "0.0.0.0");
	put_number(&socket, 3, port);
	end(&address, 1, &socket);
	end(listener, 2, &address);
}

static void read(const struct buf *listener, struct ew_exposed *ret_exposed)
{
	struct err err;
	if (!ew_istiod_listener_read(buf_str(listener), 15443, ret_exposed, &err))
		fail_msg("%s", err.msg);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_chain_exposes_its_server_name(void **state)
{
	struct buf listener CLEANUP(buf_fini) = {0};
	struct ew_exposed exposed;
	(void)state;
	begin(&listener);
	put_text(&listener, 1, "0.0.0.0_15443");
	put_address(&listener, 15443);
	put_chain(&listener, &(struct chain){.sni = WEB});
	put_chain(&listener, &(struct chain){.sni = API, .match_field = 9});
	put_chain(&listener, &(struct chain){.sni = "www.example.com"});
	read(&listener, &exposed);
	assert_int_equal(map_len(&exposed.names), 2);
	assert_true(ew_exposed_has(&exposed, STR_LIT(WEB)));
	assert_true(ew_exposed_has(&exposed, STR_LIT(API)));
	assert_int_equal(exposed.n_left_out, 0);
	ew_exposed_fini(&exposed);
}

static void a_chain_that_cannot_be_kept_exposes_nothing(void **state)
{
	static const struct {
		struct chain chain;
		const char *why;
	} cases[] = {
		{{.sni = WEB, .match_field = 6}, "matches by more"}, /* source_prefix_ranges */
		{{.sni = WEB, .match_field = 3}, "matches by more"},
		{{.sni = WEB, .match_field = 13}, "matches by more"},
		{{.sni = WEB, .match_field = 99}, "matches by more"},
		{{.sni = WEB, .transport_socket = true}, "ends TLS"},
		{{.sni = WEB, .filter = FILTERS "rbac.v3.RBAC"}, "may refuse"},
		{{.sni = WEB, .filter = FILTERS "ext_authz.v3.ExtAuthz"}, "may refuse"},
		{{.sni = WEB, .cluster = API}, "does not lead"},
		{{.sni = WEB, .without_proxy = true}, "does not lead"},
		{{.sni = WEB, .filter = PROXY}, "does not lead"},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(cases); i++) {
		struct buf listener CLEANUP(buf_fini) = {0};
		struct ew_exposed exposed;
		begin(&listener);
		put_address(&listener, 15443);
		/* another chain for the same name, before or behind, does not open it */
		if (i % 2 == 0)
			put_chain(&listener, &(struct chain){.sni = WEB});
		put_chain(&listener, &cases[i].chain);
		put_chain(&listener, &(struct chain){.sni = WEB});
		put_chain(&listener, &(struct chain){.sni = API});
		read(&listener, &exposed);
		if (ew_exposed_has(&exposed, STR_LIT(WEB)))
			fail_msg("case %zu is exposed", i);
		assert_true(ew_exposed_has(&exposed, STR_LIT(API)));
		assert_int_equal(exposed.n_left_out, 1);
		assert_non_null(strstr(exposed.why, cases[i].why));
		ew_exposed_fini(&exposed);
	}
}

static void a_listener_on_another_port_or_with_a_matcher_exposes_nothing(void **state)
{
	struct buf listener CLEANUP(buf_fini) = {0};
	struct ew_exposed exposed;
	(void)state;
	begin(&listener);
	put_address(&listener, 8443);
	put_chain(&listener, &(struct chain){.sni = WEB});
	read(&listener, &exposed);
	assert_true(exposed.is_other_port);
	assert_int_equal(map_len(&exposed.names), 0);
	put_address(&listener, 15443);
	read(&listener, &exposed);
	assert_int_equal(map_len(&exposed.names), 1);
	ew_exposed_fini(&exposed);
	put_text(&listener, 32, "x");
	read(&listener, &exposed);
	assert_int_equal(map_len(&exposed.names), 0);
	assert_int_equal(exposed.n_left_out, 1);
}

static void malformed_bytes_are_refused_wherever_they_end(void **state)
{
	struct buf listener CLEANUP(buf_fini) = {0};
	struct ew_exposed exposed;
	struct err err;
	size_t good = 0;
	(void)state;
	begin(&listener);
	put_address(&listener, 15443);
	put_chain(&listener, &(struct chain){.sni = WEB});
	put_chain(&listener, &(struct chain){.sni = API});
	for (size_t len = 0; len < listener.len; len++) {
		if (ew_istiod_listener_read(str_make(listener.ptr, len), 15443, &exposed, &err))
			good++;
		assert_true(map_len(&exposed.names) < 2);
		ew_exposed_fini(&exposed);
	}
	/* only where a field ends: nothing, the address, one chain */
	assert_int_equal(good, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_chain_exposes_its_server_name),
		cmocka_unit_test(a_chain_that_cannot_be_kept_exposes_nothing),
		cmocka_unit_test(a_listener_on_another_port_or_with_a_matcher_exposes_nothing),
		cmocka_unit_test(malformed_bytes_are_refused_wherever_they_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
