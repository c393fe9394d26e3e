/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/work.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/probe.pb-c.h"

#define KIND_GATEWAY "gateway"
#define KIND_DIRECT  "direct"

enum {
	NAME_MAX_ = 253 /* host names, SNI */
};

void probe_task_encode(const char *id, const struct probe_check *check, struct buf *out)
{
	Fedway__Probe__V1__Task task = FEDWAY__PROBE__V1__TASK__INIT;
	task.id = str_lend(id);
	task.kind = str_lend(check->direct ? KIND_DIRECT : KIND_GATEWAY);
	task.sni = str_lend(check->sni);
	task.cluster = str_lend(check->cluster);
	task.address = str_lend(check->address);
	task.has_port = 1;
	task.port = check->port;
	task.has_payload = check->payload > 0;
	task.payload = check->payload;
	task.has_deadline_ms = check->deadline_ms > 0;
	task.deadline_ms = check->deadline_ms;
	task.has_must_refuse = check->must_refuse;
	task.must_refuse = check->must_refuse;
	xds_message_pack(&task.base, out);
}

static bool check_text(const char *field, const char *text, size_t max, struct err *err)
{
	if (text == NULL || *text == '\0')
		return err_set(err, ERR_INVALID, "task without %s", field);
	if (strlen(text) > max)
		return err_set(err, ERR_INVALID, "%s of a task is longer than %zu", field, max);
	return true;
}

static bool check_task(const Fedway__Probe__V1__Task *task, struct err *err)
{
	const char *kind = task->kind != NULL ? task->kind : KIND_GATEWAY;
	if (!check_text("address", task->address, NAME_MAX_, err) ||
	    !check_text("sni", task->sni, NAME_MAX_, err))
		return false;
	if (!task->must_refuse && !check_text("cluster", task->cluster, 63, err))
		return false;
	if (task->port == 0 || task->port > UINT16_MAX)
		return err_set(err, ERR_INVALID, "port of a task must be 1 to 65535");
	if (task->payload > PROBE_PAYLOAD_MAX)
		return err_set(err, ERR_INVALID, "payload of a task is over %d", PROBE_PAYLOAD_MAX);
	if (task->deadline_ms > PROBE_DEADLINE_MAX_MS)
		return err_set(err, ERR_INVALID, "deadline_ms of a task is over %d",
		               PROBE_DEADLINE_MAX_MS);
	if (strcmp(kind, KIND_GATEWAY) != 0 && strcmp(kind, KIND_DIRECT) != 0)
		return err_set(err, ERR_INVALID,
		               "a task of kind '%.32s' is not known; upgrade the "
		               "probe",
		               kind);
	return true;
}

/* The texts one behind the other in one block. */
static void keep_texts(const Fedway__Probe__V1__Task *from, struct probe_task *task)
{
	const char *cluster = from->cluster != NULL ? from->cluster : "";
	size_t address_size = strlen(from->address) + 1;
	size_t sni_size = strlen(from->sni) + 1;
	size_t cluster_size = strlen(cluster) + 1;
	task->text = xmalloc(address_size + sni_size + cluster_size);
	memcpy(task->text, from->address, address_size);
	memcpy(task->text + address_size, from->sni, sni_size);
	memcpy(task->text + address_size + sni_size, cluster, cluster_size);
	task->check.address = task->text;
	task->check.sni = task->text + address_size;
	task->check.cluster = task->text + address_size + sni_size;
}

bool probe_task_decode(struct str bytes, struct probe_task *ret_task, struct err *err)
{
	*ret_task = (struct probe_task){.text = NULL};
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__probe__v1__task__descriptor, bytes, err);
	if (base == NULL)
		return false;
	const Fedway__Probe__V1__Task *task = (const void *)base;
	bool ok = check_text("id", task->id, PROBE_ID_MAX - 1, err);
	if (ok)
		snprintf(ret_task->id, sizeof(ret_task->id), "%s", task->id);
	ok = ok && check_task(task, err);
	if (ok) {
		keep_texts(task, ret_task);
		ret_task->check.port = (uint16_t)task->port;
		ret_task->check.payload = task->payload;
		ret_task->check.deadline_ms = task->deadline_ms;
		ret_task->check.must_refuse = task->must_refuse != 0;
		ret_task->check.direct = task->kind != NULL && strcmp(task->kind, KIND_DIRECT) == 0;
	}
	xds_message_free(base);
	return ok;
}

