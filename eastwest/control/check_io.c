/* SPDX-License-Identifier: Apache-2.0 */
#include "control/check_io.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "base/net.h"
#include "uplink/ping_io.h"

/* One connect on its way. */
struct check {
	struct list link;
	struct ew_checker *checker;
	struct ew_health *health; /* shared */
	struct loop_io io;
	int fd;
	int64_t began_us;
};

/* A kept connection to the canary behind an address. */
struct canary {
	struct ew_ping *ping; /* owned */
	bool wanted;          /* in this turn */
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
	size_t begun;    /* during a walk */

	struct tls_ctx *tls;    /* shared; NULL: by TCP alone */
	struct ew_table *table; /* shared; NULL: by TCP alone */
	struct map marked;      /* address text to struct ew_gateway of the table */
	struct map networks;    /* address text to the name of its network */
	struct map canaries;    /* address text to struct canary */
	struct ew_lost lost;
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

/* --- canaries --------------------------------------------------------------------------------- */

static void on_ping(struct ew_health *health, const char *miss, int64_t took_us, void *arg)
{
	struct ew_checker *checker = arg;
	char text[ADDR_TEXT_MAX];
	if (health->not_after_s != 0)
		metrics_set(
			ew_stats_peer_not_after(checker->stats, addr_format(&health->addr, text)),
			health->not_after_s);
	on_result(checker, health, miss, took_us);
}

static void free_canary(void *value)
{
	struct canary *canary = value;
	if (canary == NULL)
		return;
	ew_ping_destroy(canary->ping);
	free(canary);
}

/* Of an address that takes the mark. network NULL: of another one. */
static struct ew_ping_target target_of(const struct ew_checker *checker, struct str key)
{
	const struct ew_gateway *gateway = map_find(&checker->marked, key);
	const struct ew_network *network = map_find(&checker->networks, key);
	const struct ew_lost_gateway *lost = map_find(&checker->lost.gateways, key);
	if (gateway == NULL)
		return lost != NULL && lost->mark
		               ? (struct ew_ping_target){lost->network, lost->cluster}
		               : (struct ew_ping_target){NULL, NULL};
	const struct ew_names *names = ew_table_names(checker->table);
	return (struct ew_ping_target){ew_names_text(names, network->name),
	                               ew_names_text(names, gateway->cluster)};
}

static void ping(struct ew_checker *checker, struct ew_health *health, struct str key)
{
	struct ew_ping_target target = target_of(checker, key);
	struct canary *canary = map_find(&checker->canaries, key);
	if (canary == NULL || !ew_ping_is_for(canary->ping, &target)) {
		struct canary *fresh = xcalloc(1, sizeof(*fresh));
		fresh->ping = ew_ping_create(checker->loop, health, &target, on_ping, checker);
		free_canary(map_set(&checker->canaries, key, fresh));
		canary = fresh;
	}
	canary->wanted = true;
	ew_ping_turn(canary->ping, checker->tls);
}

/* Closes those whose address is gone, is checked otherwise now, or has no turn. */
static void end_canaries(struct ew_checker *checker)
{
	map_for_each (it, &checker->canaries) {
		struct canary *canary = map_value(it);
		bool wanted = canary->wanted;
		canary->wanted = false;
		if (!wanted)
			free_canary(map_remove(&checker->canaries, map_key(it)));
	}
}

static void forget_table(struct ew_checker *checker)
{
	map_fini(&checker->marked, NULL);
	map_fini(&checker->networks, NULL);
	ew_table_unref(checker->table);
	checker->table = NULL;
}

static void note_gateway(struct ew_checker *checker, const struct ew_network *network,
                         struct ew_gateway *gateway)
{
	char text[ADDR_TEXT_MAX];
	struct str key = str_from(addr_format(&gateway->addr, text));
	if (!gateway->mark)
		return;
	map_set(&checker->marked, key, gateway);
	map_set(&checker->networks, key, (void *)(uintptr_t)network);
}

void ew_checker_set_table(struct ew_checker *checker, struct ew_table *table)
{
	ew_lost_follow(&checker->lost, checker->table, table, loop_now_ms(checker->loop));
	ew_table_ref(table);
	forget_table(checker);
	checker->table = table;
	for (uint32_t i = 0; i < ew_table_n_networks(table); i++) {
		const struct ew_network *network = ew_table_network_at(table, i);
		for (uint32_t k = 0; k < network->n_gateways; k++)
			note_gateway(checker, network, &network->gateways[k]);
	}
}

const struct ew_lost *ew_checker_lost(const struct ew_checker *checker)
{
	return &checker->lost;
}

void ew_checker_set_tls(struct ew_checker *checker, struct tls_ctx *tls)
{
	tls_ctx_ref(tls);
	tls_ctx_unref(checker->tls);
	checker->tls = tls;
}

/* --- turns ------------------------------------------------------------------------------------ */

static void on_address(struct ew_health *health, void *arg)
{
	struct ew_checker *checker = arg;
	size_t i = checker->seen++;
	char text[ADDR_TEXT_MAX];
	struct str key = str_from(addr_format(&health->addr, text));
	if (i < checker->position || checker->begun >= EW_CHECKS_MAX)
		return;
	metrics_set(ew_stats_live(checker->stats, text), health->live);
	checker->begun++;
	if (checker->tls != NULL && target_of(checker, key).network != NULL)
		ping(checker, health, key);
	else
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
	checker->begun = 0;
	if (checker->table != NULL)
		ew_lost_follow(&checker->lost, NULL, checker->table, loop_now_ms(checker->loop));
	ew_health_walk(checker->registry, on_address, checker);
	end_canaries(checker);
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
	map_fini(&checker->canaries, free_canary);
	ew_lost_fini(&checker->lost);
	forget_table(checker);
	tls_ctx_unref(checker->tls);
	loop_timer_fini(&checker->timer);
	free(checker);
}
