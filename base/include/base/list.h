/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list - intrusive doubly linked ring. A head and each link are a struct list; a link that is in
 * no list points to itself.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

struct list {
	struct list *prev;
	struct list *next;
};

static inline void list_init(struct list *list)
{
	list->prev = list;
	list->next = list;
}

/* True for an empty head and for a link that is in no list. */
static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_insert_after(struct list *pos, struct list *link)
{
	assert(link->next == link && link->prev == link);
	link->prev = pos;
	link->next = pos->next;
	pos->next->prev = link;
	pos->next = link;
}

static inline void list_append(struct list *head, struct list *link)
{
	list_insert_after(head->prev, link);
}

static inline void list_prepend(struct list *head, struct list *link)
{
	list_insert_after(head, link);
}

/* Harmless for a link that is in no list. */
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

static inline struct list *list_first(struct list *head)
{
	return head->next != head ? head->next : NULL;
}

/* to, which need not be initialised, gets all links of from in their order. */
static inline void list_move_all(struct list *from, struct list *to)
{
	list_init(to);
	if (list_is_empty(from))
		return;
	*to = *from;
	to->next->prev = to;
	to->prev->next = to;
	list_init(from);
}

/* The object that holds this link. */
#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

#define list_for_each(it, head) for (struct list *it = (head)->next; it != (head); it = it->next)

/* The current link may be removed and freed inside the loop. */
#define list_for_each_safe(it, head)                                                               \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
	     it = it##_next, it##_next = it->next)
