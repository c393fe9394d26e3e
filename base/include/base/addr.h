/* SPDX-License-Identifier: Apache-2.0 */
/*
 * addr - IP addresses and CIDR ranges as plain data. 16 bytes, IPv4 mapped (RFC 4291 2.5.5.2).
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct ip {
	uint8_t b[16];
};

struct addr {
	struct ip ip;
	uint16_t port;
};

struct cidr {
	struct ip ip;
	uint8_t bits; /* 0 to 128, counted in the mapped form */
};

enum {
	IP_TEXT_MAX = INET6_ADDRSTRLEN,
	ADDR_TEXT_MAX = INET6_ADDRSTRLEN + 8,
	CIDR_TEXT_MAX = INET6_ADDRSTRLEN + 4
};

bool ip_parse(struct str text, struct ip *ret_ip);
bool ip_is_v4(const struct ip *ip);
bool ip_eq(const struct ip *a, const struct ip *b);
/* Returns text: "10.0.0.1", "2001:db8::1". */
const char *ip_format(const struct ip *ip, char text[IP_TEXT_MAX]);

/* "10.0.0.1:80", "[::1]:80". */
bool addr_parse(struct str text, struct addr *ret_addr);
bool addr_eq(const struct addr *a, const struct addr *b);
const char *addr_format(const struct addr *addr, char text[ADDR_TEXT_MAX]);

/* "10.0.0.0/8", "10.0.0.1" (= /32), "2001:db8::/32". */
bool cidr_parse(struct str text, struct cidr *ret_cidr);
/* Returns text, always with its prefix: "10.0.0.1/32". */
const char *cidr_format(const struct cidr *cidr, char text[CIDR_TEXT_MAX]);
bool cidr_has(const struct cidr *cidr, const struct ip *ip);

/* For the socket calls. Returns the length to pass on. */
socklen_t addr_to_sockaddr(const struct addr *addr, struct sockaddr_storage *ret_sa);
void addr_from_sockaddr(const struct sockaddr_storage *sa, struct addr *ret_addr);
