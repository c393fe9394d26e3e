# SPDX-License-Identifier: Apache-2.0
"""fedwayd whose objects live on a real kube-apiserver (`--kubeconfig`), one Istio user's, with
the rights that federation/README.md asks for and no others; and a real member cluster.

The tests stand in order and share their clusters.
"""

import threading
import time

import pytest
import yaml

from lib import ca, fedwayd, http, kube, objects, parts, wait
from lib.fedwayd import Fedwayd, condition, counts, is_true, phase

RULES = "destinationrules.networking.istio.io"
KINDS = ("Cluster", "NetworkGroup", "EastWestGateway", "MeshService", "Mesh")
TOKEN = "fedwayd-token"


class External(Fedwayd):
    """fedwayd without an API of its own: `objects` is the Cluster on which they live."""

    def __init__(self, host, of):
        self.of = of
        self.kubeconfig = of.kubeconfig("fedwayd.kubeconfig", TOKEN)
        super().__init__(host)

    def start(self):
        self.daemon = self.host.daemon(
            "fedwayd", parts.ours("fedwayd"), "--data-dir", self.data,
            "--kubeconfig", self.kubeconfig,
            "--xds-listen", f"{self.address}:{fedwayd.XDS}", "--xds-advertise", self.xds_address,
            "--metrics-listen", f"127.0.0.1:{fedwayd.METRICS}")
        self.admin = self.of.admin
        return self

    def kubectl(self, *words, **options):
        return self.of.kubectl(*words, **options)

    def apply(self, *made):
        listed = yaml.safe_dump_all(made)
        return self.of.kubectl("apply", "-f", "-", stdin=listed).stdout


def hello(*addresses):
    names = [(f"helloworld-{i}", ip) for i, ip in enumerate(addresses)]
    return [
        objects.namespace("sample"),
        objects.node("node-1", "region1", "zone1", "subzone1"),
        objects.service("sample", "helloworld", [objects.port(5000, "tls-hello")]),
        *[objects.pod("sample", name, ip, {"app": "helloworld"}, "helloworld", "node-1")
          for name, ip in names],
        objects.endpoint_slice("sample", "helloworld", {"tls-hello": 5000}, [
            objects.endpoint(ip, True, ("sample", name), "node-1") for name, ip in names])]


def istio_rules():
    """Istio's own CRD of DestinationRule, as it is published."""
    documents = yaml.safe_load_all(parts.share("istio-crds.yaml").read_text())
    return next(one for one in documents if one and one["metadata"]["name"] == RULES)


class Scene:
    def __init__(self, lab):
        etcd = kube.Etcd(lab, "172.30.0.2")
        self.hub = kube.Cluster(lab, etcd, "hub", "172.30.0.11",
                                users={TOKEN: ("fedwayd", "fedwayd")})
        self.member = kube.Cluster(lab, etcd, "c1", "172.30.0.12")
        for one in (self.hub, self.member):
            one.wait_ready()
            for namespace in ("kube-system", "default"):
                one.admin.wait("v1", "Namespace", None, namespace, bool)
        self.member.admin.apply(*hello("10.201.0.11"))
        self.rules = self.hub.admin.create(istio_rules())
        self.hub.admin.apply(*objects.user_rights("fedwayd", fedwayd.RIGHTS))
        self.fedwayd = External(lab.host("control", lab.wan, "172.30.0.30"), self.hub)
        self.fedwayd.wait_ready(60)

    def wait_counts(self, wanted):
        return self.fedwayd.wait("MeshService", "helloworld", lambda obj: counts(obj) == wanted,
                                 20, "sample")

    def versions(self):
        """{(kind, name): resourceVersion} of what fedwayd writes to."""
        found = {(kind, obj["metadata"]["name"]): obj["metadata"]["resourceVersion"]
                 for kind in KINDS for obj in self.hub.admin.list("fedway.io/v1alpha1", kind)}
        for obj in self.hub.admin.list("networking.istio.io/v1", "DestinationRule"):
            found["DestinationRule", obj["metadata"]["name"]] = obj["metadata"]["resourceVersion"]
        return found


