# SPDX-License-Identifier: Apache-2.0
"""The PROXY protocol v2 header of a load balancer in front: believed of trusted addresses only,
never passed on, never taken for the mark that gateways put before a hello, and the other way round.
"""

import dataclasses
import socket

import pytest

import hello
from world import HOST, connect, read_exactly, send_pieces, until_end

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
HELLO = hello.openssl()
ANSWER = b"answer"
CLIENT4, CLIENT6 = "192.0.2.7", "2001:db8::7"
SOURCE = b"\xc3\x50"  # port 50000
THERE = b"\x3c\x53"  # port 15443


def header(command, family, body, length=None):
    return (SIGNATURE + bytes([command, family])
            + (len(body) if length is None else length).to_bytes(2, "big") + body)


def tlv(kind, value):
    return bytes([kind]) + len(value).to_bytes(2, "big") + value


def inet(family, source, there):
    return socket.inet_pton(family, source) + socket.inet_pton(family, there) + SOURCE + THERE


V4 = inet(socket.AF_INET, CLIENT4, "198.51.100.1")
V6 = inet(socket.AF_INET6, CLIENT6, "2001:db8::1")
PROXY4 = header(0x21, 0x11, V4)
LOCAL = header(0x20, 0, b"")
MARK = header(0x20, 0, tlv(0xE5, b"\1"))
MARK_C1 = header(0x20, 0, tlv(0xE5, b"\1c1"))
# CRC32C, a TLS TLV with a nested one, padding, and our own type where it means nothing
TLVS = (tlv(0x03, b"\1\2\3\4") + tlv(0x20, b"\1\0\0\0\0" + tlv(0x21, b"TLSv1.3"))
        + tlv(0x04, bytes(100)))

# who the gateway says the client is; None: the balancer itself
BELIEVED = {
    "TCP over IPv4": (PROXY4, CLIENT4),
    "TCP over IPv6": (header(0x21, 0x21, V6), CLIENT6),
    "with TLVs behind the addresses": (header(0x21, 0x11, V4 + TLVS), CLIENT4),
    "as long as one may be": (header(0x21, 0x11, V4 + tlv(0x04, bytes(1024 - 12 - 3))), CLIENT4),
    "of an unknown family": (header(0x21, 0x00, b""), None),
    "of an unknown family with bytes": (header(0x21, 0x00, bytes(50)), None),
    "of a Unix socket": (header(0x21, 0x31, bytes(216)), None),
    "LOCAL, the balancer's own check": (LOCAL, None),
    "LOCAL with addresses": (header(0x20, 0x11, V4), None),
    "LOCAL with TLVs of others": (header(0x20, 0, TLVS), None),
    "our type behind addresses, which is no mark": (
        header(0x21, 0x11, V4 + tlv(0xE5, b"\1")), CLIENT4),
    "our type in a header for a client, which is no mark": (
        header(0x21, 0, tlv(0xE5, b"\1")), None),
}

BROKEN = {
    "version 1 in a binary header": header(0x11, 0x11, V4),
    "version 3": header(0x31, 0x11, V4),
    "an unknown command": header(0x22, 0x11, V4),
    "shorter than its addresses": header(0x21, 0x11, V4[:-1]),
    "IPv6 with the length of IPv4": header(0x21, 0x21, V4),
    "longer than one may be": header(0x21, 0x11, V4 + tlv(0x04, bytes(1024 - 12 - 2))),
    "a length of 65,535": header(0x21, 0x11, V4, length=65535),
    "a TLV longer than the header": header(0x20, 0, b"\x03\0\x05abc"),
    "a TLV cut off": header(0x20, 0, b"\x03\0"),
    "a mark of another version": header(0x20, 0, tlv(0xE5, b"\2")),
    "an empty mark": header(0x20, 0, tlv(0xE5, b"")),
    "a mark for no label": header(0x20, 0, tlv(0xE5, b"\1a.b/c")),
    "a mark for 64 letters": header(0x20, 0, tlv(0xE5, b"\1" + b"a" * 64)),
    "twice": PROXY4 + PROXY4,
    "behind the mark": MARK + PROXY4,
    "the mark twice": MARK + MARK,
}


@dataclasses.dataclass
class Scene:
    gateway: object
    arrived: list

    def send(self, *pieces):
        """What a client gets back for these segments, and how it ends."""
        self.arrived.clear()
        with connect(self.gateway.port) as client:
            send_pieces(client, pieces, self.gateway.caught_up)
            client.shutdown(socket.SHUT_WR)
            seen = until_end(client)
        self.gateway.caught_up()
        return seen


def listeners(trusted):
    return [{"name": "ingress", "mode": "ingress", "address": HOST, "port": 0,
             "proxyProtocol": {"trusted": trusted}},
            {"name": "egress", "mode": "egress", "address": HOST, "port": 0,
             "allow": ["127.0.0.0/8"]}]


def scene(module_gateway, module_upstream, trusted):
    arrived = []

    def take(connection, _name):
        seen, _ = until_end(connection)
        arrived.append(seen)
        connection.sendall(ANSWER)

    up = module_upstream(serve=take)
    return Scene(module_gateway(listeners=listeners(trusted), routes=[
        {"sni": hello.NAME, "endpoints": [up.endpoint(cluster="c1")]}]), arrived)


@pytest.fixture(scope="module")
def trusting(module_gateway, module_upstream):
    """The test's own address is that of a trusted balancer."""
    return scene(module_gateway, module_upstream, ["192.0.2.0/24", "127.0.0.1/32"])


@pytest.fixture(scope="module")
def wary(module_gateway, module_upstream):
    """Balancers are trusted, but not this address."""
    return scene(module_gateway, module_upstream, ["192.0.2.0/24"])


