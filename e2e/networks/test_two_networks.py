# SPDX-License-Identifier: Apache-2.0
"""Two networks with the same pod range, joined by two gateways of ours and nothing else.

     n1 (10.201.0.0/16)                       wan                  n2 (10.201.0.0/16)
  caller ── g1 egress :15444 ── g1 ──── ingress :15443 g2 ──────── web b
  web a, web a2

Callers and servers speak mutual TLS themselves. The files name everything; there is no control
plane.
"""

import json
import signal
import socket
import sys
import time

import pytest

from lib import http, istio, pki, tls, wait
from lib.gateway import INGRESS, FedwayGateway
from programs import web

RANGE = "10.201.0.0/16"
INNER, WEB_IP, WEB2_IP, CALLER_IP, STRANGER_IP = (f"10.201.0.{n}" for n in (2, 10, 11, 20, 50))
G1, G2, FAKE, OUTSIDE = (f"172.30.0.{n}" for n in (31, 32, 40, 41))
ALLOWED = "10.201.0.16/28"
PORT, RAW_PORT = 8443, 8444
WEB = istio.sni("web", "shop", 80)
RAW = istio.sni("raw", "shop", 80)
REFUSED = "alert 80"
EGRESS = {"name": "egress", "mode": "egress", "address": INNER, "port": 15444,
          "allow": [ALLOWED]}


def own(address=WEB_IP, port=PORT, **more):
    return {"address": address, "port": port, **more}


def remote(network, **more):
    return {"network": network, "priority": 1, **more}


def network(name, address, mark=True, cluster="c2"):
    return {"name": name, "gateways": [{"cluster": cluster, "address": address, "port": 15443,
                                        "mark": mark}]}


class Pair:
    """Both networks and their workloads, and a gateway in each."""

    def __init__(self, lab):
        self.lab = lab
        root = pki.root("mesh-root")
        self.identity = root.issue("caller", uris=["spiffe://cluster.local/ns/shop/sa/caller"])
        server = root.issue("web", uris=["spiffe://cluster.local/ns/shop/sa/web"])
        self.files = [*server.write(lab.directory, "server"), root.write(lab.directory, "root")[0]]
        n1 = lab.network("n1", RANGE, "172.30.0.101")
        n2 = lab.network("n2", RANGE, "172.30.0.102")
        self.a = lab.host("web-a", n1, WEB_IP)
        self.a2 = lab.host("web-a2", n1, WEB2_IP)
        self.b = lab.host("web-b", n2, WEB_IP)
        self.servers = {host: self.serve(host) for host in (self.a, self.a2, self.b)}
        self.caller = lab.host("caller", n1, CALLER_IP)
        self.stranger = lab.host("stranger", n1, STRANGER_IP)
        self.fake = lab.host("fake-gateway", lab.wan, FAKE)
        self.outside = lab.host("outside", lab.wan, OUTSIDE)
        hosts = [lab.host(name, lab.wan, address) for name, address in (("g1", G1), ("g2", G2))]
        for host, inside in zip(hosts, (n1, n2)):
            host.attach(inside, INNER)
        self.g1 = FedwayGateway(hosts[0], **self.config1())
        self.g2 = FedwayGateway(hosts[1], **self.config2())
        for gateway in (self.g1, self.g2):
            lab.on_failure(gateway.dump)
            gateway.wait_ready()

    def serve(self, host):
        """Starts the web server of a host, under the host's name."""
        daemon = host.daemon("web", sys.executable, web.__file__, PORT, host.name, *self.files)
        daemon.wait_line("listening")
        return daemon

    @staticmethod
    def config1(endpoints=None, networks=None):
        return {"network": "n1", "listeners": [INGRESS, EGRESS],
                "networks": networks or [network("n2", G2)],
                "routes": [
                    {"sni": WEB, "endpoints": endpoints or [own(), remote("n2", cluster="c2")]},
                    {"sni": RAW, "endpoints": [own(CALLER_IP, RAW_PORT)]}]}

    @staticmethod
    def config2(endpoints=None):
        return {"network": "n2", "networks": [network("n1", G1, cluster="c1")],
                "routes": [{"sni": WEB, "endpoints": endpoints or [own(),
                                                                   remote("n1", cluster="c1")]}]}

    def call(self, name=WEB):
        """One call of the caller on a connection of its own: the name of who has answered."""
        with self.open(name) as connection:
            status, body = tls.ask(connection)
        assert status == 200
        return json.loads(body)["name"]

    def knock(self):
        """A handshake of the caller, told as a tls.Outcome."""
        return tls.handshake(self.caller, INNER, 15444, WEB, identity=self.identity)

    def open(self, name=WEB):
        return tls.connect(self.caller, INNER, 15444, name, identity=self.identity)


