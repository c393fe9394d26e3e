# SPDX-License-Identifier: Apache-2.0
"""Hosts and networks of a test, as network namespaces.

        host ── network n1 ── router ──┐
                                       wan ── hosts with a public address
        host ── network n2 ── router ──┘

A namespace has no name: it lives as long as the process that holds it, so nothing is left behind
on the machine, whatever happens to the test run. Everything is made inside these namespaces; the
machine's own network is neither used nor changed.
"""

import contextlib
import ctypes
import ipaddress
import itertools
import json
import os
import pathlib
import shutil
import subprocess

from lib import parts
from lib.process import LIBC, Daemon, die_with_parent

CLONE_NEWNET = 0x40000000
HOME = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
WAN = "172.30.0.0/16"


def _enter(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "setns: " + os.strerror(error))


@contextlib.contextmanager
def namespace(path):
    """Sockets that this thread makes within the block belong to this network, for good."""
    net = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _enter(net)
        yield
    finally:
        _enter(HOME)
        os.close(net)


class Host:
    """One network (and mount) namespace, with `lo` up: a pod, a node, a router."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.directory = lab.directory / name
        self.directory.mkdir(parents=True)
        self.addresses = []
        self._names = {}
        self._interfaces = itertools.count()
        # The holder reads a pipe of ours, so it also ends when this process is killed.
        self._holder = subprocess.Popen(
            [parts.tool("unshare"), "--net", "--mount", "--propagation", "private",
             "sh", "-c", "echo ready; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            preexec_fn=die_with_parent)
        if self._holder.stdout.readline() != b"ready\n":
            parts.missing("cannot make a network namespace here; run as root")
        self.pid = self._holder.pid
        self._net = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")

    @property
    def address(self):
        """Its first address."""
        return self.addresses[0]

    def argv(self, *words, cwd=None):
        """The command that runs `words` inside."""
        return [str(word) for word in (
            parts.tool("nsenter"), f"--target={self.pid}", "--net", "--mount",
            f"--wdns={cwd or self.directory}", "--", *words)]

    def run(self, *words, check=True, timeout=60, **more):
        """Runs a command inside to its end; the result has its stdout and stderr as text
        (bytes with text=False)."""
        more.setdefault("text", True)
        result = subprocess.run(self.argv(*words), timeout=timeout, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **more)
        if check and result.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(map(str, words))}: exit "
                               f"{result.returncode}\n{result.stdout}{result.stderr}")
        return result

    def daemon(self, name, *words, env=None, cwd=None):
        """Starts a program inside and returns a Daemon; it is stopped with the lab, and its log
        is shown when a test fails."""
        daemon = Daemon(name, self.argv(*words, cwd=cwd), self.directory, env=env)
        daemon.host_name = self.name
        self.lab.daemons.append(daemon)
        return daemon

    @contextlib.contextmanager
    def entered(self):
        """Sockets that this thread makes within the block belong to this host, for good."""
        _enter(self._net)
        try:
            yield
        finally:
            _enter(HOME)

    def ip(self, *commands):
        """Runs `ip` commands inside."""
        self.run(parts.tool("ip"), "-batch", "-", input="\n".join(commands) + "\n")

    def nft(self, rules):
        """Adds nftables rules (the text of a file) inside."""
        self.run(parts.tool("nft"), "-f", "-", input=rules)

    @contextlib.contextmanager
    def silent(self):
        """Within the block, what arrives at this host is dropped without a word."""
        self.nft("table ip silence {\n"
                 "  chain input { type filter hook input priority 0; policy drop; }\n"
                 "}\n")
        try:
            yield
        finally:
            self.nft("delete table ip silence\n")

    def names(self, table):
        """Makes these host names (name -> address) known to the programs inside, as well."""
        file = self.directory / "hosts"
        first = not self._names
        self._names.update({"localhost": "127.0.0.1"}, **table)
        file.write_text("".join(f"{ip} {name}\n" for name, ip in self._names.items()))
        if first:
            self.run("mount", "--bind", file, "/etc/hosts")

    def attach(self, network, address):
        """Plugs the host into a network under this address, with a route to everywhere else.

        The first attachment is the default route.
        """
        interface = f"eth{next(self._interfaces)}"
        network.host.ip(f"link add {network.next_port()} type veth peer name {interface} "
                        f"netns {self.pid}",
                        f"link set {network.port} master br0 up")
        commands = [f"link set {interface} up",
                    f"addr add {address}/{network.range.prefixlen} dev {interface}"]
        if not self.addresses:
            commands.append(f"route add default via {network.gateway}")
        self.ip(*commands)
        self.addresses.append(address)

    def close(self):
        os.close(self._net)
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait(10)


class Network:
    """A range of addresses whose hosts reach each other directly.

    A network behind the wan has a router that hides its hosts behind one wan address, so two
    networks may use the same range, and nobody outside can open a connection to a host inside.
    """

    def __init__(self, lab, name, cidr, wan=None, wan_address=None):
        self.range = ipaddress.ip_network(cidr)
        self.gateway = str(self.range[1])
        self.port = None
        self._ports = itertools.count()
        self.host = lab.host(f"{name}-router" if wan else name)
        self.host.ip("link add br0 type bridge", "link set br0 up",
                     f"addr add {self.gateway}/{self.range.prefixlen} dev br0")
        if wan:
            self.host.attach(wan, wan_address)
            self.host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
            self.host.nft("table ip lab {\n"
                          "  chain refused { type filter hook forward priority 0; }\n"
                          "  chain outward { type nat hook postrouting priority 100;\n"
                          "    oifname eth0 masquerade\n"
                          "  }\n"
                          "}\n")

    def next_port(self):
        self.port = f"port{next(self._ports)}"
        return self.port

    def refuse(self, cidr):
        """Drops and counts what hosts inside send straight to this foreign range."""
        self.host.nft(f"add rule ip lab refused ip daddr {cidr} counter drop\n")

    def refused(self):
        """How many packets the drop rules have seen."""
        listing = json.loads(self.host.run(parts.tool("nft"), "-j", "list", "chain", "ip", "lab",
                                           "refused").stdout)
        return sum(expression["counter"]["packets"]
                   for entry in listing["nftables"] if "rule" in entry
                   for expression in entry["rule"]["expr"] if "counter" in expression)


class Lab:
    """The hosts, networks and programs of one test, and the directory they write to."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.daemons = []
        self._hosts = []
        self._explanations = []
        self.wan = Network(self, "wan", WAN)

    def host(self, name, network=None, address=None):
        """A new host, plugged into `network` if one is given."""
        host = Host(self, name)
        self._hosts.append(host)
        if network:
            host.attach(network, address)
        return host

    def network(self, name, cidr, wan_address):
        """A new network behind a router with this wan address."""
        return Network(self, name, cidr, wan=self.wan, wan_address=wan_address)

    def on_failure(self, explanation):
        """`explanation()` is called after a test has failed; it may write files (a dump)."""
        self._explanations.append(explanation)

    def explain(self):
        """Calls every explanation; one that fails is passed over: its program may be dead."""
        for explanation in self._explanations:
            try:
                explanation()
            except (OSError, ValueError, RuntimeError):
                pass

    def close(self):
        """Ends every program, the last started first, and every namespace.

        At once: a test that cares how a program ends has stopped it before.
        """
        for daemon in reversed(self.daemons):
            daemon.kill()
        for host in reversed(self._hosts):
            host.close()
