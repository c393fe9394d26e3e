/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <string.h>

#include "netgroups/inventory.h"

static char name_gw[] = "gw-2";
static char name_cluster[] = "c2";
static char name_group[] = "network-c2";
static char address[] = "192.0.2.22";
static char typed[] = "203.0.113.7";
static char one[] = "one";
static char two[] = "two";
static char version[] = "0.1.0";

static struct host_port at_gateway = {address, 15443};
static struct host_port at_group = {typed, 443};

static void see(struct inventory *inventory, char *name, bool mark, bool connected, int64_t now_ms)
{
	struct inventory_instance instance = {
		.cluster = name_cluster,
		.gateway = name_gw,
		.name = name,
		.version = version,
		.mark = mark,
		.connected = connected,
		.seen_ms = now_ms,
	};
	inventory_see(inventory, &instance);
}

static bool reached_by_tcp(const char *host, uint16_t port, void *arg)
{
	(void)host;
	(void)port;
	return *(bool *)arg;
}

/* One row: what is there, and what the group is then. */
static const struct {
	const char *what;
	bool asked, enabled, gateway, addressed, connected, reached;
	bool joined;
	const char *blocking;
} rows[] = {
	{"not asked for", false, true, true, true, true, true, false, ""},
	{"a stream", true, true, true, true, true, false, true, ""},
	{"an address that answers", true, true, true, true, false, true, true, ""},
	{"interconnect off", true, false, true, true, true, true, false, "interconnect"},
	{"no gateway", true, true, false, false, false, false, false, "no EastWestGateway"},
	{"no address", true, true, true, false, true, false, false, "has an address"},
	{"nothing works", true, true, true, true, false, false, false, "works yet"},
};

static void a_group_is_joined_when_asked_enabled_and_a_gateway_works(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct inventory inventory;
		struct health health;
		bool reached = rows[i].reached;
		inventory_init(&inventory);
		health_init(&health);
		if (rows[i].connected)
			see(&inventory, one, true, true, 1000);
		struct group_spec group = {.name = name_group, .joined = rows[i].asked};
		struct gateway_spec gateway = {.name = name_gw,
		                               .cluster = name_cluster,
		                               .addresses = &at_gateway,
		                               .n_addresses = rows[i].addressed ? 1 : 0};
		const struct gateway_spec *gateways[] = {&gateway};
		struct network_input input = {
			.group = &group,
			.gateways = gateways,
			.n_gateways = rows[i].gateway ? 1 : 0,
			.interconnect_enabled = rows[i].enabled,
			.inventory = &inventory,
			.health = &health,
			.reached = reached_by_tcp,
			.arg = &reached,
		};
		struct network_result result = network_result_make(&input);
		if (result.network.joined != rows[i].joined)
			fail_msg("%s: joined is %d", rows[i].what, result.network.joined);
		if (rows[i].blocking[0] == '\0')
			assert_string_equal(result.blocking, "");
		else
			assert_non_null(strstr(result.blocking, rows[i].blocking));
		network_result_fini(&result);
		health_fini(&health);
		inventory_fini(&inventory);
	}
}

static void an_address_takes_the_mark_only_if_every_instance_announced_it(void **state)
{
	struct inventory inventory;
	(void)state;
	inventory_init(&inventory);
	assert_false(inventory_takes_mark(&inventory, name_gw));
	see(&inventory, one, true, true, 1000);
	assert_true(inventory_takes_mark(&inventory, name_gw));
	see(&inventory, two, false, true, 1000);
	assert_false(inventory_takes_mark(&inventory, name_gw));
	inventory_fini(&inventory);
}

static void an_instance_is_dropped_ten_minutes_after_its_stream(void **state)
{
	struct inventory inventory;
	(void)state;
	inventory_init(&inventory);
	see(&inventory, one, true, true, 1000);
	assert_false(inventory_expire(&inventory, 10000000));
	see(&inventory, one, true, false, 2000);
	assert_int_equal(inventory_connected(&inventory, name_gw), 0);
	assert_false(inventory_expire(&inventory, 2000 + INVENTORY_INSTANCE_MS - 1));
	assert_true(inventory_expire(&inventory, 2000 + INVENTORY_INSTANCE_MS));
	inventory_fini(&inventory);
}

static void addresses_of_the_group_replace_those_of_its_gateways(void **state)
{
	struct inventory inventory;
	struct health health;
	(void)state;
	inventory_init(&inventory);
	health_init(&health);
	see(&inventory, one, true, true, 1000);
	struct group_spec group = {
		.name = name_group, .joined = true, .addresses = &at_group, .n_addresses = 1};
	struct gateway_spec gateway = {.name = name_gw,
	                               .cluster = name_cluster,
	                               .addresses = &at_gateway,
	                               .n_addresses = 1};
	const struct gateway_spec *gateways[] = {&gateway};
	struct network_input input = {
		.group = &group,
		.gateways = gateways,
		.n_gateways = 1,
		.interconnect_enabled = true,
		.inventory = &inventory,
		.health = &health,
	};
	struct network_result result = network_result_make(&input);
	assert_int_equal(result.network.n_gateways, 1);
	assert_string_equal(result.network.gateways[0].address, typed);
	assert_string_equal(result.network.gateways[0].name, "");
	assert_true(result.network.gateways[0].mark);
	network_result_fini(&result);
	health_fini(&health);
	inventory_fini(&inventory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_is_joined_when_asked_enabled_and_a_gateway_works),
		cmocka_unit_test(an_address_takes_the_mark_only_if_every_instance_announced_it),
		cmocka_unit_test(an_instance_is_dropped_ten_minutes_after_its_stream),
		cmocka_unit_test(addresses_of_the_group_replace_those_of_its_gateways),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
