/* SPDX-License-Identifier: Apache-2.0 */
#include "path/record.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/json.h"

struct record {
	int64_t wall_s;
	const char *detail;
	struct addr client;
	uint8_t door;
	uint8_t reason;
	uint8_t alert;
	uint8_t sni_len;
	char sni[EW_RECORD_SNI_MAX];
};

struct ew_recorder {
	pthread_mutex_t lock;
	uint64_t n; /* ever */
	struct record ring[EW_RECORDS];
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

void ew_recorder_add(struct ew_recorder *recorder, int64_t wall_s, const struct ew_refusal *refusal)
{
	size_t len = refusal->sni.len < EW_RECORD_SNI_MAX ? refusal->sni.len : EW_RECORD_SNI_MAX;
	pthread_mutex_lock(&recorder->lock);
	struct record *record = &recorder->ring[recorder->n++ % EW_RECORDS];
	record->wall_s = wall_s;
	record->detail = refusal->detail;
	record->client = refusal->client;
	record->door = (uint8_t)refusal->door;
	record->reason = (uint8_t)refusal->reason;
	record->alert = refusal->alert;
	record->sni_len = (uint8_t)len;
	if (len > 0)
		memcpy(record->sni, refusal->sni.ptr, len);
	pthread_mutex_unlock(&recorder->lock);
}

static json_t *to_json(const struct record *record)
{
	char client[ADDR_TEXT_MAX];
	char time[32];
	enum ew_close_reason reason = (enum ew_close_reason)record->reason;
	return json_pack("{s:s, s:s, s:s, s:s%, s:s, s:i, s:s}", "time",
	                 clock_format_rfc3339(record->wall_s, time), "client",
	                 addr_format(&record->client, client), "door",
	                 record->door == EW_DOOR_INGRESS ? "ingress" : "egress", "sni", record->sni,
	                 (size_t)record->sni_len, "reason", ew_close_name(reason), "alert",
	                 record->alert, "message",
	                 record->detail != NULL ? record->detail : ew_close_sentence(reason));
}

void ew_recorder_format(struct ew_recorder *recorder, size_t max, struct buf *out)
{
	buf_add_char(out, '[');
	pthread_mutex_lock(&recorder->lock);
	uint64_t there = recorder->n < EW_RECORDS ? recorder->n : EW_RECORDS;
	for (uint64_t i = 0; i < there && i < max; i++) {
		json_t *item = to_json(&recorder->ring[(recorder->n - 1 - i) % EW_RECORDS]);
		char *text = json_format(item);
		buf_add_text(out, i > 0 ? ",\n" : "\n");
		buf_add_text(out, text);
		free(text);
		json_decref(item);
	}
	pthread_mutex_unlock(&recorder->lock);
	buf_add_text(out, "]\n");
}
