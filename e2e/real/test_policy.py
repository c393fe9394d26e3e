# SPDX-License-Identifier: Apache-2.0
"""A DestinationRule applied at fedwayd, with a real kube-apiserver as member: what it says of a
service arrives in the route table of fedway-gateway, and goes when it is deleted."""

import http.client
import json
import pathlib
import shutil
import socket
import tempfile

import pytest
import yaml

from lib import fedwayd, kube, objects, wait
from lib.fedwayd import Fedwayd, phase
from lib.gateway import FedwayGateway, control_plane

HOST = "helloworld.sample.svc.cluster.local"
SNI = f"outbound_.5000_._.{HOST}"
RULE = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
        "metadata": {"name": "helloworld", "namespace": "sample"}}
POLICY = {
    "loadBalancer": {"simple": "LEAST_REQUEST"},
    "connectionPool": {"tcp": {"maxConnections": 7, "connectTimeout": "1500ms",
                               "idleTimeout": "10m"}},
    "outlierDetection": {"consecutive5xxErrors": 3, "interval": "2s", "baseEjectionTime": "20s",
                         "maxEjectionPercent": 60, "minHealthPercent": 30},
}


def hello():
    return [
        objects.namespace("sample"),
        objects.node("node-1", "region1", "zone1", "subzone1"),
        objects.service("sample", "helloworld", [objects.port(5000, "tls-hello")]),
        objects.pod("sample", "helloworld-0", "10.201.0.11", {"app": "helloworld"}, "helloworld",
                    "node-1", True),
        objects.endpoint_slice("sample", "helloworld", {"tls-hello": 5000}, [
            objects.endpoint("10.201.0.11", True, ("sample", "helloworld-0"), "node-1")])]


class Scene:
    """One member with helloworld, its gateway with an admin socket, and fedwayd."""

    def __init__(self, lab):
        member = kube.Cluster(lab, kube.Etcd(lab, "172.30.0.2"), "c1", "172.30.0.11")
        self.control = Fedwayd(lab.host("control", lab.wan, "172.30.0.30"))
        member.wait_ready()
        member.admin.wait("v1", "Namespace", None, "kube-system", bool)
        member.admin.apply(*hello())
        member.start_controllers()
        self.control.wait_ready()
        config = yaml.safe_dump(member.kubeconfig_of(kube.ADMIN_TOKEN))
        self.control.apply(objects.secret("default", "c1", {"kubeconfig": config}),
                           fedwayd.cluster("c1", "network-c1"), fedwayd.group("network-c1"),
                           fedwayd.gateway("gw-c1", "c1", "192.0.2.1"))
        self.control.wait("Cluster", "c1", lambda obj: phase(obj) == "Ready", 60)
        # a short name: the kernel takes 107 characters
        self.socket = pathlib.Path(tempfile.mkdtemp(prefix="fedway-")) / "admin.sock"
        host = lab.host("gw-c1", lab.wan, "172.30.0.41")
        self.gateway = FedwayGateway(host, controlPlane=control_plane(host, member, "gw-c1"),
                                     admin={"path": str(self.socket)}).wait_ready()

    def routes(self):
        """The gateway's routes by name, as its admin socket tells them."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.socket))
            connection.sendall(b"GET /routes HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n")
            response = http.client.HTTPResponse(connection)
            response.begin()
            return {route["sni"]: route for route in json.loads(response.read())["routes"]}

    def wait_policy(self, wanted, sni=SNI):
        wait.until(lambda: self.routes().get(sni, {}).get("policy") == wanted, 10,
                   f"the policy of {sni} is {wanted}")


@pytest.fixture(scope="module")
def scene(lab):
    made = Scene(lab)
    yield made
    shutil.rmtree(made.socket.parent, ignore_errors=True)


def rule(policy, **spec):
    return {**RULE, "spec": {"host": HOST, "trafficPolicy": policy, **spec}}


def test_what_a_destination_rule_says_is_in_the_gateways_table(scene):
    scene.wait_policy({"loadBalancer": "ROUND_ROBIN"})
    scene.control.apply(rule(POLICY))
    scene.wait_policy({
        "loadBalancer": "LEAST_REQUEST", "maxConnections": 7, "connectTimeoutMilliseconds": 1500,
        "idleTimeoutMilliseconds": 600000, "minHealthPercent": 30,
        "outlierDetection": {"consecutive": 3, "intervalMilliseconds": 2000,
                             "baseEjectionMilliseconds": 20000, "maxEjectionPercent": 60}})
    assert scene.routes()[SNI]["ejected"] == []
    # another rule, and what it does not say is the default again
    scene.control.apply(rule({"loadBalancer": {"consistentHash": {"useSourceIp": True}}}))
    scene.wait_policy({"loadBalancer": "SOURCE_IP"})
    assert scene.gateway.total("fedway_gateway_ejections_total") == 0


def test_a_subset_has_its_own_policy(scene):
    scene.control.apply(rule(
        {"loadBalancer": {"simple": "RANDOM"}},
        subsets=[{"name": "v1", "labels": {"app": "helloworld"},
                  "trafficPolicy": {"connectionPool": {"tcp": {"maxConnections": 3}}}}]))
    scene.wait_policy({"loadBalancer": "RANDOM"})
    scene.wait_policy({"loadBalancer": "RANDOM", "maxConnections": 3},
                      f"outbound_.5000_.v1_.{HOST}")
    scene.control.kubectl("delete", "destinationrule", "-n", "sample", "helloworld")
    scene.wait_policy({"loadBalancer": "ROUND_ROBIN"})
