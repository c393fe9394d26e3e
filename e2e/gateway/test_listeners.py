# SPDX-License-Identifier: Apache-2.0
"""Listeners come, go, move and change while the gateway runs: no connection notices. And IPv6."""

import json
import re
import socket
import subprocess

import pytest

import hello
import test_xds
from load import Load
from test_proxy_header import PROXY4
from test_upgrade import upgrade
from test_xds import member, place, plane  # noqa: F401  pylint: disable=unused-import
from world import HOST, connect, read_exactly, unused_port, wait_for

V6 = "::1"


def route(up, **more):
    return {"sni": hello.NAME, "endpoints": [up.endpoint(**more)]}


def ingress(port, name="ingress", address=HOST, **more):
    return {"name": name, "mode": "ingress", "address": address, "port": port, **more}


def egress(port, *allow, address=HOST):
    return {"name": "egress", "mode": "egress", "address": address, "port": port,
            "allow": list(allow)}


def open_one(port, host=HOST):
    connection = connect(port, host)
    connection.sendall(hello.openssl())
    assert read_exactly(connection, 3) == b"up\n"
    return connection


def still_works(connection):
    connection.sendall(b"ping")
    return read_exactly(connection, 4) == b"ping"


def answers(port, host=HOST):
    """b"" as well for who is sent away."""
    with connect(port, host) as connection:
        try:
            connection.sendall(hello.openssl())
            return connection.recv(100)
        except ConnectionResetError:
            return b""


def is_refused(port, host=HOST):
    try:
        connect(port, host).close()
    except ConnectionRefusedError:
        return True
    return False


def listeners(one):
    return {row["name"]: row["address"]
            for row in json.loads(one.admin("GET", "/status")[1])["listeners"]}


def socket_inodes(pid, port):
    """The listening sockets of this port, as the kernel numbers them."""
    text = subprocess.run(["ss", "-Hltnpe", f"sport = :{port}"], capture_output=True, text=True,
                          check=True).stdout
    return {re.search(r"ino:(\d+)", line)[1] for line in text.splitlines() if f"pid={pid}," in line}


def test_a_listener_that_stays_keeps_its_sockets_under_load(gateway, upstream):
    up = upstream()
    stays, other = unused_port(), unused_port()
    one = gateway(workers=2, routes=[route(up)], listeners=[ingress(stays)])
    before = socket_inodes(one.daemon.pid, stays)
    assert len(before) == 2
    kept = open_one(stays)
    with Load(stays) as load:
        for turn in range(6):
            load.wait_calls(100)
            more = [ingress(other, "other")] if turn % 2 == 0 else []
            one.reload(routes=[route(up)], listeners=[ingress(stays), *more])
    assert not load.failed
    assert still_works(kept)
    assert socket_inodes(one.daemon.pid, stays) == before
    kept.close()


def test_a_listener_comes_moves_and_goes(gateway, upstream):
    up = upstream()
    first, second = unused_port(), unused_port()
    one = gateway(workers=2, routes=[route(up)], listeners=[ingress(first)])
    kept = open_one(first)
    one.reload(routes=[route(up)], listeners=[ingress(first), ingress(second, "new")])
    wait_for(lambda: not is_refused(second), "the new listener")
    assert answers(second) == b"up\n"
    assert listeners(one) == {"ingress": f"{HOST}:{first}", "new": f"{HOST}:{second}"}
    by_new = open_one(second)
    one.reload(routes=[route(up)], listeners=[ingress(second)])
    wait_for(lambda: is_refused(first), "the end of the first")
    assert one.daemon.lines(f"no longer listening name=ingress address={HOST}:{first}")
    assert answers(second) == b"up\n"
    for connection in (kept, by_new):
        assert still_works(connection)
        connection.close()
    wait_for(lambda: json.loads(one.admin("GET", "/status")[1])["connections"] == 0, "the ends")
    assert not one.daemon.lines("'listeners' takes effect")


def test_what_waits_at_a_listener_that_goes_is_accepted(gateway, upstream):
    """Moved there and back under load: who got into a queue is answered."""
    up = upstream()
    ports = [unused_port(), unused_port()]
    one = gateway(workers=2, routes=[route(up)], listeners=[ingress(ports[0])])
    for turn in range(1, 7):
        old, new = ports[(turn - 1) % 2], ports[turn % 2]
        waiting = [connect(old) for _ in range(64)]
        one.reload(routes=[route(up)], listeners=[ingress(new)])
        wait_for(lambda port=new: not is_refused(port), "the new address")
        for connection in waiting:
            connection.sendall(hello.openssl())
        assert [connection.recv(100) for connection in waiting] == [b"up\n"] * 64
        for connection in waiting:
            connection.close()


