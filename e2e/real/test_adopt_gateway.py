# SPDX-License-Identifier: Apache-2.0
"""fedway-gateway in the place of istio-eastwestgateway: the xDS client of the user's own istiod.

A stock Istio mesh of two clusters in two networks (lib/mesh.py). Its gateway of n2 is Istio's kind
(stock Envoy, programmed by istiod), then ours, then Istio's again, while calls go on; nothing else
of the mesh is changed. docs/adopt-gateway.md is these steps for a platform engineer. The tests
stand in order and share their mesh.
"""

import json
import statistics
import subprocess
import time

import pytest
import yaml

from lib import http, istio, objects, parts, pki, tls, wait
from lib.envoy import StockGateway
from lib.gateway import FedwayGateway
from lib.load import Load
from lib.mesh import GATEWAY_LABELS, NAMESPACE, PRIVATE_SNI, WEB_ID, WEB_IP, WEB_PORT, WEB_SNI, Mesh

NAME = "eastwest"
ACCOUNT = f"fedway-gateway-{NAME}"
POD = f"{ACCOUNT}-1"
OURS, STOCK = "172.30.0.31", "172.30.0.30"
INSIDE = "10.12.0.31"
ANSWERED = tls.Outcome(None, WEB_ID)
NOBODY_SNI = istio.sni("nobody", NAMESPACE, 80)
LATE_SNI = istio.sni("late", NAMESPACE, 80)


def chart():
    """What the chart renders for this mesh: {kind: object}."""
    done = subprocess.run(
        [parts.real("helm"), "template", NAME, parts.ROOT / "helm" / "fedway-gateway", "-n",
         istio.SYSTEM, "--set", "controlPlane.type=istiod,cluster=c2,istiod.network=n2",
         "--set", "service.create=false,istiod.labels.app=istio-eastwestgateway"],
        capture_output=True, text=True, check=True)
    return {doc["kind"]: doc for doc in yaml.safe_load_all(done.stdout) if doc}


class AdoptedGateway(FedwayGateway):
    """Ours, as the chart runs it with controlPlane.type istiod: its configuration, and the Pod with
    its labels; the files are those that a Pod has mounted."""

    def __init__(self, host, mesh):
        self.mesh = mesh
        self.roots, self.token = host.directory / "root-cert.pem", host.directory / "istio-token"
        self.socket = host.directory / "gateway.sock"
        rendered = chart()
        labels = rendered["Deployment"]["spec"]["template"]["metadata"]["labels"]
        mesh.c2.admin.apply(rendered["ServiceAccount"], objects.pod(
            istio.SYSTEM, POD, INSIDE, labels, ACCOUNT, "node-2"))
        host.names({istio.SERVER_NAME: mesh.istiod2.address})
        self.trust(mesh.istiod2.root)
        self.write_token()
        config = yaml.safe_load(rendered["ConfigMap"]["data"]["gateway.yaml"])
        self.config = {
            "network": config["network"], "admin": {"path": str(self.socket)},
            "controlPlane": {**config["controlPlane"], "trustFile": str(self.roots),
                             "tokenFile": str(self.token)}}
        super().__init__(host, **self.config)

    def trust(self, *roots):
        self.roots.write_text("".join(roots))

    def write_token(self):
        self.token.write_text(self.mesh.c2.token(istio.SYSTEM, ACCOUNT, "istio-ca", POD))

    def start(self):
        self.daemon = self.host.daemon(
            "fedway-gateway", parts.ours("fedway-gateway"), "--config", self.file,
            "--drain-delay", "1s", "--drain-timeout", "20s",
            env={"POD_NAME": POD, "INSTANCE_IP": INSIDE})
        return self

    def status(self):
        """controlPlane of /status on its admin socket."""
        answer = self.host.run(parts.tool("curl"), "--silent", "--show-error", "--unix-socket",
                               self.socket, "http://gateway/status").stdout
        return json.loads(answer)["controlPlane"]

    def wait_connected(self, connected=True):
        wait.until(lambda: self.total("fedway_gateway_control_plane_connected") == connected, 30,
                   f"connected to istiod: {connected}")


