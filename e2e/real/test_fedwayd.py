# SPDX-License-Identifier: Apache-2.0
"""fedwayd with its hosted API, and real kube-apiservers as members: joining, what is seen and
made, mistakes and their conditions, kills, leaving.

The tests share their clusters; each begins by bringing those that it needs into the same state, so
that it also runs alone (-k).
"""

import base64
import calendar
import json
import time

import pytest
import yaml
from cryptography import x509

from lib import ca, fedwayd, kube, objects, wait
from lib.fedwayd import Fedwayd, condition, counts, is_true, phase
from lib.gateway import FedwayGateway, control_plane

HELLO = ("sample", "helloworld")
NAMES = ("c1", "c2", "c3")
ZONES = {"c1": ("region1", "zone1", "subzone1"), "c2": ("region1", "zone2", "subzone2"),
         "c3": ("region2", "zone3", "subzone3")}


def hello(name, address, ready=True, more=()):
    """The objects of service helloworld in one member, all endpoints on node-1."""
    where = [(f"helloworld-{i}", ip) for i, ip in enumerate((address, *more))]
    return [
        objects.namespace("sample"),
        objects.node("node-1", *ZONES[name]),
        objects.service("sample", "helloworld", [objects.port(5000, "tls-hello")]),
        *[objects.pod("sample", pod, ip, {"app": "helloworld"}, "helloworld", "node-1", ready)
          for pod, ip in where],
        objects.endpoint_slice("sample", "helloworld", {"tls-hello": 5000}, [
            objects.endpoint(ip, ready, ("sample", pod), "node-1") for pod, ip in where])]


class Scene:
    def __init__(self, lab):
        self.lab = lab
        etcd = kube.Etcd(lab, "172.30.0.2")
        self.members = {name: kube.Cluster(lab, etcd, name, f"172.30.0.1{i}")
                        for i, name in enumerate(NAMES, start=1)}
        self.fedwayd = Fedwayd(lab.host("control", lab.wan, "172.30.0.30"))
        for i, (name, member) in enumerate(self.members.items(), start=1):
            member.wait_ready()
            member.admin.wait("v1", "Namespace", None, "kube-system", bool)
            member.admin.apply(*hello(name, f"10.201.0.1{i}"))
        self.members["c1"].start_controllers()
        self.fedwayd.wait_ready()

    def joined(self, name, **options):
        """Secret and Cluster of a member, each in a group of its own."""
        secret = kubeconfig_secret(name, self.members[name].kubeconfig_of(kube.ADMIN_TOKEN))
        return [secret, fedwayd.cluster(name, f"network-{name}",
                                        locality="/".join(ZONES[name]), **options)]

    def wait_counts(self, wanted, timeout=20.0):
        return self.fedwayd.wait("MeshService", "helloworld", lambda obj: counts(obj) == wanted,
                                 timeout, "sample")

    def wait_phase(self, name, wanted, timeout=20.0):
        return self.fedwayd.wait("Cluster", name, lambda obj: phase(obj) == wanted, timeout)

    def with_members(self, *names):
        """These have joined, each with one ready endpoint of helloworld; returns the counts."""
        wanted = []
        for name in names:
            self.members[name].admin.apply(*hello(name, f"10.201.0.1{name[1]}"))
            wanted += [*self.joined(name), fedwayd.group(f"network-{name}"),
                       fedwayd.gateway(f"gw-{name}", name, f"192.0.2.{name[1]}")]
        self.fedwayd.apply(*wanted)
        for name in names:
            self.wait_phase(name, "Ready", 60)
        found = {name: (1, 1) for name in names}
        self.fedwayd.wait("MeshService", "helloworld",
                          lambda obj: found.items() <= counts(obj).items(), 20, "sample")
        return found

    def leave(self, *clusters):
        """These Clusters have left, if they were there, with all they had in the members."""
        control = self.fedwayd
        for name in clusters:
            if gone(control.admin, "fedway.io/v1alpha1", "Cluster", None, name):
                continue
            control.kubectl("annotate", "--overwrite", "fcl", name, "fedway.io/drain-seconds=0")
            group = control.get("Cluster", name)["spec"]["networkGroup"]
            control.apply(fedwayd.group(group, joined=False))
            control.kubectl("delete", f"fcl/{name}", f"secret/{name}", "--timeout=30s")


