# SPDX-License-Identifier: Apache-2.0
"""What a route's trafficPolicy says is done: load balancing, limits, ejection."""

import collections
import contextlib
import json
import socket
import time

import hello
from world import HOST, connect, unused_port, wait_for

SETS = {
    "least": {"loadBalancer": {"simple": "LEAST_REQUEST"}},
    "source": {"loadBalancer": {"consistentHash": {"useSourceIp": True}}},
}


def route(*endpoints, **policy):
    return {"sni": hello.NAME, "endpoints": list(endpoints), "trafficPolicy": policy}


def answers(one, calls):
    return collections.Counter(one.call(hello.openssl()).decode().strip() for _ in range(calls))


def dumped(one):
    """The route as the admin socket tells it."""
    return json.loads(one.admin("GET", "/routes")[1])["routes"][0]


def test_new_connections_go_where_fewer_are_open(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    one = gateway(routes=[route(a.endpoint(), b.endpoint(), **SETS["least"])])
    with contextlib.ExitStack() as stack:
        kept = {b"a\n": [], b"b\n": []}
        for _ in range(8):
            connection = stack.enter_context(connect(one.port))
            connection.sendall(hello.openssl())
            kept[connection.recv(100)].append(connection)
        assert [len(connections) for connections in kept.values()] == [4, 4]
        for connection in kept[b"b\n"]:
            connection.close()
        wait_for(lambda: dumped(one)["connections"] == 4, "the others to be closed")
        assert answers(one, 20) == {"b": 20}


def call_from(one, source):
    with socket.create_connection((HOST, one.port), 10, (source, 0)) as connection:
        connection.sendall(hello.openssl())
        return connection.recv(100)


def test_a_source_keeps_its_endpoint_over_reloads(gateway, upstream):
    ups = [upstream(name) for name in "abcd"]
    sources = [f"127.0.1.{i}" for i in range(1, 41)]
    one = gateway(routes=[route(*(up.endpoint() for up in ups), **SETS["source"])])
    first = {source: call_from(one, source) for source in sources}
    assert first == {source: call_from(one, source) for source in sources}
    assert set(first.values()) == {b"a\n", b"b\n", b"c\n", b"d\n"}
    # without one of them only its sources move
    one.reload(routes=[route(*(up.endpoint() for up in ups[1:]), **SETS["source"])])
    second = {source: call_from(one, source) for source in sources}
    assert all(second[source] == first[source] for source in sources if first[source] != b"a\n")
    assert b"a\n" not in second.values()


def test_connections_over_the_limit_are_refused(gateway, upstream):
    one = gateway(workers=2, routes=[route(
        upstream("a").endpoint(), connectionPool={"tcp": {"maxConnections": 2}})])
    with connect(one.port) as first, connect(one.port) as second:
        for connection in (first, second):
            connection.sendall(hello.openssl())
            assert connection.recv(100) == b"a\n"
        assert one.call(hello.openssl()) == hello.alert(80)
        assert one.closed("max_connections") == 1
        assert dumped(one)["connections"] == 2
    wait_for(lambda: dumped(one)["connections"] == 0, "both to be closed")
    assert one.call(hello.openssl()) == b"a\n"


def test_a_route_has_its_own_connect_timeout(gateway, upstream, black_hole):
    one = gateway(routes=[route(
        {"address": HOST, "port": black_hole.port}, upstream("a").endpoint(priority=1),
        connectionPool={"tcp": {"connectTimeout": "300ms"}})])
    began = time.monotonic()
    assert one.call(hello.openssl()) == b"a\n"
    assert time.monotonic() - began < 1.5


def test_a_route_has_its_own_idle_timeout(gateway, upstream):
    one = gateway(routes=[route(upstream("a").endpoint(),
                                connectionPool={"tcp": {"idleTimeout": "300ms"}})])
    with connect(one.port) as connection:
        connection.sendall(hello.openssl())
        assert connection.recv(100) == b"a\n"
        assert connection.recv(100) == b""
    assert one.closed("idle") == 1


def test_an_endpoint_that_refuses_is_left_out_for_a_while(gateway, upstream):
    port = unused_port()
    one = gateway(routes=[route(
        {"address": HOST, "port": port}, upstream("good").endpoint(),
        outlierDetection={"consecutive5xxErrors": 3, "interval": "200ms",
                          "baseEjectionTime": "1s", "maxEjectionPercent": 50})])
    began = time.monotonic()
    wait_for(lambda: answers(one, 5) == {"good": 5} and dumped(one)["ejected"], "the ejection")
    assert dumped(one)["ejected"] == [f"{HOST}:{port}"]
    assert one.total("fedway_gateway_ejections_total") == 1
    retries = one.total("fedway_gateway_retries_total")
    if time.monotonic() - began < 0.5:  # else its time may be over
        assert answers(one, 20) == {"good": 20}
        assert one.total("fedway_gateway_retries_total") == retries
    wait_for(lambda: dumped(one)["ejected"] == [], "its return", 5)
    assert answers(one, 10) == {"good": 10}
    assert one.total("fedway_gateway_retries_total") > retries


def test_ejected_endpoints_make_load_spill_over(gateway, upstream):
    dead = [{"address": HOST, "port": unused_port()} for _ in range(2)]
    one = gateway(routes=[route(
        *dead, upstream("next").endpoint(priority=1),
        outlierDetection={"consecutiveGatewayErrors": 1, "baseEjectionTime": "60s",
                          "maxEjectionPercent": 100})])
    assert answers(one, 4) == {"next": 4}
    assert len(dumped(one)["ejected"]) == 2
    retries = one.total("fedway_gateway_retries_total")
    assert answers(one, 10) == {"next": 10}
    assert one.total("fedway_gateway_retries_total") == retries
    assert dumped(one)["policy"]["outlierDetection"]["consecutive"] == 1
