/* SPDX-License-Identifier: Apache-2.0 */
#include "path/record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/macros.h"
#include "path/line.h"

struct record {
	uint64_t number;
	int64_t wall_ms;
	const char *detail;
	struct addr client;
	uint8_t kind;
	uint8_t door;
	uint8_t reason;
	uint8_t alert;
	uint8_t sni_len;
	char sni[EW_RECORD_SNI_MAX];
	struct ew_way way;
};

struct ring {
	uint64_t n;       /* ever */
	uint64_t dropped; /* number of the last event that made room; 0: none yet */
	struct record records[EW_RECORDS];
};

struct ew_recorder {
	pthread_mutex_t lock;
	uint64_t number; /* of the last event */
	struct ring good;
	struct ring bad;
};

struct ew_recorder *ew_recorder_create(void)
{
	struct ew_recorder *recorder = xcalloc(1, sizeof(*recorder));
	pthread_mutex_init(&recorder->lock, NULL);
	return recorder;
}

void ew_recorder_destroy(struct ew_recorder *recorder)
{
	if (recorder == NULL)
		return;
	pthread_mutex_destroy(&recorder->lock);
	free(recorder);
}

static void fill(struct record *record, const struct ew_event *event)
{
	size_t len = event->sni.len < EW_RECORD_SNI_MAX ? event->sni.len : EW_RECORD_SNI_MAX;
	record->detail = event->detail;
	record->client = event->client;
	record->kind = (uint8_t)event->kind;
	record->door = (uint8_t)event->door;
	record->reason = (uint8_t)event->reason;
	record->alert = event->alert;
	record->sni_len = (uint8_t)len;
	if (len > 0)
		memcpy(record->sni, event->sni.ptr, len);
	if (event->way != NULL)
		record->way = *event->way;
	else
		record->way.upstream.port = 0;
}

void ew_recorder_add(struct ew_recorder *recorder, int64_t wall_ms, const struct ew_event *event)
{
	pthread_mutex_lock(&recorder->lock);
	struct ring *ring = event->kind == EW_EVENT_ROUTED ? &recorder->good : &recorder->bad;
	struct record *record = &ring->records[ring->n++ % EW_RECORDS];
	ring->dropped = record->number;
	record->number = ++recorder->number;
	record->wall_ms = wall_ms;
	fill(record, event);
	pthread_mutex_unlock(&recorder->lock);
}

/* --- reading ---------------------------------------------------------------------------------- */

const char *ew_why_text(uint8_t whys, char text[EW_WHY_TEXT_MAX])
{
	static const char *const names[] = {
#define X(why, name) [why] = name,
		EW_WHYS(X)
#undef X
	};
	size_t at = 0;
	for (size_t i = 0; i < N_ELEMS(names); i++) {
		size_t len = strlen(names[i]);
		if ((whys & 1u << i) == 0 || at + len + 2 > EW_WHY_TEXT_MAX)
			continue;
		if (at > 0)
			text[at++] = '+';
		memcpy(text + at, names[i], len);
		at += len;
	}
	text[at] = '\0';
	return text;
}

/* The i-th newest of a ring. False: it is not there. */
static bool copy(struct ew_recorder *recorder, const struct ring *ring, uint64_t i,
                 struct record *ret_record)
{
	pthread_mutex_lock(&recorder->lock);
	bool there = i >= 1 && i <= ring->n && i <= EW_RECORDS;
	if (there)
		*ret_record = ring->records[(ring->n - i) % EW_RECORDS];
	pthread_mutex_unlock(&recorder->lock);
	return there;
}

static void add_way(struct ew_line *line, const struct ew_way *way)
{
	char why[EW_WHY_TEXT_MAX];
	if (way->upstream.port == 0)
		return;
	ew_line_addr(line, "upstream", &way->upstream);
	ew_line_text(line, "cluster", str_from(way->cluster));
	ew_line_text(line, "locality", str_from(way->locality));
	ew_line_number(line, "priority", way->priority);
	ew_line_text(line, "why", str_from(ew_why_text(way->whys, why)));
	ew_line_number(line, "attempts", way->attempts);
}

