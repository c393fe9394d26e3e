# SPDX-License-Identifier: Apache-2.0
"""What the gateway takes on at most: who is over a limit is closed without an alert, counted and
recorded, and everybody else is served."""

import contextlib
import os
import re
import resource
import socket
import threading
import time

import hello
from world import connect, read_exactly, wait_for

ROUTE = {"sni": hello.NAME}
HALF = hello.openssl()[:100]


def routed(up):
    return [{**ROUTE, "endpoints": [up.endpoint()]}]


def refused(one, reason, port=None):
    """A call that is closed without a byte."""
    try:
        assert one.call(hello.openssl(), port) == b""
    except ConnectionResetError:
        pass  # its hello came after the close
    assert one.refusals()[0]["reason"] == reason


def open_one(one, stack):
    connection = stack.enter_context(connect(one.port))
    connection.sendall(hello.openssl())
    read_exactly(connection, 3)
    return connection


def test_connections_of_all_workers_are_limited(gateway, upstream):
    one = gateway(workers=2, limits={"connections": 5}, routes=routed(upstream()))
    with contextlib.ExitStack() as stack:
        kept = [open_one(one, stack) for _ in range(5)]
        refused(one, "too_many_connections")
        assert one.closed("too_many_connections", error="true") == 1
        kept[0].close()
        wait_for(lambda: one.closed("done") == 1, "the end of one")
        open_one(one, stack)


def test_new_connections_of_a_source_are_limited(gateway, upstream):
    one = gateway(workers=2, routes=routed(upstream()), limits={
        "newConnectionsPerSecond": {"rate": 1, "burst": 3, "prefixV4": 32}})
    before = [one.call(hello.openssl()) for _ in range(3)]
    assert before == [b"up\n"] * 3
    refused(one, "source_rate")
    assert one.closed("source_rate") == 1
    assert answers(one, "127.0.0.2")
    wait_for(lambda: answers(one, "127.0.0.1"), "the next second")


def answers(one, source):
    with socket.create_connection(("127.0.0.1", one.port), 10, (source, 0)) as connection:
        try:
            connection.sendall(hello.openssl())
            return connection.recv(100) == b"up\n"
        except (ConnectionResetError, BrokenPipeError):
            return False


def test_half_hellos_of_all_workers_share_their_memory(gateway, upstream):
    one = gateway(workers=2, limits={"halfHelloMemoryMiB": 1}, routes=routed(upstream()))
    # the first quarter of a long hello takes 16 KiB: 1 MiB is soon used up
    long = b"\x16\x03\x01\x40\x00\x01\x00\xf0\x00\x03\x03" + bytes(16000)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(connect(one.port)).sendall(long)
        wait_for(lambda: one.closed("hello_memory") > 0, "the limit")
        assert one.refusals()[0]["reason"] == "hello_memory"
        # whose hello comes whole is not concerned
        assert one.call(hello.openssl()) == b"up\n"
    wait_for(lambda: one.total("fedway_gateway_active_connections") == 0, "the end of all")
    with connect(one.port) as late:
        late.sendall(HALF)
        late.sendall(hello.openssl()[100:])
        assert read_exactly(late, 3) == b"up\n"


def test_a_door_lets_in_whom_it_allows(gateway, upstream):
    doors = [{"name": "ingress", "mode": "ingress", "address": "127.0.0.1", "port": 0,
              "allow": ["127.0.0.1/32"]},
             {"name": "closed", "mode": "ingress", "address": "127.0.0.1", "port": 0,
              "allow": ["192.0.2.0/24"]}]
    one = gateway(listeners=doors, routes=routed(upstream()))
    assert one.call(hello.openssl()) == b"up\n"
    refused(one, "not_allowed", one.ports["closed"])