def gone(client, *identity):
    try:
        client.get(*identity)
    except kube.ApiError as error:
        return error.code == 404
    return False


def kubeconfig_secret(name, config):
    text = config if isinstance(config, str) else yaml.safe_dump(config)
    return objects.secret("default", name, {"kubeconfig": text})


@pytest.fixture(scope="module")
def scene(lab):
    return Scene(lab)


def test_what_is_applied_in_one_go_becomes_ready(scene):
    control = scene.fedwayd
    made = []
    # the Secret last: an order in which nothing could work at once
    for name in ("c1", "c2"):
        secret, cluster = scene.joined(name)
        made += [cluster, fedwayd.group(f"network-{name}"),
                 fedwayd.gateway(f"gw-{name}", name, "192.0.2.1"), secret]
    said = control.apply(*made)
    assert said.count(" created\n") == len(made)
    for name in ("c1", "c2"):
        member = scene.members[name]
        obj = scene.wait_phase(name, "Ready")
        system = member.admin.get("v1", "Namespace", None, "kube-system")
        assert obj["status"]["uid"] == system["metadata"]["uid"]
        assert obj["status"]["version"] == "v1.36.3"
        assert obj["status"]["services"] >= 1 and obj["status"]["endpoints"] >= 1
        assert obj["status"]["observedAt"]
        assert obj["status"]["certificate"]["serial"] and obj["status"]["certificate"]["notAfter"]
    assert control.apply(*made).count(" unchanged\n") == len(made)