static void add_json(const struct record *record, struct ew_line *line, struct buf *out)
{
	static const char *const kinds[] = {"routed", "failed", "refused"};
	char room[EW_LINE_MAX];
	enum ew_close_reason reason = (enum ew_close_reason)record->reason;
	ew_line_begin(line, true, room);
	ew_line_number(line, "number", record->number);
	ew_line_time(line, "time", record->wall_ms);
	ew_line_text(line, "event", str_from(kinds[record->kind]));
	ew_line_addr(line, "client", &record->client);
	ew_line_text(line, "door", str_from(ew_door_name(record->door)));
	ew_line_text(line, "sni", str_make(record->sni, record->sni_len));
	add_way(line, &record->way);
	const char *message = record->detail;
	if (record->kind == EW_EVENT_REFUSED) {
		ew_line_text(line, "reason", str_from(ew_close_name(reason)));
		ew_line_number(line, "alert", record->alert);
		if (message == NULL)
			message = ew_close_sentence(reason);
	}
	if (message != NULL)
		ew_line_text(line, "message", str_from(message));
	/* without the newline */
	buf_add(out, room, ew_line_end(line, room) - 1);
}

static bool is_wanted(const struct record *record, const struct ew_recorder_ask *ask)
{
	return ask->sni.len == 0 ||
	       memmem(record->sni, record->sni_len, ask->sni.ptr, ask->sni.len) != NULL;
}

/* Those of a ring that are asked for and not younger than `last`, newest first; at most max. */
static size_t collect(struct ew_recorder *recorder, const struct ring *ring,
                      const struct ew_recorder_ask *ask, uint64_t last, struct record *list)
{
	size_t n = 0;
	uint64_t before = UINT64_MAX;
	struct record record;
	for (uint64_t i = 1; n < ask->max && copy(recorder, ring, i, &record); i++) {
		if (record.number <= ask->since)
			break;
		/* one that came in the meantime has moved them all */
		if (record.number > last || record.number >= before)
			continue;
		before = record.number;
		if (is_wanted(&record, ask))
			list[n++] = record;
	}
	return n;
}

static int by_number(const void *a, const void *b)
{
	const struct record *x = a;
	const struct record *y = b;
	return x->number < y->number ? -1 : x->number > y->number;
}

void ew_recorder_format(struct ew_recorder *recorder, const struct ew_recorder_ask *ask,
                        struct buf *out)
{
	struct record *list = xcalloc(2 * ask->max + 1, sizeof(*list));
	struct ew_line line = {.json = true};
	struct ew_recorder_ask from = *ask;
	pthread_mutex_lock(&recorder->lock);
	uint64_t last = recorder->number;
	/* of a process that was there before */
	if (from.since > last)
		from.since = 0;
	bool lost = from.since > 0 &&
	            (recorder->good.dropped > from.since || recorder->bad.dropped > from.since);
	pthread_mutex_unlock(&recorder->lock);
	size_t n = collect(recorder, &recorder->good, &from, last, list);
	n += collect(recorder, &recorder->bad, &from, last, list + n);
	qsort(list, n, sizeof(*list), by_number);
	size_t first = n > ask->max ? n - ask->max : 0;
	buf_printf(out, "{\"next\": %llu, \"lost\": %s, \"events\": [", (unsigned long long)last,
	           lost ? "true" : "false");
	for (size_t i = first; i < n; i++) {
		buf_add_text(out, i > first ? ",\n" : "\n");
		add_json(&list[i], &line, out);
	}
	buf_add_text(out, "]}\n");
	free(list);
}

void ew_recorder_format_refusals(struct ew_recorder *recorder, size_t max, struct buf *out)
{
	struct ew_line line = {.json = true};
	struct record record;
	uint64_t before = UINT64_MAX;
	size_t n = 0;
	buf_add_char(out, '[');
	for (uint64_t i = 1; n < max && copy(recorder, &recorder->bad, i, &record); i++) {
		if (record.kind != EW_EVENT_REFUSED || record.number >= before)
			continue;
		before = record.number;
		buf_add_text(out, n++ > 0 ? ",\n" : "\n");
		add_json(&record, &line, out);
	}
	buf_add_text(out, "]\n");
}
