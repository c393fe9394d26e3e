/* SPDX-License-Identifier: Apache-2.0 */
/*
 * member_work - one member's own client and what is under way there; shared by member_io.c,
 * member_install_io.c and member_clean_io.c alone.
 */
#pragma once

#include "control_priv.h"

struct member_work {
	struct control *control;
	char *cluster;
	struct kube_client *client;
	struct kube_call *call; /* one at a time */
	size_t kind;            /* which kind is being listed */
	/* installing */
	json_t *wanted;          /* what shall be there, NULL before the first time */
	json_t *found;           /* array: what is there of ours */
	json_t *todo;            /* array: of wanted, what is not there as it should be */
	struct loop_timer timer; /* when to look again */
	bool due;                /* to be looked at, also if wanted is the same */
	bool changed;            /* wanted is another since all of it was there */
	bool taken_over;         /* something carries a younger Cluster's label */
	/* installing: accounts of gateways that are gone; cleaning: everything */
	json_t *doomed;
	/* cleaning */
	bool cleaning;
	bool clean;
	struct err clean_err;
};

struct member *member_of(const struct member_work *work);
/* Deletes obj of the array as it was found, and nothing that has changed since. */
void member_work_delete(struct member_work *work, const json_t *obj, kube_answer_cb cb);