@pytest.fixture(scope="module")
def scene(lab):
    return Pair(lab)


@pytest.fixture
def pair(scene):
    """The pair with all servers up and the files of the beginning."""
    yield scene
    for host, daemon in scene.servers.items():
        if not daemon.alive():
            scene.servers[host] = scene.serve(host)
    scene.g1.configure(**scene.config1())
    scene.g2.configure(**scene.config2())


def stop(pair, *hosts):
    for host in hosts:
        pair.servers[host].kill()


def knock(host, address, port, *pieces, timeout=10.0):
    """Sends bytes from a host and returns all that comes back until the other side ends."""
    with http.connect(host, address, port, timeout) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
        except ConnectionError:
            pass
        return read_all(connection)


def read_all(connection):
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def is_alert(data, number):
    """Is it one fatal alert record of this number (of whatever TLS version)?"""
    return len(data) == 7 and data[:1] == b"\x15" and data[3:] == bytes([0, 2, 2, number])


# --- whom a caller reaches ----------------------------------------------------------------------

def test_the_own_network_answers_first(pair):
    assert [pair.call() for _ in range(5)] == ["web-a"] * 5


def test_when_the_own_endpoint_refuses_the_other_network_answers(pair):
    stop(pair, pair.a)
    before = pair.g2.routed(WEB)
    assert [pair.call() for _ in range(5)] == ["web-b"] * 5
    assert pair.g2.routed(WEB) == before + 5


def test_when_the_own_endpoint_is_silent_the_other_network_answers_in_time(pair):
    with pair.a.silent():
        start = time.monotonic()
        assert pair.call() == "web-b"
        assert time.monotonic() - start < 4


def test_shares_follow_weights_exactly(pair):
    pair.g1.configure(**pair.config1([own(weight=1), own(WEB2_IP, weight=3)]))
    names = [pair.call() for _ in range(40)]
    assert (names.count("web-a"), names.count("web-a2")) == (10, 30)


def test_nobody_left_is_an_alert_and_never_a_loop(pair):
    stop(pair, pair.a, pair.b)
    before = came_in(pair.g1)
    start = time.monotonic()
    assert pair.knock().error == REFUSED
    assert time.monotonic() - start < 5
    assert came_in(pair.g1) == before


def came_in(gateway):
    """Connections that other networks have opened to a gateway (checks of its address too)."""
    return gateway.total("fedway_gateway_accepted_connections_total", door="ingress")


def test_a_dead_gateway_is_not_asked(pair):
    pair.g1.configure(**pair.config1([remote("n2", cluster="c2", priority=0)]))
    assert pair.call() == "web-b"
    pair.g2.daemon.kill()
    try:
        assert pair.knock().error == REFUSED
    finally:
        pair.g2.start()
        pair.g2.wait_ready()
    wait.until(lambda: pair.knock().error is None, 10, "g2 is back")


# --- the mark -----------------------------------------------------------------------------------

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
MARK_C2 = SIGNATURE + b"\x20\x00\x00\x06\xe5\x00\x03\x01c2"
MARK_ANY = SIGNATURE + b"\x20\x00\x00\x04\xe5\x00\x01\x01"


@pytest.mark.parametrize("mark, first", [(True, MARK_C2), (False, b"")])
def test_the_mark_goes_only_to_gateways_that_take_it(pair, mark, first):
    with http.listen(pair.fake, FAKE, 15443) as listener:
        pair.g1.configure(**pair.config1([remote("n2", cluster="c2", priority=0)],
                                         [network("n2", FAKE, mark)]))
        hello = tls.hello(WEB)
        with http.connect(pair.caller, INNER, 15444) as caller:
            caller.sendall(hello)
            assert first_bytes(listener, len(first) + len(hello)) == first + hello


