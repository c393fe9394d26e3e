# SPDX-License-Identifier: Apache-2.0
"""Part `change` of bench/run: from a change in a member to its first use in another network.

         172.30.0.0/16 (wan)
  control .5      member APIs .11 .12      gateways .31 .32      bench .50
                                               │                   │
            network-1 10.99.1.0/24, network-2 10.99.2.0/24         │
              .2 gateway   .10 bench ──────────────────────────────┘

The service has one endpoint, in network-1. bench-change sits on all three networks: it writes that
endpoint's readiness into member 1, is the upstream there, and knocks at both gateways.
"""

import argparse
import base64
import datetime
import json
import os
import pathlib
import socket
import ssl
import sys

import yaml

from lib import fedwayd, http, objects, parts, wait
from lib.fedwayd import Fedwayd, phase
from lib.gateway import INGRESS, FedwayGateway, control_plane
from lib.lab import Lab

AIM_MS = 50
SNI = "outbound_.5000_._.helloworld.sample.svc.cluster.local"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/sample/endpointslices/helloworld-1"
TLS_MODE = {"security.istio.io/tlsMode": "istio"}
BENCH_IP = "172.30.0.50"
# Which door of which gateway is knocked at.
DOORS = {"own": "172.30.0.31:15443", "other": "10.99.2.2:15444"}
ROW = "  {:<52} {:>7} {:>7} {:>7}"


class Plan:
    """What is known of cluster `number` before it is there."""

    def __init__(self, number):
        self.number = number
        self.name = f"cluster-{number}"
        self.group = f"network-{number}"
        self.locality = f"region{number}/zone1/subzone1"
        self.api_ip = f"172.30.0.1{number}"
        self.gateway_ip = f"172.30.0.3{number}"
        self.gateway = f"gw-{number}"
        self.pods = f"10.99.{number}.0/24"
        self.inner_ip = f"10.99.{number}.2"
        self.hello_ip = f"10.99.{number}.10"


def helloworld(address, ready):
    return objects.endpoint(address, ready, ("sample", "helloworld-1"), "node-1")