def test_services_of_one_name_are_merged_and_counted(scene):
    control = scene.fedwayd
    scene.with_members("c1", "c2")
    service = scene.wait_counts({"c1": (1, 1), "c2": (1, 1)})
    assert {c["cluster"]: c["network"] for c in service["status"]["clusters"]} == {
        "c1": "network-c1", "c2": "network-c2"}
    assert [(p["name"], p["port"]) for p in service["status"]["ports"]] == [("tls-hello", 5000)]
    assert service["status"]["endpoints"] == "2/2"
    namespace = control.admin.get("v1", "Namespace", None, "sample")
    assert namespace["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "fedway"


def test_a_change_in_a_member_arrives(scene):
    c2 = scene.members["c2"]
    scene.with_members("c1", "c2")
    for ready, counted in ((True, (2, 2)), (False, (0, 2)), (True, (2, 2))):
        c2.admin.apply(*hello("c2", "10.201.0.12", ready, more=["10.201.0.22"]))
        scene.wait_counts({"c1": (1, 1), "c2": counted})


def test_the_member_has_namespace_trust_and_accounts(scene):
    scene.with_members("c1", "c2")
    for name in ("c1", "c2"):
        admin = scene.members[name].admin
        namespace = admin.get("v1", "Namespace", None, "fedway-system")
        trust = admin.get("v1", "ConfigMap", "fedway-system", "fedway-trust")
        assert trust["data"]["roots.pem"].startswith("-----BEGIN CERTIFICATE-----")
        assert trust["data"]["roots.pem"] == (
            scene.fedwayd.data / "certs" / "roots.pem").read_text()
        assert trust["data"]["xdsAddress"] == scene.fedwayd.xds_address
        accounts = [admin.wait("v1", "ServiceAccount", "fedway-system", account, bool)
                    for account in ("fedway-probe", f"fedway-gateway-gw-{name}")]
        probe = admin.get("v1", "Service", "fedway-system", "fedway-probe")
        for obj in (namespace, trust, probe, *accounts):
            labels = obj["metadata"]["labels"]
            assert labels["app.kubernetes.io/managed-by"] == "fedway"
            assert labels["fedway.io/cluster"] == name


def ask(scene, token, uri=None, cluster="c2"):
    """Asks for a certificate as an agent in c2 does; returns the chain's certificates."""
    control = scene.fedwayd
    files = ca.issue(scene.members["c2"].host, control.xds_address,
                     control.data / "certs" / "roots.pem", cluster, token, uri)
    return x509.load_pem_x509_certificates(files[0].read_bytes())


def test_tokens_of_the_member_give_certificates(scene):
    """TokenReview by the real API server; the chain ends in that cluster's intermediate."""
    c2 = scene.members["c2"]
    scene.with_members("c1", "c2")
    c2.admin.apply(objects.service_account("sample", "sleep"))
    rows = [(c2.token("sample", "sleep", "istio-ca"), "spiffe://cluster.local/ns/sample/sa/sleep"),
            (c2.token("fedway-system", "fedway-gateway-gw-c2", "fedway"),
             "spiffe://cluster.local/fedway/cluster/c2/gateway/gw-c2")]
    for token, uri in rows:
        for asked in (uri, None):
            leaf, intermediate = ask(scene, token, asked)
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
            assert intermediate.subject.rfc4514_string() == \
                "CN=c2,OU=fedway-intermediate,O=cluster.local"
            leaf.verify_directly_issued_by(intermediate)


def test_nobody_gets_a_certificate_of_somebody_else(scene):
    c1, c2 = scene.members["c1"], scene.members["c2"]
    scene.with_members("c1", "c2")
    c2.admin.apply(objects.service_account("sample", "sleep"))
    sleep = c2.token("sample", "sleep", "istio-ca")
    c2.admin.apply(objects.service_account("fedway-system", "fedway-gateway-nobody"))
    c1.admin.apply(objects.service_account("sample", "sleep"))
    refusals = [
        (sleep, "spiffe://cluster.local/ns/sample/sa/other", "c2"),
        (sleep, None, None),
        (sleep, None, "c1"),
        (sleep, None, "nowhere"),
        ("no-token", None, "c2"),
        (c1.token("sample", "sleep", "istio-ca"), None, "c2"),
        (c2.token("sample", "sleep", "elsewhere"), None, "c2"),
        (c2.token("sample", "sleep", "fedway"), None, "c2"),
        (c2.token("fedway-system", "fedway-gateway-nobody", "fedway"), None, "c2"),
        # the probe's account gives a certificate only to a Pod
        (c2.token("fedway-system", "fedway-probe", "fedway"), None, "c2"),
    ]
    for token, uri, cluster in refusals:
        with pytest.raises(ca.Refused):
            ask(scene, token, uri, cluster)
    c2.admin.delete(objects.service_account("fedway-system", "fedway-gateway-nobody"))


def test_what_is_changed_by_hand_in_a_member_is_put_back(scene):
    scene.with_members("c1", "c2")
    admin = scene.members["c2"].admin
    there = {kind: admin.wait("v1", kind, "fedway-system", name, bool) for kind, name in (
        ("ConfigMap", "fedway-trust"), ("Service", "fedway-probe"),
        ("ServiceAccount", "fedway-gateway-gw-c2"))}
    admin.delete(there["Service"])
    admin.patch(there["ConfigMap"], {"data": {"roots.pem": "nobody's"}})
    admin.patch(there["ServiceAccount"],
                {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}})
    admin.delete(admin.get("v1", "ServiceAccount", "fedway-system", "fedway-probe"))
    changed = time.monotonic()
    for obj in there.values():
        admin.wait("v1", obj["kind"], "fedway-system", obj["metadata"]["name"],
                   lambda now, obj=obj: now and now["metadata"]["labels"] == obj["metadata"]["labels"]
                   and now.get("data") == obj.get("data"), 45)
    admin.wait("v1", "ServiceAccount", "fedway-system", "fedway-probe", bool)
    assert time.monotonic() - changed < 45
    assert phase(scene.fedwayd.get("Cluster", "c2")) == "Ready"


def test_a_new_gateway_gets_its_account_and_a_deleted_one_loses_everything(scene):
    scene.with_members("c1", "c2")
    c2 = scene.members["c2"]
    control = scene.fedwayd
    control.apply(fedwayd.gateway("gw-c2b", "c2", "192.0.2.3"))
    host = scene.lab.host("gw-c2b", scene.lab.wan, "172.30.0.41")
    gateway = FedwayGateway(host, controlPlane=control_plane(host, c2, "gw-c2b")).wait_ready()
    control.wait("EastWestGateway", "gw-c2b", lambda obj: is_true(obj, "Ready"))
    token = c2.token("fedway-system", "fedway-gateway-gw-c2b", "fedway")
    control.kubectl("delete", "ewg", "gw-c2b")
    # its account goes, its stream ends, and nothing of before helps it
    wait.until(lambda: gone(c2.admin, "v1", "ServiceAccount", "fedway-system",
                            "fedway-gateway-gw-c2b"), 10, "the account is gone")
    wait.until(lambda: control.total("fedway_xds_streams") == 0, 10, "its stream has ended")
    gateway.daemon.wait_line("has no EastWestGateway 'gw-c2b'")
    assert control.total("fedway_xds_streams") == 0
    with pytest.raises(ca.Refused):
        ask(scene, token)
    # accounts that are none of a gateway that was deleted stay
    assert c2.admin.get("v1", "ServiceAccount", "fedway-system", "fedway-gateway-gw-c2")
    gateway.daemon.stop()


