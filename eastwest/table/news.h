/* SPDX-License-Identifier: Apache-2.0 */
/*
 * news - routes of which there is something to report, so that a report costs what happened and not
 * what there is. One list a process, as one thread reports.
 *
 *   workers ──ew_news_add──▶ list ──ew_news_take──▶ reporting thread
 *
 * A route is on it at most once, whatever its version, and is held as long as it is. Nothing is
 * listed before the first take: without a control plane nobody takes. Without locks.
 */
#pragma once

#include "eastwest/table.h"

/* Any thread; after what is new was counted. */
void ew_news_add(const struct ew_route *route);
/* Gives what was added since the last time, oldest first. What is counted from here on is news
 * again; fn may add the route once more, for the next time. One thread. */
void ew_news_take(void (*fn)(const struct ew_route *route, void *arg), void *arg);
