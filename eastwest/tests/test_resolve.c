/* SPDX-License-Identifier: Apache-2.0 */
#include "name_server.h"
#include "unit.h"

#include "base/macros.h"
#include "control/resolve_io.h"

enum {
	WAIT_MS = 20000,
	AGAIN_MS = 20
};

struct rig {
	struct loop *loop;
	struct name_server server;
	struct ew_resolver *resolver;
	int n_changes;
};

static void on_change(void *arg)
{
	((struct rig *)arg)->n_changes++;
}

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){.loop = loop_create()};
	name_server_init(&rig->server, rig->loop);
	const struct ew_resolver_options options = {.servers = rig->server.address,
	                                            .min_ms = AGAIN_MS,
	                                            .on_change = on_change,
	                                            .arg = rig};
	rig->resolver = ew_resolver_create(rig->loop, &options);
}

static void rig_fini(struct rig *rig)
{
	ew_resolver_destroy(rig->resolver);
	name_server_fini(&rig->server);
	loop_destroy(rig->loop);
}

static void wait_for(struct rig *rig, const int *count, int n)
{
	int64_t end_ms = loop_now_ms(rig->loop) + WAIT_MS;
	while (*count < n && loop_now_ms(rig->loop) < end_ms)
		loop_run_once(rig->loop, 1000);
	assert_true(*count >= n);
}

static size_t find(struct rig *rig, const char *host)
{
	struct ip ips[EW_RESOLVE_ADDRESSES_MAX];
	return ew_resolver_find(str_from(host), ips, N_ELEMS(ips), rig->resolver);
}

static void want(struct rig *rig, const char *host)
{
	struct str name = str_from(host);
	ew_resolver_want(rig->resolver, &name, 1);
}

static void a_name_follows_its_addresses(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.v4[0] = "192.0.2.1";
	want(&rig, "gw.example.com.");
	assert_int_equal(find(&rig, "gw.example.com."), 0);
	wait_for(&rig, &rig.n_changes, 1);
	assert_int_equal(find(&rig, "gw.example.com."), 1);
	rig.server.v4[1] = "192.0.2.2";
	rig.server.v6[0] = "2001:db8::1";
	wait_for(&rig, &rig.n_changes, 2);
	assert_int_equal(find(&rig, "gw.example.com."), 3);
	rig_fini(&rig);
}

static void another_order_is_no_change(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.v4[0] = "192.0.2.1";
	rig.server.v4[1] = "192.0.2.2";
	want(&rig, "gw.example.com.");
	wait_for(&rig, &rig.n_changes, 1);
	rig.server.v4[0] = "192.0.2.2";
	rig.server.v4[1] = "192.0.2.1";
	wait_for(&rig, &rig.server.n_asked, rig.server.n_asked + 6);
	assert_int_equal(rig.n_changes, 1);
	rig_fini(&rig);
}

static void a_name_that_nobody_can_tell_keeps_its_addresses(void **state)
{
	static const int rcodes[] = {NAME_SERVER_FAILS, NAME_SERVER_UNKNOWN, NAME_SERVER_JUNK};
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.v4[0] = "192.0.2.1";
	want(&rig, "gw.example.com.");
	wait_for(&rig, &rig.n_changes, 1);
	for (size_t i = 0; i < N_ELEMS(rcodes); i++) {
		rig.server.rcode = rcodes[i];
		wait_for(&rig, &rig.server.n_asked, rig.server.n_asked + 4);
		assert_int_equal(find(&rig, "gw.example.com."), 1);
	}
	rig.server.rcode = NAME_SERVER_ANSWERS;
	rig.server.v4[0] = "192.0.2.9";
	wait_for(&rig, &rig.n_changes, 2);
	rig_fini(&rig);
}

static void a_name_no_longer_wanted_is_forgotten(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.v4[0] = "192.0.2.1";
	want(&rig, "gw.example.com.");
	wait_for(&rig, &rig.n_changes, 1);
	want(&rig, "other.example.com.");
	assert_int_equal(find(&rig, "gw.example.com."), 0);
	wait_for(&rig, &rig.n_changes, 2);
	assert_int_equal(find(&rig, "other.example.com."), 1);
	rig_fini(&rig);
}

static void many_names_have_their_turn(void **state)
{
	char texts[3 * EW_RESOLVE_IN_FLIGHT_MAX][24];
	struct str names[N_ELEMS(texts)];
	struct rig rig;
	(void)state;
	rig_init(&rig);
	rig.server.v4[0] = "192.0.2.1";
	for (size_t i = 0; i < N_ELEMS(texts); i++) {
		snprintf(texts[i], sizeof(texts[i]), "gw-%zu.example.com.", i);
		names[i] = str_from(texts[i]);
	}
	ew_resolver_want(rig.resolver, names, N_ELEMS(names));
	wait_for(&rig, &rig.n_changes, N_ELEMS(names));
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_follows_its_addresses),
		cmocka_unit_test(another_order_is_no_change),
		cmocka_unit_test(a_name_that_nobody_can_tell_keeps_its_addresses),
		cmocka_unit_test(a_name_no_longer_wanted_is_forgotten),
		cmocka_unit_test(many_names_have_their_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
