# SPDX-License-Identifier: Apache-2.0
"""Kinds of hello, and what the gateway does with each: CASES has one row a kind.

`ROUTED`: the upstream gets exactly the client's bytes, and judges them. An alert with its reason:
the client gets this one record, then FIN, and the counter and the flight recorder name the reason.
"""

import dataclasses
import struct

import hello

NAME = hello.NAME
MESH = hello.protocols("istio")
HOST = hello.server_name(NAME)


@dataclasses.dataclass
class Refused:
    """alert None: the end comes without a word."""
    alert: int | None
    reason: str = "bad_hello"


ROUTED = Refused(None, "done")
NOT_TLS = Refused(None, "not_tls")
HTTP = Refused(None, "plain_http")
SSL2 = Refused(None, "ssl2")
# the gateway waits for the rest; the test ends the connection then
WAITS = Refused(None, "client_left")
DECODE, ILLEGAL, VERSION, TOO_LARGE = Refused(50), Refused(47), Refused(70), Refused(40)


# X25519 and P-256, and two ways of signing: with these a server answers
COMMON = (hello.extension(10, hello.vector(2, b"\0\x1d\0\x17"))
          + hello.extension(13, hello.vector(2, b"\4\3\x08\4")))


def flight(extensions=HOST + MESH, suites=b"\xc0\x2b\x13\x01", **more):
    """A hello that a server with an ECDSA certificate answers, but for what a case changes."""
    return hello.records(hello.client_hello(COMMON + extensions, suites=suites, **more))


def without_extensions(block):
    return hello.records(hello.client_hello(block))


def record_version(version):
    return b"\x16" + struct.pack("!H", version) + flight()[3:]


VERSIONS = {
    **{f"record version {version:04x}": (record_version(version), ROUTED)
       for version in (0x0300, 0x0301, 0x0302, 0x0303, 0x0304)},
    "record version 03ff": (record_version(0x03FF), ROUTED),
    "record version 0201": (record_version(0x0201), NOT_TLS),
    "record version 0401": (record_version(0x0401), NOT_TLS),
    **{f"client version {version:04x}": (flight(version=version), ROUTED)
       for version in (0x0301, 0x0302, 0x0303, 0x0304)},
    "client version 0300, SSL 3": (flight(version=0x0300), VERSION),
    "client version 0002, SSL 2": (flight(version=0x0002), VERSION),
    "client version 7f12, a draft": (flight(version=0x7F12), ROUTED),
    "the second record of another minor version": (
        hello.records(hello.message(), 100)[:105] + b"\x16\x03\x03"
        + hello.records(hello.message(), 100)[108:], ROUTED),
}

SHAPES = {
    **{f"ALPN {protocol}": (flight(HOST + hello.protocols("h2", protocol)), ROUTED)
       for protocol in ("istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1",
                        "istio-h2")},
    "post-quantum with GREASE and an encrypted hello": (
        hello.records(hello.post_quantum()), ROUTED),
    "GREASE among versions, groups and protocols": (
        flight(hello.extension(0x2A2A, b"\1") + HOST + hello.protocols("\x3a\x3a", "istio")
               + hello.extension(0xFAFA, b""), suites=b"\x4a\x4a\x13\x01"), ROUTED),
    "an encrypted hello whose outer name is routed": (
        flight(hello.extension(0xFE0D, bytes(300)) + HOST + MESH), ROUTED),
    "an encrypted hello whose outer name nobody has": (
        flight(hello.extension(0xFE0D, bytes(300)) + hello.server_name("public.example") + MESH),
        Refused(112, "unknown_name")),
    "an encrypted hello alone": (flight(hello.extension(0xFE0D, bytes(300)) + MESH),
                                 Refused(112, "no_sni")),
    "padded to 16 KB": (hello.exactly(16384), ROUTED),
    "of 64 KiB exactly": (hello.exactly(65536), ROUTED),
    "of 64 KiB and a byte": (hello.exactly(65537), TOO_LARGE),
    "a length of 16 MB": (b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(100), TOO_LARGE),
    "64 KiB of one-byte records": (hello.records(hello.message(padding=20000), 1), TOO_LARGE),
    "0-RTT records behind": (flight() + b"\x17\x03\x03\x01\x00" + bytes(256), ROUTED),
    "CCS and 0-RTT behind": (flight() + b"\x14\x03\x03\0\1\1\x17\x03\x03\0\4abcd", ROUTED),
    "junk behind": (flight() + b"GET / HTTP/1.1\r\n\r\n", ROUTED),
    "empty session id": (flight(session=b""), ROUTED),
    "session id of 33": (flight(session=bytes(33)), DECODE),
    "no cipher suites": (flight(suites=b""), DECODE),
    "three bytes of cipher suites": (flight(suites=b"\x13\x01\x13"), DECODE),
    "no compression methods": (flight(compression=b""), DECODE),
    "DEFLATE and null": (flight(compression=b"\1\0"), ROUTED),
    "DEFLATE alone": (flight(compression=b"\1"), ILLEGAL),
    "no extensions": (without_extensions(None), Refused(112, "no_sni")),
    "an empty block of extensions": (without_extensions(b""), Refused(112, "no_sni")),
    "a pre-shared key at the end": (flight(HOST + MESH + hello.extension(41, bytes(60))), ROUTED),
    "a pre-shared key before the end": (
        flight(HOST + hello.extension(41, bytes(60)) + MESH), ILLEGAL),
}

