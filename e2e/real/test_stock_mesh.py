# SPDX-License-Identifier: Apache-2.0
"""A stock Istio mesh of two clusters in two networks, with our gateway in place of Istio's.

      n1, cluster c1                    wan                         n2, cluster c2
  client + stock sidecar ── router ── gateway:15443 ────────────── web + stock sidecar
              istiod c1, istiod c2, kube-apiserver c1, kube-apiserver c2

Real kube-apiservers, a stock istiod for each cluster that reads the other one by remote secret,
one root for both, stock Envoy as sidecars. Nothing in it knows of us. The same tests pass with Istio's kind of gateway (stock
Envoy, programmed by istiod), which proves the scenario, and with fedway-gateway.
"""

import hashlib
import http.client
import json
import sys

import pytest

from lib import http as lab_http
from lib import istio, kube, objects, parts, pki, tls
from lib.envoy import StockGateway
from lib.gateway import FedwayGateway
from programs import web as web_program

NAMESPACE = "shop"
N1, N2 = "10.11.0.0/16", "10.12.0.0/16"
CLIENT_IP, WEB_IP = "10.11.0.10", "10.12.0.10"
WEB_PORT = 8080
CLIENT_UID = 65534
WEB_SNI = istio.sni("web", NAMESPACE, 80)
PRIVATE_SNI = istio.sni("private", NAMESPACE, 80)
CLIENT_ID = f"spiffe://cluster.local/ns/{NAMESPACE}/sa/client"
WEB_ID = f"spiffe://cluster.local/ns/{NAMESPACE}/sa/web"
GATEWAY_LABELS = {"istio": "eastwestgateway", "app": "istio-eastwestgateway"}


class Mesh:
    """The scenario without a gateway."""

    def __init__(self, lab):
        self.lab = lab
        self.n1 = lab.network("n1", N1, "172.30.0.101")
        self.n2 = lab.network("n2", N2, "172.30.0.102")
        self.n1.refuse(N2)
        self.n2.refuse(N1)
        etcd = kube.Etcd(lab, "172.30.0.2")
        self.c1 = kube.Cluster(lab, etcd, "c1", "172.30.0.11")
        self.c2 = kube.Cluster(lab, etcd, "c2", "172.30.0.12")
        self.c1.wait_ready()
        self.c2.wait_ready()
        self.root = pki.root("mesh-root")
        self._configure()
        self.istiod1 = istio.Istiod(lab, self.c1, "172.30.0.21", self.root.issue_ca("istiod-1"))
        self.istiod2 = istio.Istiod(lab, self.c2, "172.30.0.22", self.root.issue_ca("istiod-2"))
        for istiod in (self.istiod1, self.istiod2):
            istiod.wait_ready().wait_clusters("c1", "c2")
        self._start_workloads()

    def _configure(self):
        for cluster, network in ((self.c1, "n1"), (self.c2, "n2")):
            istio.install_crds(cluster)
            istio.join_network(cluster, network)
            cluster.admin.apply(istio.strict_mutual_tls())
        self.c1.admin.apply(istio.remote_secret(self.c2))
        self.c2.admin.apply(
            istio.remote_secret(self.c1),
            objects.passthrough_gateway(istio.SYSTEM, "cross-network-gateway",
                                        [f"web.{NAMESPACE}.svc.cluster.local"], GATEWAY_LABELS))
        ports = [objects.port(80, "http", WEB_PORT)]
        for cluster in (self.c1, self.c2):
            cluster.admin.apply(
                objects.namespace(NAMESPACE),
                objects.service_account(NAMESPACE, "client"),
                objects.service_account(NAMESPACE, "web"),
                objects.service(NAMESPACE, "web", ports),
                objects.service(NAMESPACE, "private", ports))
        self.client_pod = objects.pod(NAMESPACE, "client-1", CLIENT_IP, {"app": "client"},
                                      "client", "node-1")
        self.web_pod = objects.pod(NAMESPACE, "web-1", WEB_IP, {"app": "web"}, "web", "node-2")
        self.c1.admin.apply(objects.node("node-1", "region1", "zone1"), self.client_pod)
        self.c2.admin.apply(objects.node("node-2", "region1", "zone2"), self.web_pod)
        for name in ("web", "private"):
            self.c2.admin.apply(objects.endpoint_slice(
                NAMESPACE, name, {"http": WEB_PORT},
                [objects.endpoint(WEB_IP, pod=(NAMESPACE, "web-1"), node="node-2")]))

    def _start_workloads(self):
        lab = self.lab
        server = lab.host("web", self.n2, WEB_IP)
        self.web = istio.Sidecar(server, self.c2, "n2", self.istiod2, self.web_pod)
        self.web.capture_inbound(WEB_PORT)
        client = lab.host("client", self.n1, CLIENT_IP)
        self.client = istio.Sidecar(client, self.c1, "n1", self.istiod1, self.client_pod)
        self.client.capture_outbound(CLIENT_UID, 80)
        client.names(self._service_names())
        program = server.daemon("web", sys.executable, web_program.__file__, WEB_PORT, "web-1")
        program.wait_line("listening")
        for sidecar in (self.web, self.client):
            lab.on_failure(sidecar.dump)
            sidecar.wait_ready()
        self.outsider = lab.host("outsider", lab.wan, "172.30.0.200")
        self.identity = self.root.issue_ca("outsider").issue("client", uris=[CLIENT_ID])

    def _service_names(self):
        """What the DNS of c1 would say in namespace shop."""
        names = {}
        for name in ("web", "private"):
            service = self.c1.admin.get("v1", "Service", NAMESPACE, name)
            for form in (name, f"{name}.{NAMESPACE}", f"{name}.{NAMESPACE}.svc.cluster.local"):
                names[form] = service["spec"]["clusterIP"]
        return names

    def call(self, url, *options, stdin=None):
        """Runs curl as the client workload; returns (HTTP status, body as bytes)."""
        result = self.client.host.run(
            parts.tool("setpriv"), f"--reuid={CLIENT_UID}", f"--regid={CLIENT_UID}",
            "--clear-groups", parts.tool("curl"), "--silent", "--show-error", "--max-time", "20",
            "--write-out", "%{stderr}%{http_code}", *options, url, input=stdin, text=False)
        return int(result.stderr), result.stdout

    def knock(self, gateway, name, alpn=("istio",)):
        """A handshake from outside with a gateway, with the client's identity."""
        return tls.handshake(self.outsider, gateway.host.address, 15443, name, alpn=alpn,
                             identity=self.identity)

    def announce(self, address):
        """Makes `address` the gateway of n2, and waits until the client's sidecar uses it."""
        service = objects.load_balancer(
            istio.SYSTEM, "istio-eastwestgateway", [objects.port(15443, "tls")], address,
            {**GATEWAY_LABELS, "topology.istio.io/network": "n2"})
        self.c2.admin.apply(service)
        for name in ("web", "private"):
            self.client.admin.wait_endpoints(istio.cluster_name(name, NAMESPACE, 80),
                                             {f"{address}:15443"})


