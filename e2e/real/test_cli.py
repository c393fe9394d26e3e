# SPDX-License-Identifier: Apache-2.0
"""`fedway`, the command line, against a real fedwayd and two members, one of them a real
kube-apiserver: what each command says on stdout and on stderr, its exit code, and what it leaves.

The tests stand in order and share their clusters.
"""

import base64
import json

import pytest
import yaml
from cryptography import x509

from lib import fedwayd, kube, objects, parts, pki, wait
from lib.fedwayd import Fedwayd, condition, counts
from lib.gateway import FedwayGateway, control_plane

DONE, FAILED, USAGE, FOUND, TIMEOUT, UNREACHABLE, REFUSED, CONFLICT = 0, 1, 2, 3, 5, 6, 7, 8
CHECKS = ["kubeconfig", "reach-api", "version", "token-review", "permissions", "clock",
          "identity", "localities", "pod-ranges", "istio", "way-back"]
LEFT = "app.kubernetes.io/managed-by=fedway"
PLACES = {"one": ("region1", "zone1", "subzone1"), "two": ("region1", "zone2", "subzone2")}


class Embedded:
    """fedwayd --role=member, with the surface of a kube.Cluster that is used here."""

    def __init__(self, lab, name, address):
        self.name = name
        self.host = lab.host(f"kube-{name}", lab.wan, address)
        self.server = Fedwayd(self.host, role="member")
        self.admin = self.server.admin

    def wait_ready(self):
        self.server.wait_ready()

    def kubeconfig(self):
        return self.server.data / "admin.kubeconfig"

    def token(self, namespace, account, audience):
        path = self.admin.path("v1", "ServiceAccount", namespace, account, "token")
        return self.admin.request("POST", path, {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {"audiences": [audience]}})["status"]["token"]


class Scene:
    def __init__(self, lab):
        self.lab = lab
        self.control = Fedwayd(lab.host("control", lab.wan, "172.30.0.30"))
        etcd = kube.Etcd(lab, "172.30.0.2")
        users = {"viewer-token": ("viewer",)}
        self.one = Embedded(lab, "one", "172.30.0.11")
        self.two = kube.Cluster(lab, etcd, "two", "172.30.0.12", users)
        self.gateways = {}
        for member in (self.one, self.two):
            member.wait_ready()
        self.two.admin.wait("v1", "Namespace", None, "kube-system", bool)
        self.two.start_controllers()
        self.two.admin.apply(*objects.user_rights(
            "viewer", [([""], ["namespaces"], ["get", "list"])]))
        put(self.one, workload("shared", "10.1.0.1", "one"), workload("only", "10.1.0.2", "one"))
        put(self.two, workload("shared", "10.2.0.1", "two"))
        self.control.wait_ready()

    def fedway(self, *words, check=None):
        """Runs `fedway` on the control plane's host, without a terminal. `check`: the exit code
        that it must have."""
        host = self.control.host
        result = host.run(parts.ours("fedway"), *words, check=False, env={
            "FEDWAY_KUBECONFIG": str(self.control.data / "admin.kubeconfig"),
            "PATH": "/usr/bin:/bin", "HOME": str(host.directory), "LANG": "C.UTF-8"})
        if check is not None:
            assert result.returncode == check, f"{words}\n{result.stdout}\n{result.stderr}"
        return result

    def document(self, *words, check=DONE):
        """The one JSON document that a command with -o json writes to stdout."""
        return json.loads(self.fedway(*words, "-o", "json", check=check).stdout)

    def join(self, member, *more, check=DONE):
        return self.fedway("cluster", "join", member.name, "--group", f"net-{member.name}",
                           "--cluster-kubeconfig", member.kubeconfig(), *more, check=check)

    def preflight(self, member, *more, check=DONE):
        words = ("--pre", "-o", "json", *more)
        return checks_of(json.loads(self.join(member, *words, check=check).stdout))

    def start_gateway(self, member, address):
        """fedway-gateway of this member, on xDS, and the object that names it."""
        name = f"gw-{member.name}"
        self.control.apply(fedwayd.gateway(name, member.name, address))
        host = self.lab.host(f"gateway-{member.name}", self.lab.wan, address)
        source = control_plane(host, member, name)
        self.gateways[member.name] = FedwayGateway(host, controlPlane=source).wait_ready()

    def clusters(self):
        return [obj["metadata"]["name"] for obj in
                self.control.admin.list("fedway.io/v1alpha1", "Cluster")]

    def services(self):
        return sorted(obj["metadata"]["name"] for obj in
                      self.control.admin.list("fedway.io/v1alpha1", "MeshService", "shop"))

    def wait_ready(self, name, ready):
        return self.control.wait("MeshService", name, lambda obj: counts(obj) == ready, 30, "shop")


