# SPDX-License-Identifier: Apache-2.0
"""A caller of network n1 without a gateway of its own dials that of n2, which has nobody: the
connection is passed on to n3, with the mark, and from there to nobody else.

     outside (n1) ── wan ── g2 ingress :15443 ──mark──▶ ingress :15443 g3 ── web c (n3)
"""

import json
import sys
import time

import pytest

from lib import istio, pki, tls
from lib.gateway import FedwayGateway
from programs import web

RANGE = "10.201.0.0/16"
INNER, WEB_IP = "10.201.0.2", "10.201.0.10"
G2, G3, OUTSIDE, NOBODY = (f"172.30.0.{n}" for n in (32, 33, 41, 49))
PORT = 8443
WEB = istio.sni("web", "shop", 80)
SERVER = "spiffe://cluster.local/ns/shop/sa/web"


def network(name, address, cluster, mark=True):
    return {"name": name, "gateways": [{"cluster": cluster, "address": address, "port": 15443,
                                        "mark": mark}]}


def route(*endpoints):
    return [{"sni": WEB, "endpoints": list(endpoints)}]


class Three:
    def __init__(self, lab):
        root = pki.root("mesh-root")
        self.identity = root.issue("caller", uris=["spiffe://cluster.local/ns/shop/sa/caller"])
        server = root.issue("web", uris=[SERVER])
        self.files = [*server.write(lab.directory, "server"), root.write(lab.directory, "root")[0]]
        n3 = lab.network("n3", RANGE, "172.30.0.103")
        self.web = lab.host("web-c", n3, WEB_IP)
        self.server = self.serve()
        self.outside = lab.host("outside", lab.wan, OUTSIDE)
        host2, host3 = lab.host("g2", lab.wan, G2), lab.host("g3", lab.wan, G3)
        host3.attach(n3, INNER)
        # the own pod of n2 is not ready; n4 has a gateway that does not take the mark
        self.g2 = FedwayGateway(
            host2, network="n2",
            networks=[network("n3", G3, "c3"), network("n4", NOBODY, "c4", mark=False)],
            routes=route({"address": "10.202.0.1", "port": PORT, "health": "Unhealthy"},
                         {"network": "n4", "cluster": "c4", "priority": 1, "weight": 9},
                         {"network": "n3", "cluster": "c3", "priority": 1}))
        self.g3 = FedwayGateway(
            host3, network="n3", networks=[network("n2", G2, "c2")],
            routes=route({"address": WEB_IP, "port": PORT, "cluster": "c3"},
                         {"network": "n2", "cluster": "c2", "priority": 1}))
        for gateway in (self.g2, self.g3):
            lab.on_failure(gateway.dump)
            gateway.wait_ready()

    def serve(self):
        daemon = self.web.daemon("web", sys.executable, web.__file__, PORT, "web-c", *self.files)
        daemon.wait_line("listening")
        return daemon

    def knock(self):
        return tls.handshake(self.outside, G2, 15443, WEB, identity=self.identity)


@pytest.fixture(scope="module")
def three(lab):
    return Three(lab)


def test_a_third_network_answers_through_a_gateway_that_has_nobody(three):
    with tls.connect(three.outside, G2, 15443, WEB, identity=three.identity) as connection:
        status, body = tls.ask(connection)
    assert (status, json.loads(body)["name"]) == (200, "web-c")
    assert three.g2.routed(WEB) == three.g3.routed(WEB) == 1


def test_what_was_passed_on_is_passed_on_to_nobody_else(three):
    three.server.kill()
    try:
        began = time.monotonic()
        assert three.knock().error == "alert 80"
        assert time.monotonic() - began < 5
        # g3 has tried its own pod only, and g2 has heard nothing from it
        assert three.g3.total("fedway_gateway_closed_connections_total",
                              reason="connect_failed") == 1
        assert three.g2.total("fedway_gateway_closed_connections_total", door="ingress",
                              reason="connect_failed") == 1
    finally:
        three.server = three.serve()
    assert three.knock() == tls.Outcome(None, SERVER)
