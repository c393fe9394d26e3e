/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/wheel.h"

static int64_t tick_of(int64_t deadline_ms)
{
	/* the next full tick, so that nothing is early */
	return deadline_ms / EW_WHEEL_TICK_MS + 1;
}

void ew_wheel_init(struct ew_wheel *wheel, int64_t now_ms)
{
	for (int i = 0; i < EW_WHEEL_SLOTS; i++)
		list_init(&wheel->slots[i]);
	wheel->now_tick = now_ms / EW_WHEEL_TICK_MS;
	wheel->n = 0;
}

void ew_wheel_entry_init(struct ew_wheel_entry *entry)
{
	list_init(&entry->link);
	entry->deadline_ms = 0;
}

void ew_wheel_add(struct ew_wheel *wheel, struct ew_wheel_entry *entry, int64_t deadline_ms)
{
	/* a later deadline stays where it is, and is moved when its old slot comes up */
	if (!list_is_empty(&entry->link) && deadline_ms >= entry->deadline_ms) {
		entry->deadline_ms = deadline_ms;
		return;
	}
	ew_wheel_remove(wheel, entry);
	entry->deadline_ms = deadline_ms;
	int64_t tick = tick_of(deadline_ms);
	if (tick <= wheel->now_tick)
		tick = wheel->now_tick + 1;
	/* beyond the ring: the slot that comes last */
	if (tick >= wheel->now_tick + EW_WHEEL_SLOTS)
		tick = wheel->now_tick + EW_WHEEL_SLOTS - 1;
	list_append(&wheel->slots[tick % EW_WHEEL_SLOTS], &entry->link);
	wheel->n++;
}

void ew_wheel_remove(struct ew_wheel *wheel, struct ew_wheel_entry *entry)
{
	if (list_is_empty(&entry->link))
		return;
	list_remove(&entry->link);
	wheel->n--;
}

static void step_slot(struct ew_wheel *wheel, struct list *slot,
                      void (*fn)(struct ew_wheel_entry *entry, void *arg), void *arg)
{
	/* what is set again while we are here may land in this very slot, a round later */
	struct list due;
	list_init(&due);
	while (!list_is_empty(slot)) {
		struct list *link = list_first(slot);
		list_remove(link);
		list_append(&due, link);
	}
	while (!list_is_empty(&due)) {
		struct ew_wheel_entry *entry =
			LIST_ENTRY(list_first(&due), struct ew_wheel_entry, link);
		ew_wheel_remove(wheel, entry);
		if (tick_of(entry->deadline_ms) > wheel->now_tick)
			ew_wheel_add(wheel, entry, entry->deadline_ms);
		else
			fn(entry, arg);
	}
}

void ew_wheel_step(struct ew_wheel *wheel, int64_t now_ms,
                   void (*fn)(struct ew_wheel_entry *entry, void *arg), void *arg)
{
	int64_t target = now_ms / EW_WHEEL_TICK_MS;
	/* after a long pause one round finds everything */
	if (target - wheel->now_tick > EW_WHEEL_SLOTS) {
		for (int i = 0; i < EW_WHEEL_SLOTS - 1; i++) {
			wheel->now_tick = target - EW_WHEEL_SLOTS + 1 + i;
			step_slot(wheel, &wheel->slots[wheel->now_tick % EW_WHEEL_SLOTS], fn, arg);
		}
	}
	while (wheel->now_tick < target) {
		wheel->now_tick++;
		step_slot(wheel, &wheel->slots[wheel->now_tick % EW_WHEEL_SLOTS], fn, arg);
	}
}

int64_t ew_wheel_wait_ms(const struct ew_wheel *wheel, int64_t now_ms)
{
	if (wheel->n == 0)
		return -1;
	for (int64_t i = 1; i < EW_WHEEL_SLOTS; i++) {
		int64_t tick = wheel->now_tick + i;
		if (!list_is_empty(&wheel->slots[tick % EW_WHEEL_SLOTS])) {
			int64_t wait = tick * EW_WHEEL_TICK_MS - now_ms;
			return wait > 0 ? wait : 0;
		}
	}
	return EW_WHEEL_TICK_MS;
}
