# SPDX-License-Identifier: Apache-2.0
"""A stock Istio mesh of two clusters in two networks (lib/mesh.py), with our gateway in
place of Istio's.

The same tests pass with Istio's kind of gateway (stock Envoy, programmed by istiod), which proves
the scenario, and with fedway-gateway.
"""

import hashlib
import http.client
import json

import pytest

from lib import http as lab_http
from lib import istio, parts, tls
from lib.envoy import StockGateway
from lib.gateway import FedwayGateway
from lib.mesh import (CLIENT_ID, GATEWAY_LABELS, NAMESPACE, PRIVATE_SNI, WEB_ID, WEB_IP,
                      WEB_PORT, WEB_SNI, Mesh)
from programs import web as web_program


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
