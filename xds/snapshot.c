/* SPDX-License-Identifier: Apache-2.0 */
#include "pbc_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/network.h"
#include "xds/proto/fedway.pb-c.h"

enum {
	SNAPSHOT_MAX = 16 << 10
};

void xds_snapshot_fini(struct xds_snapshot *snapshot)
{
	free(snapshot->version);
	free(snapshot->network);
	free(snapshot->cluster);
	free(snapshot->locality);
	free(snapshot->source_ranges);
	*snapshot = (struct xds_snapshot){0};
}

/* Texts of all ranges: one array of pointers, its texts behind it. */
static char **format_ranges(const struct cidr *ranges, size_t n)
{
	char **texts = xcalloc(n, sizeof(texts[0]) + CIDR_TEXT_MAX);
	char *text = (char *)(texts + n);
	for (size_t i = 0; i < n; i++, text += CIDR_TEXT_MAX) {
		cidr_format(&ranges[i], text);
		texts[i] = text;
	}
	return texts;
}

static bool parse_ranges(char *const *texts, size_t n, struct cidr **ret_ranges, struct err *err)
{
	if (n > XDS_SOURCE_RANGES_MAX)
		return err_set(err, ERR_TOO_LARGE, "%zu source ranges, %d are taken", n,
		               XDS_SOURCE_RANGES_MAX);
	struct cidr *ranges = xcalloc(n, sizeof(ranges[0]));
	for (size_t i = 0; i < n; i++) {
		if (cidr_parse(str_from(texts[i]), &ranges[i]))
			continue;
		free(ranges);
		return err_set(err, ERR_INVALID, "source_ranges[%zu]: '%.80s' is no range", i,
		               texts[i]);
	}
	*ret_ranges = ranges;
	return true;
}

static struct xds_resource *finish(const ProtobufCMessage *msg, struct err *err)
{
	struct buf bytes CLEANUP(buf_fini) = {0};
	buf_init(&bytes, SNAPSHOT_MAX);
	xds_message_pack(msg, &bytes);
	if (buf_failed(&bytes)) {
		err_set(err, ERR_TOO_LARGE, "a snapshot takes over %d bytes", SNAPSHOT_MAX);
		return NULL;
	}
	return xds_resource_create(XDS_SNAPSHOT, STR_LIT("default"), buf_str(&bytes), err);
}

struct xds_resource *xds_snapshot_encode(const struct xds_snapshot *snapshot, struct err *err)
{
	Fedway__Xds__V1__Count counts[N_XDS_TYPES];
	Fedway__Xds__V1__Count *list[N_XDS_TYPES];
	Fedway__Xds__V1__Snapshot msg = FEDWAY__XDS__V1__SNAPSHOT__INIT;
	for (size_t type = 0; type < N_XDS_TYPES; type++) {
		if (!snapshot->counted[type])
			continue;
		Fedway__Xds__V1__Count *count = &counts[msg.n_held];
		fedway__xds__v1__count__init(count);
		count->type_url = str_lend(xds_type_url((enum xds_type)type));
		count->has_n = true;
		count->n = snapshot->held[type];
		list[msg.n_held++] = count;
	}
	msg.held = list;
	msg.version = snapshot->version;
	msg.has_state = true;
	msg.state = snapshot->left ? FEDWAY__XDS__V1__STATE__LEFT : FEDWAY__XDS__V1__STATE__SERVING;
	msg.network = snapshot->network;
	msg.cluster = snapshot->cluster;
	msg.locality = snapshot->locality;
	msg.n_source_ranges = snapshot->n_source_ranges;
	msg.source_ranges = format_ranges(snapshot->source_ranges, snapshot->n_source_ranges);
	struct xds_resource *resource = finish(&msg.base, err);
	free(msg.source_ranges);
	return resource;
}

bool xds_snapshot_decode(struct str bytes, struct xds_snapshot *ret_snapshot, struct err *err)
{
	if (bytes.len > SNAPSHOT_MAX)
		return err_set(err, ERR_TOO_LARGE, "a snapshot of %zu bytes, %d are taken",
		               bytes.len, SNAPSHOT_MAX);
	ProtobufCMessage *message =
		xds_message_unpack(&fedway__xds__v1__snapshot__descriptor, bytes, err);
	if (message == NULL)
		return false;
	const Fedway__Xds__V1__Snapshot *msg = (const Fedway__Xds__V1__Snapshot *)message;
	struct cidr *ranges;
	if (!parse_ranges(msg->source_ranges, msg->n_source_ranges, &ranges, err)) {
		xds_message_free(message);
		return false;
	}
	struct xds_snapshot snapshot = {
		.version = pbc_dup(msg->version),
		.left = msg->state == FEDWAY__XDS__V1__STATE__LEFT,
		.network = pbc_dup(msg->network),
		.cluster = pbc_dup(msg->cluster),
		.locality = pbc_dup(msg->locality),
		.source_ranges = ranges,
		.n_source_ranges = msg->n_source_ranges,
	};
	for (size_t i = 0; i < msg->n_held; i++) {
		enum xds_type type;
		/* counts of types that a newer server knows are none of ours */
		if (!xds_type_parse(str_from(msg->held[i]->type_url), &type))
			continue;
		snapshot.counted[type] = true;
		snapshot.held[type] = msg->held[i]->n;
	}
	xds_message_free(message);
	*ret_snapshot = snapshot;
	return true;
}
