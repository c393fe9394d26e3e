/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/net.h"
#include "control/takeover_io.h"

static struct addr addr_of(const char *text)
{
	struct addr addr;
	assert_true(addr_parse(str_from(text), &addr));
	return addr;
}

static void a_message_comes_back_as_it_was(void **state)
{
	static const struct {
		enum ew_takeover_kind kind;
		const char *name;
		const char *address;
		uint32_t worker;
	} rows[] = {
		{EW_TAKEOVER_LISTENER, "ingress", "0.0.0.0:15443", 0},
		{EW_TAKEOVER_LISTENER, "egress", "[2001:db8::1]:15444", 255},
		{EW_TAKEOVER_HEALTH, "", "127.0.0.1:15021", 0},
		{EW_TAKEOVER_METRICS, "", "[::]:15090", 0},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct ew_takeover_message in = {.kind = rows[i].kind,
		                                 .addr = addr_of(rows[i].address),
		                                 .worker = rows[i].worker};
		struct ew_takeover_message out;
		struct buf text CLEANUP(buf_fini);
		struct err err;
		snprintf(in.name, sizeof(in.name), "%s", rows[i].name);
		buf_init(&text, EW_TAKEOVER_MESSAGE_MAX);
		ew_takeover_encode(&in, &text);
		assert_true(ew_takeover_decode(buf_str(&text), &out, &err));
		assert_int_equal(out.kind, in.kind);
		assert_string_equal(out.name, in.name);
		assert_true(addr_eq(&out.addr, &in.addr));
		assert_int_equal(out.worker, in.worker);
	}
}

static void what_no_gateway_sends_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"S",
		"[]",
		"{}",
		"{\"kind\": \"other\"}",
		"{\"kind\": \"end\", \"workers\": -1}",
		"{\"kind\": \"end\", \"workers\": 4294967297}",
		"{\"kind\": \"listener\", \"name\": \"a\", \"address\": \"a\", \"worker\": 0}",
		"{\"kind\": \"listener\", \"name\": \"a\", \"worker\": 0}",
		("{\"kind\": \"listener\", \"address\": \"1.2.3.4:5\", \"worker\": 0, \"name\": "
	         "\"a123456789012345678901234567890123456789012345678901234567890123\"}"),
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(texts); i++) {
		struct ew_takeover_message out;
		struct err err;
		assert_false(ew_takeover_decode(str_from(texts[i]), &out, &err));
	}
}

/* --- between two gateways, here in one process ------------------------------------------------ */

struct rig {
	struct loop *loop;
	char dir[64];
	struct ew_takeover *takeover;
	struct addr bound;
	int fd; /* of the one listener */
	int n_taken;
	struct ew_left left;
	struct ew_taken taken; /* what the successor has */
	bool asked;
	bool ok;
	struct err err;
};

static struct ew_taken list_one(void *arg)
{
	struct rig *rig = arg;
	struct ew_taken list = {.n = 1, .n_workers = 1, .peer = -1};
	list.list = xcalloc(1, sizeof(*list.list));
	list.list[0].fd = rig->fd;
	list.list[0].message = (struct ew_takeover_message){
		.kind = EW_TAKEOVER_LISTENER, .name = "ingress", .addr = rig->bound};
	return list;
}

static void on_taken(const struct ew_left *left, void *arg)
{
	struct rig *rig = arg;
	rig->n_taken++;
	rig->left = *left;
}

static void rig_init(struct rig *rig)
{
	const struct addr any = addr_of("127.0.0.1:0");
	struct err err;
	*rig = (struct rig){.loop = loop_create(), .taken = {.peer = -1}};
	snprintf(rig->dir, sizeof(rig->dir), "/tmp/fedway-takeover-XXXXXX");
	assert_non_null(mkdtemp(rig->dir));
	rig->fd = net_listen(&any, true, &rig->bound, &err);
	assert_true(rig->fd >= 0);
	const struct ew_takeover_options options = {.loop = rig->loop,
	                                            .data_dir = rig->dir,
	                                            .list = list_one,
	                                            .on_taken = on_taken,
	                                            .arg = rig};
	rig->takeover = ew_takeover_create(&options, &err);
	assert_non_null(rig->takeover);
}

