/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the way, the end is the same: a builder and views that saw every change one by one agree
 * with ones that see only the last state. And a small change costs little.
 */
#include <time.h>

#include "model/health.h"
#include "model/view.h"
#include "tests/check.h"
#include "tests/world.h"

enum {
	WALK_CLUSTERS = 3
};

static const char *const names[WALK_CLUSTERS] = {"c1", "c2", "c3"};

/* All inputs as they stand. */
struct inputs {
	struct objects_walk objects[WALK_CLUSTERS];
	struct snapshot_builder *snapshots[WALK_CLUSTERS];
	char network[WALK_CLUSTERS][8]; /* "" no Cluster */
	bool withdrawn[WALK_CLUSTERS];
	bool joined[WALK_CLUSTERS];
	bool live[WALK_CLUSTERS];
	bool outage[WALK_CLUSTERS]; /* of one service in that network */
	int rule;                   /* 0: none */
	int settings;
};

static const char *const rules[] = {
	NULL,
	"{metadata: {namespace: ns, name: r}, spec: {host: svc0, subsets: [{name: v1, labels:"
	" {version: v1}}], trafficPolicy: {loadBalancer: {localityLbSetting: {failover:"
	" [{from: r1, to: r2}]}}}}}",
	"{metadata: {namespace: ns, name: r}, spec: {host: svc1, trafficPolicy: {loadBalancer:"
	" {localityLbSetting: {distribute: [{from: r1/*, to: {r1/z1/*: 50, r2/*: 50}}]}}}}}",
	"{metadata: {namespace: ns, name: r}, spec: {host: \"*.local\", trafficPolicy:"
	" {loadBalancer: {localityLbSetting: {enabled: false}}}}}",
};

static const char *const settings[] = {"{}", "{localityLbSetting: {}}", "{exportPolicy: OptIn}",
                                       "{interconnect: {enabled: false}}",
                                       "{failover: OutlierDetection, localityLbSetting: {}}"};

static void give_cluster(const struct inputs *in, size_t i, struct mesh_builder *b)
{
	struct mesh_cluster c = {.name = names[i],
	                         .network = in->network[i],
	                         .locality = locality_parse(STR_LIT("r1/z9")),
	                         .created_s = (int64_t)(10 - i),
	                         .withdrawn = in->withdrawn[i]};

	if (in->network[i][0] != '\0')
		mesh_builder_set_cluster(b, &c);
	else
		mesh_builder_remove_cluster(b, names[i]);
}

static void give_network(const struct inputs *in, size_t i, struct mesh_builder *b)
{
	char name[8], cluster[8];
	struct mesh_gateway gateway = {.name = "g",
	                               .cluster = cluster,
	                               .address = "192.0.2.1",
	                               .port = 15443,
	                               .weight = 1,
	                               .live = in->live[i]};
	struct mesh_network n = {
		.name = name, .joined = in->joined[i], .gateways = &gateway, .n_gateways = 1};

	snprintf(name, sizeof(name), "n%zu", i);
	snprintf(cluster, sizeof(cluster), "c%zu", i + 1);
	mesh_builder_set_network(b, &n);
}

static void give_outage(const struct inputs *in, size_t i, struct mesh_builder *b)
{
	char network[8];
	struct mesh_outage outage = {network, "outbound_.80_._.svc0.ns.svc.cluster.local", "cut"};

	snprintf(network, sizeof(network), "n%zu", i);
	if (in->outage[i])
		mesh_builder_set_outage(b, &outage);
	else
		mesh_builder_remove_outage(b, network, outage.sni);
}

static void give_rule(const struct inputs *in, struct mesh_builder *b)
{
	struct world w = {.builder = b};

	mesh_builder_remove_policy(b, "ns/r");
	if (in->rule > 0)
		world_rule(&w, rules[in->rule]);
}

static void give_settings(const struct inputs *in, struct mesh_builder *b)
{
	struct world w = {.builder = b};

	world_settings(&w, settings[in->settings]);
}

static void give_snapshot(struct snapshot_builder *from, size_t i, struct mesh_builder *b)
{
	struct snapshot *s = snapshot_builder_build(from);

	mesh_builder_set_snapshot(b, names[i], s);
	snapshot_unref(s);
}

static void step(struct inputs *in, struct mesh_builder *b)
{
	size_t i = (size_t)rand() % WALK_CLUSTERS;

	switch (rand() % 16) {
	case 0:
		snprintf(in->network[i], sizeof(in->network[i]), "%s%d", "n", rand() % 3);
		if (rand() % 4 == 0)
			in->network[i][0] = '\0';
		in->withdrawn[i] = rand() % 4 == 0;
		give_cluster(in, i, b);
		if (in->network[i][0] != '\0')
			give_snapshot(in->snapshots[i], i, b);
		break;
	case 1:
		in->joined[i] = rand() % 3 != 0;
		in->live[i] = rand() % 3 != 0;
		give_network(in, i, b);
		break;
	case 2:
		in->rule = rand() % (int)N_ELEMS(rules);
		give_rule(in, b);
		break;
	case 3:
		in->settings = rand() % (int)N_ELEMS(settings);
		give_settings(in, b);
		break;
	case 4:
		in->outage[i] = !in->outage[i];
		give_outage(in, i, b);
		break;
	default:
		objects_walk_step(&in->objects[i], in->snapshots[i]);
		give_snapshot(in->snapshots[i], i, b);
		break;
	}
}

static struct mesh *start_afresh(const struct inputs *in)
{
	struct mesh_builder *b = mesh_builder_create();
	struct mesh *mesh;

