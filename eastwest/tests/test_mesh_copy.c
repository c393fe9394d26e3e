/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh_pair.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uplink/mesh_copy.h"

static void format(struct buf *text)
{
	struct mesh_pair pair;
	mesh_pair_init(&pair);
	buf_init(text, EW_MESH_COPY_MAX);
	ew_mesh_copy_format(pair.client, text);
	assert_false(buf_failed(text));
	mesh_pair_fini(&pair);
}

static bool parse(struct str text, const char *cluster, struct err *err)
{
	struct xds_delta_client *client = mesh_client();
	bool ok = ew_mesh_copy_parse(text, cluster, client, err);
	/* all or nothing */
	assert_int_equal(xds_delta_client_len(client, XDS_CLUSTER), ok ? 1 : 0);
	assert_int_equal(xds_delta_client_snapshot(client) != NULL, ok);
	xds_delta_client_destroy(client);
	return ok;
}

static void a_copy_brings_back_what_was_held(void **state)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct buf again CLEANUP(buf_fini) = {0};
	struct xds_delta_client *client = mesh_client();
	struct err err;
	(void)state;
	format(&text);
	assert_true(ew_mesh_copy_parse(buf_str(&text), "c1", client, &err));
	assert_non_null(xds_delta_client_find(client, XDS_ASSIGNMENT, STR_LIT(WEB)));
	assert_string_equal(xds_delta_client_snapshot(client)->network, "n1");
	buf_init(&again, EW_MESH_COPY_MAX);
	ew_mesh_copy_format(client, &again);
	assert_true(str_eq(buf_str(&text), buf_str(&again)));
	xds_delta_client_destroy(client);
}

static void every_cut_and_every_flipped_byte_counts_as_no_copy(void **state)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct err err;
	(void)state;
	format(&text);
	for (size_t i = 0; i < text.len; i++) {
		assert_false(parse(str_make(text.ptr, i), "c1", &err));
		text.ptr[i] ^= 1;
		assert_false(parse(buf_str(&text), "c1", &err));
		text.ptr[i] ^= 1;
	}
	assert_true(parse(buf_str(&text), "c1", &err));
}

static void the_copy_of_another_cluster_is_left_aside(void **state)
{
	struct buf text CLEANUP(buf_fini) = {0};
	struct err err;
	(void)state;
	format(&text);
	assert_false(parse(buf_str(&text), "c2", &err));
	assert_string_equal(err.msg, "is of cluster 'c1', not of 'c2'");
}

static void a_newer_format_is_named(void **state)
{
	struct err err;
	(void)state;
	assert_false(parse(STR_LIT("fedway-gateway-mesh 2 00\nx"), "c1", &err));
	assert_string_equal(err.msg, "has format '2', not 1");
	assert_false(parse(STR_LIT("{}\n"), "c1", &err));
	assert_string_equal(err.msg, "is not a copy of a gateway's mesh");
}

static void the_file_is_for_its_owner_alone_and_can_be_removed(void **state)
{
	char dir[] = "/tmp/fedway-meshcopy-XXXXXX";
	struct xds_delta_client *client = mesh_client();
	struct mesh_pair pair;
	struct stat st;
	struct err err;
	(void)state;
	assert_non_null(mkdtemp(dir));
	char *path = xasprintf("%s/mesh.copy", dir);
	assert_false(ew_mesh_copy_load(dir, "c1", client, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	mesh_pair_init(&pair);
	assert_true(ew_mesh_copy_save(dir, pair.client, &err));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(ew_mesh_copy_load(dir, "c1", client, &err));
	ew_mesh_copy_remove(dir);
	assert_int_equal(access(path, F_OK), -1);
	mesh_pair_fini(&pair);
	xds_delta_client_destroy(client);
	free(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_brings_back_what_was_held),
		cmocka_unit_test(every_cut_and_every_flipped_byte_counts_as_no_copy),
		cmocka_unit_test(the_copy_of_another_cluster_is_left_aside),
		cmocka_unit_test(a_newer_format_is_named),
		cmocka_unit_test(the_file_is_for_its_owner_alone_and_can_be_removed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