def test_source_ranges_reach_the_groups_gateways_and_nothing_else_is_sent(scene):
    scene.with_members("c1", "c2")
    c2 = scene.members["c2"]
    control = scene.fedwayd
    host = scene.lab.host("gw-c2", scene.lab.wan, "172.30.0.42")
    gateway = FedwayGateway(host, controlPlane=control_plane(host, c2, "gw-c2")).wait_ready()
    current = {"connected": 1, "acknowledged": 1}

    def sent():
        counted = {kind: control.total("fedway_xds_resources_sent_total", type=kind)
                   for kind in ("cluster", "assignment", "network", "peers")}
        return counted, control.total("fedway_xds_resources_sent_total", type="snapshot")

    def acknowledged(obj):
        return (obj["status"].get("gateways") or {}) == current

    control.wait("Mesh", "default", acknowledged)
    wait.until(lambda: sent()[0]["network"] >= 0 and sent()[1] > 0, 10, "the first burst")
    resources, snapshots = sent()
    control.apply(fedwayd.group("network-c2", sourceRanges=["192.0.2.0/24"]))
    wait.until(lambda: sent()[1] == snapshots + 1, 10, "a Snapshot more")
    assert sent()[0] == resources
    obj = control.wait("NetworkGroup", "network-c2",
                       lambda obj: obj["status"].get("sourceRanges") == ["192.0.2.0/24"])
    assert is_true(obj, "Supported") and is_true(obj, "Accepted")
    # a bad one is named; the last good ones stay, and the gateway is told nothing
    control.apply(fedwayd.group("network-c2", sourceRanges=["192.0.2.0/24", "10.0.0.0/33"]))
    obj = control.wait("NetworkGroup", "network-c2", lambda obj: not is_true(obj, "Accepted"))
    assert "sourceRanges[1]: '10.0.0.0/33'" in condition(obj, "Accepted")["message"]
    assert obj["status"]["sourceRanges"] == ["192.0.2.0/24"]
    control.kill()
    control.start().wait_ready()
    control.wait("Mesh", "default", acknowledged, 30)
    obj = control.get("NetworkGroup", "network-c2")
    assert obj["status"]["sourceRanges"] == ["192.0.2.0/24"] and not is_true(obj, "Accepted")
    assert sent()[0] == dict.fromkeys(resources, 0)
    control.apply(fedwayd.group("network-c2"))
    control.wait("NetworkGroup", "network-c2", lambda obj: obj["status"]["sourceRanges"] == [])
    gateway.daemon.stop()