def workload(name, address, cluster):
    """Service shop/NAME of one cluster, with one Pod."""
    place = (("shop", f"{name}-1"), "node-1")
    return [objects.namespace("shop"), objects.node("node-1", *PLACES[cluster]),
            objects.service("shop", name, [objects.port(80, "http")], {"app": name}),
            objects.pod("shop", f"{name}-1", address, {"app": name}, node_name="node-1"),
            objects.endpoint_slice("shop", name, {"http": 80},
                                   [objects.endpoint(address, True, *place)])]


def put(member, *groups):
    for wanted in (obj for group in groups for obj in group):
        status = wanted.pop("status", None)
        try:
            member.admin.create(wanted)
        except kube.ApiError as error:
            if error.code != 409:
                raise
        if status:
            member.admin.set_status(wanted, status)


def checks_of(preflight):
    """{id: check}; the ids are there always, in their order."""
    assert [check["id"] for check in preflight["checks"]] == CHECKS
    return {check["id"]: check for check in preflight["checks"]}


def states(checks):
    return {name: check["state"] for name, check in checks.items()}


@pytest.fixture(scope="module")
def scene(lab):
    return Scene(lab)


# --- before anything has joined ------------------------------------------------------------------

def test_bad_usage_and_no_control_plane_have_codes_of_their_own(scene):
    for words in (["cluster", "join", "one"], ["cluster", "leave"], ["interconnect", "join"],
                  ["status", "--output", "poem"], ["frobnicate"]):
        result = scene.fedway(*words, check=USAGE)
        assert result.stdout == "" and result.stderr.startswith("fedway: ")
    result = scene.fedway("status", "--server", "https://127.0.0.1:1", check=UNREACHABLE)
    assert "127.0.0.1" in result.stderr


def test_a_preflight_changes_nothing_and_names_every_check(scene):
    checks = scene.preflight(scene.one)
    assert states(checks) == {**dict.fromkeys(CHECKS, "Passed"), "permissions": "Skipped",
                              "pod-ranges": "Skipped", "way-back": "Skipped"}
    assert "ms" in checks["reach-api"]["evidence"]
    assert "does not tell" in checks["permissions"]["message"]
    assert scene.clusters() == []


def test_a_real_api_server_tells_what_credentials_may_do(scene):
    checks = scene.preflight(scene.two)
    assert checks["permissions"]["state"] == "Passed"
    assert checks["version"]["evidence"] == "v1.36.3"
    viewer = scene.two.kubeconfig("viewer.kubeconfig", "viewer-token")
    result = scene.fedway("cluster", "join", "two", "--group", "net-two",
                          "--cluster-kubeconfig", viewer, "-o", "json", check=REFUSED)
    checks = checks_of(json.loads(result.stdout))
    assert "create tokenreviews" in checks["permissions"]["message"]
    assert checks["permissions"]["code"] == checks["token-review"]["code"] == "FED-406"
    assert checks["identity"]["state"] == "Passed"
    assert "nothing was changed" in result.stderr and scene.clusters() == []


def spoilt(scene, change):
    """A kubeconfig of the real member after change(cluster, user)."""
    config = scene.two.kubeconfig_of(kube.ADMIN_TOKEN)
    change(config["clusters"][0]["cluster"], config["users"][0]["user"])
    return yaml.safe_dump(config)


def ca_in_a_file(cluster, user):
    del cluster["certificate-authority-data"]
    cluster["certificate-authority"] = "/nowhere/ca.crt"


def other_ca(cluster, user):
    cluster["certificate-authority-data"] = base64.b64encode(
        pki.root("other").pem.encode()).decode()


