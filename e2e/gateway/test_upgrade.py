# SPDX-License-Identifier: Apache-2.0
"""A new process takes over the listening sockets of the running one: nothing is lost."""

import json

import hello
from load import Load
from world import connect, read_exactly

UPGRADES = 5


def route(up):
    return {"sni": hello.NAME, "endpoints": [up.endpoint()]}


def upgrade(one, *options):
    """Starts a successor; returns the predecessor's process."""
    old = one.daemon
    ports = dict(one.ports)
    one.start(*options)
    assert one.ports == ports
    old.wait_line("a successor serves", 10)
    return old


def test_upgrades_under_load_lose_no_call_and_cut_no_connection(gateway, upstream):
    one = gateway(workers=2, routes=[route(upstream())])
    kept = []
    old = []
    with Load(one.port) as load:
        for _ in range(UPGRADES):
            connection = connect(one.port)
            connection.sendall(hello.openssl())
            assert read_exactly(connection, 3) == b"up\n"
            kept.append(connection)
            load.wait_calls(200)
            old.append(upgrade(one))
            load.wait_calls(200)
            assert one.ready() == 200
    assert not load.failed
    assert load.answered >= 2 * 200 * UPGRADES
    for connection, process in zip(kept, old):
        connection.sendall(b"ping")
        assert read_exactly(connection, 4) == b"ping"
        assert process.alive()
        connection.close()
        assert process.wait(10) == 0


def test_what_waits_in_a_queue_is_the_successors(gateway, upstream):
    """Connections that nobody has accepted when the predecessor lets go of its sockets."""
    one = gateway(workers=2, routes=[route(upstream())])
    waiting = [connect(one.port) for _ in range(64)]
    old = upgrade(one)
    late = [connect(one.port) for _ in range(64)]
    for connection in waiting + late:
        connection.sendall(hello.openssl())
    for connection in waiting + late:
        assert connection.recv(100) == b"up\n"
        connection.close()
    assert old.wait(10) == 0


def test_the_predecessor_drains_within_its_time(gateway, upstream):
    one = gateway("--drain-timeout", "1s", routes=[route(upstream())])
    kept = connect(one.port)
    kept.sendall(hello.openssl())
    assert read_exactly(kept, 3) == b"up\n"
    old = upgrade(one)
    old.wait_line("drain timeout, connections are reset open=1", 10)
    assert old.wait(10) == 0
    try:
        assert kept.recv(10) == b"", "nothing but an end"
        raise AssertionError("an end in place of a reset")
    except ConnectionResetError:
        pass


def test_a_successor_that_cannot_start_changes_nothing(gateway, upstream):
    one = gateway(routes=[route(upstream())])
    good = one.daemon
    port = one.port
    # its admin socket cannot be made, which it finds out after it has the listeners
    one.write(routes=[route(upstream())], admin={"path": "/proc/none/admin.sock"})
    try:
        one.start()
        raise AssertionError("it has started")
    except Exception as error:  # pylint: disable=broad-except
        assert "cannot make folder '/proc/none'" in str(error)
    good.wait_line("ended before it served; nothing has changed", 10)
    one.daemon = good
    one.port = port
    assert one.call(hello.openssl()) == b"up\n"
    assert one.ready() == 200


def test_the_admin_socket_is_the_successors(gateway, upstream):
    one = gateway(routes=[route(upstream())])
    old = upgrade(one)
    assert old.wait(10) == 0
    assert json.loads(one.admin("GET", "/status")[1])["state"] == "serving"
