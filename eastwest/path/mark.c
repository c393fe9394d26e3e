/* SPDX-License-Identifier: Apache-2.0 */
#include "eastwest/mark.h"

#include <string.h>

#include "base/macros.h"

enum {
	SIGNATURE_LEN = 12,
	FIXED_LEN = 16,
	COMMAND_LOCAL = 0x20,
	COMMAND_PROXY = 0x21,
	FAMILY_TCP4 = 0x11,
	FAMILY_TCP6 = 0x21,
	TLV_MARK = 0xe5,
	MARK_VERSION = 1,
	TLV_HEADER = 3
};

static const uint8_t signature[SIGNATURE_LEN] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

/* A cluster's name, or nothing. */
static bool copy_cluster(const uint8_t *name, size_t len, struct ew_mark *mark)
{
	struct str text = str_make((const char *)name, len);
	if (len > 0 && !str_is_dns_label(text))
		return false;
	memcpy(mark->cluster, name, len);
	mark->cluster[len] = '\0';
	return true;
}

/* LOCAL: our TLV makes it a mark, anything else is a load balancer's own check. */
static enum ew_mark_result read_local(const uint8_t *tlvs, size_t len, struct ew_mark *mark)
{
	while (len > 0) {
		if (len < TLV_HEADER)
			return EW_MARK_BAD;
		size_t n = (size_t)tlvs[1] << 8 | tlvs[2];
		if (n > len - TLV_HEADER)
			return EW_MARK_BAD;
		const uint8_t *value = tlvs + TLV_HEADER;
		if (tlvs[0] == TLV_MARK) {
			if (n < 1 || n > 1 + EW_MARK_CLUSTER_MAX || value[0] != MARK_VERSION)
				return EW_MARK_BAD;
			return copy_cluster(value + 1, n - 1, mark) ? EW_MARK_FOUND : EW_MARK_BAD;
		}
		tlvs += TLV_HEADER + n;
		len -= TLV_HEADER + n;
	}
	return EW_MARK_PROXY;
}

static enum ew_mark_result read_source(uint8_t family, const uint8_t *body, size_t len,
                                       struct ew_mark *mark)
{
	size_t ip_len = family == FAMILY_TCP4 ? 4 : 16;
	if (family != FAMILY_TCP4 && family != FAMILY_TCP6)
		return EW_MARK_PROXY;
	if (len < 2 * ip_len + 4)
		return EW_MARK_BAD;
	uint8_t *ip = mark->source.ip.b;
	if (family == FAMILY_TCP4)
		ip[10] = ip[11] = 0xff;
	memcpy(ip + 16 - ip_len, body, ip_len);
	mark->source.port = (uint16_t)(body[2 * ip_len] << 8 | body[2 * ip_len + 1]);
	mark->has_source = true;
	return EW_MARK_PROXY;
}

enum ew_mark_result ew_mark_read(const uint8_t *data, size_t len, struct ew_mark *ret_mark)
{
	*ret_mark = (struct ew_mark){.cluster = ""};
	size_t compared = len < SIGNATURE_LEN ? len : SIGNATURE_LEN;
	if (memcmp(data, signature, compared) != 0)
		return EW_MARK_NONE;
	if (len < FIXED_LEN)
		return EW_MARK_MORE;
	size_t n = (size_t)data[14] << 8 | data[15];
	if ((data[12] != COMMAND_LOCAL && data[12] != COMMAND_PROXY) ||
	    FIXED_LEN + n > EW_PROXY_HEADER_MAX)
		return EW_MARK_BAD;
	if (len < FIXED_LEN + n)
		return EW_MARK_MORE;
	ret_mark->len = (uint32_t)(FIXED_LEN + n);
	const uint8_t *body = data + FIXED_LEN;
	if (data[12] == COMMAND_PROXY)
		return read_source(data[13], body, n, ret_mark);
	/* only for family UNSPEC do TLVs begin at once */
	return data[13] == 0 ? read_local(body, n, ret_mark) : EW_MARK_PROXY;
}

size_t ew_mark_encode(struct str cluster, uint8_t out[EW_MARK_MAX])
{
	size_t n = cluster.len <= EW_MARK_CLUSTER_MAX ? cluster.len : 0;
	memcpy(out, signature, SIGNATURE_LEN);
	out[12] = COMMAND_LOCAL;
	out[13] = 0;
	out[14] = 0;
	out[15] = (uint8_t)(TLV_HEADER + 1 + n);
	out[16] = TLV_MARK;
	out[17] = 0;
	out[18] = (uint8_t)(1 + n);
	out[19] = MARK_VERSION;
	if (n > 0)
		memcpy(out + 20, cluster.ptr, n);
	return 20 + n;
}