def test_an_address_that_cannot_be_bound_keeps_the_old_configuration_whole(gateway, upstream):
    up, new = upstream("up"), upstream("new")
    one = gateway(routes=[route(up)])
    before = listeners(one)
    free = unused_port()
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        seen = one.daemon.lines_so_far()
        one.write(routes=[route(new)], listeners=[ingress(free), ingress(port, "second")])
        line = one.daemon.wait_line("rejected", 10, after=seen).string
        assert f"listener 'second': cannot listen on {HOST}:{port}: another process uses it" in line
    assert answers(one.port) == b"up\n"
    assert is_refused(free)
    assert listeners(one) == before
    assert one.total("fedway_gateway_config_reloads_total", result="rejected") == 1


def test_two_listeners_at_one_address_are_refused(gateway, upstream):
    one = gateway(routes=[route(upstream())])
    seen = one.daemon.lines_so_far()
    one.write(routes=[], listeners=[ingress(4000, "a"), ingress(4000, "b")])
    one.daemon.wait_line(r"listeners\[1\].port: listener 'a' has this address and port", 10,
                         after=seen)


def test_who_may_use_a_door_changes_without_a_new_socket(gateway, upstream):
    up = upstream()
    port = unused_port()
    one = gateway(routes=[route(up)], listeners=[egress(port, "10.0.0.0/8")])
    before = socket_inodes(one.daemon.pid, port)
    assert answers(port) == b""
    one.reload(routes=[route(up)], listeners=[egress(port, "127.0.0.0/8")])
    wait_for(lambda: answers(port) == b"up\n", "the new ranges")
    kept = open_one(port)
    one.reload(routes=[route(up)], listeners=[egress(port, "10.0.0.0/8")])
    wait_for(lambda: answers(port) == b"", "the old ranges")
    assert still_works(kept)
    assert socket_inodes(one.daemon.pid, port) == before
    kept.close()


def test_a_load_balancer_is_trusted_from_the_next_connection_on(gateway, upstream):
    up = upstream()
    port = unused_port()
    one = gateway(routes=[route(up)], listeners=[ingress(port)])

    def with_header():
        return one.call(PROXY4 + hello.openssl(), port)

    assert with_header() != b"up\n"
    trusted = {"trusted": ["127.0.0.0/8"]}
    one.reload(routes=[route(up)], listeners=[ingress(port, proxyProtocol=trusted)])
    wait_for(lambda: with_header() == b"up\n", "trust")


def test_a_door_that_changes_its_mode_or_name_keeps_its_socket(gateway, upstream):
    up = upstream()
    port = unused_port()
    one = gateway(routes=[route(up)], listeners=[ingress(port)])
    before = socket_inodes(one.daemon.pid, port)
    kept = open_one(port)
    with Load(port) as load:
        for _ in range(3):
            one.reload(routes=[route(up)], listeners=[egress(port, "127.0.0.0/8")])
            load.wait_calls(50)
            one.reload(routes=[route(up)], listeners=[ingress(port, "renamed")])
            load.wait_calls(50)
    assert not load.failed
    assert still_works(kept)
    assert socket_inodes(one.daemon.pid, port) == before
    kept.close()
    for mode in ("ingress", "egress"):
        wait_for(lambda m=mode: one.total("fedway_gateway_active_connections", door=m) == 0,
                 f"no {mode} connection is left over")


def test_limits_change_with_the_file(gateway, upstream):
    up = upstream()
    one = gateway(routes=[route(up)])
    kept = [open_one(one.port) for _ in range(3)]
    one.reload(routes=[route(up)], limits={"connections": 3})
    assert answers(one.port) == b""
    one.reload(routes=[route(up)], limits={"connections": 4})
    assert answers(one.port) == b"up\n"
    one.reload(routes=[route(up)])
    assert all(still_works(connection) for connection in kept)
    for connection in kept:
        connection.close()


def test_an_upgrade_to_other_listeners_loses_nothing(gateway, upstream):
    """The successor wants one address of two, and a new one: what waits at the other is the
    predecessor's."""
    up = upstream()
    stays, goes, new = unused_port(), unused_port(), unused_port()
    one = gateway(workers=2, routes=[route(up)], listeners=[ingress(stays), ingress(goes, "old")])
    kept = open_one(goes)
    one.write(routes=[route(up)], listeners=[ingress(stays), ingress(new, "old")])
    # the file is applied by the running one as well; it takes back what it has given up
    wait_for(lambda: is_refused(goes), "the reload")
    one.write_text(json.dumps(one.config(routes=[route(up)], listeners=[
        ingress(stays), ingress(new, "old"), ingress(goes, "again")])))
    wait_for(lambda: not is_refused(goes), "the reload back")
    assert still_works(kept)
    old = one.daemon
    elsewhere = one.directory / "next.yaml"
    elsewhere.write_text(json.dumps(one.config(
        routes=[route(up)], listeners=[ingress(stays), ingress(unused_port(), "other")])))
    one.file = elsewhere
    with Load(stays) as load:
        load.wait_calls(100)
        waiting = [connect(goes) for _ in range(64)]
        one.start()
        old.wait_line("a successor serves", 10)
        load.wait_calls(100)
    assert not load.failed
    for connection in waiting:
        connection.sendall(hello.openssl())
    assert [connection.recv(100) for connection in waiting] == [b"up\n"] * 64
    for connection in waiting:
        connection.close()
    wait_for(lambda: is_refused(goes), "the end of what nobody wants")
    assert answers(one.ports["other"]) == b"up\n"
    assert still_works(kept)
    kept.close()
    assert old.wait(10) == 0


