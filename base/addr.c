/* SPDX-License-Identifier: Apache-2.0 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

enum {
	V4_BITS = 96 /* of the prefix */
};

/* inet_pton wants C strings. */
static bool to_text(struct str s, char text[IP_TEXT_MAX])
{
	if (s.len == 0 || s.len >= IP_TEXT_MAX || memchr(s.ptr, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return true;
}

bool ip_parse(struct str text, struct ip *ret_ip)
{
	char buf[IP_TEXT_MAX];
	struct ip ip;

	if (!to_text(text, buf))
		return false;
	if (inet_pton(AF_INET, buf, ip.b + 12) == 1) {
		memcpy(ip.b, v4_prefix, sizeof(v4_prefix));
		*ret_ip = ip;
		return true;
	}
	if (inet_pton(AF_INET6, buf, ip.b) != 1)
		return false;
	*ret_ip = ip;
	return true;
}

bool ip_is_v4(const struct ip *ip)
{
	return memcmp(ip->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

const char *ip_format(const struct ip *ip, char text[IP_TEXT_MAX])
{
	if (ip_is_v4(ip))
		inet_ntop(AF_INET, ip->b + 12, text, IP_TEXT_MAX);
	else
		inet_ntop(AF_INET6, ip->b, text, IP_TEXT_MAX);
	return text;
}

static bool parse_port(struct str text, uint16_t *ret_port)
{
	uint64_t port;

	if (!str_to_u64(text, UINT16_MAX, &port))
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

/* "[::1]:80" into "::1" and "80"; "10.0.0.1:80" likewise. A bare IPv6 address has no port. */
static bool cut_port(struct str text, struct str *ret_host, struct str *ret_port)
{
	bool bracket = text.len > 0 && text.ptr[0] == '[';
	const char *end = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;

	if (end == NULL)
		return false;
	struct str host = str_make(text.ptr, (size_t)(end - text.ptr));
	*ret_port = str_make(end + 1, text.len - host.len - 1);
	if (bracket) {
		if (host.len < 2 || host.ptr[host.len - 1] != ']')
			return false;
		host = str_make(host.ptr + 1, host.len - 2);
	}
	*ret_host = host;
	/* The brackets are there exactly when the address has colons of its own. */
	return (host.len > 0 && memchr(host.ptr, ':', host.len) != NULL) == bracket;
}

bool addr_parse(struct str text, struct addr *ret_addr)
{
	struct str host;
	struct str port;
	struct addr addr;

	if (!cut_port(text, &host, &port))
		return false;
	if (!ip_parse(host, &addr.ip) || !parse_port(port, &addr.port))
		return false;
	*ret_addr = addr;
	return true;
}

bool addr_eq(const struct addr *a, const struct addr *b)
{
	return ip_eq(&a->ip, &b->ip) && a->port == b->port;
}

const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX])
{
	char ip[IP_TEXT_MAX];

	ip_format(&addr->ip, ip);
	snprintf(text, ADDR_TEXT_MAX, ip_is_v4(&addr->ip) ? "%s:%u" : "[%s]:%u", ip,
	         (unsigned)addr->port);
	return text;
}

/* --- ranges ----------------------------------------------------------------------------------- */

static void clear_host_bits(struct cidr *cidr)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = cidr->bits > i * 8 ? cidr->bits - i * 8 : 0;
		if (kept < 8)
			cidr->ip.b[i] &= (uint8_t)(0xff00U >> kept);
	}
}

bool cidr_parse(struct str text, struct cidr *ret_cidr)
{
	struct str ip;
	struct cidr cidr;

	if (!str_split(&text, '/', &ip) || !ip_parse(ip, &cidr.ip))
		return false;
	/* "::ffff:10.0.0.0/104" counts in the form that is written. */
	bool written_v4 = memchr(ip.ptr, ':', ip.len) == NULL;
	uint64_t bits = written_v4 ? 32 : 128;
	if (text.ptr != NULL && !str_to_u64(text, bits, &bits))
		return false;
	cidr.bits = (uint8_t)(written_v4 ? bits + V4_BITS : bits);
	clear_host_bits(&cidr);
	*ret_cidr = cidr;
	return true;
}

const char *cidr_format(const struct cidr *cidr, char text[CIDR_TEXT_MAX])
{
	char ip[IP_TEXT_MAX];
	bool is_v4 = cidr->bits >= V4_BITS && ip_is_v4(&cidr->ip);

	snprintf(text, CIDR_TEXT_MAX, "%s/%d", ip_format(&cidr->ip, ip),
	         cidr->bits - (is_v4 ? V4_BITS : 0));
	return text;
}

bool cidr_has(const struct cidr *cidr, const struct ip *ip)
{
	unsigned whole = cidr->bits / 8U;
	unsigned rest = cidr->bits % 8U;

	if (memcmp(cidr->ip.b, ip->b, whole) != 0)
		return false;
	/* An IPv4 address is in "::/0" only in the mapped form; people mean IPv6 by that. */
	if (cidr->bits < V4_BITS && ip_is_v4(ip))
		return false;
	return rest == 0 || ((cidr->ip.b[whole] ^ ip->b[whole]) & (0xff00U >> rest) & 0xffU) == 0;
}

/* --- sockets ---------------------------------------------------------------------------------- */

socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *ret_sa)
{
	memset(ret_sa, 0, sizeof(*ret_sa));
	if (ip_is_v4(&addr->ip)) {
		struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
		memcpy(&sin.sin_addr, addr->ip.b + 12, 4);
		memcpy(ret_sa, &sin, sizeof(sin));
		return sizeof(sin);
	}
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
	memcpy(&sin6.sin6_addr, addr->ip.b, 16);
	memcpy(ret_sa, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

void addr_from_sockaddr(const struct sockaddr_storage *sa, struct addr *ret_addr)
{
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;

	memset(ret_addr, 0, sizeof(*ret_addr));
	if (sa->ss_family == AF_INET) {
		memcpy(&sin, sa, sizeof(sin));
		memcpy(ret_addr->ip.b, v4_prefix, sizeof(v4_prefix));
		memcpy(ret_addr->ip.b + 12, &sin.sin_addr, 4);
		ret_addr->port = ntohs(sin.sin_port);
	} else if (sa->ss_family == AF_INET6) {
		memcpy(&sin6, sa, sizeof(sin6));
		memcpy(ret_addr->ip.b, &sin6.sin6_addr, 16);
		ret_addr->port = ntohs(sin6.sin6_port);
	}
}
