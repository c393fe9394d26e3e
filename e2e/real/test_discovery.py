# SPDX-License-Identifier: Apache-2.0
"""Discovery beside real kube-apiservers: what is seen, what is kept, what is never withdrawn.

`fedway-discover-test` follows both clusters with the `discovery` library and prints each
snapshot and each status as a line of JSON. The tests stand in order and share their clusters.
"""

import json

import pytest

from lib import kube, objects, parts

NETWORK_LABEL = {"topology.istio.io/network": "network-c1"}


class Discoverer:
    """The program in a namespace of its own, and what it has said."""

    def __init__(self, lab, clusters):
        self.host = lab.host("discoverer", lab.wan, "172.30.0.30")
        self.copies = self.host.directory / "copies"
        self.clusters = clusters
        self.daemon = None

    def start(self):
        words = [f"{c.name}={c.kubeconfig()}" for c in self.clusters]
        self.daemon = self.host.daemon("discover", parts.ours("fedway-discover-test"),
                                       self.copies, *words)
        return self

    def events(self, event, cluster):
        lines = [json.loads(line) for line in self.daemon.lines(r'^\{"event"')]
        return [line for line in lines if (line["event"], line["cluster"]) == (event, cluster)]

    def wait(self, event, cluster, test, timeout=30.0):
        """The first line for which the test is true."""
        after = 0
        while True:
            match = self.daemon.wait_line(
                rf'^\{{"event":"{event}","cluster":"{cluster}".*', timeout, after)
            lines = self.daemon.lines("")
            after = max(after, lines.index(match.string)) + 1
            line = json.loads(match.string)
            if test(line):
                return line


@pytest.fixture(scope="module")
def found(lab):
    etcd = kube.Etcd(lab, "172.30.0.2")
    users = {"half": ("half", "visitors")}
    c1 = kube.Cluster(lab, etcd, "c1", "172.30.0.11")
    c2 = kube.Cluster(lab, etcd, "c2", "172.30.0.12", users=users)
    c1.wait_ready()
    c2.wait_ready()
    for cluster in (c1, c2):
        cluster.admin.wait("v1", "Namespace", None, "kube-system", bool)
        cluster.admin.apply(
            objects.namespace("istio-system", NETWORK_LABEL),
            objects.namespace("shop"),
            objects.node("node-1", "region1", "zone1", "subzone1"),
            objects.service("shop", "web", [objects.port(80)]),
            objects.pod("shop", "web-1", "10.1.0.7", {"version": "v1"}, node_name="node-1"),
            objects.endpoint_slice("shop", "web", {"http": 8080}, [
                objects.endpoint("10.1.0.7", pod=("shop", "web-1"), node="node-1")]))
    return Discoverer(lab, [c1, c2]).start()


def web(line):
    return line["services"].get("shop/web")


def test_the_first_snapshot_is_the_whole_cluster(found):
    c1 = found.clusters[0]
    line = found.wait("snapshot", "c1", lambda line: not line["fromCopy"])
    assert web(line) == [{"address": "10.1.0.7", "port": 8080,
                          "locality": "region1/zone1/subzone1", "ready": True, "mtls": True}]
    assert line["network"] == "network-c1"
    assert line["uid"] == c1.admin.get("v1", "Namespace", None, "kube-system")["metadata"]["uid"]
    assert line["total"] == len(c1.admin.list("v1", "Service"))
    status = found.wait("status", "c1", lambda line: line["version"])
    assert status["reachable"] and status["version"] == "v1.36.3"


def test_a_change_of_endpoints_is_seen_and_names_its_service_alone(found):
    c1 = found.clusters[0]
    c1.admin.apply(objects.endpoint_slice("shop", "web", {"http": 8080}, [
        objects.endpoint("10.1.0.7", pod=("shop", "web-1"), node="node-1", ready=False),
        objects.endpoint("10.1.0.8", node="node-1")]))
    line = found.wait("snapshot", "c1", lambda line: len(web(line) or []) == 2)
    assert list(line["services"]) == ["shop/web"]
    assert [(e["address"], e["ready"]) for e in web(line)] == [
        ("10.1.0.7", False), ("10.1.0.8", True)]