def first_bytes(listener, size):
    """What comes first on a connection that is more than a check of the address."""
    listener.settimeout(10)
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            data = b""
            while len(data) < size and (chunk := connection.recv(size - len(data))):
                data += chunk
        if data:
            return data


@pytest.mark.parametrize("mark", [MARK_ANY, MARK_C2])
def test_a_marked_connection_is_answered_by_the_own_network(pair, mark):
    with http.connect(pair.outside, G2, 15443) as connection:
        connection.sendall(mark + tls.hello(WEB))
        assert connection.recv(1) == b"\x16"


def test_a_marked_connection_is_never_passed_to_a_third_network(pair):
    stop(pair, pair.b)
    assert is_alert(knock(pair.outside, G2, 15443, MARK_ANY, tls.hello(WEB)), 80)


def test_an_unmarked_connection_is_passed_on_when_the_own_network_has_nobody(pair):
    stop(pair, pair.b)
    outcome = tls.handshake(pair.outside, G2, 15443, WEB, identity=pair.identity)
    assert outcome == tls.Outcome(None, "spiffe://cluster.local/ns/shop/sa/web")


def test_a_source_address_is_believed_of_trusted_balancers_only(pair):
    header = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([10, 201, 0, 20, 10, 0, 0, 1, 0, 80, 0, 80])
    assert knock(pair.outside, G2, 15443, header, tls.hello(WEB)) == b""


# --- what is refused ----------------------------------------------------------------------------

def test_the_egress_door_takes_only_allowed_ranges(pair):
    assert knock(pair.stranger, INNER, 15444, tls.hello(WEB)) == b""


def test_what_is_not_tls_is_closed_without_a_word(pair):
    assert knock(pair.outside, G2, 15443, b"GET / HTTP/1.1\r\nHost: web\r\n\r\n") == b""


def test_a_malformed_hello_gets_an_alert(pair):
    assert is_alert(knock(pair.outside, G2, 15443, b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"), 50)


def test_a_slow_hello_is_closed_after_five_seconds(pair):
    start = time.monotonic()
    knock(pair.outside, G2, 15443, tls.hello(WEB)[:20])
    assert 4 < time.monotonic() - start < 8


def test_names_are_folded_and_hellos_may_be_split_anywhere(pair):
    for name in (WEB.upper(), WEB):
        with http.connect(pair.outside, G2, 15443) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in tls.hello(name):
                connection.sendall(bytes([byte]))
            assert connection.recv(1) == b"\x16"


# --- the relay and its end ----------------------------------------------------------------------

def test_each_direction_ends_on_its_own(pair):
    hello = tls.hello(RAW)
    with http.listen(pair.caller, CALLER_IP, RAW_PORT) as listener, \
            http.connect(pair.caller, INNER, 15444) as client:
        client.sendall(hello + b"question")
        client.shutdown(socket.SHUT_WR)
        server, _ = listener.accept()
        with server:
            assert read_all(server) == hello + b"question"
            server.sendall(b"answer" * 100_000)
            server.shutdown(socket.SHUT_WR)
            assert read_all(client) == b"answer" * 100_000


def test_on_sigterm_new_callers_are_served_for_a_while_and_old_ones_to_their_end(pair):
    gateway = pair.g1
    with pair.open() as kept:
        gateway.daemon.signal(signal.SIGTERM)
        wait.until(lambda: gateway.health() != 200, 2, "unready after SIGTERM")
        assert pair.call() == "web-a"
        wait.until(lambda: refuses(pair.caller, INNER, 15444), 8, "closed after the drain delay")
        assert tls.ask(kept)[0] == 200
    assert gateway.daemon.wait(10) == 0
    gateway.start()
    gateway.wait_ready()


def refuses(host, address, port):
    try:
        http.connect(host, address, port).close()
    except ConnectionRefusedError:
        return True
    return False