BROKEN = {
    "nonsense": (lambda scene: "{{{", FAILED, "kubeconfig"),
    "runs-a-command": (lambda scene: spoilt(scene, lambda cluster, user: user.update(
        exec={"command": "sh"})), FAILED, "it runs a command"),
    "names-a-missing-file": (lambda scene: spoilt(scene, ca_in_a_file), FAILED, "/nowhere/ca.crt"),
    "nobody-there": (lambda scene: spoilt(scene, lambda cluster, user: cluster.update(
        server="https://172.30.0.12:1")), REFUSED, "FED-405"),
    "another-ca": (lambda scene: spoilt(scene, other_ca), REFUSED, "FED-405"),
    "unknown-token": (lambda scene: spoilt(scene, lambda cluster, user: user.update(
        token="nobody")), REFUSED, "FED-405"),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
def test_a_broken_kubeconfig_is_named_and_nothing_is_changed(scene, kind):
    text, code, word = BROKEN[kind]
    path = scene.control.host.directory / f"{kind}.kubeconfig"
    path.write_text(text(scene))
    result = scene.fedway("cluster", "join", "two", "--group", "net-two", "--yes",
                          "--cluster-kubeconfig", path, check=code)
    assert word in result.stderr and result.stdout == ""
    assert "nobody" not in result.stderr.replace("nobody-there", "")
    assert scene.clusters() == []


def test_the_control_plane_judges_a_kubeconfig_by_itself(scene):
    """What the CLI refuses to read, fedwayd refuses as well: others ask it too."""
    def ask(spec):
        return scene.control.admin.request(
            "POST", "/apis/answers.fedway.io/v1alpha1/preflights",
            {"apiVersion": "answers.fedway.io/v1alpha1", "kind": "Preflight", "spec": spec})

    text = spoilt(scene, lambda cluster, user: user.update(tokenFile="/etc/passwd"))
    checks = checks_of(ask({"cluster": "two", "kubeconfig": text}))
    assert checks["kubeconfig"]["code"] == "FED-404" and "file" in checks["kubeconfig"]["message"]
    assert states(checks)["reach-api"] == "Skipped"
    for spec, code in (({"cluster": "nobody"}, 404), ({"cluster": "../x"}, 422), ({}, 422)):
        with pytest.raises(kube.ApiError) as refused:
            ask(spec)
        assert refused.value.code == code
    assert not scene.control.daemon.lines(kube.ADMIN_TOKEN)


# --- joining -------------------------------------------------------------------------------------

def test_without_a_terminal_a_join_needs_yes(scene):
    result = scene.join(scene.one, check=REFUSED)
    assert "--yes" in result.stderr and result.stdout == "" and scene.clusters() == []


def test_a_cluster_joins_and_each_step_is_told(scene):
    for member in (scene.one, scene.two):
        result = scene.join(member, "--yes")
        assert result.stdout.startswith(f"cluster/{member.name} joined: ")
        assert result.stdout.count("\n") == 1
        said = [result.stderr.index(word) for word in (
            f"Preflight  {member.name}", "Plan       nothing has been changed yet",
            "[1/5] credentials stored", "[3/5] cluster registered", "[5/5] verified",
            "Next   fedway interconnect join")]
        assert said == sorted(said)
        assert "proves it, and there is none" in result.stderr
        assert member.admin.get("v1", "ConfigMap", "fedway-system", "fedway-trust")
    scene.wait_ready("shared", {"one": (1, 1), "two": (1, 1)})


def identity(scene):
    return {obj["metadata"]["name"]: (obj["metadata"]["uid"], obj["metadata"]["generation"])
            for obj in scene.control.admin.list("fedway.io/v1alpha1", "Cluster")}


def test_the_same_join_again_changes_nothing(scene):
    before = identity(scene)
    result = scene.join(scene.one, "--yes")
    assert "cluster/one joined" in result.stdout and identity(scene) == before


def test_one_real_cluster_is_one_member(scene):
    result = scene.fedway("cluster", "join", "again", "--group", "net-one", "--yes",
                          "--cluster-kubeconfig", scene.one.kubeconfig(), check=REFUSED)
    assert "FED-403" in result.stderr and "'one'" in result.stderr
    assert scene.clusters() == ["one", "two"]


def test_pods_of_one_group_may_not_share_a_range(scene):
    """two's node gets the range of one's pods: wrong in one's group, right in its own."""
    node = objects.node("node-2", *PLACES["two"])
    node["spec"] = {"podCIDR": "10.1.0.0/24", "podCIDRs": ["10.1.0.0/24"]}
    scene.two.admin.apply(node)
    assert scene.preflight(scene.two)["pod-ranges"]["state"] == "Passed"
    checks = scene.preflight(scene.two, "--group", "net-one", check=REFUSED)
    assert checks["pod-ranges"]["code"] == "FED-160"
    assert "10.1.0." in checks["pod-ranges"]["message"]
    scene.two.admin.delete(node)


# --- looking -------------------------------------------------------------------------------------

def test_members_are_listed(scene):
    result = scene.fedway("cluster", "list", check=DONE)
    lines = result.stdout.splitlines()
    assert lines[0].startswith("NAME") and [line.split()[0] for line in lines[1:]] == ["one", "two"]
    assert result.stderr == ""
    names = scene.fedway("cluster", "list", "-o", "name", check=DONE).stdout.split()
    assert names == ["clusters.fedway.io/one", "clusters.fedway.io/two"]


def test_get_knows_every_type_that_the_server_has(scene):
    two = ("--kubeconfig", scene.two.kubeconfig())
    rows = [(("networkgroups",), "networkgroups.fedway.io/net-one"),
            (("crd",), "customresourcedefinitions.apiextensions.k8s.io/clusters.fedway.io"),
            (("mesh",), "clusters.fedway.io/one"), (("mesh",), "networkgroups.fedway.io/net-two"),
            (("clusterrole", "viewer", *two), "clusterroles.rbac.authorization.k8s.io/viewer"),
            (("po", "-n", "shop", *two), "pods/shared-1")]
    for words, name in rows:
        assert name in scene.fedway("get", *words, "-o", "name", check=DONE).stdout.split()
    kinds = {item["kind"] for item in scene.document("get", "mesh")["items"]}
    assert {"Cluster", "NetworkGroup", "MeshService"} <= kinds
    tables = scene.fedway("get", "mesh", check=DONE).stdout.split("\n\n")
    assert len(tables) == len(kinds) and all("NAME" in table.splitlines()[0] for table in tables)
    scene.fedway("get", "frobs", check=USAGE)
    assert scene.document("get", "mesh", "default")["kind"] == "Mesh"


def test_status_is_healthy_until_something_is_wrong(scene):
    result = scene.fedway("status", check=DONE)
    assert result.stdout.startswith("HEALTHY") and result.stderr == ""
    report = scene.document("status")
    assert report["errors"] == 0
    secret = objects.secret("default", "broken", {"kubeconfig": "{{{"})
    scene.control.apply(secret, fedwayd.cluster(
        "broken", "net-one", annotations={"fedway.io/drain-seconds": "0"}))
    scene.control.wait("Cluster", "broken", lambda obj: fedwayd.phase(obj) == "Failed")
    assert scene.document("status", check=FOUND)["errors"] == 1
    assert "broken" in scene.fedway("status", check=FOUND).stdout
    scene.control.kubectl("delete", "fcl/broken", "secret/broken", "--timeout=20s")
    scene.fedway("status", check=DONE)


def test_status_waits_until_all_is_well_and_shows_what_changes(scene):
    control = scene.control
    watching = control.host.daemon(
        "status", parts.ours("fedway"), "status", "-w", "-o", "json", "--kubeconfig",
        control.data / "admin.kubeconfig")
    assert json.loads(watching.wait_line("ADDED").string)["object"]["errors"] == 0
    secret = objects.secret("default", "broken", {"kubeconfig": "{{{"})
    control.apply(secret, fedwayd.cluster(
        "broken", "net-one", annotations={"fedway.io/drain-seconds": "0"}))
    wait.until(lambda: scene.fedway("status").returncode == FOUND, 20, "an error is seen")
    result = scene.fedway("status", "--wait", "--timeout", "1s", check=TIMEOUT)
    assert "still errors" in result.stderr and "DEGRADED" in result.stdout
    assert json.loads(watching.wait_line("MODIFIED").string)["object"]["errors"] == 1
    waiting = control.host.daemon(
        "waiting", parts.ours("fedway"), "status", "--wait", "--timeout", "60s", "--kubeconfig",
        control.data / "admin.kubeconfig")
    control.kubectl("delete", "fcl/broken", "secret/broken", "--timeout=20s")
    assert waiting.wait_line("HEALTHY") and waiting.wait() == DONE
    watching.stop()


def test_a_matrix_without_probes_has_no_results_and_no_failures(scene):
    matrix = scene.document("connectivity", "matrix")
    assert {cell["state"] for cell in matrix["cells"]} <= {"NoResult", "NotExpected"}
    assert scene.fedway("connectivity", "matrix", check=DONE).stderr == ""


# --- the interconnect ----------------------------------------------------------------------------

def test_a_group_without_gateway_cannot_join(scene):
    result = scene.fedway("interconnect", "join", "net-one", "--yes", check=REFUSED)
    assert "FED-104" in result.stderr and result.stdout == ""
    scene.fedway("interconnect", "join", "nobody", "--yes", check=FAILED)


def test_groups_join_the_interconnect(scene):
    scene.start_gateway(scene.one, "172.30.0.41")
    scene.start_gateway(scene.two, "172.30.0.42")
    for name in ("net-one", "net-two"):
        result = scene.fedway("interconnect", "join", name, "--yes", check=DONE)
        assert result.stdout == f"networkgroup/{name} joined the interconnect\n"
        assert f"Undo   fedway interconnect leave {name}" in result.stderr
    table = scene.fedway("interconnect", "status", check=DONE).stdout
    assert [line.split()[:2] for line in table.splitlines()[1:]] == [
        ["net-one", "Joined"], ["net-two", "Joined"]]
    scene.fedway("status", check=DONE)


def test_a_gateway_with_a_stream_proves_the_way_back(scene):
    check = checks_of(scene.document("cluster", "join", "one", "--pre"))["way-back"]
    assert check["state"] == "Passed" and "gateway gw-one" in check["message"]
    assert "gateway gw-one has a stream" in scene.join(scene.one, "--yes").stderr


# --- why, with and without a server --------------------------------------------------------------

def save(path, client, *kinds):
    """What an API server has of these kinds, as one file of manifests."""
    path.parent.mkdir(exist_ok=True)
    found = [{**obj, "apiVersion": version, "kind": kind}
             for version, kind in kinds for obj in client.list(version, kind)]
    path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": found}))


def test_why_says_the_same_with_and_without_a_server(scene):
    folder = scene.control.host.directory / "manifests"
    folder.mkdir()
    ours = [("fedway.io/v1alpha1", kind)
            for kind in ("Mesh", "Cluster", "NetworkGroup", "EastWestGateway")]
    theirs = [("v1", kind) for kind in ("Service", "Pod", "Node", "Namespace")]
    save(folder / "hosted.json", scene.control.admin, *ours)
    for member in (scene.one, scene.two):
        save(folder / member.name / "all.json", member.admin, *theirs,
             ("discovery.k8s.io/v1", "EndpointSlice"))
    for cluster in ("one", "two"):
        for service in ("shop/shared:80", "only.shop:80"):
            words = ("why", service, "--from", cluster)
            online, offline = scene.document(*words), scene.document(*words, "-f", folder)
            for answer in (online, offline):
                del answer["observedAt"], answer["revision"]
            assert online == offline
            assert {c["cluster"] for c in online["candidates"] if c["used"]} == (
                {"one", "two"} if "shared" in service else {"one"})
    scene.fedway("why", "shop/nothing:80", "--from", "one", check=FAILED)
    scene.fedway("why", "shop/shared:80", "--from", "nobody", check=FAILED)


# --- certificates --------------------------------------------------------------------------------

def test_certificates_are_listed_and_issued(scene):
    listed = scene.document("certs", "status")["certificates"]
    assert {(c["kind"], c["name"]) for c in listed} >= {("intermediate", "one"),
                                                        ("intermediate", "two")}
    scene.two.admin.apply(objects.service_account("shop", "cart"))
    folder = scene.control.host.directory / "issued"
    words = ("certs", "issue", "--cluster", "two", "--cluster-kubeconfig", scene.two.kubeconfig(),
             "--dir", folder)
    result = scene.fedway(*words, "--service-account", "shop/cart", check=DONE)
    uri = "spiffe://cluster.local/ns/shop/sa/cart"
    assert result.stdout == f"{folder}/tls.crt: {uri}\n"
    leaf, issuer = x509.load_pem_x509_certificates((folder / "tls.crt").read_bytes())[:2]
    leaf.verify_directly_issued_by(issuer)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
    assert (folder / "tls.key").stat().st_mode & 0o777 == 0o600
    scene.fedway(*words, "--service-account", "shop/nobody", check=FAILED)
    scene.fedway("certs", "issue", check=USAGE)


# --- leaving -------------------------------------------------------------------------------------

def test_what_would_be_lost_holds_a_leave(scene):
    result = scene.fedway("cluster", "leave", "one", "--yes", check=REFUSED)
    assert "FED-222  shop/only" in result.stderr and "FED-221  cluster/net-one" in result.stderr
    assert "shop/shared" not in result.stderr and result.stdout == ""
    losses = scene.document("cluster", "leave", "one", "--dry-run", check=REFUSED)["losses"]
    assert {loss["object"] for loss in losses} == {"shop/only", "cluster/net-one"}
    # the last cluster of a joined group is held by the control plane, whatever is accepted
    scene.fedway("cluster", "leave", "one", "--yes", "--accept-loss=shop/only",
                 "--accept-loss=cluster/net-one", check=REFUSED)
    scene.fedway("cluster", "leave", "nobody", "--yes", check=FAILED)
    assert scene.clusters() == ["one", "two"]


def test_a_group_leaves_the_interconnect_when_its_losses_are_meant(scene):
    scene.fedway("interconnect", "leave", "net-one", "--yes", check=REFUSED)
    result = scene.fedway("interconnect", "leave", "net-one", "--yes",
                          "--accept-loss=shop/only", check=DONE)
    assert result.stdout == "networkgroup/net-one left the interconnect\n"
    assert "shop/only, as accepted" in result.stderr
    group = scene.control.get("NetworkGroup", "net-one")
    assert condition(group, "Joined")["status"] == "False"


def test_another_plan_than_the_one_that_was_seen_is_not_carried_out(scene):
    words = ("cluster", "leave", "one", "--accept-loss=shop/only")
    seen = scene.document(*words, "--dry-run")["hash"]
    put(scene.one, workload("late", "10.1.0.3", "one"))
    scene.wait_ready("late", {"one": (1, 1)})
    result = scene.fedway(*words, "--accept-loss=shop/late", "--yes", "--plan-hash", seen,
                          check=CONFLICT)
    assert seen in result.stderr and scene.clusters() == ["one", "two"]


def left_over(client):
    """What carries our label."""
    kinds = (("v1", "Namespace"), ("v1", "ConfigMap"), ("v1", "ServiceAccount"), ("v1", "Service"))
    return [(kind, obj["metadata"]["name"]) for version, kind in kinds
            for obj in client.list(version, kind, labelSelector=LEFT)]


def test_a_cluster_leaves_and_nothing_is_left_on_either_side(scene):
    # the object is ours, the gateway's process the user's: both may stay, neither is served
    scene.control.kubectl("delete", "ewg", "gw-one")
    words = ("cluster", "leave", "one", "--accept-loss=shop/only", "--accept-loss=shop/late")
    seen = scene.document(*words, "--dry-run")["hash"]
    result = scene.fedway(*words, "--drain", "0s", "--yes", "--plan-hash", seen,
                          "--cluster-kubeconfig", scene.one.kubeconfig(), check=DONE)
    assert result.stdout == "cluster/one left\n"
    assert "verified: nothing is left in the cluster" in result.stderr
    assert left_over(scene.one.admin) == [] and scene.clusters() == ["two"]
    secrets = scene.control.admin.list("v1", "Secret", labelSelector="fedway.io/cluster")
    assert [obj["metadata"]["name"] for obj in secrets] == ["two"]
    wait.until(lambda: scene.services() == ["shared"], 20, "one's own services are gone")
    # the same again: it is gone
    scene.fedway(*words, "--yes", check=FAILED)


def test_a_real_cluster_leaves_as_well_and_may_come_back(scene):
    scene.fedway("interconnect", "leave", "net-two", "--yes", "--accept-loss=shop/shared",
                 check=DONE)
    scene.control.kubectl("delete", "ewg", "gw-two")
    scene.fedway("cluster", "leave", "two", "--drain", "0s", "--yes", "--accept-loss=shop/shared",
                 check=DONE)
    scene.two.admin.wait("v1", "Namespace", None, "fedway-system", lambda obj: obj is None)
    assert left_over(scene.two.admin) == [] and scene.clusters() == []
    assert scene.control.admin.list("v1", "Secret", labelSelector="fedway.io/cluster") == []
    scene.join(scene.two, "--yes")
    assert scene.clusters() == ["two"]


# --- objects on a real API server ----------------------------------------------------------------

OPERATOR = [
    (["fedway.io"], ["*"], ["*"]),
    (["answers.fedway.io"], ["plans", "preflights"], ["create"]),
    ([""], ["secrets", "namespaces"], ["get", "create", "patch"]),
    ([""], ["configmaps"], ["get"]),
]


class External:
    """fedwayd whose objects live on a real kube-apiserver, which knows two operators."""

    def __init__(self, lab):
        self.hub = kube.Cluster(lab, kube.Etcd(lab, "172.30.0.2"), "hub", "172.30.0.11", {
            f"{user}-token": (user,) for user in ("fedwayd", "operator", "stranger")})
        self.hub.wait_ready()
        for name in ("kube-system", "default"):
            self.hub.admin.wait("v1", "Namespace", None, name, bool)
        rights = fedwayd.RIGHTS + fedwayd.ANSWER_RIGHTS
        self.hub.admin.apply(*objects.user_rights("fedwayd", rights),
                             *objects.user_rights("operator", OPERATOR),
                             *objects.user_rights("stranger", OPERATOR[3:]))
        self.member = Embedded(lab, "one", "172.30.0.12")
        self.member.wait_ready()
        self.host = lab.host("control", lab.wan, "172.30.0.30")
        self.daemon = self.host.daemon(
            "fedwayd", parts.ours("fedwayd"), "--data-dir", self.host.directory / "data",
            "--kubeconfig", self.hub.kubeconfig("fedwayd.kubeconfig", "fedwayd-token"),
            "--api-listen", "172.30.0.30:6443", "--xds-listen", "172.30.0.30:15012",
            "--xds-advertise", "172.30.0.30:15012")
        self.hub.admin.wait("v1", "ConfigMap", "fedway-system", "fedway-answers", bool)

    def fedway(self, user, *words):
        config = self.hub.kubeconfig(f"{user}.kubeconfig", f"{user}-token")
        return self.host.run(parts.ours("fedway"), *words, "--kubeconfig", config, check=False)

    def post(self, user, path, body):
        """The status of a POST to the answers' own listener."""
        answers = self.hub.admin.get("v1", "ConfigMap", "fedway-system", "fedway-answers")["data"]
        authority = self.host.directory / "answers.pem"
        authority.write_text(answers["ca.pem"])
        token = ["--header", f"authorization: Bearer {user}-token"] if user else []
        return int(self.host.run(
            parts.tool("curl"), "--silent", "--show-error", "--cacert", authority, *token,
            "--data", body, "--output", "/dev/null", "--write-out", "%{http_code}",
            f"https://{answers['address']}{path}").stdout)

    def join(self, user, *more):
        return self.fedway(user, "cluster", "join", "one", "--group", "net-one",
                           "--cluster-kubeconfig", self.member.kubeconfig(), *more)


def test_beside_an_external_api_server_answers_have_a_listener_of_their_own(fresh_lab):
    scene = External(fresh_lab)
    result = scene.join("operator", "--yes")
    assert result.returncode == DONE, result.stderr
    assert "the control plane reaches its API server" in result.stderr
    plan = scene.fedway("operator", "cluster", "leave", "one", "--dry-run", "-o", "json")
    assert json.loads(plan.stdout)["operation"] == "Leave"
    assert scene.fedway("operator", "connectivity", "matrix").returncode == FAILED
    # whom the API server does not know or allow, by the listener's own word
    plans = "/apis/answers.fedway.io/v1alpha1/plans"
    rows = [("operator", plans, "{}", 422), ("operator", plans, "[]", 400),
            ("operator", "/api", "{}", 404), ("stranger", plans, "{}", 403),
            ("nobody", plans, "{}", 401), (None, plans, "{}", 401)]
    assert [scene.post(*row[:3]) for row in rows] == [row[3] for row in rows]
    assert not scene.daemon.lines("operator-token|stranger-token")