@pytest.fixture(scope="module")
def scene(lab):
    return Scene(lab)


def crd(scene, name):
    return scene.hub.admin.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", None, name)


def test_its_kinds_are_installed_and_the_users_own_stays(scene):
    for plural in ("meshes", "clusters", "networkgroups", "eastwestgateways", "meshservices"):
        obj = crd(scene, f"{plural}.fedway.io")
        assert is_true(obj, "Established") and is_true(obj, "NamesAccepted")
        assert not is_true(obj, "NonStructuralSchema")
    have = crd(scene, RULES)
    assert have["metadata"]["uid"] == scene.rules["metadata"]["uid"]
    assert have["metadata"]["generation"] == 1
    assert have["spec"] == scene.rules["spec"]
    assert scene.fedwayd.get("Mesh", "default")["spec"]["trustDomain"] == "cluster.local"


def test_what_is_applied_in_one_go_becomes_ready(scene):
    secret = objects.secret("default", "c1", {"kubeconfig": yaml.safe_dump(
        scene.member.kubeconfig_of(kube.ADMIN_TOKEN))})
    made = [fedwayd.cluster("c1", "network-c1", locality="region1/zone1/subzone1",
                            annotations={"fedway.io/drain-seconds": "0"}),
            fedwayd.group("network-c1"), fedwayd.gateway("gw-c1", "c1", "192.0.2.1"), secret]
    said = scene.fedwayd.apply(*made)
    assert said.count(" created\n") == len(made)
    obj = scene.fedwayd.wait("Cluster", "c1", lambda obj: phase(obj) == "Ready", 30)
    system = scene.member.admin.get("v1", "Namespace", None, "kube-system")
    assert obj["status"]["uid"] == system["metadata"]["uid"]
    assert "fedway.io/leave" in obj["metadata"]["finalizers"]
    assert scene.fedwayd.apply(*made).count(" unchanged\n") == len(made)


def test_services_are_counted_and_changes_arrive(scene):
    service = scene.wait_counts({"c1": (1, 1)})
    assert service["status"]["endpoints"] == "1/1"
    assert is_true(service, "Exposed")
    scene.member.admin.apply(*hello("10.201.0.11", "10.201.0.12"))
    scene.wait_counts({"c1": (2, 2)})


def test_a_rule_gets_its_conditions_beside_those_of_others(scene):
    """On Istio's CRD, whose status has fields of Istio's own."""
    made = {"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
            "metadata": {"name": "hello", "namespace": "sample"},
            "spec": {"host": "helloworld.sample.svc.cluster.local", "trafficPolicy": {
                "connectionPool": {"http": {"http2MaxRequests": 10}}}}}
    scene.hub.admin.create(made)
    rule = ("networking.istio.io/v1", "DestinationRule", "sample", "hello")
    obj = scene.hub.admin.wait(*rule, lambda obj: is_true(obj, "Used"))
    said = condition(obj, "Honoured")
    assert said["status"] == "False" and "http" in said["message"]
    other = {"type": "Reconciled", "status": "True", "reason": "Fine", "message": "by istiod"}
    scene.hub.admin.set_status(made, {
        "conditions": obj["status"]["conditions"] + [other],
        "validationMessages": [{"level": "INFO", "type": {"name": "X", "code": "IST0001"}}]})
    scene.hub.admin.patch(made, {"spec": {"trafficPolicy": None}})
    obj = scene.hub.admin.wait(*rule, lambda obj: is_true(obj, "Honoured"))
    assert is_true(obj, "Reconciled") and obj["status"]["validationMessages"]


def test_nothing_is_written_when_nothing_changes(scene):
    time.sleep(6)  # what is paced has been written
    before = scene.versions()
    time.sleep(3)
    assert scene.versions() == before