class Site:
    """A member cluster (fedwayd --role=member), its network and its gateway."""

    def __init__(self, lab, plan):
        self.plan = plan
        self.name = plan.name
        self.server = Fedwayd(lab.host(f"kube-{plan.number}", lab.wan, plan.api_ip), "member")
        self.network = lab.network(plan.group, plan.pods, f"172.30.0.10{plan.number}")
        self.host = lab.host(plan.gateway, lab.wan, plan.gateway_ip)
        self.host.attach(self.network, plan.inner_ip)
        self.gateway = None

    @property
    def admin(self):
        return self.server.admin

    def kubeconfig(self):
        return (self.server.data / "admin.kubeconfig").read_text()

    def token(self, namespace, account, audience):
        """A token of a service account of this member."""
        path = self.admin.path("v1", "ServiceAccount", namespace, account, "token")
        answer = self.admin.request("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [audience]}})
        return answer["status"]["token"]

    def join(self, control, services):
        plan = self.plan
        self.server.wait_ready()
        self.admin.create(objects.namespace("sample"))
        self.admin.create(objects.node("node-1", *plan.locality.split("/")))
        self._add_services(services)
        for obj in (objects.secret("default", plan.name, {"kubeconfig": self.kubeconfig()}),
                    fedwayd.group(plan.group),
                    fedwayd.cluster(plan.name, plan.group, locality=plan.locality),
                    fedwayd.gateway(plan.gateway, plan.name, plan.gateway_ip)):
            control.admin.create(obj)

    def add_helloworld(self):
        """The service that changes, with one endpoint that is not ready."""
        ip = self.plan.hello_ip
        for obj in (objects.service("sample", "helloworld", [objects.port(5000, "tls-hello")]),
                    objects.pod("sample", "helloworld-1", ip, node_name="node-1", ready=False),
                    objects.endpoint_slice("sample", "helloworld", {"tls-hello": 5000},
                                           [helloworld(ip, ready=False)])):
            self.admin.create(obj)

    def _add_services(self, count):
        """Services that stay as they are, with an endpoint each; over one connection."""
        admin = self.admin
        kept = http.connection(admin.host, admin.address, admin.port,
                               ssl.create_default_context(cadata=admin.authority))
        kept.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            name, address = f"other-{number}", f"10.99.{self.plan.number}.{number % 200 + 20}"
            ports = [objects.port(5000, "tls-hello")]
            for obj in (objects.service("sample", name, ports, labels=TLS_MODE),
                        objects.endpoint_slice("sample", name, {"tls-hello": 5000},
                                               [objects.endpoint(address)])):
                path = admin.path(obj["apiVersion"], obj["kind"], "sample")
                kept.request("POST", path, json.dumps(obj).encode(), {
                    "Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"})
                answer = kept.getresponse()
                answer.read()
                assert answer.status == 201, f"{name}: {answer.status}"
        kept.close()

    def start_gateway(self, control):
        plan = self.plan
        control.wait("Cluster", plan.name, lambda obj: phase(obj) == "Ready", 60)
        egress = {"name": "egress", "mode": "egress", "address": plan.inner_ip, "port": 15444,
                  "allow": [plan.pods]}
        self.gateway = FedwayGateway(
            self.host, listeners=[INGRESS, egress], admin={"path": "gateway.sock"},
            controlPlane=control_plane(self.host, self, plan.gateway))
        self.gateway.wait_ready()
        self.host.run(parts.tool("curl"), "-sS", "--unix-socket", "gateway.sock", "-X", "POST",
                      "http://gateway/log-level?level=debug")


class World:
    """Two clusters in two networks, joined, with a service that has no ready endpoint."""

    def __init__(self, lab, services):
        self.control = Fedwayd(lab.host("control", lab.wan, "172.30.0.5"),
                               options=("--log-level", "debug"))
        self.sites = [Site(lab, Plan(number)) for number in (1, 2)]
        self.host = lab.host("bench", lab.wan, BENCH_IP)
        for site in self.sites:
            self.host.attach(site.network, site.plan.hello_ip)
        self.control.wait_ready()
        for site in self.sites:
            site.join(self.control, services)
        for site in self.sites:
            site.start_gateway(self.control)
        self.sites[0].add_helloworld()
        self.control.wait("MeshService", "helloworld", lambda obj: fedwayd.counts(obj).get(
            "cluster-1") == (0, 1), 30, "sample")
        # each sees the other alive: else the first changes would wait for that
        for site, other in (self.sites, self.sites[::-1]):
            wait.until(lambda site=site, other=other: site.gateway.total(
                "fedway_gateway_address_live", address=f"{other.plan.gateway_ip}:15443") == 1,
                30, f"{site.plan.gateway} sees {other.plan.gateway}")

    def run(self, program, changes):
        """bench-change; its lines as dicts."""
        user = yaml.safe_load(self.sites[0].kubeconfig())["users"][0]["user"]
        for name in ("certificate", "key"):
            file = self.host.directory / f"{name}.pem"
            file.touch(0o600)
            file.write_bytes(base64.b64decode(user[f"client-{name}-data"]))
        plan = self.sites[0].plan
        states = {word: json.dumps({"endpoints": [helloworld(plan.hello_ip, word == "some")]})
                  for word in ("some", "none")}
        doors = [word for name, at in DOORS.items() for word in ("--door", f"{name},{at}")]
        said = self.host.run(
            program, "--api", f"{plan.api_ip}:6443", "--cert", "certificate.pem", "--key",
            "key.pem", "--path", SLICE, "--some", states["some"], "--none", states["none"],
            "--sni", SNI, "--upstream", f"{plan.hello_ip}:5000", "--changes", changes, *doors,
            timeout=60 + changes, check=False)
        if said.returncode != 0:
            sys.exit(f"bench-change: {said.stderr.strip()}")
        return [dict(word.split("=") for word in line.split())
                for line in said.stdout.splitlines()]


# --- figures -------------------------------------------------------------------------------------

def quantile(values, share):
    """The least value that `share` of all do not exceed."""
    values = sorted(values)
    return values[max(0, -(-len(values) * share // 100) - 1)]


def row(title, values):
    figures = [quantile(values, 50), quantile(values, 99), max(values)] if values else []
    return ROW.format(title, *([f"{value:.1f}" for value in figures] or ["-"] * 3))


def stamps(daemon, pattern):
    """When it said so, in ms of the day's clock."""
    def at(line):
        when = datetime.datetime.strptime(line.split()[0], "%Y-%m-%dT%H:%M:%S.%f%z")
        return round(when.timestamp() * 1000)
    return [at(line) for line in daemon.lines(pattern)]


def first_after(times, begin, end):
    """The first of these times in [begin, end), None if there is none."""
    return next((at for at in times if begin <= at < end), None)


def stages(world, changes):
    """[(title, [ms])]: where the time to the first use in the other network went, from logs, to
    the millisecond; the last has no title. A change that a log does not show is left out."""
    taken = stamps(world.control.daemon, r"snapshot +cluster=cluster-1 ")
    in_force = stamps(world.sites[1].gateway.daemon, "mesh in force")
    found = {"answer -> fedwayd has read it": [], "-> the gateway has its table": [], "": []}
    for change in changes:
        answered = int(change["wall_ms"])
        used = answered + float(change["other_us"]) / 1000
        begin = answered - float(change["write_us"]) / 1000 - 1
        read = first_after(taken, begin, used + 1)
        table = read and first_after(in_force, read, used + 1)
        if table:
            for title, ms in zip(found, (read - answered, table - read, used - table)):
                found[title].append(ms)
    return list(found.items())


def print_way(world, changes, title, event):
    other = [float(c["other_us"]) / 1000 for c in changes]
    print(f"  {title}")
    print(row(f"  answer to the write -> {event}", other))
    for what, values in stages(world, changes):
        print(row(f"    {what or f'-> {event}'}", values))
    print(row(f"  sending the write -> {event}",
              [ms + float(c["write_us"]) / 1000 for ms, c in zip(other, changes)]))
    print(row(f"  answer -> {event}, gateway of its own network",
              [float(c["own_us"]) / 1000 for c in changes]))


def report(world, services, said):
    changes = [line for line in said if "to" in line]
    ways = {to: [c for c in changes if c["to"] == to] for to in ("some", "none")}
    print(f"From a change in a member to its first use in another network, ms; aim: < {AIM_MS} at "
          f"p99\n({len(ways['some'])} changes each way; {services} other services in each member)")
    print(ROW.format("", "p50", "p99", "max"))
    print_way(world, ways["some"], "no ready endpoint -> one", "first reply")
    print_way(world, ways["none"], "one -> no ready endpoint", "first refusal")
    knocks = ", ".join(f"{float(line['knock_us']) / 1000:.2f} ({line['door']})"
                       for line in said if "door" in line)
    unsteady = sum(int(c["unsteady"]) for c in changes)
    print(f"  A knock takes {knocks}, the next follows 0.5 later; "
          f"{unsteady} outcomes did not last.")


def main():
    parser = argparse.ArgumentParser(prog="bench/change.py")
    parser.add_argument("program", help="bench-change")
    parser.add_argument("directory", help="an empty one, for logs")
    parser.add_argument("changes", type=int, help="each way")
    parser.add_argument("services", type=int, help="in each member, beside the one that changes")
    given = parser.parse_args()
    os.environ.setdefault("FEDWAY_BIN", str(parts.ROOT / "build" / "bin"))
    lab = Lab(pathlib.Path(given.directory).resolve())
    try:
        world = World(lab, given.services)
        report(world, given.services, world.run(pathlib.Path(given.program).resolve(),
                                                given.changes))
    finally:
        lab.close()


if __name__ == "__main__":
    main()