class Adoption:
    """The mesh, and which gateway of n2 it is told of."""

    def __init__(self, lab):
        self.lab = lab
        self.mesh = Mesh(lab)
        self.hosts = {}
        for name, address, inside in (("stock", STOCK, "10.12.0.30"), ("ours", OURS, INSIDE)):
            self.hosts[name] = lab.host(f"gateway-{name}", lab.wan, address)
            self.hosts[name].attach(self.mesh.n2, inside)
        self.stock = self.start_stock()
        self.ours = None
        self.announce("istio-eastwestgateway", STOCK, {STOCK})

    def start_stock(self):
        host = self.hosts["stock"]
        made = StockGateway(host, self.mesh.istiod2.address, "c2", "n2", GATEWAY_LABELS,
                            host.addresses[1])
        self.lab.on_failure(made.dump)
        return made.wait_ready()

    def start_ours(self):
        self.ours = AdoptedGateway(self.hosts["ours"], self.mesh)
        self.lab.on_failure(self.ours.dump)
        return self.ours.wait_ready()

    def announce(self, name, address, then):
        """A Service with the label of the network: the client's sidecar uses `then` afterwards."""
        self.mesh.c2.admin.apply(objects.load_balancer(
            istio.SYSTEM, name, [objects.port(15443, "tls")], address,
            {**GATEWAY_LABELS, "topology.istio.io/network": "n2"}))
        self.wait_used(then)

    def withdraw(self, name, then):
        self.mesh.c2.admin.delete(objects.service(istio.SYSTEM, name, []))
        self.wait_used(then)

    def wait_used(self, addresses):
        for name in ("web", "private"):
            self.mesh.client.admin.wait_endpoints(istio.cluster_name(name, NAMESPACE, 80),
                                                  {f"{address}:15443" for address in addresses})

    def expose(self, *names):
        """The hosts of the mesh's Gateway from now on."""
        self.mesh.c2.admin.apply(objects.passthrough_gateway(
            istio.SYSTEM, "cross-network-gateway",
            [f"{name}.{NAMESPACE}.svc.cluster.local" for name in names], GATEWAY_LABELS))

    def knock(self, gateway, name=WEB_SNI, alpn=("istio",)):
        return self.mesh.knock(gateway, name, alpn)

    def wait_knock(self, name, test):
        wait.until(lambda: test(self.knock(self.ours, name)), 20, f"{name} at our gateway")

    # calls for a Load

    def by_sidecar(self):
        status, _ = self.mesh.call("http://web/")
        return status == 200, status

    def by_new_connection(self):
        outcome = self.knock(self.ours)
        return outcome == ANSWERED, outcome


def is_refused(outcome):
    """An alert of ours, or the plain end of stock Envoy: no server was reached."""
    return outcome.server is None


@pytest.fixture(scope="module")
def adoption(lab):
    parts.ours("fedway-gateway")
    return Adoption(lab)


def verdicts(adoption, gateway):
    """Which of these hellos reach a server, by way of a gateway."""
    hellos = [(WEB_SNI, ("istio",)), (WEB_SNI, ("istio-peer-exchange", "istio")),
              (PRIVATE_SNI, ("istio",)), (NOBODY_SNI, ("istio",)), (WEB_SNI, ("h2", "http/1.1")),
              (WEB_SNI, ()), (istio.sni("istio-eastwestgateway", istio.SYSTEM, 15443), ("istio",))]
    return [not is_refused(adoption.knock(gateway, name, alpn)) for name, alpn in hellos]


# --- switching -----------------------------------------------------------------------------------

def test_the_gateway_is_switched_while_calls_go_on(adoption):
    assert adoption.mesh.call("http://private/")[0] == 503
    with Load(adoption.by_sidecar) as load:
        adoption.start_ours()
        adoption.announce("fedway-gateway", OURS, {STOCK, OURS})
        load.wait_calls(20)
        adoption.withdraw("istio-eastwestgateway", {OURS})
        load.wait_calls(20)
    assert not load.failed
    print(f"{load.total} calls, none failed")
    assert adoption.ours.routed(WEB_SNI) > 0


def test_the_same_calls_are_routed_and_refused(adoption):
    assert verdicts(adoption, adoption.ours) == verdicts(adoption, adoption.stock)
    assert adoption.mesh.call("http://private/")[0] == 503
    assert adoption.ours.routed(PRIVATE_SNI) == 0
    adoption.stock.daemon.stop()


