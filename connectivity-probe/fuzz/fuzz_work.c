/* SPDX-License-Identifier: Apache-2.0 */
/* Whatever a probe or a control plane sends: what is accepted is within its limits and survives
 * being sent on. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "probe/work.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_result(struct str bytes)
{
	struct probe_result result;
	struct probe_result again;
	char id[PROBE_ID_MAX];
	char id_again[PROBE_ID_MAX];
	struct err err;
	if (!probe_result_decode(bytes, id, &result, &err))
		return;
	struct buf out CLEANUP(buf_fini);
	buf_init(&out, PROBE_MESSAGE_MAX);
	assert(result.n_steps <= N_PROBE_STAGES);
	probe_result_encode(id, &result, &out);
	assert(probe_result_decode(buf_str(&out), id_again, &again, &err));
	assert(strcmp(id, id_again) == 0 && strcmp(result.code, again.code) == 0);
	assert(result.n_steps == again.n_steps && result.ok == again.ok);
}

static void try_task(struct str bytes)
{
	struct probe_task task;
	struct probe_task again;
	struct err err;
	if (probe_task_decode(bytes, &task, &err)) {
		struct buf out CLEANUP(buf_fini);
		buf_init(&out, PROBE_MESSAGE_MAX);
		assert(task.check.payload <= PROBE_PAYLOAD_MAX);
		assert(task.check.deadline_ms <= PROBE_DEADLINE_MAX_MS);
		probe_task_encode(task.id, &task.check, &out);
		assert(probe_task_decode(buf_str(&out), &again, &err));
		assert(strcmp(task.check.sni, again.check.sni) == 0);
		assert(task.check.port == again.check.port);
		probe_task_fini(&again);
	}
	probe_task_fini(&task);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > PROBE_MESSAGE_MAX)
		return 0;
	try_result(str_make((const char *)data, size));
	try_task(str_make((const char *)data, size));
	return 0;
}