def test_listeners_that_changed_are_handed_on(gateway, upstream):
    up = upstream()
    one = gateway(workers=2, routes=[route(up)])
    port = unused_port()
    one.reload(routes=[route(up)], listeners=[ingress(port), egress(0, "127.0.0.0/8")])
    one.ports["ingress"] = port
    one.ports["egress"] = int(listeners(one)["egress"].rsplit(":", 1)[1])
    old = upgrade(one)
    assert answers(port) == b"up\n"
    assert old.wait(10) == 0


def test_listeners_change_beside_a_control_plane_even_before_its_first_table(  # noqa: F811
        plane, member, upstream):
    up = upstream()
    control = plane()
    control.serve(c1=test_xds.simple(up))
    one = member(control)
    first, second = unused_port(), unused_port()
    one.reload(listeners=[ingress(first)])
    wait_for(lambda: answers(first) == b"up\n", "the new address")
    one.daemon.kill()
    one.copy().unlink()
    control.kill()
    one.start(*test_xds.FAST, ready=False)
    one.daemon.wait_line("waiting for the control plane")
    one.reload(listeners=[ingress(second)])
    assert is_refused(first) and is_refused(second)
    control.write({"c1": test_xds.simple(up)})
    control.start()
    one.daemon.wait_line(" ready ", 20)
    assert answers(second) == b"up\n"
    assert is_refused(first)


# --- IPv6 ----------------------------------------------------------------------------------------


def v6_upstream(upstream, name="up"):
    return upstream(name, listener=socket.create_server((V6, 0), family=socket.AF_INET6))


def test_everything_works_on_ipv6_alone(gateway, upstream):
    up = v6_upstream(upstream)
    port, out = unused_port(), unused_port()
    one = gateway(routes=[route(up, address=V6)],
                  listeners=[ingress(port, address=V6, allow=["::1/128"]),
                             egress(out, "::1/128", address=V6)],
                  metrics={"address": V6, "port": 0}, health={"address": V6, "port": 0})
    assert answers(port, V6) == b"up\n"
    assert answers(out, V6) == b"up\n"
    assert is_refused(port)
    kept = open_one(port, V6)
    one.reload(routes=[route(up, address=V6)],
               listeners=[ingress(port, address=V6, allow=["2001:db8::/32"])],
               metrics={"address": V6, "port": 0}, health={"address": V6, "port": 0})
    wait_for(lambda: answers(port, V6) == b"", "the other range")
    assert still_works(kept)
    kept.close()
    refused = json.loads(one.admin("GET", "/refusals?max=1")[1])
    assert "not_allowed" in json.dumps(refused)
    assert "[::1]" in json.dumps(refused)


def test_two_listeners_are_dual_stack(gateway, upstream):
    """An IPv6 listener takes IPv6 only, so that each family has its own ranges."""
    up = v6_upstream(upstream)
    port = unused_port()
    one = gateway(workers=2, routes=[route(up, address=V6)],
                  listeners=[ingress(port, "four", address="0.0.0.0"),
                             ingress(port, "six", address="::")])
    assert answers(port, HOST) == b"up\n"
    assert answers(port, V6) == b"up\n"
    one.reload(routes=[route(up, address=V6)], listeners=[ingress(port, "six", address="::")])
    wait_for(lambda: is_refused(port), "the end of IPv4")
    assert answers(port, V6) == b"up\n"


def test_a_gateway_of_another_network_has_an_ipv6_address(gateway, upstream):
    far = gateway(network="n2", routes=[route(v6_upstream(upstream), address=V6, cluster="c2")],
                  listeners=[ingress(0, address=V6)])
    near = gateway(routes=[{"sni": hello.NAME,
                            "endpoints": [{"network": "n2", "cluster": "c2"}]}],
                   networks=[{"name": "n2", "gateways": [
                       {"address": V6, "port": far.port, "mark": True}]}])
    egress_port = near.ports["egress"]
    wait_for(lambda: answers(egress_port) == b"up\n", "the other network")
    table = json.loads(near.admin("GET", "/routes")[1])
    assert table["networks"][0]["gateways"][0]["address"] == f"[{V6}]:{far.port}"


@pytest.mark.parametrize("address", [V6, HOST])
def test_an_upgrade_keeps_either_family(gateway, upstream, address):
    up = upstream()
    one = gateway(workers=2, routes=[route(up)], listeners=[ingress(0, address=address)])
    kept = open_one(one.port, address)
    old = upgrade(one)
    assert answers(one.port, address) == b"up\n"
    kept.close()
    assert old.wait(10) == 0
