/* SPDX-License-Identifier: Apache-2.0 */
#include "xds/node.h"

#include "metadata_priv.h"
#include "pbc_priv.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "xds/message.h"
#include "xds/proto/core.pb-c.h"

static const char *const roles[] = {
	[XDS_ROLE_INGRESS] = "ingress",
	[XDS_ROLE_GATEWAY] = "gateway",
};

void xds_node_fini(struct xds_node *node)
{
	free(node->id);
	free(node->name);
	free(node->version);
	free(node->region);
	free(node->zone);
	free(node->subzone);
	*node = (struct xds_node){0};
}

static bool copy_text(char **ret_text, const char *text, const char *what, struct err *err)
{
	if (text == NULL || text[0] == '\0')
		return true;
	if (strlen(text) > XDS_NODE_TEXT_MAX)
		return err_set(err, ERR_INVALID, "the node's %s is longer than %d bytes", what,
		               XDS_NODE_TEXT_MAX);
	*ret_text = xstrdup(text);
	return true;
}

static bool read_role(const char *text, enum xds_role *ret_role, struct err *err)
{
	if (text == NULL)
		return true;
	for (size_t i = 0; i < N_ELEMS(roles); i++) {
		if (strcmp(text, roles[i]) == 0) {
			*ret_role = (enum xds_role)i;
			return true;
		}
	}
	return err_set(err, ERR_INVALID,
	               "the node's role is '%.32s', it must be 'gateway' or 'ingress'", text);
}

static bool read_ours(const Google__Struct *ours, struct xds_node *node, struct err *err)
{
	node->mark = metadata_flag(ours, "mark");
	return read_role(metadata_text(ours, "role"), &node->role, err) &&
	       copy_text(&node->name, metadata_text(ours, "name"), "name", err) &&
	       copy_text(&node->version, metadata_text(ours, "version"), "version", err);
}

static bool read_metadata(struct str bytes, struct xds_node *node, struct err *err)
{
	Google__Struct *meta = metadata_decode(bytes, err);
	if (meta == NULL)
		return err_wrap(err, "the node's metadata");
	const Google__Value *value = metadata_find(meta, METADATA_KEY);
	bool ok = true;
	if (value != NULL && value->has_struct_value) {
		Google__Struct *ours = metadata_decode(pbc_str(value->struct_value), err);
		ok = ours != NULL && read_ours(ours, node, err);
		metadata_free(ours);
	}
	metadata_free(meta);
	return ok;
}

bool xds_node_decode(struct str bytes, struct xds_node *ret_node, struct err *err)
{
	ProtobufCMessage *message = xds_message_unpack(&envoy__node__descriptor, bytes, err);
	if (message == NULL)
		return false;
	const Envoy__Node *msg = (const Envoy__Node *)message;
	struct xds_node node = {0};
	bool ok = copy_text(&node.id, msg->id, "id", err);
	if (ok && msg->locality != NULL)
		ok = copy_text(&node.region, msg->locality->region, "region", err) &&
		     copy_text(&node.zone, msg->locality->zone, "zone", err) &&
		     copy_text(&node.subzone, msg->locality->sub_zone, "subzone", err);
	if (ok && msg->has_metadata)
		ok = read_metadata(pbc_str(msg->metadata), &node, err);
	xds_message_free(message);
	if (ok)
		*ret_node = node;
	else
		xds_node_fini(&node);
	return ok;
}

void xds_node_encode(const struct xds_node *node, struct buf *out)
{
	struct metadata_item items[] = {
		{.key = "role", .text = roles[node->role]},
		{.key = "name", .text = node->name != NULL ? node->name : ""},
		{.key = "version", .text = node->version != NULL ? node->version : ""},
		{.key = "mark", .flag = node->mark},
	};
	struct buf ours CLEANUP(buf_fini) = {0};
	struct buf meta CLEANUP(buf_fini) = {0};
	buf_init(&ours, METADATA_BYTES_MAX);
	buf_init(&meta, METADATA_BYTES_MAX);
	metadata_encode(items, N_ELEMS(items), &ours);
	metadata_encode_nested(METADATA_KEY, buf_str(&ours), &meta);

	Envoy__Locality locality = ENVOY__LOCALITY__INIT;
	locality.region = node->region;
	locality.zone = node->zone;
	locality.sub_zone = node->subzone;
	Envoy__Node msg = ENVOY__NODE__INIT;
	msg.id = node->id;
	msg.has_metadata = true;
	msg.metadata = pbc_bytes(buf_str(&meta));
	if (node->region != NULL)
		msg.locality = &locality;
	xds_message_pack(&msg.base, out);
}
