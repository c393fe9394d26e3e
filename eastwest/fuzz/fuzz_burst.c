/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any resources, through the gateway's own checks and in as many bursts as the input has ends: a
 * table that grew burst by burst is the table that would be made of everything at once, and a disk
 * copy of it is taken.
 *
 * The input is a list of steps:
 *   tag, length of the name, name, length in 2 bytes, message    a resource; tag & 3 is its type
 *   tag | 4, length of the name, name                            one that is removed
 *   tag | 8                                                      the Snapshot, whose counts agree
 *   tag | 16, length in 2 bytes, message                         a Snapshot as it comes
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "eastwest/mesh.h"
#include "uplink/mesh_copy.h"
#include "xds/message.h"
#include "xds/proto/discovery.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	REMOVED = 4,
	SNAPSHOT = 8,
	RAW_SNAPSHOT = 16,
	RESPONSE_MAX = 1 << 20
};

#define CANARY "127.0.0.1:4711"

static const enum xds_type TYPES[] = {XDS_CLUSTER, XDS_NETWORK, XDS_PEERS, XDS_ASSIGNMENT};
static char CONSUMER[] = "gw/host";

struct scene {
	struct xds_delta_client *client;
	struct ew_health_registry *registry;
	struct ew_mesh *mesh;
	struct ew_table *table;       /* NULL before the first burst */
	struct map held[N_XDS_TYPES]; /* names that the client holds, by what it was sent */
	bool ended;                   /* the stream */
	bool left_out;                /* something at some time */
	bool raw;                     /* the present step */
};

struct step {
	uint8_t tag;
	enum xds_type type;
	struct str name;
	struct str bytes;
};

/* --- reading ---------------------------------------------------------------------------------- */

static struct str take(struct str *input, size_t n)
{
	n = n < input->len ? n : input->len;
	struct str piece = {input->ptr, n};
	*input = (struct str){input->ptr + n, input->len - n};
	return piece;
}

static size_t take_number(struct str *input, size_t n_bytes)
{
	struct str digits = take(input, n_bytes);
	size_t number = 0;
	for (size_t i = 0; i < digits.len; i++)
		number = number << 8 | (uint8_t)digits.ptr[i];
	return number;
}

static struct step take_step(struct str *input)
{
	struct step step = {.tag = (uint8_t)take_number(input, 1)};
	step.type = TYPES[step.tag % N_ELEMS(TYPES)];
	if (step.tag & SNAPSHOT)
		return step;
	if (!(step.tag & RAW_SNAPSHOT))
		step.name = take(input, take_number(input, 1));
	if (!(step.tag & REMOVED) || step.tag & RAW_SNAPSHOT)
		step.bytes = take(input, take_number(input, 2));
	return step;
}

/* --- what is in force ------------------------------------------------------------------------- */

static size_t resolve(struct str host, struct ip *ret_ips, size_t max, void *arg)
{
	(void)arg;
	if (max == 0 || host.len % 3 == 0)
		return 0;
	return ip_parse(STR_LIT("192.0.2.9"), ret_ips);
}

static struct ew_table *table_of(struct ew_mesh *mesh, const struct ew_table *old,
                                 struct ew_burst *burst, bool *left_out)
{
	struct err err;
	size_t n;
	ew_mesh_take(mesh, burst);
	struct ew_mesh_parts parts = {old, burst, resolve, NULL};
	struct ew_table *table = ew_mesh_table(mesh, &parts, &n, &err);
	*left_out |= n > 0;
	ew_burst_destroy(burst);
	return table;
}

static void check_same(const struct ew_table *grown, const struct ew_table *whole,
                       const struct xds_delta_client *client, struct xds_resource *cluster)
{
	const struct ew_route *a = ew_table_find(grown, cluster->name);
	const struct ew_route *b = ew_table_find(whole, cluster->name);
	assert(xds_delta_client_find(client, XDS_CLUSTER, cluster->name) == cluster);
	assert(a != NULL && b != NULL);
	assert(a->n_endpoints == b->n_endpoints && a->n_groups == b->n_groups);
	assert(a->exposed == b->exposed && a->weighted == b->weighted);
	assert(a->connect_ms == b->connect_ms && a->idle_ms == b->idle_ms);
	assert(memcmp(&a->policy, &b->policy, sizeof(a->policy)) == 0);
}

