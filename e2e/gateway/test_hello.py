# SPDX-License-Identifier: Apache-2.0
"""However a hello comes, it is read, and arrives unchanged."""

import socket
import time

import pytest

import hello
from world import connect, read_all, read_exactly


def give_back(connection, _name):
    """Sends everything back, up to the end."""
    connection.sendall(read_all(connection))


@pytest.fixture
def served(gateway, upstream):
    return gateway(routes=[{"sni": hello.NAME, "endpoints": [upstream(serve=give_back).endpoint()]}])


def send_split(port, pieces, pause=0.0):
    with connect(port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            if pause:
                time.sleep(pause)
        connection.shutdown(socket.SHUT_WR)
        return read_all(connection)


def test_a_hello_split_at_any_byte(served):
    data = hello.records(hello.message())
    for cut in range(1, len(data)):
        with connect(served.port) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(data[:cut])
            # the gateway has seen the first piece when it answers somebody else
            if cut % 16 == 0:
                served.ready()
            connection.sendall(data[cut:])
            connection.shutdown(socket.SHUT_WR)
            assert read_all(connection) == data


def test_a_hello_byte_by_byte(served):
    data = hello.records(hello.message())
    assert send_split(served.port, [data[i:i + 1] for i in range(len(data))], 0.0005) == data


@pytest.mark.parametrize("size", [1, 2, 50, 100, 16384])
def test_a_hello_in_many_records(served, size):
    data = hello.records(hello.message(), size)
    assert send_split(served.port, [data[:30], data[30:]], 0.02) == data


@pytest.mark.parametrize("size", [1800, 12000, 16300, 40000, 64000])
def test_a_large_hello(served, size):
    data = hello.records(hello.message(padding=size))
    assert send_split(served.port, [data]) == data
    assert send_split(served.port, [data[:1400], data[1400:]], 0.05) == data


def test_what_comes_behind_the_hello_arrives(served):
    data = hello.openssl() + bytes(range(256)) * 32
    assert send_split(served.port, [data]) == data
    assert send_split(served.port, [data[:100], data[100:]], 0.05) == data


def test_capitals_and_a_final_dot_make_no_difference(served):
    for name in (hello.NAME.upper(), hello.NAME + ".", "Outbound" + hello.NAME[8:] + "."):
        data = hello.records(hello.message(name))
        assert send_split(served.port, [data]) == data


def test_each_mesh_protocol_is_enough(served):
    for protocol in ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1",
                     "istio-h2"):
        data = hello.openssl(alpn=("h2", protocol))
        assert send_split(served.port, [data]) == data


def test_silence_and_slow_hellos_are_cut_after_five_seconds(served):
    began = time.monotonic()
    data = hello.openssl()
    silent, half, slow = (connect(served.port) for _ in range(3))
    half.sendall(data[:100])
    for byte in data[:8]:
        slow.sendall(bytes([byte]))
        time.sleep(0.7)
    for connection in (silent, half, slow):
        try:
            assert connection.recv(100) == b""
        except ConnectionResetError:
            pass
        connection.close()
    assert 5.0 <= time.monotonic() - began < 7.0
    assert served.closed("hello_timeout") == 3


def test_a_client_that_leaves_early_is_no_error(served):
    connect(served.port).close()
    with connect(served.port) as connection:
        connection.sendall(hello.openssl()[:50])
    with connect(served.port) as connection:
        connection.sendall(hello.openssl())
        connection.shutdown(socket.SHUT_WR)
        read_exactly(connection, 100)
    assert served.closed("client_left") == 2
