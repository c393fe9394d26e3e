# SPDX-License-Identifier: Apache-2.0
"""Endpoints that are ready for Kubernetes, but refuse connections behind their own gateway: what the
gateway tells fedwayd of them leads callers of other networks elsewhere, and back.

     n1 (region1/zone1)            wan             n2 (region1/zone2)   n3 (region2/zone1)
  caller ── g1 egress :15444 ── ingress :15443 g2 ── web-c2
                             └─ ingress :15443 g3 ────────────────────── web-c3

Calls of n1 prefer n2, then n3. The tests stand in order and share their scene.
"""

import json
import sys
import time

import pytest
import yaml

from lib import fedwayd, istio, kube, objects, pki, tls, wait
from lib.fedwayd import Fedwayd, condition, counts, is_true, phase
from lib.gateway import INGRESS, FedwayGateway, control_plane
from lib.load import Load
from programs import web

RANGE = "10.201.0.0/16"
INNER, WEB_IP, CALLER_IP = (f"10.201.0.{n}" for n in (2, 10, 20))
PORT = 5000
SNI = istio.sni("helloworld", "sample", PORT)
EGRESS = {"name": "egress", "mode": "egress", "address": INNER, "port": 15444, "allow": [RANGE]}
PLACES = {"c1": ("region1", "zone1", "subzone1"), "c2": ("region1", "zone2", "subzone1"),
          "c3": ("region2", "zone1", "subzone1")}
NOTICED = 5.0  # the worst case: five calls, a report a second, three seconds of failing
HELD = 10.0    # from the last refused connect until it must be tried again
MESH = {"apiVersion": "fedway.io/v1alpha1", "kind": "Mesh", "metadata": {"name": "default"},
        "spec": {"localityLbSetting": {}}}


def hello(place):
    return [
        objects.namespace("sample"), objects.node("node-1", *place),
        objects.service("sample", "helloworld", [objects.port(PORT, "tls-hello")]),
        objects.pod("sample", "helloworld-0", WEB_IP, {"app": "helloworld"}, "helloworld",
                    "node-1", True),
        objects.endpoint_slice("sample", "helloworld", {"tls-hello": PORT}, [
            objects.endpoint(WEB_IP, True, ("sample", "helloworld-0"), "node-1")])]


class Scene:
    """Three members in a network each, their gateways, and fedwayd."""

    def __init__(self, lab):
        self.last = None  # who has answered a call of a Load
        root = pki.root("mesh-root")
        self.identity = root.issue("caller", uris=["spiffe://cluster.local/ns/sample/sa/caller"])
        server = root.issue("web", uris=["spiffe://cluster.local/ns/sample/sa/helloworld"])
        self.files = [*server.write(lab.directory, "server"), root.write(lab.directory, "root")[0]]
        self.control = Fedwayd(lab.host("control", lab.wan, "172.30.0.30"))
        self.networks = {name: lab.network(f"n{i}", RANGE, f"172.30.0.{100 + i}")
                         for i, name in enumerate(PLACES, start=1)}
        self.join(lab)
        self.caller = lab.host("caller", self.networks["c1"], CALLER_IP)
        self.hosts = {name: lab.host(f"web-{name}", self.networks[name], WEB_IP)
                      for name in ("c2", "c3")}
        for name, host in self.hosts.items():
            host.daemon("web", sys.executable, web.__file__, PORT, f"web-{name}",
                        *self.files).wait_line("listening")
        wait.until(lambda: self.call() == "web-c2", 20, "calls go to the next zone")

    def join(self, lab):
        etcd = kube.Etcd(lab, "172.30.0.2")
        members = [kube.Cluster(lab, etcd, name, f"172.30.0.{10 + i}")
                   for i, name in enumerate(PLACES, start=1)]
        self.control.wait_ready()
        made = [MESH]
        for i, member in enumerate(members, start=1):
            member.wait_ready()
            member.admin.wait("v1", "Namespace", None, "kube-system", bool)
            if member.name != "c1":
                member.admin.apply(*hello(PLACES[member.name]))
            config = yaml.safe_dump(member.kubeconfig_of(kube.ADMIN_TOKEN))
            made += [objects.secret("default", member.name, {"kubeconfig": config}),
                     fedwayd.cluster(member.name, f"n{i}", locality="/".join(PLACES[member.name])),
                     fedwayd.group(f"n{i}"),
                     fedwayd.gateway(f"g{i}", member.name, f"172.30.0.{40 + i}")]
        self.control.apply(*made)
        for member in members:
            self.control.wait("Cluster", member.name, lambda obj: phase(obj) == "Ready", 60)
        self.gateways = [self.start_gateway(lab, i, member)
                         for i, member in enumerate(members, start=1)]
        for i, gateway in enumerate(self.gateways, start=1):
            gateway.wait_ready()
            self.control.wait("NetworkGroup", f"n{i}", lambda obj: is_true(obj, "Joined"), 30)

    def start_gateway(self, lab, i, member):
        host = lab.host(f"g{i}", lab.wan, f"172.30.0.{40 + i}")
        host.attach(self.networks[member.name], INNER)
        made = FedwayGateway(host, controlPlane=control_plane(host, member, f"g{i}"),
                             listeners=[INGRESS, EGRESS] if i == 1 else [INGRESS])
        lab.on_failure(made.dump)
        return made

    def refuse(self, name):
        """From here on this workload's port refuses; open connections go on."""
        self.hosts[name].nft("table ip refuse {\n"
                             "  chain input { type filter hook input priority 0;\n"
                             f"    tcp dport {PORT} tcp flags & (syn | ack) == syn "
                             "reject with tcp reset\n"
                             "  }\n"
                             "}\n")

    def accept(self, name):
        self.hosts[name].nft("delete table ip refuse\n")

    def call(self):
        """One call of the caller on a connection of its own: who has answered."""
        try:
            with tls.connect(self.caller, INNER, 15444, SNI, identity=self.identity) as connection:
                status, body = tls.ask(connection)
        except OSError as error:
            return str(error)
        return json.loads(body)["name"] if status == 200 else status

    def good_call(self):
        self.last = who = self.call()
        return who in ("web-c2", "web-c3"), who

    def why(self, cluster):
        """What fedwayd says of the candidates in this cluster to a caller of c1."""
        answer = self.control.admin.request(
            "POST", "/apis/answers.fedway.io/v1alpha1/routeexplanations",
            {"apiVersion": "answers.fedway.io/v1alpha1", "kind": "RouteExplanation",
             "spec": {"service": f"sample/helloworld:{PORT}", "from": {"cluster": "c1"}}})
        return [c for c in answer["candidates"] if c["cluster"] == cluster]

    def withdrawn(self):
        return self.control.total("fedway_routes_withdrawn")

    def wait_withdrawn(self, number, timeout):
        """Waits until so many routes are withdrawn; how long that took."""
        began = time.monotonic()
        wait.until(lambda: self.withdrawn() == number, timeout, f"{number} routes are withdrawn")
        return time.monotonic() - began

    def wait_service(self, test):
        return self.control.wait("MeshService", "helloworld", test, 20, "sample")