@pytest.mark.parametrize("case", BELIEVED)
def test_a_trusted_balancers_header_is_read_and_taken_off(trusting, case):
    data, client = BELIEVED[case]
    assert trusting.send(data + HELLO) == (ANSWER, "FIN")
    assert trusting.arrived == [HELLO]
    # whom a refusal names
    assert trusting.send(data + hello.openssl("nobody.example")) == (hello.alert(112), "FIN")
    named = trusting.gateway.refusals()[0]["client"]
    wanted = {None: f"{HOST}:", CLIENT4: f"{CLIENT4}:50000", CLIENT6: f"[{CLIENT6}]:50000"}
    assert named.startswith(wanted[client])


@pytest.mark.parametrize("case", BELIEVED)
def test_of_anybody_else_it_is_refused_without_a_word(wary, case):
    before = wary.gateway.closed("bad_proxy_header", door="ingress")
    assert wary.send(BELIEVED[case][0] + HELLO) == (b"", "FIN")
    assert not wary.arrived
    assert wary.gateway.closed("bad_proxy_header", door="ingress") == before + 1
    assert wary.gateway.refusals()[0]["client"].startswith(f"{HOST}:")


@pytest.mark.parametrize("who", ["trusting", "wary"])
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_refused_without_a_word(request, who, case):
    one = request.getfixturevalue(who)
    before = one.gateway.closed("bad_proxy_header", door="ingress")
    assert one.send(BROKEN[case] + HELLO) == (b"", "FIN")
    assert not one.arrived
    assert one.gateway.closed("bad_proxy_header", door="ingress") == before + 1


@pytest.mark.parametrize("data", [PROXY4 + HELLO, PROXY4 + MARK_C1 + HELLO],
                         ids=["header", "header and mark"])
def test_it_may_be_cut_anywhere(trusting, data):
    for place in range(1, len(data) - len(HELLO) + 3):
        assert trusting.send(data[:place], data[place:]) == (ANSWER, "FIN")
        assert trusting.arrived == [HELLO]


def test_one_that_is_cut_off_is_a_client_that_left(trusting):
    before = trusting.gateway.closed("client_left", door="ingress")
    for place in (1, 11, 12, 15, 16, len(PROXY4) - 1, len(PROXY4)):
        assert trusting.send(PROXY4[:place]) == (b"", "FIN")
    assert trusting.gateway.closed("client_left", door="ingress") == before + 7


def test_version_1_is_no_header(trusting):
    text = b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 15443\r\n"
    before = trusting.gateway.closed("not_tls", door="ingress")
    assert trusting.send(text + HELLO) == (b"", "FIN")
    assert trusting.gateway.closed("not_tls", door="ingress") == before + 1


def test_a_trusted_balancer_may_also_send_none(trusting):
    assert trusting.send(HELLO) == (ANSWER, "FIN")
    assert trusting.arrived == [HELLO]


# --- header and mark ----------------------------------------------------------------------------

@pytest.mark.parametrize("who", ["trusting", "wary"])
@pytest.mark.parametrize("mark", [MARK, MARK_C1])
def test_the_mark_needs_no_trust_and_is_taken_off(request, who, mark):
    one = request.getfixturevalue(who)
    assert one.send(mark + HELLO) == (ANSWER, "FIN")
    assert one.arrived == [HELLO]


# Does the gateway take the connection for one of another gateway's, to be answered here?
MARKED = {
    "nothing": (b"", False),
    "a header": (PROXY4, False),
    "LOCAL": (LOCAL, False),
    "LOCAL with TLVs of others": (header(0x20, 0, TLVS), False),
    "our type behind addresses": (header(0x21, 0x11, V4 + tlv(0xE5, b"\1")), False),
    "the mark": (MARK, True),
    "the mark behind other TLVs": (header(0x20, 0, TLVS + tlv(0xE5, b"\1")), True),
    "the mark behind a header": (PROXY4 + MARK, True),
    "the mark behind LOCAL": (LOCAL + MARK, True),
}


@pytest.mark.parametrize("case", MARKED)
def test_only_the_mark_keeps_a_connection_from_another_network(gateway, upstream, case):
    """The only endpoint is in another network: marked connections are refused, others go there,
    and there they carry this gateway's mark and no header of a balancer."""
    data, marked = MARKED[case]
    arrived = []

    def take(connection, _name):
        first = connection.recv(1)
        if not first:
            return  # a check of the address
        arrived.append(first + read_exactly(connection, len(MARK) + 2 + len(HELLO) - 1))
        connection.sendall(ANSWER)

    far = upstream(serve=take)
    one = gateway(listeners=listeners(["127.0.0.1/32"]),
                  networks=[{"name": "n2", "gateways": [
                      {"cluster": "c2", "address": HOST, "port": far.port, "mark": True}]}],
                  routes=[{"sni": hello.NAME,
                           "endpoints": [{"network": "n2", "cluster": "c2"}]}])
    with connect(one.port) as client:
        client.sendall(data + HELLO)
        expected = hello.alert(80) if marked else ANSWER
        assert read_exactly(client, len(expected)) == expected
    assert arrived == ([] if marked else [header(0x20, 0, tlv(0xE5, b"\1c2")) + HELLO])
    assert one.closed("no_own_endpoint") == (1 if marked else 0)


def test_the_egress_door_takes_neither(trusting):
    for data in (MARK, PROXY4, LOCAL):
        with connect(trusting.gateway.ports["egress"]) as client:
            client.sendall(data + HELLO)
            assert until_end(client) == (b"", "FIN")