def test_the_gateway_says_who_it_is_and_what_it_follows(adoption):
    wait.until(lambda: adoption.ours.status()["certificateNotAfter"], 20, "a certificate")
    status = adoption.ours.status()
    assert status["connected"] and status["complete"] and not status["fromDiskCopy"]
    assert status["istiod"]["exposed"] == status["istiod"]["routes"] == 1
    assert (status["istiod"]["refused"], status["istiod"]["leftOut"]) == (0, 0)
    assert adoption.ours.daemon.lines(f"certificate .*name={ACCOUNT}")


def test_what_a_gateway_object_exposes_is_followed(adoption):
    adoption.expose("web", "private")
    adoption.wait_knock(PRIVATE_SNI, lambda outcome: outcome == ANSWERED)
    assert adoption.mesh.call("http://private/")[0] == 200
    with tls.connect(adoption.mesh.outsider, OURS, 15443, PRIVATE_SNI,
                     identity=adoption.mesh.identity) as kept:
        assert tls.ask(kept)[0] == 200
        adoption.expose("web")
        adoption.wait_knock(PRIVATE_SNI, is_refused)
        assert tls.ask(kept)[0] == 200
    assert adoption.knock(adoption.ours) == ANSWERED


def test_a_gateway_that_nothing_selects_says_so(adoption):
    seen = adoption.ours.daemon.lines_so_far()
    adoption.mesh.c2.admin.delete(objects.passthrough_gateway(
        istio.SYSTEM, "cross-network-gateway", [], {}))
    adoption.ours.daemon.wait_line("nothing is exposed", 20, after=seen)
    assert is_refused(adoption.knock(adoption.ours))
    adoption.expose("web")
    adoption.wait_knock(WEB_SNI, lambda outcome: outcome == ANSWERED)


def test_what_a_filter_may_refuse_is_not_routed(adoption):
    """Ours cannot judge connections as a filter of Envoy would: default deny, and it says so."""
    seen = adoption.ours.daemon.lines_so_far()
    kind = "envoy.extensions.filters.network.rbac.v3.RBAC"
    change = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter",
              "metadata": {"name": "judge", "namespace": istio.SYSTEM},
              "spec": {"workloadSelector": {"labels": {"istio": "eastwestgateway"}},
                       "configPatches": [{
                           "applyTo": "NETWORK_FILTER",
                           "match": {"context": "GATEWAY", "listener": {
                               "portNumber": 15443, "filterChain": {"filter": {
                                   "name": "envoy.filters.network.tcp_proxy"}}}},
                           "patch": {"operation": "INSERT_BEFORE", "value": {
                               "name": "judge", "typed_config": {
                                   "@type": f"type.googleapis.com/{kind}",
                                   "stat_prefix": "judge"}}}}]}}
    adoption.mesh.c2.admin.apply(change)
    adoption.ours.daemon.wait_line("not routed: .* filter that may refuse", 20, after=seen)
    assert is_refused(adoption.knock(adoption.ours))
    adoption.mesh.c2.admin.delete(change)
    adoption.wait_knock(WEB_SNI, lambda outcome: outcome == ANSWERED)


def test_a_service_that_comes_and_goes_is_followed(adoption):
    mesh = adoption.mesh
    adoption.expose("web", "late")
    service = objects.service(NAMESPACE, "late", [objects.port(80, "http", WEB_PORT)])
    there = objects.endpoint(WEB_IP, pod=(NAMESPACE, "web-1"), node="node-2")
    mesh.c2.admin.apply(service)

    def seconds(endpoints, test):
        """How long it takes until an EndpointSlice like this is in force at our gateway."""
        mesh.c2.admin.apply(objects.endpoint_slice(NAMESPACE, "late", {"http": WEB_PORT},
                                                   endpoints))
        began = time.monotonic()
        while not test(adoption.knock(adoption.ours, LATE_SNI)):
            assert time.monotonic() < began + 20
        return time.monotonic() - began

    seconds([there], lambda outcome: outcome == ANSWERED)
    times = []
    for _ in range(5):
        times += [seconds([], is_refused), seconds([there], lambda outcome: outcome == ANSWERED)]
    print(f"in force after {1000 * statistics.median(times):.0f} ms, at most "
          f"{1000 * max(times):.0f} ms; istiod waits 100 ms of them")
    assert max(times) < 2
    mesh.c2.admin.delete(service)
    wait.until(lambda: adoption.ours.status()["istiod"]["routes"] == 1, 20, "one route is left")


