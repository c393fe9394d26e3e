# SPDX-License-Identifier: Apache-2.0
"""The scenarios by which passthrough proxies are compared, one row each: what client and upstream
see, to the byte. docs/performance.md compares costs; this is what they are compared for."""

import contextlib
import dataclasses
import queue
import socket
import threading
import time

import pytest

import hello
from world import HOST, connect, read_all, reset, send_pieces, unused_port, until_end

NAME = hello.NAME
ANSWER = b"answer"
REFUSED_FAST = 1.0  # seconds; peers take 3
HELLO_LIMIT = 5.0


def route(*endpoints):
    return {"sni": NAME, "endpoints": list(endpoints)}


class Witness:
    """An upstream that tells what each of its connections saw: (bytes, "FIN" or "RST")."""

    def __init__(self, make, behave):
        self.behave = behave
        self.seen = queue.Queue()
        self.server = make(serve=self._serve)

    def _serve(self, connection, _name):
        self.seen.put(self.behave(connection))

    def saw(self):
        return self.seen.get(timeout=10)


def to_the_end(connection):
    """Reads all, then answers."""
    seen = until_end(connection)
    if seen[1] == "FIN":
        connection.sendall(ANSWER)
    return seen


@pytest.fixture(scope="module")
def reader(module_upstream):
    return Witness(module_upstream, to_the_end)


@pytest.fixture(scope="module")
def served(module_gateway, reader):
    return module_gateway(routes=[route(reader.server.endpoint())])


# --- hellos that arrive, whatever their form ----------------------------------------------------

def cut(data, *places):
    """The pieces of data, cut at these places."""
    edges = [0, *places, len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:])]


def around(data, word):
    """A place in the middle of word."""
    return data.index(word) + len(word) // 2


def in_two_records(place):
    whole = hello.message()
    return hello.records(whole[:place]) + hello.records(whole[place:])


LARGE = hello.records(hello.message(padding=1500))
SMALL = hello.records(hello.message())
MESSAGE = hello.message()

ARRIVES = {
    "1.8 KB hello in 2 segments": cut(LARGE, 900),
    "1.8 KB hello in 2 segments, cut inside the name": cut(LARGE, around(LARGE, NAME.encode())),
    "12 KB hello": [hello.exactly(12000)],
    "16 KB hello": [hello.exactly(16384)],
    "hello over two TLS records, name in the 2nd": [
        in_two_records(MESSAGE.index(NAME.encode()) - 9)],
    "hello over two TLS records, cut inside the name": [
        in_two_records(around(MESSAGE, NAME.encode()))],
    "hello over two TLS records, cut after the name": [
        in_two_records(MESSAGE.index(NAME.encode()) + len(NAME))],
    "one byte at a time": [bytes([byte]) for byte in SMALL],
    "8 KB more behind the hello (0-RTT)": [SMALL + bytes(range(256)) * 32],
    "name with underscores": [hello.openssl()],
    "name in capitals": [hello.openssl(NAME.upper())],
    "name with trailing dot": [hello.records(hello.message(NAME + "."))],
    "name with both": [hello.records(hello.message(NAME.title() + "."))],
    "FIN right behind the hello": [SMALL],
}


@pytest.mark.parametrize("row", ARRIVES)
def test_arrives_as_it_was_sent(served, reader, row):
    pieces = ARRIVES[row]
    with connect(served.port) as client:
        send_pieces(client, pieces, served.caught_up)
        client.shutdown(socket.SHUT_WR)
        assert until_end(client) == (ANSWER, "FIN")
    assert reader.saw() == (b"".join(pieces), "FIN")


# --- what is refused at once --------------------------------------------------------------------