@pytest.fixture(scope="module")
def scene(lab):
    return Scene(lab)


def test_callers_of_another_network_go_past_pods_that_refuse(scene):
    with Load(scene.good_call) as load:
        scene.refuse("c2")
        assert scene.wait_withdrawn(1, 15) <= NOTICED
        [candidate] = scene.why("c2")
        assert (candidate["health"], candidate["code"]) == ("NotAnswering", "FED-132")
        assert "gateway g2 (c2)" in candidate["because"] and not candidate["used"]
        # the change is in g1 by now or in a moment: then nobody asks g2 any more
        wait.until(lambda: quiet(scene, load), 5, "calls go straight to n3")
    assert load.failed == []
    assert scene.call() == "web-c3"
    shown = scene.wait_service(lambda obj: counts(obj).get("c2") == (0, 1))
    assert counts(shown)["c3"] == (1, 1)
    assert condition(shown, "Answering")["reason"] == "NotAnswering"
    assert "FED-132" in condition(shown, "Answering")["message"]


def refused_at_g2(scene):
    return scene.gateways[1].total("fedway_gateway_closed_connections_total",
                                   reason="connect_failed")


def quiet(scene, load):
    """Twenty calls pass, and g2 is asked by none of them."""
    before = refused_at_g2(scene)
    load.wait_calls(20)
    return refused_at_g2(scene) == before


def test_without_a_caller_they_are_tried_again_and_calls_come_back(scene):
    assert scene.wait_withdrawn(0, 30) <= HELD + 5
    assert scene.control.total("fedway_route_withdrawals_total") == 1
    # they refuse still: it begins anew, and still no call fails
    with Load(scene.good_call) as load:
        assert scene.wait_withdrawn(1, 15) <= NOTICED + 1
        scene.accept("c2")
        # the second time they are held twice as long
        assert scene.wait_withdrawn(0, 40) <= 2 * HELD + 5
        wait.until(lambda: scene.last == "web-c2", 5, "calls are answered by n2 again")
    assert load.failed == []
    assert scene.why("c2")[0]["health"] == "Healthy"
    shown = scene.wait_service(lambda obj: counts(obj).get("c2") == (1, 1))
    assert is_true(shown, "Answering")


def test_what_the_gateway_has_ejected_stays_away_as_long(scene):
    ejected = 14.0  # longer than what is known without a policy
    scene.control.apply({
        "apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": "helloworld", "namespace": "sample"},
        "spec": {"host": "helloworld.sample.svc.cluster.local", "trafficPolicy": {
            "outlierDetection": {"consecutive5xxErrors": 2, "interval": "1s",
                                 "baseEjectionTime": f"{ejected:.0f}s",
                                 "maxEjectionPercent": 100}}}})
    g2 = scene.gateways[1]
    with Load(scene.good_call) as load:
        scene.refuse("c2")
        # until g2 has the rule, its endpoint is not ejected; one failure more and it is
        wait.until(lambda: g2.total("fedway_gateway_ejections_total") == 1, 20, "it is ejected")
        began = time.monotonic()
        scene.wait_withdrawn(1, 5)
        scene.accept("c2")
        scene.wait_withdrawn(0, 30)
        assert time.monotonic() - began >= ejected - 1
        wait.until(lambda: scene.last == "web-c2", ejected + 5, "calls are answered by n2")
    assert load.failed == []
    scene.control.kubectl("delete", "destinationrule", "-n", "sample", "helloworld")


def test_a_restarted_fedwayd_judges_anew(scene):
    with Load(scene.good_call) as load:
        scene.refuse("c2")
        scene.wait_withdrawn(1, 15)
        scene.control.kill()
        scene.control.start().wait_ready()
        assert scene.withdrawn() == 0
        assert scene.why("c2")[0]["health"] in ("Healthy", "NotAnswering")
        scene.wait_withdrawn(1, 30)
        scene.accept("c2")
        scene.wait_withdrawn(0, 30)
        wait.until(lambda: scene.last == "web-c2", 5, "calls are answered by n2 again")
    assert load.failed == []
