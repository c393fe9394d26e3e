# SPDX-License-Identifier: Apache-2.0
"""A stock Istio mesh of two clusters in two networks (lib/mesh.py), and fedwayd beside istiod.

istiod keeps the sidecars and certifies the workloads; fedwayd programs the gateways of both
networks and certifies these alone. Of Fedway, Istio knows the address of n2's gateway, from a
Service with the label of its network. The same tests with stock Envoys and with fedway-gateways as
gateways; they stand in order and share their mesh.
"""

import contextlib
import dataclasses
import json
import statistics
import time

import pytest
import yaml

from cryptography import x509

from lib import fedwayd, istio, kube, objects, parts, tls, wait
from lib.envoy import FedwayIngress
from lib.fedwayd import Fedwayd, counts, is_true, phase
from lib.gateway import FedwayGateway, control_plane
from lib.load import Load
from lib.mesh import CLIENT_ID, NAMESPACE, WEB_ID, WEB_IP, WEB_PORT, WEB_SNI, Mesh

LATE_SNI = istio.sni("late", NAMESPACE, 80)
ANSWERED = tls.Outcome(None, WEB_ID)
# Resources that a reconnect must not send again, by the name of their type in the metrics.
KEPT = ("cluster", "assignment", "network")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of gateway: how it is made, the last byte of its addresses, and what a client sees of
    a name that it does not route, of one without a usable endpoint, and of one with a foreign ALPN.
    `concerned`: how many of the two gateways hold an endpoint of n2 (an Envoy has those of its own
    network alone)."""
    make: object
    number: int
    unknown: str
    unusable: str
    foreign: str
    concerned: int


def certify(host, plane):
    """A certificate by the account's token, into files, as a timer beside an Envoy would fetch
    it; returns the paths of chain, key and roots."""
    folder = host.directory / "certs"
    host.run(parts.ours("fedway"), "certs", "issue", "--cluster", plane["cluster"],
             "--token-file", plane["tokenFile"], "--roots", plane["trustFile"],
             "--address", plane["address"], "--dir", folder)
    return [folder / name for name in ("tls.crt", "tls.key", "roots.pem")]


def stock_envoy(host, member, name):
    plane = control_plane(host, member, name)
    return FedwayIngress(host, plane["address"], name, certify(host, plane))


def our_gateway(host, member, name):
    return FedwayGateway(host, controlPlane=control_plane(host, member, name))


KINDS = {"envoy": Kind(stock_envoy, 40, "closed", "closed", "closed", 1),
         "fedway": Kind(our_gateway, 30, "alert 112", "alert 80", "alert 120", 2)}
only_stock = pytest.mark.parametrize("gateway", ["envoy"], indirect=True)
only_ours = pytest.mark.parametrize("gateway", ["fedway"], indirect=True)


class Federation:
    """A Mesh whose clusters have joined a fedwayd, each in the group of its network."""

    def __init__(self, lab):
        self.lab = lab
        self.mesh = Mesh(lab)
        self.members = {"n1": self.mesh.c1, "n2": self.mesh.c2}
        self.control = Fedwayd(lab.host("fedwayd", lab.wan, "172.30.0.5")).wait_ready()
        made = []
        for group, member in self.members.items():
            member.admin.wait("v1", "Namespace", None, "kube-system", bool)
            config = yaml.safe_dump(member.kubeconfig_of(kube.ADMIN_TOKEN))
            made += [objects.secret("default", member.name, {"kubeconfig": config}),
                     fedwayd.cluster(member.name, group), fedwayd.group(group)]
        self.control.apply(*made)
        for member in self.members.values():
            self.control.wait("Cluster", member.name, lambda obj: phase(obj) == "Ready", 60)
        self.gateways = []

    def start_gateways(self, kind):
        """Gateways of this kind in place of those there are; returns the one of n2."""
        before, self.gateways = self.gateways, []
        for i, (group, member) in enumerate(self.members.items(), start=1):
            name = f"{kind}-{group}"
            host = self.lab.host(name, self.lab.wan, f"172.30.0.{KINDS[kind].number + i}")
            host.attach(getattr(self.mesh, group), f"10.1{i}.0.{KINDS[kind].number}")
            self.control.apply(fedwayd.gateway(name, member.name, host.address))
            made = KINDS[kind].make(host, member, name)
            self.lab.on_failure(made.dump)
            self.gateways.append(made)
        for made in self.gateways:
            made.wait_ready()
        for group in self.members:
            self.wait_joined(group)
        self.mesh.announce(made.host.address)
        for old in before:
            self.control.kubectl("delete", "ewg", old.host.name, "--timeout=20s")
            old.daemon.kill()
        return made

    def wait_joined(self, group, joined=True):
        self.control.wait("NetworkGroup", group, lambda obj: is_true(obj, "Joined") == joined, 30)

    def interconnect(self, group, joined):
        self.control.admin.patch(fedwayd.group(group),
                                 {"spec": {"interconnect": {"joined": joined}}})

    def sent(self):
        """Resources that gateways have taken from this process of fedwayd, by type."""
        return {kind: self.control.total("fedway_xds_resources_sent_total", type=kind)
                for kind in KEPT}

    def wait_streams(self):
        """Waits until every gateway is connected."""
        wait.until(lambda: self.control.total("fedway_xds_streams") == len(self.gateways), 60,
                   "all gateways are connected")


class Door:
    """The gateway of n2, seen from outside."""

    def __init__(self, federation, kind):
        self.kind = KINDS[kind]
        self.mesh = federation.mesh
        self.program = federation.start_gateways(kind)

    def knock(self, name=WEB_SNI, alpn=("istio",)):
        """How a handshake of a client outside n2 ends."""
        return self.mesh.knock(self.program, name, alpn)

    def timed(self, change, outcome, name=LATE_SNI):
        """Makes a change; returns how many seconds later a handshake has ended so. One follows the
        other without a pause, as the pause would be what is measured."""
        change()
        start = time.monotonic()
        while self.knock(name) != outcome:
            assert time.monotonic() < start + 20, f"{name}: not {outcome}"
        return time.monotonic() - start

    def wait(self, outcome, name=WEB_SNI):
        wait.until(lambda: self.knock(name) == outcome, 20, f"{name}: {outcome}")

    # calls for a Load: by the client workload through its sidecar, and on a new connection

    def by_sidecar(self):
        status, _ = self.mesh.call("http://web/")
        return status == 200, status

    def by_new_connection(self):
        outcome = self.knock()
        return outcome == ANSWERED, outcome

    def load(self):
        return Load(self.by_sidecar, self.by_new_connection)

    @contextlib.contextmanager
    def kept(self):
        """A connection through the gateway that stays open and answers before and after."""
        with tls.connect(self.mesh.outsider, self.program.host.address, 15443, WEB_SNI,
                         identity=self.mesh.identity) as connection:
            assert tls.ask(connection)[0] == 200
            yield
            assert tls.ask(connection)[0] == 200


@pytest.fixture(scope="module")
def federation(lab):
    """The mesh and fedwayd, joined; no gateway yet."""
    return Federation(lab)


@pytest.fixture(scope="module", params=KINDS)
def gateway(request, federation):
    """The gateway of n2, of each kind in turn, announced to Istio."""
    if request.param == "fedway":
        parts.ours("fedway-gateway")
    return Door(federation, request.param)


# --- calls ---------------------------------------------------------------------------------------

def test_a_call_by_plain_name_is_answered_by_the_other_network(federation, gateway):
    before = gateway.program.routed(WEB_SNI)
    status, body = gateway.mesh.call("http://web/")
    assert (status, json.loads(body)["name"]) == (200, "web-1")
    gateway.knock()
    assert gateway.program.routed(WEB_SNI) > before


def test_both_ends_know_each_other_by_mutual_tls(gateway):
    status, body = gateway.mesh.call(f"http://web.{NAMESPACE}.svc.cluster.local/")
    assert status == 200
    certificate = json.loads(body)["headers"]["x-forwarded-client-cert"]
    parties = dict(word.split("=", 1) for word in certificate.split(";"))
    assert (parties["By"], parties["URI"]) == (WEB_ID, CLIENT_ID)


def test_groups_clusters_and_gateways_say_that_all_is_well(federation, gateway):
    control = federation.control
    for made, group in zip(federation.gateways, federation.members):
        name = made.host.name
        status = control.wait("EastWestGateway", name, lambda obj: is_true(obj, "Ready"))["status"]
        assert len(status["instances"]) == 1 and status["instances"][0]["certificate"]
        assert [a["address"] for a in status["addresses"]] == [made.host.address]
        group = control.wait("NetworkGroup", group, lambda obj, name=name: obj["status"].get(
            "gateways") == [name])
        assert is_true(group, "Joined")
        # a stock Envoy reports on nobody, and then nothing is claimed
        live = True if isinstance(made, FedwayGateway) else None
        control.wait("NetworkGroup", group["metadata"]["name"], lambda obj, live=live: [
            address.get("live") for address in obj["status"]["addresses"]] == [live])
    wait.until(lambda: counts(control.get("MeshService", "web", NAMESPACE)).get("c2") == (1, 1),
               20, "the endpoint of c2 is counted")
    everyone = {"connected": len(federation.gateways), "acknowledged": len(federation.gateways)}
    control.wait("Mesh", "default", lambda obj: obj["status"]["gateways"] == everyone)


# What else a client may ask for; a mesh ALPN is ("istio",).
ANSWERED_TOO = {
    "another mesh ALPN": (WEB_SNI, ("istio-http/1.1",)),
    "upper case": (WEB_SNI.replace("web", "WEB"), ("istio",)),
}
REFUSED = {
    "a subset": (WEB_SNI.replace("_._.", "_.v1_."), ("istio",)),
    "another port": (WEB_SNI.replace("_.80_", "_.81_"), ("istio",)),
    "another service": (WEB_SNI.replace("web", "nobody"), ("istio",)),
    "a host name": (f"web.{NAMESPACE}.svc.cluster.local", ("istio",)),
    "the cluster of its control plane": (FedwayIngress.XDS, ("istio",)),
    "no name": (None, ("istio",)),
    "no ALPN": (WEB_SNI, ()),
    "a foreign ALPN": (WEB_SNI, ("h2", "http/1.1")),
}


def test_the_same_is_answered_and_the_same_refused_by_each_kind(gateway):
    for what, (name, alpn) in ANSWERED_TOO.items():
        assert gateway.knock(name, alpn) == ANSWERED, what
    for what, (name, alpn) in REFUSED.items():
        outcome = gateway.knock(name, alpn)
        wanted = gateway.kind.unknown if alpn == ("istio",) else gateway.kind.foreign
        assert (outcome.error, outcome.server) == (wanted, None), what
    assert gateway.knock() == ANSWERED


@only_stock
def test_a_stock_gateway_takes_a_renewed_certificate_while_it_runs(federation, gateway):
    made, host = gateway.program, gateway.program.host
    member = federation.members["n2"]
    plane = control_plane(host, member, host.name)
    before = made.serials()
    with gateway.kept(), gateway.load() as load:
        certify(host, plane)
        fresh = x509.load_pem_x509_certificate(made.files[0].read_bytes())
        wait.until(lambda: made.serials() - before == {f"{fresh.serial_number:x}"}, 20,
                   f"serial {fresh.serial_number:x} in place of {before}")
        # the next stream is opened with it
        federation.control.kill()
        federation.control.start().wait_ready()
        federation.wait_streams()
        federation.control.wait("EastWestGateway", host.name, lambda obj: [
            instance["certificate"]["notAfter"] for instance in obj["status"]["instances"]] == [
                f"{fresh.not_valid_after:%Y-%m-%dT%H:%M:%SZ}"])
        load.wait_calls(20)
    assert not load.failed
    wait.until(lambda: not made.warming(), 10, "no cluster is warming")
    assert not made.refused_updates()


# --- changes -------------------------------------------------------------------------------------

def late(federation, ready=True):
    """Says of service `late` in c2 that the Pod of web stands behind it."""
    federation.mesh.c2.admin.apply(objects.endpoint_slice(
        NAMESPACE, "late", {"http": WEB_PORT},
        [objects.endpoint(WEB_IP, ready, pod=(NAMESPACE, "web-1"), node="node-2")]))


def test_a_new_service_is_routed_without_any_file(federation, gateway):
    mesh = federation.mesh
    assert gateway.knock(LATE_SNI).error == gateway.kind.unknown
    service = objects.service(NAMESPACE, "late", [objects.port(80, "http", WEB_PORT)])

    def create():
        mesh.c1.admin.apply(service)
        mesh.c2.admin.apply(service)
        late(federation)

    assert gateway.timed(create, ANSWERED) < 2
    mesh.name_services("late")
    mesh.client.admin.wait_endpoints(istio.cluster_name("late", NAMESPACE, 80),
                                     {f"{gateway.program.host.address}:15443"})
    status, body = mesh.call("http://late/")
    assert (status, json.loads(body)["name"]) == (200, "web-1")


def test_a_change_of_endpoints_reaches_the_gateway(federation, gateway):
    unusable = tls.Outcome(gateway.kind.unusable)
    gone, back = [], []
    for _ in range(5):
        gone.append(gateway.timed(lambda: late(federation, ready=False), unusable))
        back.append(gateway.timed(lambda: late(federation), ANSWERED))
    for what, times in (("gone", gone), ("back", back)):
        print(f"{what} after {1000 * statistics.median(times):.0f} ms, at most "
              f"{1000 * max(times):.0f} ms, from the end of the write to the end of a call")
    assert max(gone + back) < 1


# --- faults --------------------------------------------------------------------------------------

def test_nobody_notices_that_fedwayd_is_killed_and_comes_back(federation, gateway):
    control = federation.control
    sent = federation.sent()
    assert sent["cluster"] > 0 and sent["assignment"] > 0
    with gateway.kept(), gateway.load() as load:
        control.kill()
        load.wait_calls(50)
        control.start().wait_ready()
        federation.wait_streams()
        load.wait_calls(20)
    assert not load.failed
    print(f"{load.total} calls, none failed")
    # what is sent again comes before what is new
    late(federation, ready=False)
    gateway.wait(tls.Outcome(gateway.kind.unusable), LATE_SNI)
    only_late = {"cluster": 0, "assignment": gateway.kind.concerned, "network": 0}
    wait.until(lambda: federation.sent()["assignment"] >= gateway.kind.concerned)
    assert federation.sent() == only_late


@only_ours
def test_a_gateway_starts_from_its_disk_while_fedwayd_is_away(federation, gateway):
    federation.control.kill()
    gateway.program.daemon.kill()
    gateway.program.start()
    gateway.program.wait_ready()
    assert gateway.knock() == ANSWERED
    assert gateway.mesh.call("http://web/")[0] == 200
    federation.control.start().wait_ready()
    federation.wait_streams()


def test_a_service_that_is_deleted_is_refused(federation, gateway):
    for member in federation.members.values():
        member.admin.delete(objects.service(NAMESPACE, "late", []))
    gateway.wait(tls.Outcome(gateway.kind.unknown), LATE_SNI)


@only_ours
def test_gateways_prove_each_other_and_tell(federation, gateway):
    """Each keeps a mutual TLS connection with the other; what it reports stands in the status."""
    first, second = federation.gateways

    def told(live):
        """Waits for what n1's gateway says of n2's; returns the status."""
        obj = federation.control.wait("NetworkGroup", "n2", lambda obj: [
            a.get("live") for a in obj["status"]["addresses"]] == [live])
        return obj["status"]["addresses"][0]

    def answers(asked, other):
        return asked.total("fedway_gateway_address_live", address=f"{other.host.address}:15443")

    wait.until(lambda: answers(first, second) == answers(second, first) == 1, 20,
               "each says that the other answers")
    second.daemon.kill()
    assert told(live=False)["reason"]
    second.start()
    second.wait_ready()
    told(live=True)
    gateway.wait(ANSWERED)
    assert second.total("fedway_gateway_mesh_resyncs_total") == 0


def test_leaving_the_interconnect_ends_no_call_that_runs(federation, gateway):
    with gateway.kept():
        federation.interconnect("n2", joined=False)
        federation.wait_joined("n2", joined=False)
        gateway.wait(tls.Outcome(gateway.kind.unknown))
    federation.interconnect("n2", joined=True)
    federation.wait_joined("n2")
    gateway.wait(ANSWERED)
    assert gateway.mesh.call("http://web/")[0] == 200


# --- neighbours ----------------------------------------------------------------------------------

def test_fedway_certifies_its_own_parts_alone(federation, gateway):
    """The workloads have their certificates from istiod, and Fedway's root trusts none of them."""
    assert gateway.knock() == ANSWERED
    log = federation.control.daemon.log.read_text().splitlines()
    issued = [line for line in log if "certificate issued" in line]
    assert issued and all("/fedway/cluster/" in line for line in issued)
    roots = (federation.control.data / "certs" / "roots.pem").read_text()
    assert federation.mesh.root.pem not in roots


def test_nothing_went_straight_from_pod_network_to_pod_network(federation, gateway):
    assert (federation.mesh.n1.refused(), federation.mesh.n2.refused()) == (0, 0)


def test_no_proxy_has_refused_an_update(federation, gateway):
    mesh = federation.mesh
    assert (mesh.istiod1.rejections(), mesh.istiod2.rejections()) == ([], [])
    assert federation.control.total("fedway_config_rejects_total") == 0
    for made in federation.gateways:
        if isinstance(made, FedwayIngress):
            assert (made.warming(), made.refused_updates()) == ([], {})