def test_a_killed_fedwayd_comes_back_and_writes_nothing_new(scene):
    def stable():
        return [(kind, obj["metadata"]["name"], obj["metadata"]["uid"], obj.get("spec"),
                 (obj.get("status") or {}).get("certificate"),
                 (obj.get("status") or {}).get("clusters"))
                for kind in KINDS for obj in scene.hub.admin.list("fedway.io/v1alpha1", kind)]

    before = stable()
    scene.fedwayd.kill()
    scene.fedwayd.start().wait_ready()
    scene.fedwayd.wait("Cluster", "c1", lambda obj: phase(obj) == "Ready")
    scene.wait_counts({"c1": (2, 2)})
    assert stable() == before
    assert crd(scene, "clusters.fedway.io")["metadata"]["generation"] == 1


def test_a_restarted_api_server_of_the_objects_is_met_again(scene):
    line = scene.fedwayd.daemon.lines_so_far()
    scene.hub.daemon.kill()
    scene.fedwayd.daemon.wait_line("cannot follow clusters", 20, line)
    # the mesh goes on meanwhile
    scene.member.admin.apply(*hello("10.201.0.11", "10.201.0.12", "10.201.0.13"))
    scene.fedwayd.wait_ready()
    scene.hub.start()
    scene.hub.wait_ready()
    # it says that it is ready before it can list what is of a CRD
    wait.until(lambda: not refused(scene.versions), 30, "the objects can be read again")
    scene.wait_counts({"c1": (3, 3)})
    scene.fedwayd.daemon.check()


def refused(call):
    try:
        call()
    except kube.ApiError:
        return True
    return False


def test_a_member_without_its_copy_is_held_by_what_status_says(scene):
    """Copy lost and API server away at a start: its services stay, with a condition."""
    before = scene.fedwayd.get("MeshService", "helloworld", "sample")
    scene.fedwayd.kill()
    scene.member.daemon.kill()
    for path in (scene.fedwayd.data / "members").iterdir():
        path.unlink()
    scene.fedwayd.start().wait_ready()
    obj = scene.fedwayd.wait("Cluster", "c1",
                             lambda obj: condition(obj, "Synced").get("reason") == "CopyMissing")
    assert obj["status"]["uid"] and obj["status"]["services"]
    after = scene.fedwayd.get("MeshService", "helloworld", "sample")
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    scene.member.start()
    scene.member.wait_ready()
    scene.fedwayd.wait("Cluster", "c1", lambda obj: phase(obj) == "Ready", 60)
    scene.wait_counts({"c1": (3, 3)})


def answering(scene, port, answer):
    """A server that is no API server: it answers every connection with these bytes; None: it
    accepts and never answers."""
    listener = http.listen(scene.fedwayd.host, "127.0.0.1", port)
    kept = []

    def serve():
        while True:
            try:
                kept.append(listener.accept()[0])
            except OSError:
                return
            if answer is not None:
                kept[-1].recv(65536)
                kept[-1].sendall(answer)
                kept.pop().close()

    threading.Thread(target=serve, daemon=True).start()
    return listener


