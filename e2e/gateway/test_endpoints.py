# SPDX-License-Identifier: Apache-2.0
"""Which endpoint answers: shares, retries, other networks and the mark."""

import collections
import socket
import threading
import time

import pytest

import hello
from world import HOST, Upstream, connect, greet, read_all, read_exactly, unused_port, wait_for

CALLS = 300
SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")
MARK_C2 = SIGNATURE + bytes.fromhex("20000006e50003016332")
MARK_ANY = SIGNATURE + bytes.fromhex("20000004e5000101")


def answers(one, calls=CALLS, door="ingress"):
    count = collections.Counter()
    for _ in range(calls):
        count[one.call(hello.openssl(), one.ports[door]).decode().strip()] += 1
    return count


def route(*endpoints, **more):
    return {"sni": hello.NAME, "endpoints": list(endpoints), **more}


def share(count, name):
    return 100 * count[name] / count.total()


def test_equal_endpoints_share_evenly(gateway, upstream):
    ups = [upstream(f"u{i}") for i in range(3)]
    one = gateway(routes=[route(*(up.endpoint() for up in ups))])
    count = answers(one)
    assert all(abs(count[up.name] - CALLS / 3) <= 2 for up in ups), count


def test_weights_are_kept(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    one = gateway(routes=[route(a.endpoint(weight=1), b.endpoint(weight=4))])
    assert abs(share(answers(one), "b") - 80) <= 1


def test_priorities_are_kept_and_spill_over(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    one = gateway(routes=[route(a.endpoint(), b.endpoint(priority=1))])
    assert answers(one, 30) == {"a": 30}
    one.reload(routes=[route(a.endpoint(), a.endpoint(health="Unhealthy"),
                             b.endpoint(priority=1))])
    assert abs(share(answers(one), "a") - 70) <= 1


def test_locality_weights_count_at_the_egress_door(gateway, upstream):
    a, b = upstream("a"), upstream("b")
    one = gateway(routes=[route(
        a.endpoint(locality="r1/z1"), b.endpoint(locality="r1/z2"),
        localityWeights=[{"locality": "r1/z1", "weight": 80}, {"locality": "r1/z2", "weight": 20}])])
    assert abs(share(answers(one, door="egress"), "a") - 80) <= 1
    assert abs(share(answers(one), "a") - 50) <= 1


def test_a_refused_connect_is_never_seen(gateway, upstream):
    one = gateway(routes=[route({"address": HOST, "port": unused_port()},
                                upstream("good").endpoint())])
    assert answers(one, 40) == {"good": 40}
    assert one.total("fedway_gateway_retries_total") > 10


def test_a_connect_that_hangs_is_given_up_after_two_seconds(gateway, black_hole):
    one = gateway(routes=[route({"address": HOST, "port": black_hole.port})])
    began = time.monotonic()
    assert one.call(hello.openssl()) == hello.alert(80)
    assert 1.9 < time.monotonic() - began < 3.0


def test_beside_a_connect_that_hangs_a_second_one_is_begun(gateway, upstream, black_hole):
    one = gateway(routes=[route({"address": HOST, "port": black_hole.port, "weight": 1000},
                                upstream("good").endpoint())])
    began = time.monotonic()
    assert one.call(hello.openssl()) == b"good\n"
    assert 0.2 < time.monotonic() - began < 1.5
    assert one.total("fedway_gateway_hedges_total") == 1
    # not more often than the budget: a burst of ten, then one in five
    calls = [threading.Thread(target=one.call, args=(hello.openssl(),)) for _ in range(40)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    assert one.total("fedway_gateway_hedges_total") <= 10 + 41 // 5


def test_a_second_connect_that_is_refused_leaves_the_first_one_alone(gateway, upstream, black_hole):
    one = gateway(routes=[route({"address": HOST, "port": black_hole.port, "weight": 1000},
                                {"address": HOST, "port": unused_port()},
                                upstream("next").endpoint(priority=1))])
    began = time.monotonic()
    assert one.call(hello.openssl()) == b"next\n"
    # the first one has its two seconds, unless the next priority was the second choice
    assert time.monotonic() - began < 3.5
    assert one.total("fedway_gateway_hedges_total") == 1
    assert one.closed("connect_failed") == 0


def test_others_are_served_while_a_connect_hangs(gateway, upstream, black_hole):
    other = "outbound_.80_._.other.sample.svc.cluster.local"
    one = gateway(routes=[route({"address": HOST, "port": black_hole.port}),
                          {"sni": other, "endpoints": [upstream("other").endpoint()]}])
    with connect(one.port) as hanging:
        hanging.sendall(hello.openssl())
        began = time.monotonic()
        assert one.call(hello.openssl(other)) == b"other\n"
        assert time.monotonic() - began < 1


def test_four_endpoints_are_tried_two_of_a_priority(gateway, upstream):
    dead = [{"address": HOST, "port": unused_port(), "priority": p} for p in (0, 0, 0, 1, 1, 2)]
    one = gateway(routes=[route(*dead)])
    assert one.call(hello.openssl()) == hello.alert(80)
    assert one.total("fedway_gateway_retries_total") == 3
    assert one.closed("connect_failed") == 1
    # one in the third priority is within reach, one in the fourth is not
    good = upstream("good")
    one.reload(routes=[route(*dead[2:5], good.endpoint(priority=2))])
    assert one.call(hello.openssl()) == b"good\n"


# --- other networks ------------------------------------------------------------------------------

def network(name, *gateways, mark=True, cluster="c2"):
    return {"name": name, "gateways": [{"cluster": cluster, "address": HOST, "port": up.port,
                                        "mark": mark} for up in gateways]}


def remote(name="n2", cluster="c2", **more):
    return {"network": name, "cluster": cluster, **more}


def record(seen):
    """A server that remembers what it was sent first, and greets."""
    def serve(connection, name):
        first = connection.recv(65536)
        if not first:
            return  # a check
        seen.append(first)
        connection.sendall(name.encode() + b"\n")
        connection.recv(65536)

    return serve


@pytest.mark.parametrize("mark", [True, False])
def test_the_mark_goes_to_gateways_that_take_it(gateway, upstream, mark):
    seen = []
    far = upstream("far", record(seen))
    one = gateway(routes=[route(remote())], networks=[network("n2", far, mark=mark)])
    data = hello.openssl()
    assert one.call(data, one.ports["egress"]) == b"far\n"
    assert seen == [(MARK_C2 if mark else b"") + data]


def test_ingress_prefers_its_own_and_relays_only_to_gateways_with_the_mark(gateway, upstream):
    own, far = upstream("own"), upstream("far")
    routes = [route(own.endpoint(priority=1), remote(priority=0))]
    one = gateway(routes=routes, networks=[network("n2", far)])
    assert answers(one, 20) == {"own": 20}
    assert answers(one, 20, "egress") == {"far": 20}
    routes[0]["endpoints"][0]["health"] = "Unhealthy"
    one.reload(routes=routes, networks=[network("n2", far)])
    assert answers(one, 20) == {"far": 20}
    one.reload(routes=routes, networks=[network("n2", far, mark=False)])
    assert one.call(hello.openssl()) == hello.alert(80)


def test_a_marked_connection_gets_the_cluster_that_it_names(gateway, upstream):
    a, b, far = upstream("a"), upstream("b"), upstream("far")
    one = gateway(routes=[route(a.endpoint(cluster="c1"), b.endpoint(cluster="c2"),
                                remote(cluster="c9"))],
                  networks=[network("n2", far)])
    data = hello.openssl()
    assert {one.call(MARK_C2 + data) for _ in range(20)} == {b"b\n"}
    assert {one.call(MARK_ANY + data) for _ in range(20)} == {b"a\n", b"b\n"}
    for cut in range(1, len(MARK_C2) + 20):
        with connect(one.port) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall((MARK_C2 + data)[:cut])
            time.sleep(0.001)
            connection.sendall((MARK_C2 + data)[cut:])
            assert connection.recv(100) == b"b\n"


def test_a_marked_connection_is_refused_rather_than_sent_on(gateway, upstream):
    far = upstream("far")
    one = gateway(routes=[route(remote())], networks=[network("n2", far)])
    before = far.connections
    assert one.call(MARK_C2 + hello.openssl()) == hello.alert(80)
    assert one.closed("no_own_endpoint") == 1
    assert one.call(MARK_C2 + hello.openssl(), one.ports["egress"]) == b""
    assert one.closed("bad_proxy_header") == 1
    # only the checks came there
    assert far.connections - before <= 2


def refuse_with(data, seen):
    """A gateway that refuses: what it says to a hello. Checks by TCP alone say nothing."""
    def serve(connection, _name):
        if connection.recv(65536):
            seen.append(1)
            connection.sendall(data)

    return serve


@pytest.mark.parametrize("words", [hello.alert(112), hello.alert(80), b""],
                         ids=["unknown", "internal", "end"])
def test_a_refusal_by_a_gateway_is_tried_elsewhere(gateway, upstream, words):
    seen = []
    bad = upstream("bad", refuse_with(words, seen))
    own = upstream("own")
    one = gateway(routes=[route(remote(), own.endpoint(priority=1))],
                  networks=[network("n2", bad)])
    assert answers(one, 20, "egress") == {"own": 20}
    assert len(seen) == 20


def test_an_alert_of_a_workload_is_passed_on(gateway, upstream):
    """40 is a server's word, and so is any alert of a gateway without the mark."""
    for words, mark in ((hello.alert(40), True), (hello.alert(112), False)):
        bad = upstream("bad", refuse_with(words, []))
        one = gateway(routes=[route(remote(), upstream("own").endpoint(priority=1))],
                      networks=[network("n2", bad, mark=mark)])
        assert one.call(hello.openssl(), one.ports["egress"]) == words


def test_nothing_is_tried_again_once_the_client_has_said_more(gateway, upstream):
    bad = upstream("bad", lambda connection, _name: read_exactly(connection, 1000))
    own = upstream("own")
    one = gateway(routes=[route(remote(), own.endpoint(priority=1))],
                  networks=[network("n2", bad)])
    with connect(one.ports["egress"]) as connection:
        connection.sendall(hello.openssl() + bytes(2000))
        try:
            assert read_all(connection) == b""
        except ConnectionResetError:
            pass
    assert own.connections == 0


def test_a_dead_gateway_is_out_within_seconds_and_comes_back(gateway, upstream):
    far, own = upstream("far"), upstream("own")
    one = gateway(routes=[route(remote(), own.endpoint(priority=1))],
                  networks=[network("n2", far)])
    address = f"{HOST}:{far.port}"
    wait_for(lambda: one.total("fedway_gateway_address_live", address=address) == 1, "live")
    assert answers(one, 10, "egress") == {"far": 10}
    far.close()
    wait_for(lambda: one.total("fedway_gateway_address_live", address=address) == 0, "out", 6)
    before = one.total("fedway_gateway_retries_total")
    assert answers(one, 10, "egress") == {"own": 10}
    assert one.total("fedway_gateway_retries_total") == before
    back = Upstream(greet, "far", far.port)
    wait_for(lambda: one.total("fedway_gateway_address_live", address=address) == 1, "back", 6)
    assert answers(one, 10, "egress") == {"far": 10}
    back.close()


def test_a_host_name_is_resolved(gateway, upstream):
    far = upstream("far")
    networks = [{"name": "n2", "gateways": [{"address": "localhost", "port": far.port}]}]
    one = gateway(routes=[route(remote(cluster=""))], networks=networks)
    wait_for(lambda: one.call(hello.openssl(), one.ports["egress"]) == b"far\n", "the name")


# --- a load balancer in front --------------------------------------------------------------------

def proxied(source):
    return (SIGNATURE + bytes.fromhex("2111000c") + socket.inet_aton(source)
            + socket.inet_aton("127.0.0.1") + bytes.fromhex("c3503c53"))


def test_a_proxy_header_counts_only_from_a_trusted_address(gateway, upstream):
    def listener(trusted, allow):
        return [{"name": "ingress", "mode": "ingress", "address": HOST, "port": 0,
                 "proxyProtocol": {"trusted": trusted}, "allow": allow}]

    routes = [route(upstream().endpoint())]
    one = gateway(listeners=listener(["127.0.0.0/8"], ["192.0.2.0/24"]), routes=routes)
    assert one.call(proxied("192.0.2.7") + hello.openssl()) == b"up\n"
    assert one.call(proxied("198.51.100.7") + hello.openssl()) == b""
    assert one.refusals()[0]["client"] == "198.51.100.7:50000"
    assert one.call(hello.openssl()) == b""
    other = gateway(listeners=listener([], []), routes=routes)
    assert other.call(proxied("192.0.2.7") + hello.openssl()) == b""
    assert other.closed("bad_proxy_header") == 1