static void rig_fini(struct rig *rig)
{
	char path[100];
	ew_takeover_destroy(rig->takeover);
	ew_taken_fini(&rig->taken);
	close(rig->fd);
	loop_destroy(rig->loop);
	snprintf(path, sizeof(path), "%s/takeover.sock", rig->dir);
	unlink(path);
	assert_int_equal(rmdir(rig->dir), 0);
}

static void *ask(void *arg)
{
	struct rig *rig = arg;
	rig->ok = ew_takeover_ask(rig->dir, &rig->taken, &rig->err);
	return NULL;
}

static void ask_it(struct rig *rig)
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, ask, rig), 0);
	loop_run_once(rig->loop, 5000);
	pthread_join(thread, NULL);
	assert_true(rig->ok);
}

static void the_successor_has_the_same_sockets(void **state)
{
	struct ew_takeover_message wish = {.kind = EW_TAKEOVER_LISTENER,
	                                   .addr = addr_of("127.0.0.1:0")};
	struct rig rig;
	struct err err;
	(void)state;
	rig_init(&rig);
	ask_it(&rig);
	assert_int_equal(rig.taken.n_workers, 1);
	assert_int_equal(ew_taken_use(&rig.taken, &wish), -1);
	snprintf(wish.name, sizeof(wish.name), "ingress");
	int fd = ew_taken_use(&rig.taken, &wish);
	assert_true(fd >= 0);
	assert_true(addr_eq(&wish.addr, &rig.bound));
	assert_int_equal(ew_taken_use(&rig.taken, &wish), -1);
	/* one queue for both */
	int client = net_connect(&rig.bound, &err);
	assert_true(client >= 0);
	close(rig.fd);
	rig.fd = fd;
	int accepted = net_accept(fd, NULL);
	assert_true(accepted >= 0);
	close(accepted);
	close(client);
	assert_int_equal(rig.n_taken, 0);
	ew_takeover_done(&rig.taken);
	loop_run_once(rig.loop, 5000);
	assert_int_equal(rig.n_taken, 1);
	assert_int_equal(rig.left.n, 0);
	rig_fini(&rig);
}

static void a_successor_that_ends_early_changes_nothing(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	for (int i = 0; i < 3; i++) {
		ask_it(&rig);
		ew_taken_fini(&rig.taken);
		loop_run_once(rig.loop, 5000);
	}
	assert_int_equal(rig.n_taken, 0);
	assert_true(fcntl(rig.fd, F_GETFD) >= 0);
	rig_fini(&rig);
}

static void a_successor_says_what_it_has_left(void **state)
{
	struct rig rig;
	(void)state;
	rig_init(&rig);
	ask_it(&rig);
	ew_takeover_done(&rig.taken);
	loop_run_once(rig.loop, 5000);
	assert_int_equal(rig.n_taken, 1);
	assert_int_equal(rig.left.n, 1);
	assert_true(addr_eq(&rig.left.list[0], &rig.bound));
	rig_fini(&rig);
}

static void what_is_left_is_read_or_refused(void **state)
{
	static const struct {
		const char *text;
		bool good;
		size_t n;
	} rows[] = {
		{"S", true, 0},
		{"S 127.0.0.1:80", true, 1},
		{"S 0.0.0.0:15443 [::]:15443", true, 2},
		{"", false, 0},
		{"T", false, 0},
		{"SS", false, 0},
		{"S ", false, 0},
		{"S 127.0.0.1", false, 0},
	};
	(void)state;
	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		struct ew_left left;
		assert_int_equal(ew_takeover_decode_left(str_from(rows[i].text), &left),
		                 rows[i].good);
		if (rows[i].good)
			assert_int_equal(left.n, rows[i].n);
	}
}

static void without_a_predecessor_there_is_nothing(void **state)
{
	struct ew_taken taken;
	struct err err;
	(void)state;
	assert_true(ew_takeover_ask("/nowhere", &taken, &err));
	assert_int_equal(taken.peer, -1);
	assert_int_equal(taken.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_comes_back_as_it_was),
		cmocka_unit_test(what_no_gateway_sends_is_refused),
		cmocka_unit_test(the_successor_has_the_same_sockets),
		cmocka_unit_test(a_successor_that_ends_early_changes_nothing),
		cmocka_unit_test(a_successor_says_what_it_has_left),
		cmocka_unit_test(what_is_left_is_read_or_refused),
		cmocka_unit_test(without_a_predecessor_there_is_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