@pytest.fixture(scope="module")
def mesh(lab):
    """The running mesh, both clusters read, both sidecars ready, no gateway yet."""
    return Mesh(lab)


def stock_gateway(mesh, host):
    return StockGateway(host, mesh.istiod2.address, "c2", "n2", GATEWAY_LABELS,
                        host.addresses[1])


def routes(exposed=(WEB_SNI,), endpoints=({"address": WEB_IP, "port": WEB_PORT},)):
    """The routes of our gateway: both services, of which these are exposed."""
    return [{"sni": name, "exposed": name in exposed, "endpoints": list(endpoints)}
            for name in (WEB_SNI, PRIVATE_SNI)]


def fedway_gateway(_mesh, host):
    return FedwayGateway(host, network="n2", routes=routes())


# kind: (how it is made, wan address, inner address, what a client sees of a name that is not
# exposed, of a client without a mesh ALPN)
KINDS = {
    "stock": (stock_gateway, "172.30.0.30", "10.12.0.30", "closed", "closed"),
    "fedway": (fedway_gateway, "172.30.0.31", "10.12.0.31", "alert 112", "alert 120"),
}


only_ours = pytest.mark.parametrize("gateway", ["fedway"], indirect=True)


@pytest.fixture(scope="module", params=KINDS)
def gateway(request, lab, mesh):
    """A gateway of n2 of each kind in turn, announced to the mesh by its Service."""
    make, address, inner, unknown, foreign = KINDS[request.param]
    if request.param == "fedway":
        parts.ours("fedway-gateway")
    host = lab.host(f"gateway-{request.param}", lab.wan, address)
    host.attach(mesh.n2, inner)
    made = make(mesh, host)
    lab.on_failure(made.dump)
    made.wait_ready()
    mesh.announce(address)
    made.unknown_name, made.foreign_alpn = unknown, foreign
    return made