NAMES = {
    "the name twice, as two extensions": (flight(HOST + HOST + MESH), ILLEGAL),
    "ALPN twice": (flight(HOST + MESH + MESH), ILLEGAL),
    "another extension twice": (
        flight(hello.extension(23, b"") * 2 + HOST + MESH), ROUTED),
    "two host names": (flight(hello.server_name(NAME, "other.example") + MESH), ILLEGAL),
    "the same host name twice": (flight(hello.server_name(NAME, NAME) + MESH), ILLEGAL),
    "a name of another type alone": (flight(hello.server_name(NAME, kind=7) + MESH),
                                     Refused(112, "no_sni")),
    "NUL in the name": (flight(hello.server_name(NAME + "\0.example") + MESH), ILLEGAL),
    "NUL at the end": (flight(hello.server_name(NAME + "\0") + MESH), ILLEGAL),
    "Latin-1 in the name": (flight(hello.server_name("b\xfccher.example") + MESH), ILLEGAL),
    "UTF-8 in the name": (flight(hello.server_name("bücher.example".encode()) + MESH), ILLEGAL),
    "a space in the name": (flight(hello.server_name("a b") + MESH), ILLEGAL),
    "a line end in the name": (flight(hello.server_name(NAME + "\r\n") + MESH), ILLEGAL),
    "DEL in the name": (flight(hello.server_name("a\x7f") + MESH), ILLEGAL),
    "an empty name": (flight(hello.server_name("") + MESH), DECODE),
    "an empty list of names": (flight(hello.server_name() + MESH), DECODE),
    "an empty extension for the name": (flight(hello.extension(0, b"") + MESH), DECODE),
    "a dot": (flight(hello.server_name(".") + MESH), Refused(112, "unknown_name")),
    "two dots at the end": (flight(hello.server_name(NAME + "..") + MESH),
                            Refused(112, "unknown_name")),
    "an address": (flight(hello.server_name("127.0.0.1") + MESH), Refused(112, "unknown_name")),
    "253 characters": (flight(hello.server_name("a" * 253) + MESH), Refused(112, "unknown_name")),
    "254 characters": (flight(hello.server_name("a" * 254) + MESH), Refused(112)),
    "65,000 characters": (flight(hello.server_name("a" * 65000) + MESH), Refused(112)),
    "an empty ALPN list": (flight(HOST + hello.protocols()), DECODE),
    "an empty protocol": (flight(HOST + hello.protocols("istio", "")), DECODE),
    "a protocol that begins as ours": (flight(HOST + hello.protocols("istio-http/3")),
                                       Refused(120, "no_mesh_alpn")),
    "a protocol in capitals": (flight(HOST + hello.protocols("ISTIO")),
                               Refused(120, "no_mesh_alpn")),
    "the mesh's protocol last of many": (
        flight(HOST + hello.protocols(*[f"p{n}" for n in range(200)], "istio")), ROUTED),
}

RECORDS = {
    "SSL 2": (bytes.fromhex("802e0100020015000000100100800300800700c0") + bytes(28), SSL2),
    "SSL 2 that offers TLS 1.2": (bytes.fromhex("802e0103030015000000100100800300800700c0")
                                  + bytes(28), SSL2),
    "plain HTTP": (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HTTP),
    "HTTP/2 without TLS": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP),
    "SSH": (b"SSH-2.0-OpenSSH_9.2\r\n", NOT_TLS),
    "an alert first": (hello.alert(0), NOT_TLS),
    "application data first": (b"\x17\x03\x03\0\x01x", NOT_TLS),
    "a ServerHello first": (b"\x16\x03\x03\0\x04\x02\0\0\0", DECODE),
    "an empty hello": (b"\x16\x03\x01\0\x04\x01\0\0\0", DECODE),
    "an empty record": (b"\x16\x03\x01\0\0" + flight(), DECODE),
    "a record of 16,385 bytes": (b"\x16\x03\x01\x40\x01" + bytes(16385), Refused(22)),
    "an alert inside the hello": (hello.records(hello.message(), 50)[:55] + hello.alert(0),
                                  DECODE),
    "an empty record inside the hello": (
        hello.records(hello.message(), 50)[:55] + b"\x16\x03\x01\0\0", DECODE),
}


def lengths():
    """A hello, and {name: (place, bytes)} of each of its length fields."""
    data = flight(hello.extension(hello.GREASE, b"x") + HOST + MESH)
    found = {"record": (3, 2), "handshake message": (6, 3), "session id": (43, 1),
             "cipher suites": (76, 2), "compression methods": (82, 1), "extensions": (84, 2)}
    at = 86
    for title, inner in (("groups", {}), ("signature algorithms", {}), ("GREASE", {}),
                         ("server_name", {"name list": (4, 2), "name": (7, 2)}),
                         ("ALPN", {"protocol list": (4, 2), "protocol": (6, 1)})):
        found[f"extension {title}"] = (at + 2, 2)
        found.update({name: (at + by, size) for name, (by, size) in inner.items()})
        at += 4 + int.from_bytes(data[at + 2:at + 4], "big")
    assert at == len(data)
    return data, found


def lies():
    """Each length one too small and one too large, the others as they were."""
    data, found = lengths()
    for name, (at, size) in found.items():
        for by in (-1, 1):
            value = int.from_bytes(data[at:at + size], "big") + by
            said = data[:at] + value.to_bytes(size, "big") + data[at + size:]
            yield f"length of {name} {by:+d}", said


# Two lies are none yet: the hello is whole before its record is, and a longer message may come.
LIES = {name: (data, {"length of record +1": ROUTED,
                      "length of handshake message +1": WAITS}.get(name, DECODE))
        for name, data in lies()}

CASES = {**VERSIONS, **SHAPES, **NAMES, **RECORDS, **LIES}