REFUSED = {
    "no name": (hello.openssl(None), 112, "no_sni"),
    "unknown name": (hello.openssl("nobody.example"), 112, "unknown_name"),
    "empty name": (hello.records(hello.message("")), 50, "bad_hello"),
    "300 bytes of junk": (b"\xaa" * 300, None, "not_tls"),
    "plain HTTP": (b"GET / HTTP/1.1\r\nHost: web\r\n\r\n", None, "plain_http"),
    "3 bytes of junk": (b"abc", None, "not_tls"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_is_refused_at_once(served, reader, row):
    data, alert, reason = REFUSED[row]
    before = served.closed(reason, door="ingress"), reader.server.connections
    began = time.monotonic()
    with connect(served.port) as client:
        client.sendall(data)
        assert until_end(client) == (hello.alert(alert) if alert else b"", "FIN")
    assert time.monotonic() - began < REFUSED_FAST
    served.caught_up()
    assert (served.closed(reason, door="ingress"), reader.server.connections) == (
        before[0] + 1, before[1])


# --- slow clients -------------------------------------------------------------------------------

@dataclasses.dataclass
class Slow:
    """first: bytes sent at once; then one of `rest` each second."""
    first: bytes = b""
    rest: bytes = b""


SLOW = {
    "silence": Slow(),
    "partial hello then silence": Slow(first=SMALL[:100]),
    "one byte a second": Slow(rest=SMALL),
    "a PROXY signature then silence": Slow(first=b"\r\n\r\n\0\r\nQUIT\n"),
}


def be_slow(port, slow, told):
    """Puts (bytes, end, seconds)."""
    began = time.monotonic()
    with connect(port) as client:
        client.sendall(slow.first)
        client.settimeout(1 if slow.rest else 10)
        for byte in slow.rest or b"\0":
            with contextlib.suppress(TimeoutError):
                seen = until_end(client)
                told.put((*seen, time.monotonic() - began))
                return
            client.sendall(bytes([byte]))


@pytest.fixture(scope="module")
def slow_clients(served):
    """All of them at once, since each takes its five seconds."""
    told = {row: queue.Queue() for row in SLOW}
    for row, slow in SLOW.items():
        threading.Thread(target=be_slow, args=(served.port, slow, told[row]),
                         daemon=True).start()
    return told


@pytest.mark.parametrize("row", SLOW)
def test_is_closed_after_five_seconds_for_the_whole_hello(slow_clients, row):
    seen, end, seconds = slow_clients[row].get(timeout=10)
    assert seen == b""
    # a byte that crosses the end is answered by a reset
    assert end == "FIN" or SLOW[row].rest
    assert HELLO_LIMIT <= seconds < HELLO_LIMIT + 1


# --- ends and resets ----------------------------------------------------------------------------

def half_close_first(connection):
    """Answers and ends, then reads on."""
    first = connection.recv(65536)
    connection.sendall(ANSWER)
    connection.shutdown(socket.SHUT_WR)
    more, end = until_end(connection)
    return first + more, end


def answer_then_read(connection):
    first = connection.recv(65536)
    connection.sendall(ANSWER)
    more, end = until_end(connection)
    return first + more, end


def answer_then_reset(connection):
    first = connection.recv(65536)
    connection.sendall(ANSWER)
    assert connection.recv(1) == b"!"
    reset(connection)
    return first, "reset"


def say_and_end(client):
    """The answer first, then more, then the end: what the client sees."""
    client.sendall(SMALL)
    seen = until_end(client)
    client.sendall(b"more" * 5000)
    client.shutdown(socket.SHUT_WR)
    return seen


def end_first(client):
    client.sendall(SMALL + b"more")
    client.shutdown(socket.SHUT_WR)
    return until_end(client)


def wait_for_the_end(client):
    client.sendall(SMALL)
    first = client.recv(len(ANSWER))
    client.sendall(b"!")
    more, end = until_end(client)
    return first + more, end


def reset_it(client):
    client.sendall(SMALL)
    seen = client.recv(len(ANSWER))
    reset(client)
    return seen, "reset"


# row: what the upstream does, what the client does; what each sees, and the reason
ENDS = {
    "client half-closes, upstream answers late": (
        to_the_end, end_first, (ANSWER, "FIN"), (SMALL + b"more", "FIN"), "done"),
    "upstream half-closes, client goes on sending": (
        half_close_first, say_and_end, (ANSWER, "FIN"), (SMALL + b"more" * 5000, "FIN"), "done"),
    "upstream resets": (
        answer_then_reset, wait_for_the_end, (ANSWER, "RST"), (SMALL, "reset"), "upstream_reset"),
    "client resets": (
        answer_then_read, reset_it, (ANSWER, "reset"), (SMALL, "RST"), "client_reset"),
}


@pytest.mark.parametrize("row", ENDS)
def test_ends_as_the_other_side_ended(gateway, upstream, row):
    upstream_does, client_does, client_sees, upstream_sees, reason = ENDS[row]
    witness = Witness(upstream, upstream_does)
    one = gateway(routes=[route(witness.server.endpoint())])
    with connect(one.port) as client:
        assert client_does(client) == client_sees
    assert witness.saw() == upstream_sees
    one.caught_up()
    assert one.closed(reason, door="ingress") == 1


# --- upstreams that cannot be reached -----------------------------------------------------------

def nobody():
    return {"address": HOST, "port": unused_port()}


def call(one):
    """(bytes, end, seconds) of a call that ends its own side."""
    began = time.monotonic()
    with connect(one.port) as client:
        client.sendall(SMALL)
        client.shutdown(socket.SHUT_WR)
        return *until_end(client), time.monotonic() - began


def test_upstream_refuses_no_other(gateway):
    """Row: upstream refuses, no other."""
    one = gateway(routes=[route(nobody())])
    seen, end, seconds = call(one)
    assert (seen, end) == (hello.alert(80), "FIN")
    assert seconds < REFUSED_FAST
    assert one.closed("connect_failed") == 1


def test_first_server_refuses_second_is_up(gateway, upstream):
    """Row: first server refuses, second is up. All of 20 calls, and the client sees nothing."""
    witness = Witness(upstream, to_the_end)
    one = gateway(routes=[route(nobody(), {**witness.server.endpoint(), "priority": 1})])
    calls = [call(one) for _ in range(20)]
    assert {(seen, end) for seen, end, _ in calls} == {(ANSWER, "FIN")}
    assert min(seconds for *_, seconds in calls) < 0.1
    assert [witness.saw() for _ in calls] == [(SMALL, "FIN")] * 20


def test_first_server_drops_syns_second_is_up(gateway, upstream, black_hole):
    """Row: first server drops SYNs, second is up: a connect beside the first after 250 ms."""
    witness = Witness(upstream, to_the_end)
    one = gateway(routes=[route({"address": HOST, "port": black_hole.port},
                                {**witness.server.endpoint(), "priority": 1})])
    seen, end, seconds = call(one)
    assert (seen, end) == (ANSWER, "FIN")
    assert 0.25 <= seconds < 2.0
    assert witness.saw() == (SMALL, "FIN")


def test_others_served_while_a_connect_hangs(gateway, upstream, black_hole):
    """Row: others served while a connect hangs."""
    other = "other.example"
    witness = Witness(upstream, to_the_end)
    one = gateway(routes=[route({"address": HOST, "port": black_hole.port}),
                          {"sni": other, "endpoints": [witness.server.endpoint()]}])
    with connect(one.port) as hanging:
        hanging.sendall(SMALL)
        one.caught_up()
        for _ in range(20):
            with connect(one.port) as client:
                client.sendall(hello.openssl(other))
                client.shutdown(socket.SHUT_WR)
                assert read_all(client) == ANSWER
        hanging.settimeout(0)
        with pytest.raises(BlockingIOError):
            hanging.recv(1)
        hanging.settimeout(10)
        assert until_end(hanging) == (hello.alert(80), "FIN")
