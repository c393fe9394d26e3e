# SPDX-License-Identifier: Apache-2.0
"""A hello may be cut anywhere: between two segments, between two records, at every single byte.

Each cut is one that the gateway sees: the second part is sent when it has read the first."""

import socket

import pytest

import hello
from world import connect, read_all

AT_ONCE = 200


def give_back(connection, _name):
    """Sends everything back, up to the end."""
    connection.sendall(read_all(connection))


@pytest.fixture(scope="module")
def served(module_gateway, module_upstream):
    up = module_upstream(serve=give_back)
    return module_gateway(routes=[{"sni": hello.NAME, "endpoints": [up.endpoint()]}])


def each_arrives(one, flights):
    """flights: (first part, second part). All must arrive unchanged; AT_ONCE at a time, so that a
    wait for the gateway is for many."""
    for at in range(0, len(flights), AT_ONCE):
        now = flights[at:at + AT_ONCE]
        connections = [connect(one.port) for _ in now]
        for connection, (first, _) in zip(connections, now):
            connection.sendall(first)
        one.caught_up()
        for connection, (_, second) in zip(connections, now):
            connection.sendall(second)
            connection.shutdown(socket.SHUT_WR)
        for connection, (first, second) in zip(connections, now):
            assert read_all(connection) == first + second, f"cut after {len(first)} bytes"
            connection.close()


SHAPES = {
    "OpenSSL's": hello.openssl(),
    "post-quantum, 1.8 KB": hello.records(hello.post_quantum()),
    "in records of 7 bytes": hello.records(hello.message(), 7),
    "in records of 1 byte": hello.records(hello.message(), 1),
    "with 0-RTT bytes behind": hello.records(hello.message()) + b"\x17\x03\x03\0\x20" + bytes(32),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_hello_in_two_segments_cut_at_every_byte(served, shape):
    data = SHAPES[shape]
    each_arrives(served, [(data[:cut], data[cut:]) for cut in range(1, len(data))])


@pytest.mark.parametrize("shape, message", [("small", hello.message()),
                                            ("post-quantum", hello.post_quantum())])
def test_a_hello_in_two_records_cut_at_every_byte(served, shape, message):
    """Each record a segment of its own."""
    each_arrives(served, [(hello.records(message[:cut]), hello.records(message[cut:]))
                          for cut in range(1, len(message))])


@pytest.mark.parametrize("size", [16384, 65536])
def test_a_large_hello_cut_around_each_record_header(served, size):
    data = hello.exactly(size)
    headers = range(0, size, 5 + 16384)
    cuts = {header + by for header in headers for by in range(-2, 8)} | {size - 1}
    each_arrives(served, [(data[:cut], data[cut:]) for cut in sorted(cuts) if 0 < cut < size])