def test_nine_thousand_slow_clients_keep_nobody_waiting(gateway, upstream):
    one = gateway(workers=2, routes=routed(upstream()))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with contextlib.ExitStack() as stack:
        for _ in range(9000):
            stack.enter_context(connect(one.port)).sendall(HALF)
        for _ in range(20):
            assert one.call(hello.openssl()) == b"up\n"
        wait_for(lambda: one.closed("hello_timeout") > 0, "the first deadline", 20)
        assert one.call(hello.openssl()) == b"up\n"
        wait_for(lambda: one.closed("hello_timeout") == 9000, "the last deadline", 20)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_without_descriptors_it_pauses_and_does_not_spin(gateway, upstream):
    one = gateway(routes=routed(upstream()))
    used = len(os.listdir(f"/proc/{one.daemon.pid}/fd"))
    hard = resource.prlimit(one.daemon.pid, resource.RLIMIT_NOFILE)[1]
    with contextlib.ExitStack() as stack:
        resource.prlimit(one.daemon.pid, resource.RLIMIT_NOFILE, (used + 4, hard))
        for _ in range(20):
            stack.enter_context(connect(one.port)).sendall(HALF)
        began, cpu = time.monotonic(), cpu_seconds(one.daemon.pid)
        # until its hellos' deadlines give descriptors back it can do nothing
        wait_for(lambda: parked(one.daemon.pid, used + 4), "the last descriptor")
        time_passes(1)
        spent = cpu_seconds(one.daemon.pid) - cpu
        assert spent < 0.2 * (time.monotonic() - began) + 0.05
        resource.prlimit(one.daemon.pid, resource.RLIMIT_NOFILE, (used + 200, hard))
        wait_for(lambda: one.total("fedway_gateway_accept_pauses_total") >= 5, "the pauses")
        assert one.call(hello.openssl()) == b"up\n"


def parked(pid, used):
    return len(os.listdir(f"/proc/{pid}/fd")) >= used


def time_passes(seconds):
    """Nothing is awaited here: it is the time in which something must not happen."""
    threading.Event().wait(seconds)


# --- how long a connection lives ------------------------------------------------------------------

KEEPALIVE = "02"


def timers(port):
    """The kernel's timers of this namespace's open connections to or from the port."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return [row[5].split(":")[0] for row in rows
            if row[3] == "01" and f"{port:04X}" in (row[1].split(":")[1], row[2].split(":")[1])]


def test_long_connections_ask_whether_both_peers_live(gateway, upstream):
    up = upstream()
    one = gateway(routes=routed(up))
    with contextlib.ExitStack() as stack:
        kept = open_one(one, stack)
        assert KEEPALIVE not in timers(one.port) + timers(up.port)
        # the far ends of both are this test's, and do not ask
        wait_for(lambda: timers(one.port).count(KEEPALIVE) == 1
                 and timers(up.port).count(KEEPALIVE) == 1, "the timers of both sides", 15)
        kept.sendall(b"ping")
        assert read_exactly(kept, 4) == b"ping"


def test_an_idle_connection_is_closed_when_its_route_says(gateway, upstream):
    policy = {"connectionPool": {"tcp": {"idleTimeout": "1s"}}}
    one = gateway(routes=[{**routed(upstream())[0], "trafficPolicy": policy}])
    with contextlib.ExitStack() as stack:
        kept, other = open_one(one, stack), open_one(one, stack)
        began = time.monotonic()
        while time.monotonic() < began + 2:
            kept.sendall(b"ping")
            assert read_exactly(kept, 4) == b"ping"
            time_passes(0.2)
        assert other.recv(1) == b""
        assert kept.recv(1) == b""
    assert one.closed("idle") == 2


# --- workers ------------------------------------------------------------------------------------

def sockets_by_thread(pid, port):
    """How many established connections each worker has accepted, by its own poll set."""
    counts = []
    inodes = established(port)
    for fd in os.listdir(f"/proc/{pid}/fd"):
        watched = watched_by(pid, fd)
        if watched:
            counts.append(len(inodes & watched))
    return [count for count in counts if count]


def established(port):
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return {int(row[9]) for row in rows
            if row[3] == "01" and row[1].endswith(f":{port:04X}")}


def watched_by(pid, fd):
    """Inodes of what a poll set watches; nothing for other descriptors."""
    try:
        with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as info:
            return {int(match, 16) for match in re.findall(r"ino:([0-9a-f]+)", info.read())}
    except FileNotFoundError:
        return set()


def test_workers_share_long_connections_evenly(gateway, upstream):
    one = gateway(workers=2, routes=routed(upstream()))
    with contextlib.ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(one.port)).sendall(HALF)
        wait_for(lambda: one.total("fedway_gateway_active_connections") == 1000, "all of them")
        shares = sockets_by_thread(one.daemon.pid, one.port)
    assert len(shares) == 2 and sum(shares) == 1000
    assert max(shares) <= 1.2 * 500, shares
