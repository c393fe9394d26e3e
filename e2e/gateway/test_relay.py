# SPDX-License-Identifier: Apache-2.0
"""Bytes, ends and resets arrive as they were sent, in both directions."""

import hashlib
import os
import socket
import threading

import pytest

import hello
from world import connect, greet, read_all, read_exactly, reset, wait_for

SIZE = 20_000_000


def serve(gateway, upstream, behaviour):
    up = upstream(serve=behaviour)
    return gateway(routes=[{"sni": hello.NAME, "endpoints": [up.endpoint()]}])


def begin(one):
    connection = connect(one.port)
    connection.sendall(hello.openssl())
    return connection


def test_bytes_arrive_unchanged_both_ways_at_once(gateway, upstream):
    data = os.urandom(SIZE)
    one = serve(gateway, upstream, greet)
    with begin(one) as connection:
        assert read_exactly(connection, 3) == b"up\n"

        def write():
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        got = read_all(connection)
        writer.join()
        assert hashlib.sha256(got).digest() == hashlib.sha256(data).digest()
    assert one.total("istio_tcp_sent_bytes_total") == SIZE + 3
    assert one.total("istio_tcp_received_bytes_total") > SIZE


def test_a_slow_reader_gets_everything(gateway, upstream):
    data = os.urandom(SIZE)

    def push(connection, _name):
        connection.recv(65536)
        connection.sendall(data)

    one = serve(gateway, upstream, push)
    with begin(one) as connection:
        got = b""
        pauses = iter(range(20))
        while len(got) < SIZE:
            if next(pauses, None) is not None:
                threading.Event().wait(0.02)
            piece = connection.recv(300_000)
            assert piece
            got += piece
        assert got == data


def test_a_client_that_has_ended_still_gets_its_answer(gateway, upstream):
    def late(connection, _name):
        data = read_all(connection)
        connection.sendall(b"late %d" % len(data))

    one = serve(gateway, upstream, late)
    with begin(one) as connection:
        connection.sendall(b"x" * 1000)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).startswith(b"late ")
    assert one.closed("done") == 1


def test_an_upstream_that_has_ended_still_gets_what_the_client_sends(gateway, upstream):
    got = []
    done = threading.Event()

    def first(connection, _name):
        connection.recv(65536)
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        got.append(read_all(connection))
        done.set()

    one = serve(gateway, upstream, first)
    with begin(one) as connection:
        assert read_all(connection) == b"bye"
        connection.sendall(b"still here" * 5000)
        connection.shutdown(socket.SHUT_WR)
        assert done.wait(10)
    assert got == [b"still here" * 5000]


def test_an_upstream_that_ends_without_a_word_is_passed_on(gateway, upstream):
    one = serve(gateway, upstream, lambda connection, _name: connection.recv(65536))
    with begin(one) as connection:
        assert read_all(connection) == b""


@pytest.mark.parametrize("words", [b"", b"hello"])
def test_a_reset_of_the_upstream_reaches_the_client_as_a_reset(gateway, upstream, words):
    def cut(connection, _name):
        connection.recv(65536)
        if words:
            connection.sendall(words)
            connection.recv(1)
        reset(connection)

    one = serve(gateway, upstream, cut)
    with begin(one) as connection:
        if words:
            assert read_exactly(connection, len(words)) == words
            connection.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            read_all(connection)
    assert one.closed("upstream_reset") == 1


@pytest.mark.parametrize("when", ["relaying", "with its last bytes", "half closed",
                                  "before the answer"])
def test_a_reset_of_the_client_reaches_the_upstream_as_a_reset(gateway, upstream, when):
    seen = []

    def listen(connection, _name):
        connection.recv(65536)
        if when != "before the answer":
            connection.sendall(b"go")
        if when == "half closed":
            connection.shutdown(socket.SHUT_WR)
        try:
            read_all(connection)
            seen.append("end")
        except ConnectionResetError:
            seen.append("reset")

    up = upstream(serve=listen)
    one = gateway(routes=[{"sni": hello.NAME, "endpoints": [up.endpoint()]}])
    connection = begin(one)
    if when in ("relaying", "with its last bytes"):
        read_exactly(connection, 2)
        if when == "with its last bytes":
            connection.sendall(b"last")
    elif when == "half closed":
        assert read_all(connection) == b"go"
    else:
        wait_for(lambda: up.connections == 1, "the upstream's connection")
        connection.sendall(b"more")
    reset(connection)
    wait_for(lambda: seen, "the upstream's end")
    assert seen == ["reset"]
    assert one.closed("client_reset") == 1


def test_a_reset_is_seen_while_the_other_side_takes_nothing(gateway, upstream):
    """The client is not read from, as the upstream takes nothing; its reset must not wait."""
    hold = threading.Event()
    up = upstream(serve=lambda connection, _name: (connection.recv(1), hold.wait(15)))
    one = gateway(routes=[{"sni": hello.NAME, "endpoints": [up.endpoint()]}])
    connection = begin(one)
    connection.settimeout(0.5)
    with pytest.raises(TimeoutError):
        while True:
            connection.sendall(bytes(1 << 20))
    reset(connection)
    wait_for(lambda: one.closed("client_reset") == 1, "the reset", 5)
    hold.set()


def test_idle_connections_hold_no_pipes(gateway, upstream):
    one = serve(gateway, upstream, greet)
    kept = [begin(one) for _ in range(30)]
    for connection in kept:
        read_exactly(connection, 3)
        connection.sendall(bytes(200_000))
        read_exactly(connection, 200_000)
    links = os.listdir(f"/proc/{one.daemon.pid}/fd")
    pipes = [fd for fd in links
             if os.readlink(f"/proc/{one.daemon.pid}/fd/{fd}").startswith("pipe:")]
    assert len(pipes) <= 2 * 16 + 3
    for connection in kept:
        connection.close()
    wait_for(lambda: one.total("fedway_gateway_active_connections") == 0, "their end")


def test_urgent_data_holds_up_nothing(gateway, upstream):
    """It ends a read before the socket is empty. The urgent bytes themselves are not passed on."""
    one = gateway(routes=[{"sni": hello.NAME, "endpoints": [upstream().endpoint()]}])
    with connect(one.port) as connection:
        connection.sendall(hello.openssl())
        assert read_exactly(connection, 3) == b"up\n"
        for _ in range(20):
            connection.sendall(b"a" * 100)
            connection.send(b"!", socket.MSG_OOB)
            connection.sendall(b"b" * 100)
            assert read_exactly(connection, 200) == b"a" * 100 + b"b" * 100
