/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What befalls a connection goes to two places: each decision to the flight recorder at once, and,
 * for the connections of the sample, one line to the access log at the end. Who is not in the
 * sample carries a pointer for it, and no clock is asked for it but the recorder's.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "path/path_io.h"
#include "table/balance_priv.h"

static int64_t wall_ms(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void record(struct ew_conn *conn, struct ew_event event)
{
	event.client = conn->peer;
	event.door = conn->door->config->door;
	/* to the tick of the kernel, 4 ms: a tenth of the time of the other clock */
	ew_recorder_add(conn->door->worker->setup->recorder, wall_ms(CLOCK_REALTIME_COARSE),
	                &event);
}

static struct str route_name(const struct ew_conn *conn)
{
	const struct ew_route *route = conn->dialing != NULL ? conn->dialing->route : NULL;
	return route != NULL ? str_make(route->sni, route->sni_len) : STR_NULL;
}

/* --- way -------------------------------------------------------------------------------------- */

/* The group of an endpoint: groups lie in the order of their endpoints. */
static const struct ew_group *group_of(const struct ew_route *route,
                                       const struct ew_endpoint *endpoint)
{
	uint32_t at = (uint32_t)(endpoint - route->endpoints);
	uint32_t low = 0;
	uint32_t high = route->n_groups;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;
		if (route->groups[middle].first <= at)
			low = middle;
		else
			high = middle;
	}
	return &route->groups[low];
}

static void copy_name(char to[EW_WAY_NAME_MAX + 1], const struct ew_names *names, uint16_t id)
{
	const char *text = ew_names_text(names, id);
	size_t len = strnlen(text, EW_WAY_NAME_MAX);
	memcpy(to, text, len);
	to[len] = '\0';
}

static uint8_t whys_of(const struct ew_conn *conn, const struct ew_choice *choice, bool hedge)
{
	const struct ew_dialing *dialing = conn->dialing;
	bool ingress = conn->door->config->door == EW_DOOR_INGRESS;
	unsigned whys = dialing->marked ? 1u << EW_WHY_MARKED : 0;
	if (choice->gateway != NULL)
		whys |= 1u << (ingress ? EW_WHY_RELAY : EW_WHY_REMOTE);
	if (hedge)
		whys |= 1u << EW_WHY_HEDGED;
	else
		whys |= 1u << (dialing->tries.n > 1 ? EW_WHY_RETRIED : EW_WHY_FIRST);
	return (uint8_t)whys;
}

/* Where this choice goes. False: nothing was chosen yet. */
static bool way_of(const struct ew_conn *conn, const struct ew_choice *choice,
                   struct ew_way *ret_way)
{
	const struct ew_dialing *dialing = conn->dialing;
	if (dialing == NULL || dialing->tries.n == 0)
		return false;
	const struct ew_names *names = ew_table_names(dialing->table);
	const struct ew_group *group = group_of(dialing->route, choice->endpoint);
	bool hedge = conn->on_hedge || choice == &dialing->hedge_choice;
	ret_way->upstream = choice->addr;
	ret_way->attempts = dialing->tries.n;
	ret_way->priority = group->priority;
	ret_way->whys = whys_of(conn, choice, hedge);
	copy_name(ret_way->cluster, names, choice->cluster);
	copy_name(ret_way->locality, names, group->locality);
	return true;
}

/* --- life ------------------------------------------------------------------------------------- */

/* Which connections are in the log does not follow any order in which they come. */
static bool is_in_sample(struct ew_worker *worker, uint64_t sample)
{
	return ew_mix(worker->access_turn++ ^ (uint64_t)worker->index << 48) >> 32 < sample;
}

void ew_access_begin(struct ew_conn *conn)
{
	struct ew_worker *worker = conn->door->worker;
	const struct ew_access_log *log = worker->setup->access_log;
	uint64_t sample = log != NULL ? ew_access_log_sample(log) : 0;
	if (sample == 0 || !is_in_sample(worker, sample))
		return;
	struct ew_access *access = xmalloc(sizeof(*access));
	memset(access, 0, offsetof(struct ew_access, sni));
	access->way.upstream.port = 0;
	access->wall_ms = wall_ms(CLOCK_REALTIME);
	access->begun_us = clock_now_us();
	conn->access = access;
}

void ew_access_on_hello(struct ew_conn *conn, const struct ew_hello *hello)
{
	struct ew_access *access = conn->access;
	if (access == NULL)
		return;
	access->hello_us = clock_now_us();
	access->sni_len = hello->sni_len;
	memcpy(access->sni, hello->sni, hello->sni_len);
}

void ew_access_on_connected(struct ew_conn *conn)
{
	if (conn->access != NULL)
		conn->access->connected_us = clock_now_us();
}

void ew_access_on_answer(struct ew_conn *conn)
{
	const struct ew_dialing *dialing = conn->dialing;
	struct ew_access *access = conn->access;
	struct ew_way way;
	if (!way_of(conn, &dialing->choice, &way))
		return;
	record(conn,
	       (struct ew_event){.kind = EW_EVENT_ROUTED, .sni = route_name(conn), .way = &way});
	if (access == NULL)
		return;
	access->first_us = clock_now_us();
	access->received += dialing->len - dialing->skip;
	access->routed = true;
	access->way = way;
}

void ew_access_on_bytes(struct ew_conn *conn, bool is_up, uint64_t bytes)
{
	if (conn->access != NULL)
		*(is_up ? &conn->access->received : &conn->access->sent) += bytes;
}

void ew_access_on_failed(struct ew_conn *conn, const struct ew_choice *choice, const char *why)
{
	struct ew_way way;
	if (!way_of(conn, choice, &way))
		return;
	record(conn, (struct ew_event){.kind = EW_EVENT_FAILED,
	                               .sni = route_name(conn),
	                               .detail = why,
	                               .way = &way});
}

void ew_access_on_refused(struct ew_conn *conn, const struct ew_event *refusal)
{
	struct ew_access *access = conn->access;
	struct ew_event event = *refusal;
	struct ew_way way;
	if (conn->dialing != NULL && way_of(conn, &conn->dialing->choice, &way))
		event.way = &way;
	record(conn, event);
	if (access == NULL)
		return;
	access->reason = refusal->reason;
	access->alert = refusal->alert;
	access->detail = refusal->detail;
	access->routed = conn->dialing != NULL && conn->dialing->route != NULL;
	if (event.way != NULL)
		access->way = way;
}

void ew_access_end(struct ew_conn *conn, enum ew_close_reason reason)
{
	struct ew_worker *worker = conn->door->worker;
	struct ew_access *access = conn->access;
	bool answered = conn->state != EW_CONN_ANSWER;
	if (!answered)
		ew_access_on_answer(conn);
	if (access == NULL)
		return;
	if (!answered)
		access->first_us = 0;
	/* a refused one ends for the reason that it was refused for */
	if (conn->state != EW_CONN_CLOSING)
		access->reason = reason;
	access->client = conn->peer;
	access->door = conn->door->config->door;
	access->ended_us = clock_now_us();
	ew_access_log_put(worker->setup->access_log, worker->index, access);
	free(access);
	conn->access = NULL;
}