void probe_task_fini(struct probe_task *task)
{
	free(task->text);
	task->text = NULL;
}

/* --- results ---------------------------------------------------------------------------------- */

void probe_result_encode(const char *id, const struct probe_result *result, struct buf *out)
{
	Fedway__Probe__V1__Result message = FEDWAY__PROBE__V1__RESULT__INIT;
	Fedway__Probe__V1__Stage stages[N_PROBE_STAGES];
	Fedway__Probe__V1__Stage *list[N_PROBE_STAGES];
	for (size_t i = 0; i < result->n_steps; i++) {
		const struct probe_step *step = &result->steps[i];
		fedway__probe__v1__stage__init(&stages[i]);
		list[i] = &stages[i];
		stages[i].name = str_lend(probe_stage_name(step->stage));
		stages[i].has_ok = stages[i].has_took_us = 1;
		stages[i].ok = step->ok;
		stages[i].took_us = step->took_us;
		if (step->stage == result->evidence_of && result->evidence[0] != '\0')
			stages[i].evidence = str_lend(result->evidence);
	}
	message.id = str_lend(id);
	message.n_stages = result->n_steps;
	message.stages = list;
	message.has_ok = 1;
	message.ok = result->ok;
	message.code = str_lend(result->code);
	xds_message_pack(&message.base, out);
}

/* The end of a text that was cut may be half a character, which JSON would not take. */
static void keep_evidence(const char *from, char to[PROBE_EVIDENCE_MAX])
{
	size_t n = 0;
	for (; from[n] != '\0' && n < PROBE_EVIDENCE_MAX - 1; n++) {
		unsigned char c = (unsigned char)from[n];
		to[n] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	to[n] = '\0';
}

static bool read_stage(const Fedway__Probe__V1__Stage *from, struct probe_result *result,
                       struct err *err)
{
	struct probe_step *step = &result->steps[result->n_steps];
	if (!probe_stage_parse(str_from(from->name), &step->stage))
		return err_set(err, ERR_INVALID, "stage '%.32s' is not known",
		               from->name != NULL ? from->name : "");
	if (result->n_steps > 0 && step[-1].stage >= step->stage)
		return err_set(err, ERR_INVALID, "stage '%s' is out of order",
		               probe_stage_name(step->stage));
	step->ok = from->ok != 0;
	step->took_us = from->took_us;
	if (from->evidence != NULL) {
		result->evidence_of = step->stage;
		keep_evidence(from->evidence, result->evidence);
	}
	result->n_steps++;
	return true;
}

static bool is_code(const char *text)
{
	size_t digits = strlen(text) == 7 && strncmp(text, "FED-", 4) == 0
	                        ? strspn(text + 4, "0123456789")
	                        : 0;
	return digits == 3;
}

static bool read_result(const Fedway__Probe__V1__Result *from, struct probe_result *result,
                        struct err *err)
{
	if (from->n_stages > N_PROBE_STAGES)
		return err_set(err, ERR_INVALID, "a result of more than %d stages", N_PROBE_STAGES);
	for (size_t i = 0; i < from->n_stages; i++) {
		if (!read_stage(from->stages[i], result, err))
			return false;
	}
	if (from->code != NULL && *from->code != '\0') {
		if (!is_code(from->code))
			return err_set(err, ERR_INVALID, "the code of a result is no cause code");
		snprintf(result->code, sizeof(result->code), "%s", from->code);
	}
	result->ok = from->ok != 0;
	return true;
}

bool probe_result_decode(struct str bytes, char ret_id[PROBE_ID_MAX],
                         struct probe_result *ret_result, struct err *err)
{
	struct probe_result result = {.ok = false};
	ProtobufCMessage *base =
		xds_message_unpack(&fedway__probe__v1__result__descriptor, bytes, err);
	if (base == NULL)
		return false;
	const Fedway__Probe__V1__Result *message = (const void *)base;
	bool ok = check_text("id", message->id, PROBE_ID_MAX - 1, err) &&
	          read_result(message, &result, err);
	if (ok) {
		snprintf(ret_id, PROBE_ID_MAX, "%s", message->id);
		*ret_result = result;
	}
	xds_message_free(base);
	return ok;
}