def strange(control, name, port):
    """Applies a Cluster whose API server is said to be at this port."""
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "x",
              "clusters": [{"name": "x", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
              "users": [{"name": "x", "user": {}}],
              "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}
    control.apply(
        objects.secret("default", name, {"kubeconfig": yaml.safe_dump(config)}),
        fedwayd.cluster(name, "network-c1", annotations={"fedway.io/drain-seconds": "0",
                                                         "fedway.io/unreachable": "true"}))



def answer_of(status, kind, body):
    return (b"HTTP/1.1 %s\r\nContent-Type: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (status, kind, len(body), body))


PAGE = answer_of(b"200 OK", b"text/html", b"<html><title>Sign in</title></html>")
HALF = answer_of(b"200 OK", b"application/json",
                 b'{"kind":"List","metadata":{"resourceVersion":"1"},"items":[')
DENIED = answer_of(b"401 Unauthorized", b"application/json",
                   b'{"kind":"Status","code":401,"message":"Unauthorized","reason":"Unauthorized"}')
# name, port, what it answers, and the reason and words of condition Reachable
STRANGE = [("page", 9001, PAGE, "NoKubernetesAPI", "it is HTML"),
           ("silent", 9002, None, "NoAnswer", ""),
           ("half", 9013, HALF, "", "broke off"),
           ("denied", 9014, DENIED, "Unauthorized", "nauthorized")]


@pytest.mark.parametrize("row", STRANGE, ids=[row[0] for row in STRANGE])
def test_what_is_no_api_server_is_told_and_delays_nobody(scene, row):
    name, port, answer, reason, words = row
    control = scene.fedwayd
    with answering(scene, port, answer):
        strange(control, name, port)
        obj = control.wait("Cluster", name, lambda obj: phase(obj) == "Checking"
                           and words in condition(obj, "Reachable").get("message", "")
                           and reason in condition(obj, "Reachable").get("reason", ""))
        assert not is_true(obj, "Reachable") and not obj["status"].get("observedAt")
        # the others go on, removals as well: a new one that never answered holds nothing
        extra = objects.service("sample", f"extra-{name}", [objects.port(80)])
        scene.member.admin.create(extra)
        control.wait("MeshService", f"extra-{name}", bool, 5, "sample")
        scene.member.admin.delete(extra)
        wait.until(lambda: f"extra-{name}" not in [
            one["metadata"]["name"]
            for one in scene.hub.admin.list("fedway.io/v1alpha1", "MeshService")], 10,
            "its MeshService is gone")
        control.kubectl("delete", f"fcl/{name}", "--timeout=20s")


def test_who_waits_for_a_member_that_leaves_is_told(scene):
    """A token that a silent member is asked about; the Cluster goes meanwhile."""
    control = scene.fedwayd
    refused = []

    def ask():
        try:
            ca.issue(control.host, control.xds_address, control.data / "certs" / "roots.pem",
                     "mute", "some-token", None)
        except ca.Refused as error:
            refused.append(str(error))

    with answering(scene, 9003, None):
        strange(control, "mute", 9003)
        control.wait("Cluster", "mute", lambda obj: phase(obj) == "Checking")
        asking = threading.Thread(target=ask)
        asking.start()
        asking.join(1)
        assert asking.is_alive()
        control.kubectl("delete", "fcl/mute", "--timeout=20s")
        asking.join(5)
        assert len(refused) == 1


def test_leaving_releases_the_cluster(scene):
    scene.fedwayd.kubectl("delete", "ng/network-c1", "--timeout=20s")
    scene.fedwayd.kubectl("delete", "fcl/c1", "--timeout=30s")
    wait.until(lambda: not scene.hub.admin.list("fedway.io/v1alpha1", "MeshService"), 20,
               "no MeshService is left")
    for kind in ("Service", "ConfigMap", "ServiceAccount"):
        assert not scene.member.admin.list(
            "v1", kind, labelSelector="app.kubernetes.io/managed-by=fedway")
    assert scene.member.admin.get("v1", "Service", "sample", "helloworld")


def test_it_says_which_right_is_missing(scene):
    """Without its rights it keeps waiting, and says what for."""
    scene.fedwayd.kill()
    scene.hub.admin.delete({"apiVersion": "rbac.authorization.k8s.io/v1",
                            "kind": "ClusterRoleBinding", "metadata": {"name": "fedwayd"}})
    scene.fedwayd.start()
    said = scene.fedwayd.daemon.wait_line("waiting for the API server: (.*)", 20)
    assert "customresourcedefinitions" in said[1] and "forbidden" in said[1]


def test_it_ends_when_told(scene):
    assert scene.fedwayd.daemon.stop() == 0
    assert not scene.fedwayd.daemon.lines("ERROR: |runtime error")
