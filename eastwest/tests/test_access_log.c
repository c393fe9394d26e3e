/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log on a loop of the test's own; the test is the worker.
 */
#include "unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "path/access_log_io.h"

enum {
	TURN_MS = 50
};

struct world {
	struct loop *loop;
	struct ew_stats *stats;
	struct ew_access_log *log;
	char dir[64];
	char path[96];
	char moved[96];
};

static void set(struct world *world, const char *path, uint64_t sample)
{
	const struct ew_access_config config = {
		.path = str_lend(path), .json = true, .sample = sample};
	ew_access_log_set(world->log, &config);
}

static void open_world(struct world *world)
{
	*world = (struct world){.loop = loop_create(), .stats = ew_stats_create()};
	world->log = ew_access_log_create(world->loop, world->stats);
	ew_access_log_set_workers(world->log, 1);
	snprintf(world->dir, sizeof(world->dir), "/tmp/fedway-access-XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	snprintf(world->path, sizeof(world->path), "%s/log", world->dir);
	snprintf(world->moved, sizeof(world->moved), "%s/log.1", world->dir);
}

static void close_world(struct world *world)
{
	ew_access_log_destroy(world->log);
	ew_stats_destroy(world->stats);
	loop_destroy(world->loop);
	unlink(world->path);
	unlink(world->moved);
	assert_int_equal(rmdir(world->dir), 0);
}

static void put(struct world *world, size_t n)
{
	const struct ew_access access = {.reason = EW_CLOSE_DONE, .begun_us = 1, .ended_us = 2};
	for (size_t i = 0; i < n; i++)
		ew_access_log_put(world->log, 0, &access);
}

/* Turns until so many lines were written or lost. */
static void settle(struct world *world, int64_t written, int64_t lost)
{
	for (int i = 0;
	     i < 200 && metrics_get(world->stats->log_lines) + metrics_get(world->stats->log_lost) <
	                        written + lost;
	     i++)
		loop_run_once(world->loop, TURN_MS);
	assert_int_equal(metrics_get(world->stats->log_lines), written);
	assert_int_equal(metrics_get(world->stats->log_lost), lost);
}

static size_t count_lines(const char *path)
{
	struct buf text CLEANUP(buf_fini);
	struct err err;
	size_t n = 0;
	buf_init(&text, 64 << 20);
	assert_true(file_load(path, &text, &err));
	for (const char *at = buf_text(&text); *at != '\0'; at++)
		n += *at == '\n';
	return n;
}

static void writes_a_line_for_each(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	assert_int_equal(ew_access_log_sample(world.log), 0);
	set(&world, world.path, EW_SAMPLE_ALL / 4);
	assert_int_equal(ew_access_log_sample(world.log), EW_SAMPLE_ALL / 4);
	put(&world, 3);
	settle(&world, 3, 0);
	put(&world, 1);
	settle(&world, 4, 0);
	assert_int_equal(count_lines(world.path), 4);
	close_world(&world);
}

static void what_is_left_is_written_at_the_end(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	set(&world, world.path, EW_SAMPLE_ALL);
	put(&world, 2);
	set(&world, NULL, 0);
	assert_int_equal(ew_access_log_sample(world.log), 0);
	assert_int_equal(count_lines(world.path), 2);
	/* of a connection that was in the log when it was turned off */
	put(&world, 1);
	settle(&world, 2, 1);
	close_world(&world);
}

static void a_file_that_was_moved_away_is_made_anew(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	set(&world, world.path, EW_SAMPLE_ALL);
	put(&world, 1);
	settle(&world, 1, 0);
	assert_int_equal(rename(world.path, world.moved), 0);
	put(&world, 1);
	settle(&world, 2, 0);
	assert_int_equal(count_lines(world.moved), 2);
	ew_access_log_reopen(world.log);
	put(&world, 1);
	settle(&world, 3, 0);
	assert_int_equal(count_lines(world.path), 1);
	close_world(&world);
}

static void a_full_ring_loses_lines_and_holds_nobody_up(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	set(&world, world.path, EW_SAMPLE_ALL);
	put(&world, 5000);
	settle(&world, 2048, 5000 - 2048);
	close_world(&world);
}

static void a_pipe_that_nobody_reads_loses_lines_and_holds_nobody_up(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	assert_int_equal(mkfifo(world.path, 0600), 0);
	int reader = open(world.path, O_RDONLY | O_NONBLOCK);
	assert_true(reader >= 0);
	set(&world, world.path, EW_SAMPLE_ALL);
	for (int i = 0; i < 8; i++) {
		put(&world, 2000);
		loop_run_once(world.loop, TURN_MS);
		loop_run_once(world.loop, TURN_MS);
	}
	int64_t lost = metrics_get(world.stats->log_lost);
	assert_true(lost > 8000);
	/* read at last: whole lines only, and what is written next comes through */
	char bytes[65536];
	size_t lines = 0;
	for (int i = 0; i < 200 && metrics_get(world.stats->log_lines) + lost < 16000; i++) {
		ssize_t n;
		while ((n = read(reader, bytes, sizeof(bytes))) > 0) {
			for (ssize_t k = 0; k < n; k++)
				lines += bytes[k] == '\n';
		}
		loop_run_once(world.loop, TURN_MS);
	}
	assert_int_equal(metrics_get(world.stats->log_lines), 16000 - lost);
	assert_int_equal(metrics_get(world.stats->log_lost), lost);
	assert_true(lines > 0);
	close(reader);
	close_world(&world);
}

static void a_disk_without_room_loses_lines_and_is_tried_again(void **state)
{
	struct world world;
	(void)state;
	open_world(&world);
	set(&world, "/dev/full", EW_SAMPLE_ALL);
	put(&world, 2);
	settle(&world, 0, 2);
	put(&world, 2);
	settle(&world, 0, 4);
	set(&world, world.path, EW_SAMPLE_ALL);
	put(&world, 1);
	settle(&world, 1, 4);
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_a_line_for_each),
		cmocka_unit_test(what_is_left_is_written_at_the_end),
		cmocka_unit_test(a_file_that_was_moved_away_is_made_anew),
		cmocka_unit_test(a_full_ring_loses_lines_and_holds_nobody_up),
		cmocka_unit_test(a_pipe_that_nobody_reads_loses_lines_and_holds_nobody_up),
		cmocka_unit_test(a_disk_without_room_loses_lines_and_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
