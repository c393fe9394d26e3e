/* SPDX-License-Identifier: Apache-2.0 */
#include "lab.h"
#include "lab_net.h"
#include "lab_run.h"

#include <stdio.h>
#include <string.h>

static bool add_host(const struct lab_host *host, struct err *err)
{
	const char *ns = host->name;
	if (!lab_run(err, "ip netns add %s", ns) ||
	    !lab_run(err, "ip link add to-%s type veth peer name wan0 netns %s", ns, ns) ||
	    !lab_run(err, "ip link set to-%s master wan up", ns) ||
	    !lab_run(err, "ip -n %s addr add %s/24 dev wan0", ns, host->wan) ||
	    !lab_run(err, "ip -n %s link set wan0 up", ns) ||
	    !lab_run(err, "ip -n %s link set lo up", ns))
		return false;
	/* A local route makes every address of the range the host's own, without one `addr add`
	 * per pod; no other host has a route to it. */
	return host->pods[0] == '\0' ||
	       lab_run(err, "ip -n %s route add local %s dev lo", ns, host->pods);
}

bool lab_net_build(struct err *err)
{
	if (!lab_run(err, "ip link set lo up") || !lab_run(err, "ip link add wan type bridge") ||
	    !lab_run(err, "ip addr add 192.0.2.1/24 dev wan") ||
	    !lab_run(err, "ip link set wan up"))
		return false;
	for (const struct lab_host *host = lab_hosts; host->name != NULL; host++) {
		if (!add_host(host, err))
			return err_wrap(err, "host '%s'", host->name);
	}
	return true;
}

static bool drop(const char *from, const char *to, struct err *err)
{
	return lab_run(err, "nft add table bridge cut-%s-%s", from, to) &&
	       lab_run(err,
	               "nft add chain bridge cut-%s-%s forward { type filter hook forward priority "
	               "0 "
	               "; }",
	               from, to) &&
	       lab_run(err,
	               "nft add rule bridge cut-%s-%s forward iifname to-%s oifname to-%s drop",
	               from, to, from, to);
}

bool lab_net_cut(const char *a, const char *b, struct err *err)
{
	return drop(a, b, err) && drop(b, a, err);
}

bool lab_net_heal(const char *a, const char *b, struct err *err)
{
	return lab_run(err, "nft delete table bridge cut-%s-%s", a, b) &&
	       lab_run(err, "nft delete table bridge cut-%s-%s", b, a);
}