	for (size_t i = 0; i < WALK_CLUSTERS; i++) {
		struct snapshot_builder *s = snapshot_builder_create(names[i]);

		objects_walk_replay(&in->objects[i], s);
		give_snapshot(s, i, b);
		give_cluster(in, i, b);
		give_network(in, i, b);
		give_outage(in, i, b);
		snapshot_builder_destroy(s);
	}
	give_rule(in, b);
	give_settings(in, b);
	mesh = mesh_builder_build(b);
	mesh_builder_destroy(b);
	return mesh;
}

static void on_difference(const struct view_diff *diff, void *arg)
{
	(void)arg;
	fail_msg("differs: %d %s", diff->change, diff->name);
}

static void same_services(const struct mesh *a, const struct mesh *b)
{
	struct tree_iter x, y;
	const struct mesh_service *s = tree_first(&x, a->services);
	const struct mesh_service *t = tree_first(&y, b->services);

	for (; s != NULL && t != NULL; s = tree_next(&x), t = tree_next(&y)) {
		assert_string_equal(s->key, t->key);
		assert_int_equal(s->left_out, t->left_out);
		assert_int_equal(s->n_parts, t->n_parts);
		assert_int_equal(s->n_ports, t->n_ports);
		assert_int_equal(s->n_conflicts, t->n_conflicts);
		for (size_t i = 0; i < s->n_parts; i++) {
			assert_string_equal(s->parts[i].cluster->name, t->parts[i].cluster->name);
			assert_int_equal(s->parts[i].ready, t->parts[i].ready);
			assert_int_equal(s->parts[i].total, t->parts[i].total);
		}
	}
	assert_null(s);
	assert_null(t);
}

/* The network's values are other pointers in the two meshes; what they say is compared by routes.
 */
static void same_view(struct view *walked, struct mesh *fresh)
{
	struct view_key key = {walked->network, walked->cluster, walked->locality, walked->role};
	struct view *v = view_create(fresh, &key), *other;

	assert_int_equal(tree_len(v->networks), tree_len(walked->networks));
	other = view_ref(walked);
	tree_unref(v->networks);
	v->networks = tree_ref(walked->networks);
	view_diff(other, v, on_difference, NULL);
	view_unref(other);
	view_unref(v);
}

static void a_random_walk_ends_where_a_fresh_start_does(void **state)
{
	struct view_key keys[] = {
		{"n0", "c1", locality_parse(STR_LIT("r1/z1")), VIEW_GATEWAY},
		{"n1", "c2", locality_parse(STR_LIT("r2/z1")), VIEW_GATEWAY},
		{"n0", "c1", locality_none(), VIEW_INGRESS},
	};

	(void)state;
	srand(3);
	for (unsigned round = 0; round < 12; round++) {
		static struct inputs in;
		struct mesh_builder *b = mesh_builder_create();
		struct mesh *mesh = mesh_builder_build(b);
		struct view *views[N_ELEMS(keys)];

		memset(&in, 0, sizeof(in));
		for (size_t i = 0; i < WALK_CLUSTERS; i++)
			in.snapshots[i] = snapshot_builder_create(names[i]);
		for (size_t i = 0; i < N_ELEMS(keys); i++)
			views[i] = view_create(mesh, &keys[i]);
		mesh_unref(mesh);
		for (unsigned n = 0; n < 200; n++) {
			step(&in, b);
			if (rand() % 3 == 0)
				continue;
			mesh = mesh_builder_build(b);
			for (size_t i = 0; i < N_ELEMS(keys); i++) {
				struct view *next = view_update(views[i], mesh);

				view_unref(views[i]);
				views[i] = next;
			}
			if (n % 20 == 0) {
				struct mesh *fresh = start_afresh(&in);

				same_services(mesh, fresh);
				for (size_t i = 0; i < N_ELEMS(keys); i++)
					same_view(views[i], fresh);
				mesh_unref(fresh);
			}
			mesh_unref(mesh);
		}
		for (size_t i = 0; i < N_ELEMS(keys); i++)
			view_unref(views[i]);
		for (size_t i = 0; i < WALK_CLUSTERS; i++)
			snapshot_builder_destroy(in.snapshots[i]);
		mesh_builder_destroy(b);
	}
}

static void count(const struct view_diff *diff, void *arg)
{
	unsigned *n = arg;

	(void)diff;
	(*n)++;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void one_endpoint_of_2000_services_is_one_merge_and_one_difference(void **state)
{
	struct view_key key = {"n1", "c1", locality_parse(STR_LIT("region1/zone1")), VIEW_GATEWAY};
	struct world w;
	char name[32];

	(void)state;
	world_demo(&w);
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "load/svc%d", i);
		world_service(&w, i % 2 ? "c1" : "c2", name, "http:80",
		              "10.1.0.1@node 10.1.0.2@node 10.1.0.3@node", "");
	}
	struct view *v = view_create(world_mesh(&w), &key);
	uint64_t merges = mesh_builder_merges(w.builder);
	unsigned differences = 0;
	double spent = 0;

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "load/svc%d", i * 7);
		world_service(&w, i * 7 % 2 ? "c1" : "c2", name, "http:80",
		              "10.1.0.1@node 10.1.0.2@node 10.1.0.3@node-", "");
		double start = now_ms();
		struct view *next = view_update(v, world_mesh(&w));

		view_diff(v, next, count, &differences);
		spent += now_ms() - start;
		view_unref(v);
		v = next;
	}
	assert_int_equal(mesh_builder_merges(w.builder) - merges, 100);
	assert_int_equal(differences, 100);
	print_message("a change costs %.3f ms\n", spent / 100);
	assert_true(spent / 100 < 20);
	view_unref(v);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_random_walk_ends_where_a_fresh_start_does),
		cmocka_unit_test(one_endpoint_of_2000_services_is_one_merge_and_one_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