def test_a_call_by_plain_name_is_answered_by_the_other_network(mesh, gateway):
    status, body = mesh.call("http://web/")
    assert (status, json.loads(body)["name"]) == (200, "web-1")
    assert gateway.routed(WEB_SNI) > 0


def test_both_ends_know_each_other_by_mutual_tls(mesh, gateway):
    status, body = mesh.call(f"http://web.{NAMESPACE}.svc.cluster.local/")
    assert status == 200
    certificate = json.loads(body)["headers"]["x-forwarded-client-cert"]
    parties = dict(word.split("=", 1) for word in certificate.split(";"))
    assert (parties["By"], parties["URI"]) == (WEB_ID, CLIENT_ID)
    cluster = istio.cluster_name("web", NAMESPACE, 80)
    assert mesh.client.admin.cluster_stat(cluster, "ssl.handshake") > 0
    assert mesh.web.admin.stat("listener.0.0.0.0_15006.ssl.handshake") > 0


def test_the_server_takes_nothing_but_mutual_tls(mesh, gateway):
    with pytest.raises((ConnectionError, http.client.RemoteDisconnected)):
        lab_http.get(gateway.host, f"http://{WEB_IP}:{WEB_PORT}/")


def test_bytes_arrive_unchanged_in_both_directions(mesh, gateway):
    data = web_program.body(5_000_000)
    assert mesh.call(f"http://web/bytes/{len(data)}") == (200, data)
    status, body = mesh.call("http://web/", "--data-binary", "@-", stdin=data)
    assert status == 200
    assert json.loads(body) == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def test_a_service_that_is_not_exposed_is_refused(mesh, gateway):
    before = gateway.refused()
    status, _ = mesh.call("http://private/")
    assert status == 503
    assert gateway.refused() > before
    assert gateway.routed(PRIVATE_SNI) == 0


def test_only_exposed_names_with_a_mesh_alpn_reach_a_server(mesh, gateway):
    nobody = istio.sni("nobody", NAMESPACE, 80)
    assert mesh.knock(gateway, WEB_SNI) == tls.Outcome(None, WEB_ID)
    assert mesh.knock(gateway, PRIVATE_SNI).error == gateway.unknown_name
    assert mesh.knock(gateway, nobody).error == gateway.unknown_name
    assert mesh.knock(gateway, WEB_SNI, ("h2", "http/1.1")).error == gateway.foreign_alpn
    assert mesh.knock(gateway, WEB_SNI, ()).error == gateway.foreign_alpn


@only_ours
def test_a_dead_endpoint_is_never_seen_by_a_caller(mesh, gateway):
    dead = {"address": WEB_IP, "port": 9}
    gateway.configure(network="n2", routes=routes(
        endpoints=[dead, {"address": WEB_IP, "port": WEB_PORT}]))
    outcomes = [mesh.knock(gateway, WEB_SNI) for _ in range(20)]
    assert outcomes == [tls.Outcome(None, WEB_ID)] * 20
    gateway.configure(network="n2", routes=routes())


@only_ours
def test_exposing_and_hiding_a_service_cuts_no_connection(mesh, gateway):
    with tls.connect(mesh.outsider, gateway.host.address, 15443, WEB_SNI,
                     identity=mesh.identity) as kept:
        assert tls.ask(kept)[0] == 200
        gateway.configure(network="n2", routes=routes(exposed=(WEB_SNI, PRIVATE_SNI)))
        assert mesh.knock(gateway, PRIVATE_SNI) == tls.Outcome(None, WEB_ID)
        assert mesh.call("http://private/")[0] == 200
        gateway.configure(network="n2", routes=routes())
        assert mesh.knock(gateway, PRIVATE_SNI).error == gateway.unknown_name
        assert tls.ask(kept)[0] == 200


@only_ours
def test_a_broken_file_changes_nothing(mesh, gateway):
    seen = gateway.daemon.lines_so_far()
    gateway.misconfigure(network="n2", routes=[{"sni": WEB_SNI, "endpoints": "none"}])
    gateway.daemon.wait_line(r"gateway\.yaml:\d+.*endpoints", after=seen)
    assert mesh.knock(gateway, WEB_SNI) == tls.Outcome(None, WEB_ID)
    gateway.configure(network="n2", routes=routes())


def test_nothing_went_straight_from_pod_network_to_pod_network(mesh, gateway):
    mesh.call("http://web/")
    assert (mesh.n1.refused(), mesh.n2.refused()) == (0, 0)


def test_no_proxy_has_refused_an_update_of_istiod(mesh, gateway):
    assert (mesh.istiod1.rejections(), mesh.istiod2.rejections()) == ([], [])
