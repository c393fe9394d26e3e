/* SPDX-License-Identifier: Apache-2.0 */
#include "control/check_io.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/net.h"

/* One connect on its way. */
struct check {
	struct list link;
	struct ew_checker *checker;
	struct ew_health *health; /* shared */
	struct loop_io io;
	int fd;
	int64_t began_us;
};

struct ew_checker {
	struct loop *loop;
	struct ew_health_registry *registry;
	struct ew_stats *stats;
	struct loop_timer timer;
	struct list checks;
	size_t n_checks;
	size_t position; /* in the rotation: addresses to leave out */
	size_t seen;     /* during a walk */
};

static void tell(struct ew_checker *checker, const struct ew_health *health)
{
	char text[ADDR_TEXT_MAX];
	bool live = health->live;
	addr_format(&health->addr, text);
	metrics_set(ew_stats_live(checker->stats, text), live);
	if (live)
		log_info("eastwest", "gateway address answers again address=%s", text);
	else
		log_warn("eastwest", "gateway address is out of use address=%s reason=\"%s\"", text,
		         health->reason);
}

static void end_check(struct check *check)
{
	struct ew_checker *checker = check->checker;
	loop_io_fini(&check->io);
	close(check->fd);
	list_remove(&check->link);
	checker->n_checks--;
	ew_health_unref(check->health);
	free(check);
}

static void on_result(struct ew_checker *checker, struct ew_health *health, const char *miss,
                      int64_t took_us)
{
	int64_t now_ms = loop_now_ms(checker->loop);
	bool changed = miss == NULL ? ew_health_on_good(checker->registry, health,
	                                                (uint32_t)took_us, now_ms)
	                            : ew_health_on_miss(checker->registry, health, miss, now_ms);
	if (changed)
		tell(checker, health);
}

static void on_connected(unsigned ready, void *arg)
{
	struct check *check = arg;
	int failed = net_error(check->fd);
	(void)ready;
	on_result(check->checker, check->health, failed != 0 ? strerror(failed) : NULL,
	          clock_now_us() - check->began_us);
	end_check(check);
}

static void begin_check(struct ew_checker *checker, struct ew_health *health)
{
	struct err err;
	int fd = net_connect(&health->addr, &err);
	if (fd < 0) {
		on_result(checker, health, err.msg, 0);
		return;
	}
	struct check *check = xcalloc(1, sizeof(*check));
	list_init(&check->link);
	check->checker = checker;
	check->health = ew_health_ref(health);
	check->fd = fd;
	check->began_us = clock_now_us();
	list_append(&checker->checks, &check->link);
	checker->n_checks++;
	loop_io_init(&check->io, checker->loop, fd, on_connected, check);
	loop_io_set(&check->io, LOOP_WRITE);
}

static void on_address(struct ew_health *health, void *arg)
{
	struct ew_checker *checker = arg;
	size_t i = checker->seen++;
	char text[ADDR_TEXT_MAX];
	if (i < checker->position || checker->n_checks >= EW_CHECKS_MAX)
		return;
	metrics_set(ew_stats_live(checker->stats, addr_format(&health->addr, text)), health->live);
	begin_check(checker, health);
	checker->position = i + 1;
}

/* A connect of the turn before that has not answered is a miss. */
static void end_slow(struct ew_checker *checker)
{
	list_for_each_safe (it, &checker->checks) {
		struct check *check = LIST_ENTRY(it, struct check, link);
		on_result(checker, check->health, "no answer within a second", 0);
		end_check(check);
	}
}

static void on_second(void *arg)
{
	struct ew_checker *checker = arg;
	loop_timer_set(&checker->timer, EW_HEALTH_INTERVAL_MS);
	end_slow(checker);
	checker->seen = 0;
	ew_health_walk(checker->registry, on_address, checker);
	if (checker->position >= checker->seen)
		checker->position = 0;
}

struct ew_checker *ew_checker_create(struct loop *loop, struct ew_health_registry *registry,
                                     struct ew_stats *stats)
{
	struct ew_checker *checker = xcalloc(1, sizeof(*checker));
	checker->loop = loop;
	checker->registry = registry;
	checker->stats = stats;
	list_init(&checker->checks);
	loop_timer_init(&checker->timer, loop, on_second, checker);
	loop_timer_set(&checker->timer, 0);
	return checker;
}

void ew_checker_destroy(struct ew_checker *checker)
{
	if (checker == NULL)
		return;
	list_for_each_safe (it, &checker->checks)
		end_check(LIST_ENTRY(it, struct check, link));
	loop_timer_fini(&checker->timer);
	free(checker);
}
