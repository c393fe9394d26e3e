# SPDX-License-Identifier: Apache-2.0
"""What the gateway says to whom it does not route: exactly these bytes, then the end. Malformed
hellos are in test_hellos.py."""

import pytest

import hello
from world import connect, read_all

SUBSET = hello.NAME.replace("_._.", "_.v9_.")
HIDDEN = "outbound_.80_._.private.sample.svc.cluster.local"
DEAD = "outbound_.80_._.dead.sample.svc.cluster.local"
EMPTY = "outbound_.80_._.empty.sample.svc.cluster.local"


@pytest.fixture
def served(gateway, upstream):
    up = upstream()
    dead = up.endpoint(health="Unhealthy")
    return gateway(routes=[
        {"sni": hello.NAME, "endpoints": [up.endpoint()]},
        {"sni": HIDDEN, "exposed": False, "endpoints": [up.endpoint()]},
        {"sni": DEAD, "endpoints": [dead]}, {"sni": EMPTY}])


CASES = {
    "unknown name": (hello.openssl("nobody.example"), 112, "unknown_name"),
    "unknown subset": (hello.openssl(SUBSET), 112, "unknown_subset"),
    "no name": (hello.openssl(None), 112, "no_sni"),
    "not exposed": (hello.openssl(HIDDEN), 112, "not_exposed"),
    "foreign ALPN": (hello.openssl(alpn=("h2", "http/1.1")), 120, "no_mesh_alpn"),
    "no ALPN": (hello.openssl(alpn=()), 120, "no_mesh_alpn"),
    "no usable endpoint": (hello.openssl(DEAD), 80, "no_endpoint"),
    "no endpoint": (hello.openssl(EMPTY), 80, "no_endpoint"),
}


@pytest.mark.parametrize("case", CASES)
def test_refuses(served, case):
    data, alert, reason = CASES[case]
    with connect(served.port) as connection:
        connection.sendall(data)
        assert read_all(connection) == hello.alert(alert)
    assert served.closed(reason) == 1
    refusal = served.refusals()[0]
    assert (refusal["reason"], refusal["alert"]) == (reason, alert)


def test_an_alert_arrives_even_when_the_client_goes_on_sending(served):
    with connect(served.port) as connection:
        connection.sendall(hello.openssl("nobody.example") + bytes(100_000))
        assert read_all(connection) == hello.alert(112)


def test_the_egress_door_needs_a_mesh_alpn_too_but_knows_hidden_names(served):
    port = served.ports["egress"]
    assert served.call(hello.openssl(alpn=("h2",)), port) == hello.alert(120)
    assert served.call(hello.openssl(HIDDEN), port) == b"up\n"


def test_an_address_outside_the_ranges_is_closed_at_once(gateway, upstream):
    one = gateway(listeners=[{"name": "egress", "mode": "egress", "address": "127.0.0.1",
                              "port": 0, "allow": ["192.0.2.0/24"]}],
                  routes=[{"sni": hello.NAME, "endpoints": [upstream().endpoint()]}])
    with connect(one.ports["egress"]) as connection:
        assert read_all(connection) == b""
    assert one.closed("not_allowed") == 1