BROKEN = {
    "nonsense": ("{{{", "default/broken: "),
    "no-clusters": ("apiVersion: v1\nkind: Config\n", ""),
    "exec": ({"apiVersion": "v1", "kind": "Config", "current-context": "x",
              "clusters": [{"name": "x", "cluster": {"server": "https://172.30.0.11:6443"}}],
              "users": [{"name": "x", "user": {"exec": {"command": "sh"}}}],
              "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}]}, "it runs a command"),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_broken_kubeconfig_is_told_and_harms_only_its_cluster(scene, kind):
    text, word = BROKEN[kind]
    control = scene.fedwayd
    scene.with_members("c1", "c2")
    control.apply(fedwayd.cluster("broken", "network-broken"), kubeconfig_secret("broken", text))
    obj = control.wait("Cluster", "broken", lambda obj: phase(obj) == "Failed")
    said = [c["message"] for c in obj["status"]["conditions"] if c["status"] == "False"]
    assert any(word in message for message in said), said
    assert phase(control.get("Cluster", "c1")) == phase(control.get("Cluster", "c2")) == "Ready"
    control.kubectl("annotate", "fcl", "broken", "fedway.io/drain-seconds=0")
    control.kubectl("delete", "fcl/broken", "secret/broken", "--timeout=20s")


def test_a_missing_secret_is_waited_for_and_a_refused_token_is_named(scene):
    control = scene.fedwayd
    c3 = scene.members["c3"]
    scene.with_members("c1", "c2")
    secret, cluster = scene.joined("c3", annotations={"fedway.io/drain-seconds": "0"})
    control.apply(cluster)
    obj = scene.wait_phase("c3", "Pending")
    assert "default/c3" in json.dumps(obj["status"])
    control.apply(kubeconfig_secret("c3", c3.kubeconfig_of("no-such-token")))
    control.wait("Cluster", "c3", lambda obj: "nauthorized" in json.dumps(obj["status"])
                 or "401" in json.dumps(obj["status"]))
    control.apply(secret, fedwayd.group("network-c3"), fedwayd.gateway("gw-c3", "c3", "192.0.2.5"))
    scene.wait_phase("c3", "Ready")
    scene.wait_counts({"c1": (1, 1), "c2": (1, 1), "c3": (1, 1)})


def test_two_clusters_for_one_real_one(scene):
    control = scene.fedwayd
    wanted = scene.with_members(*NAMES)
    config = scene.members["c1"].kubeconfig_of(kube.ADMIN_TOKEN)
    control.apply(kubeconfig_secret("twin", config), fedwayd.cluster(
        "twin", "network-c1", annotations={"fedway.io/drain-seconds": "0"}))
    obj = scene.wait_phase("twin", "Failed")
    assert "'c1' is the same real cluster" in condition(obj, "Ready")["message"]
    assert phase(control.get("Cluster", "c1")) == "Ready"
    assert counts(control.get("MeshService", "helloworld", "sample")) == wanted
    control.kubectl("delete", "fcl/twin", "secret/twin", "--timeout=20s")
    # what belongs to c1 is still there
    admin = scene.members["c1"].admin
    assert admin.get("v1", "ConfigMap", "fedway-system", "fedway-trust")


def stable(control):
    """What a restart must not change, by kind and name."""
    found = {}
    for kind in ("Cluster", "NetworkGroup", "EastWestGateway", "MeshService", "Mesh"):
        for obj in control.admin.list("fedway.io/v1alpha1", kind):
            status = obj.get("status", {})
            key = (kind, obj["metadata"].get("namespace"), obj["metadata"]["name"])
            found[key] = (obj["metadata"]["uid"], obj["spec"] if "spec" in obj else None,
                          status.get("certificate"), status.get("clusters"), status.get("uid"))
    return found


def test_a_killed_fedwayd_comes_back_with_everything(scene):
    control = scene.fedwayd
    scene.with_members(*NAMES)
    before = stable(control)
    watched = control.get("MeshService", "helloworld", "sample")["metadata"]["resourceVersion"]
    members = max((obj["metadata"]["resourceVersion"] for obj in control.admin.list(
        "fedway.io/v1alpha1", "Cluster")), key=int)
    control.kill()
    # meanwhile the world goes on
    scene.members["c2"].admin.apply(*hello("c2", "10.201.0.12", more=["10.201.0.22"]))
    control.start().wait_ready()
    scene.wait_counts({"c1": (1, 1), "c2": (2, 2), "c3": (1, 1)})
    scene.members["c2"].admin.apply(*hello("c2", "10.201.0.12"))
    scene.wait_counts({"c1": (1, 1), "c2": (1, 1), "c3": (1, 1)})
    for name in NAMES:
        scene.wait_phase(name, "Ready")
    assert stable(control) == before
    # never an empty or partial state in between
    seen = []
    for _, obj in control.admin.watch("fedway.io/v1alpha1", "MeshService", "sample", 2,
                                      resourceVersion=watched):
        seen.append(counts(obj))
    assert seen and all(set(one) == {"c1", "c2", "c3"} and one["c1"] == (1, 1) for one in seen)
    # nor did one that answered ever stop being a member
    assert {phase(obj) for _, obj in control.admin.watch(
        "fedway.io/v1alpha1", "Cluster", None, 2, resourceVersion=members)
        if obj["metadata"]["name"] in NAMES} <= {"Ready"}


def test_a_dead_api_server_leaves_its_counts_also_over_a_restart(scene):
    control = scene.fedwayd
    c3 = scene.members["c3"]
    wanted = scene.with_members(*NAMES)
    c3.daemon.kill()
    obj = scene.wait_phase("c3", "Degraded")
    assert obj["status"]["observedAt"]
    assert counts(control.get("MeshService", "helloworld", "sample")) == wanted
    control.kill()
    control.start().wait_ready()
    scene.wait_phase("c3", "Degraded")
    assert counts(control.get("MeshService", "helloworld", "sample")) == wanted
    assert phase(control.get("Cluster", "c1")) == "Ready"
    c3.start()
    c3.wait_ready()
    scene.wait_phase("c3", "Ready", 60)
    assert counts(control.get("MeshService", "helloworld", "sample")) == wanted


def test_groups_say_what_they_are_made_of_and_claim_no_life(scene):
    control = scene.fedwayd
    scene.with_members("c1", "c2")
    obj = control.wait("NetworkGroup", "network-c1", lambda obj: obj["status"].get("addresses"))
    assert obj["status"]["clusters"] == ["c1"] and obj["status"]["gateways"] == ["gw-c1"]
    # nobody answers at 192.0.2.1
    assert not is_true(obj, "Joined")
    assert condition(obj, "Joined")["reason"] == "Blocked"
    gateway = control.get("EastWestGateway", "gw-c1")
    assert condition(gateway, "Ready")["reason"] == "NotConnected"
    for address in (*obj["status"]["addresses"], *gateway["status"]["addresses"]):
        assert "live" not in address and "unknown" in address["reason"]


def test_the_last_cluster_of_a_joined_group_is_held_until_the_group_has_left(scene):
    control = scene.fedwayd
    scene.with_members("c1", "c2")
    control.kubectl("annotate", "--overwrite", "fcl", "c1", "fedway.io/drain-seconds=0")
    control.kubectl("delete", "fcl", "c1", "--wait=false")
    obj = control.wait("Cluster", "c1", lambda obj: obj["status"]["blocking"])
    assert "network-c1" in json.dumps(obj["status"]["blocking"])
    assert counts(control.get("MeshService", "helloworld", "sample"))["c1"] == (1, 1)
    control.kubectl("patch", "ng", "network-c1", "--type=merge", "-p",
                    '{"spec":{"interconnect":{"joined":false}}}')
    control.kubectl("wait", "--for=delete", "fcl/c1", "--timeout=30s")


def test_leaving_leaves_nothing_behind(scene):
    control = scene.fedwayd
    admin = scene.members["c1"].admin
    scene.with_members("c2", "c3")
    scene.leave("c1")
    scene.wait_counts({"c2": (1, 1), "c3": (1, 1)})
    wait.until(lambda: gone(admin, "v1", "Namespace", None, "fedway-system"), 30,
               "fedway-system is gone")
    for kind in ("Service", "ConfigMap", "ServiceAccount", "Secret"):
        assert not admin.list("v1", kind, labelSelector="app.kubernetes.io/managed-by=fedway")
    # what is not ours is there
    assert admin.get("v1", "Service", "sample", "helloworld")
    assert not (control.data / "certs" / "clusters" / "c1.pem").exists()
    copies = [path.name for path in (control.data / "members").iterdir()]
    assert not [name for name in copies if name.startswith("c1")], copies


def made_for(admin):
    """{(kind, name): (Cluster, uid)} of what Fedway has made in a member."""
    found = {}
    for kind in ("Namespace", "Service", "ConfigMap", "ServiceAccount"):
        for obj in admin.list("v1", kind, labelSelector="app.kubernetes.io/managed-by=fedway"):
            meta = obj["metadata"]
            found[kind, meta["name"]] = (meta["labels"]["fedway.io/cluster"], meta["uid"])
    return found


def owners(admin):
    return {cluster for cluster, _ in made_for(admin).values()}


def test_of_two_clusters_for_one_real_one_applied_at_once_one_writes(scene):
    scene.leave("c1")
    control = scene.fedwayd
    admin = scene.members["c1"].admin
    wait.until(lambda: gone(admin, "v1", "Namespace", None, "fedway-system"), 30, "a clean c1")
    config = scene.members["c1"].kubeconfig_of(kube.ADMIN_TOKEN)
    drain = {"fedway.io/drain-seconds": "0"}
    twins = ("one", "other")
    control.apply(*[fedwayd.cluster(name, "network-c1", annotations=drain) for name in twins],
                  *[kubeconfig_secret(name, config) for name in twins])
    made = {name: control.get("Cluster", name)["metadata"]["creationTimestamp"] for name in twins}
    winner, loser = sorted(twins, key=lambda name: (made[name], name))
    scene.wait_phase(winner, "Ready")
    obj = scene.wait_phase(loser, "Failed")
    assert [b["code"] for b in obj["status"]["blocking"]] == ["FED-403"]
    wait.until(lambda: owners(admin) == {winner}, 10, f"all belongs to {winner}")
    before = made_for(admin)
    assert len(before) >= 4
    # the loser leaves, and deletes nothing of the winner's
    control.kubectl("delete", f"fcl/{loser}", "--timeout=20s")
    assert made_for(admin) == before
    # it comes back, the winner leaves: what was made is taken over
    control.apply(fedwayd.cluster(loser, "network-c1", annotations=drain))
    scene.wait_phase(loser, "Failed")
    control.kubectl("delete", f"fcl/{winner}", "--timeout=20s")
    scene.wait_phase(loser, "Ready")
    assert owners(admin) == {loser}
    scene.leave(loser)
    control.kubectl("delete", f"secret/{winner}")


def test_what_has_left_may_join_again_with_a_new_intermediate(scene):
    scene.leave("c1")
    wanted = scene.with_members(*NAMES)
    obj = scene.wait_phase("c1", "Ready")
    assert obj["status"]["certificate"]["serial"]
    scene.wait_counts(wanted)
    scene.members["c1"].admin.wait("v1", "ConfigMap", "fedway-system", "fedway-trust", bool)


def test_a_drain_goes_on_where_it_was_after_a_restart(scene):
    scene.with_members("c1", "c2")
    control = scene.fedwayd
    control.apply(fedwayd.group("network-c1", joined=False))
    control.kubectl("annotate", "--overwrite", "fcl", "c1", "fedway.io/drain-seconds=20")
    control.kubectl("delete", "fcl", "c1", "--wait=false")
    obj = control.wait("Cluster", "c1", lambda obj: is_true(obj, "Withdrawn"))
    begun = calendar.timegm(time.strptime(condition(obj, "Withdrawn")["lastTransitionTime"],
                                          "%Y-%m-%dT%H:%M:%SZ"))
    control.kill()
    wait.until(lambda: time.time() > begun + 9, 12, "most of the drain is over")
    control.start().wait_ready()
    assert is_true(control.get("Cluster", "c1"), "Withdrawn")
    control.kubectl("wait", "--for=delete", "fcl/c1", "--timeout=30s")
    assert 19 <= time.time() - begun < 26


def test_kubectl_tables_say_it(scene):
    scene.with_members(*NAMES)
    for version in ("1.32", "1.37"):
        said = scene.fedwayd.kubectl("get", "fcl", version=version).stdout
        rows = {line.split()[0]: line.split()[1:] for line in said.splitlines()}
        assert rows["c2"][:3] == ["network-c2", "Ready", "v1.36.3"]
        said = scene.fedwayd.kubectl("get", "msvc", "-A", version=version).stdout
        assert all(name in said for name in NAMES) and "3/3" in said


def test_keys_stay_inside(scene):
    """No private key or token is in the log or in any status."""
    control = scene.fedwayd
    scene.with_members(*NAMES)
    log = control.daemon.log.read_text()
    everything = json.dumps([control.admin.list("fedway.io/v1alpha1", kind)
                             for kind in ("Cluster", "EastWestGateway", "Mesh")])
    for text in (log, everything):
        assert "PRIVATE KEY" not in text and kube.ADMIN_TOKEN not in text
        assert base64.b64encode(kube.ADMIN_TOKEN.encode()).decode() not in text


def test_it_ends_when_told(scene):
    assert scene.fedwayd.daemon.stop() == 0
    assert not scene.fedwayd.daemon.lines("ERROR: |runtime error")
