/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "control/lost.h"

static struct ew_table *table(struct ew_health_registry *registry, bool with_gateway)
{
	struct ew_table_builder *builder = ew_table_builder_create(NULL, registry);
	struct ew_gateway_spec gateway = {.cluster = STR_LIT("c2"), .weight = 1, .mark = true};
	struct err err;
	assert_true(addr_parse(STR_LIT("192.0.2.2:15443"), &gateway.addr));
	if (with_gateway)
		assert_true(
			ew_table_builder_set_network(builder, STR_LIT("n2"), &gateway, 1, &err));
	return ew_table_builder_finish(builder);
}

static void what_is_withdrawn_while_dead_is_kept_until_it_is_back_or_too_old(void **state)
{
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_table *with = table(registry, true);
	struct ew_table *without = table(registry, false);
	struct ew_health *health = ew_table_network_at(with, 0)->gateways[0].health;
	struct ew_lost lost = {0};
	(void)state;
	ew_lost_follow(&lost, with, without, 0);
	assert_int_equal(map_len(&lost.gateways), 0);
	for (int i = 0; i < EW_HEALTH_MISSES; i++)
		ew_health_on_miss(registry, health, "no echo", i);
	ew_lost_follow(&lost, with, without, 0);
	const struct ew_lost_gateway *gateway =
		map_find(&lost.gateways, STR_LIT("192.0.2.2:15443"));
	assert_non_null(gateway);
	assert_string_equal(gateway->network, "n2");
	assert_string_equal(gateway->cluster, "c2");
	assert_true(gateway->mark);
	ew_lost_follow(&lost, without, with, 1);
	assert_int_equal(map_len(&lost.gateways), 0);
	ew_lost_follow(&lost, with, without, 2);
	ew_lost_follow(&lost, NULL, without, EW_LOST_KEEP_MS + 1);
	assert_int_equal(map_len(&lost.gateways), 1);
	ew_lost_follow(&lost, NULL, without, EW_LOST_KEEP_MS + 2);
	assert_int_equal(map_len(&lost.gateways), 0);
	ew_lost_fini(&lost);
	ew_table_unref(with);
	ew_table_unref(without);
	ew_health_registry_destroy(registry);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_withdrawn_while_dead_is_kept_until_it_is_back_or_too_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