def test_the_label_of_a_pod_and_a_new_service_are_seen(found):
    c1 = found.clusters[0]
    c1.admin.patch(objects.pod("shop", "web-1", "10.1.0.7"),
                   {"metadata": {"labels": {"security.istio.io/tlsMode": None}}})
    found.wait("snapshot", "c1", lambda line: web(line) and not web(line)[0]["mtls"])
    c1.admin.apply(objects.service("shop", "late", [objects.port(81)]))
    found.wait("snapshot", "c1", lambda line: list(line["services"]) == ["shop/late"])
    c1.admin.delete(objects.service("shop", "late", [objects.port(81)]))
    found.wait("snapshot", "c1", lambda line: line["services"] == {"shop/late": None})


def test_a_killed_api_server_withdraws_nothing_and_harms_no_other_cluster(found):
    c1, c2 = found.clusters
    before = len(found.events("snapshot", "c1"))
    c1.daemon.kill()
    status = found.wait("status", "c1", lambda line: not line["reachable"] and line["error"]
                        and line["complete"])
    assert status["complete"] and not status["fromCopy"]
    c2.admin.apply(objects.endpoint_slice("shop", "web", {"http": 8080}, [
        objects.endpoint("10.1.0.9", node="node-1")]))
    found.wait("snapshot", "c2", lambda line: web(line) and web(line)[0]["address"] == "10.1.0.9")
    assert len(found.events("snapshot", "c1")) == before


def test_when_it_is_back_only_what_changed_meanwhile_is_told(found):
    c1 = found.clusters[0]
    before = len(found.events("snapshot", "c1"))
    c1.start()
    c1.wait_ready()
    c1.admin.apply(objects.service("shop", "after", [objects.port(82)]))
    found.wait("snapshot", "c1", lambda line: "shop/after" in line["services"], 60)
    told = found.events("snapshot", "c1")[before:]
    assert all(list(line["services"]) == ["shop/after"] for line in told), told
    assert found.events("status", "c1")[-1]["reachable"]


def test_a_restart_from_disk_knows_the_cluster_before_it_is_asked(found):
    c1, c2 = found.clusters
    assert found.daemon.stop() == 0
    c1.daemon.kill()
    c2.admin.delete(objects.service("shop", "web", [objects.port(80)]))
    found.start()
    line = found.wait("snapshot", "c1", lambda line: True)
    assert line["fromCopy"] and len(web(line)) == 2
    assert "shop/after" in line["services"]
    line = found.wait("snapshot", "c2", lambda line: not line["fromCopy"])
    assert line["services"] == {"shop/web": None}
    c1.start()
    c1.wait_ready()
    line = found.wait("snapshot", "c1", lambda line: not line["fromCopy"], 60)
    assert line["services"] == {}


def test_a_missing_right_is_named_and_holds_the_snapshot(lab, found):
    c2 = found.clusters[1]
    found.daemon.stop()
    path = c2.kubeconfig("half.kubeconfig", "half")
    copies = found.host.directory / "other-copies"
    daemon = found.host.daemon("discover-half", parts.ours("fedway-discover-test"), copies,
                               f"c2={path}")
    match = daemon.wait_line(r'"event":"status".*"error":"([^"]*forbidden[^"]*)')
    assert "GET /api" in match.group(1)
    c2.admin.apply(
        objects.cluster_role("fedway", [
            ([""], ["services", "nodes", "namespaces", "pods"], ["list", "watch"]),
            (["discovery.k8s.io"], ["endpointslices"], ["list", "watch"])]),
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
         "metadata": {"name": "fedway"},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                     "name": "fedway"},
         "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "half"}]})
    assert not daemon.lines(r'"event":"snapshot"')
    daemon.wait_line(r'"event":"snapshot"', 60)
    daemon.stop()