struct pair {
	const struct scene *scene;
	const struct ew_table *whole;
};

static void on_held(struct xds_resource *resource, void *arg)
{
	const struct pair *pair = arg;
	if (resource->type == XDS_CLUSTER)
		check_same(pair->scene->table, pair->whole, pair->scene->client, resource);
}

static void check_whole(const struct scene *scene, const struct addr *canary)
{
	bool left_out = false;
	struct ew_health_registry *registry = ew_health_registry_create();
	struct ew_mesh *mesh = ew_mesh_create(registry, canary);
	struct ew_table *whole =
		table_of(mesh, NULL, ew_burst_create(scene->client, true), &left_out);
	if (!left_out && !scene->left_out) {
		struct pair pair = {scene, whole};
		assert(ew_table_n_routes(scene->table) == ew_table_n_routes(whole));
		assert(ew_table_n_networks(scene->table) == ew_table_n_networks(whole));
		xds_delta_client_for_each(scene->client, on_held, &pair);
	}
	ew_table_unref(whole);
	ew_mesh_destroy(mesh);
	ew_health_registry_destroy(registry);
}

static void check_copy(const struct scene *scene)
{
	const struct xds_node node = {.id = CONSUMER, .role = XDS_ROLE_GATEWAY, .name = CONSUMER};
	const struct xds_snapshot *snapshot = xds_delta_client_snapshot(scene->client);
	if (snapshot->cluster == NULL)
		return;
	struct xds_delta_client *to = xds_delta_client_create(&node, ew_burst_check, NULL);
	struct buf text CLEANUP(buf_fini) = {0};
	struct err err;
	buf_init(&text, EW_MESH_COPY_MAX);
	ew_mesh_copy_format(scene->client, &text);
	assert(ew_mesh_copy_parse(buf_str(&text), snapshot->cluster, to, &err));
	for (size_t i = 0; i < N_ELEMS(TYPES); i++)
		assert(xds_delta_client_len(to, TYPES[i]) ==
		       xds_delta_client_len(scene->client, TYPES[i]));
	xds_delta_client_destroy(to);
}

static void on_applied(struct scene *scene)
{
	struct addr canary;
	assert(addr_parse(STR_LIT(CANARY), &canary));
	struct ew_burst *burst = ew_burst_create(scene->client, scene->table == NULL);
	struct ew_table *table = table_of(scene->mesh, scene->table, burst, &scene->left_out);
	ew_table_unref(scene->table);
	scene->table = table;
	check_whole(scene, &canary);
	check_copy(scene);
}

/* --- the stream ------------------------------------------------------------------------------- */

static void drain(struct scene *scene)
{
	for (;;) {
		struct buf request CLEANUP(buf_fini) = {0};
		buf_init(&request, RESPONSE_MAX);
		if (!xds_delta_client_next(scene->client, &request))
			return;
		assert(!buf_failed(&request) && request.len > 0);
	}
}

static void feed(struct scene *scene, enum xds_type type, Envoy__DeltaDiscoveryResponse *from)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	enum xds_client_event event = XDS_CLIENT_NONE;
	struct err err;
	char *url = str_lend(xds_type_url(type));
	char nonce[] = "n";
	from->type_url = url;
	from->nonce = nonce;
	buf_init(&bytes, RESPONSE_MAX);
	xds_message_pack(&from->base, &bytes);
	if (!xds_delta_client_feed(scene->client, buf_str(&bytes), &event, &err))
		scene->ended = true;
	if (event == XDS_CLIENT_APPLIED)
		on_applied(scene);
	/* counts that were reckoned here do agree */
	assert(event != XDS_CLIENT_RESYNC || scene->raw);
	if (event == XDS_CLIENT_LEFT || event == XDS_CLIENT_RESYNC)
		scene->ended = true;
	drain(scene);
}