def test_no_proxy_has_refused_an_update(adoption):
    assert adoption.mesh.istiod2.rejections() == []


# --- istiod away ---------------------------------------------------------------------------------

def test_nobody_notices_that_istiod_is_restarted(adoption):
    istiod = adoption.mesh.istiod2
    with Load(adoption.by_sidecar, adoption.by_new_connection) as load:
        istiod.daemon.stop()
        adoption.ours.wait_connected(False)
        load.wait_calls(20)
        istiod.start().wait_ready()
        adoption.ours.wait_connected()
        load.wait_calls(20)
    assert not load.failed
    print(f"{load.total} calls, none failed")
    assert adoption.ours.status()["istiod"]["routes"] == 1


def test_without_istiod_a_gateway_starts_from_its_disk(adoption):
    istiod = adoption.mesh.istiod2
    istiod.daemon.stop()
    adoption.ours.daemon.kill()
    adoption.ours.start().wait_ready()
    assert adoption.ours.status()["fromDiskCopy"]
    with Load(adoption.by_sidecar, adoption.by_new_connection) as load:
        load.wait_calls(10)
    assert not load.failed
    assert is_refused(adoption.knock(adoption.ours, PRIVATE_SNI))


def test_what_changed_while_istiod_was_away_is_taken_over(adoption):
    """The token is gone as well: the certificate is enough for a stream."""
    adoption.ours.token.unlink()
    adoption.expose("private")
    adoption.mesh.istiod2.start().wait_ready()
    adoption.wait_knock(PRIVATE_SNI, lambda outcome: outcome == ANSWERED)
    assert is_refused(adoption.knock(adoption.ours, WEB_SNI))
    adoption.ours.write_token()
    adoption.expose("web")
    adoption.wait_knock(WEB_SNI, lambda outcome: outcome == ANSWERED)


# --- back ----------------------------------------------------------------------------------------

def test_and_back_again_while_calls_go_on(adoption):
    with Load(adoption.by_sidecar) as load:
        adoption.start_stock()
        adoption.announce("istio-eastwestgateway", STOCK, {STOCK, OURS})
        adoption.withdraw("fedway-gateway", {STOCK})
        load.wait_calls(20)
        assert adoption.ours.daemon.stop(30) == 0
        load.wait_calls(20)
    assert not load.failed
    print(f"{load.total} calls, none failed")


# --- trust ---------------------------------------------------------------------------------------

def test_an_istiod_is_believed_under_a_name_of_its_certificate_alone(adoption):
    gateway = adoption.ours
    gateway.host.names({"elsewhere.example": adoption.mesh.istiod2.address})
    config = dict(gateway.config)
    plane = config["controlPlane"]
    gateway.write(**{**config, "controlPlane": {**plane, "address": "elsewhere.example:15012"}})
    gateway.start()
    gateway.daemon.wait_line("no connection to istiod: the peer's certificate is refused", 20)
    gateway.wait_ready()
    assert not gateway.status()["connected"]
    gateway.daemon.stop()
    gateway.write(**config)


def test_an_istiod_of_another_root_is_believed_when_the_root_file_says_so(adoption):
    """Last, as the sidecars of the mesh are not told."""
    gateway, istiod = adoption.ours, adoption.mesh.istiod2
    gateway.start().wait_ready()
    gateway.wait_connected()
    before = gateway.status()["certificateRenewals"]
    istiod.daemon.stop()
    istiod.use_authority(pki.root("another-root").issue_ca("istiod-2"))
    seen = gateway.daemon.lines_so_far()
    istiod.start().wait_ready()
    gateway.daemon.wait_line("no connection to istiod: .*(verif|certificate|self)", 30, after=seen)
    assert adoption.knock(gateway) == ANSWERED
    gateway.trust(istiod.root)
    gateway.wait_connected()
    wait.until(lambda: gateway.status()["certificateRenewals"] > before, 60,
               "a certificate of the other root")
    assert http.get(gateway.host, f"http://127.0.0.1:{gateway.HEALTH}/healthz/ready").status == 200
