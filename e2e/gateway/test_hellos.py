# SPDX-License-Identifier: Apache-2.0
"""Each kind of hello of hellos.py, whole and cut: what client, upstream, counters and the flight
recorder see."""

import socket

import pytest

import hello
from hellos import CASES, NAME, ROUTED, WAITS
from world import connect, read_all, send_pieces, until_end


@pytest.fixture(scope="module")
def arrived():
    return []


@pytest.fixture(scope="module")
def served(module_gateway, module_upstream, arrived):
    def take(connection, _name):
        arrived.append(read_all(connection))
        connection.sendall(b"answer")

    up = module_upstream(serve=take)
    return module_gateway(routes=[{"sni": NAME, "endpoints": [up.endpoint()]}])


@pytest.mark.parametrize("case, cut", [(case, cut) for case, (data, _) in CASES.items()
                                       for cut in (0, 4, 300) if cut < len(data)])
def test_a_hello(served, arrived, case, cut):
    """In one segment, and in two."""
    data, expected = CASES[case]
    pieces = [data[:cut], data[cut:]] if cut else [data]
    before = served.closed(expected.reason, door="ingress")
    arrived.clear()
    with connect(served.port) as connection:
        send_pieces(connection, pieces, served.caught_up)
        if expected in (ROUTED, WAITS):
            connection.shutdown(socket.SHUT_WR)
        seen, end = until_end(connection)
    served.caught_up()
    assert end == "FIN"
    if expected is ROUTED:
        assert (seen, arrived) == (b"answer", [data])
    else:
        assert seen == (hello.alert(expected.alert) if expected.alert else b"")
        assert not arrived
    assert served.closed(expected.reason, door="ingress") == before + 1
    if expected not in (ROUTED, WAITS):
        refusal = served.refusals()[0]
        assert (refusal["reason"], refusal["alert"]) == (expected.reason, expected.alert or 0)


def test_a_client_that_leaves_early_is_no_error(served):
    before = served.closed("client_left", error="false")
    connect(served.port).close()
    with connect(served.port) as connection:
        connection.sendall(hello.openssl()[:50])
    served.caught_up()
    assert served.closed("client_left", error="false") == before + 2