static void feed_resource(struct scene *scene, enum xds_type type, const char *name,
                          struct str bytes)
{
	Google__Any any = GOOGLE__ANY__INIT;
	Envoy__Resource resource = ENVOY__RESOURCE__INIT;
	Envoy__Resource *list[] = {&resource};
	Envoy__DeltaDiscoveryResponse response = ENVOY__DELTA_DISCOVERY_RESPONSE__INIT;
	char *url = str_lend(xds_type_url(type));
	char version[] = "v";
	any.type_url = url;
	any.has_value = true;
	any.value = (ProtobufCBinaryData){bytes.len, (uint8_t *)str_lend(bytes.ptr)};
	resource.name = str_lend(name);
	resource.version = version;
	resource.resource = &any;
	response.resources = list;
	response.n_resources = 1;
	feed(scene, type, &response);
}

static void feed_removed(struct scene *scene, enum xds_type type, const char *name)
{
	char *list[] = {str_lend(name)};
	Envoy__DeltaDiscoveryResponse response = ENVOY__DELTA_DISCOVERY_RESPONSE__INIT;
	response.removed_resources = list;
	response.n_removed_resources = 1;
	feed(scene, type, &response);
}

static void feed_snapshot(struct scene *scene)
{
	static char version[] = "1";
	static char network[] = "n1";
	static char cluster[] = "c1";
	static char locality[] = "r1/z1/";
	struct xds_snapshot snapshot = {version, false, network, cluster, locality,
	                                NULL,    0,     {0},     {0}};
	struct err err;
	for (size_t i = 0; i < N_ELEMS(TYPES); i++) {
		snapshot.counted[TYPES[i]] = true;
		snapshot.held[TYPES[i]] = (uint32_t)map_len(&scene->held[TYPES[i]]);
	}
	struct xds_resource *resource = xds_snapshot_encode(&snapshot, &err);
	assert(resource != NULL);
	feed_resource(scene, XDS_SNAPSHOT, "default", resource->bytes);
	xds_resource_unref(resource);
}

/* A name is a C string here, as it is for everybody behind protobuf-c. */
static void feed_named(struct scene *scene, const struct step *step)
{
	char *name CLEANUP(free_ptr) = str_dup(step->name);
	struct map *held = &scene->held[step->type];
	if (name[0] == '\0')
		return;
	if (step->tag & REMOVED) {
		map_remove(held, str_from(name));
		feed_removed(scene, step->type, name);
	} else {
		map_add(held, str_from(name));
		feed_resource(scene, step->type, name, step->bytes);
	}
}

static void take_part(struct scene *scene, const struct step *step)
{
	scene->raw = step->tag & RAW_SNAPSHOT && !(step->tag & SNAPSHOT);
	if (step->tag & SNAPSHOT)
		feed_snapshot(scene);
	else if (step->tag & RAW_SNAPSHOT)
		feed_resource(scene, XDS_SNAPSHOT, "default", step->bytes);
	else
		feed_named(scene, step);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct xds_node node = {.id = CONSUMER, .role = XDS_ROLE_GATEWAY, .name = CONSUMER};
	struct str input = str_make((const char *)data, size);
	struct scene scene = {.client = xds_delta_client_create(&node, ew_burst_check, NULL),
	                      .registry = ew_health_registry_create()};
	struct addr canary;
	assert(addr_parse(STR_LIT(CANARY), &canary));
	scene.mesh = ew_mesh_create(scene.registry, &canary);
	xds_delta_client_start(scene.client, true);
	drain(&scene);
	while (input.len > 0 && !scene.ended) {
		struct step step = take_step(&input);
		take_part(&scene, &step);
	}
	for (size_t i = 0; i < N_XDS_TYPES; i++)
		map_fini(&scene.held[i], NULL);
	ew_table_unref(scene.table);
	ew_mesh_destroy(scene.mesh);
	ew_health_registry_destroy(scene.registry);
	xds_delta_client_destroy(scene.client);
	return 0;
}
