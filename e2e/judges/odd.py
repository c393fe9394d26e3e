#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Conversations of tlslite-ng, an implementation of TLS in plain Python, with one TLS server; some
of them are what no ordinary client does. Prints each one's outcome, as JSON.

    odd.py IP PORT NAME PROTOCOL                (with the Python of build/parts/judges)
"""

import json
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.errors import TLSError, TLSLocalAlert, TLSRemoteAlert
from tlslite.messages import ApplicationData, Message

TLS12, TLS13 = (3, 3), (3, 4)
QUESTION = b"who\n"


def settings(version=TLS13, **more):
    made = HandshakeSettings()
    made.minVersion = made.maxVersion = version
    for name, value in more.items():
        setattr(made, name, value)
    return made.validate()


class Caller:
    def __init__(self, address, port, name, protocol):
        self.where = (address, int(port))
        self.name = name
        self.protocol = protocol.encode()

    def open(self, made, session=None):
        connection = TLSConnection(socket.create_connection(self.where, 10))
        # what a server says of a session ticket is read with the first answer
        connection.handshakeClientCert(settings=made, serverName=self.name,
                                       alpn=[self.protocol], session=session)
        return connection

    def ask(self, made, session=None):
        connection = self.open(made, session)
        outcome = self.question(connection)
        connection.close()
        return outcome, connection.session

    @staticmethod
    def question(connection, question=QUESTION):
        connection.sendall(question)
        answer = b""
        while not answer.endswith(b"\n"):
            piece = connection.recv(4096)
            if not piece:
                return "ended"
            answer += piece
        return json.loads(answer)


def fits(caller, **more):
    """An ordinary call with these settings."""
    return caller.ask(settings(**more))[0]


def resumed(caller, version):
    _, session = caller.ask(settings(version))
    return caller.ask(settings(version), session)[0]


def small_writes(caller):
    """Each letter a record of its own."""
    connection = caller.open(settings())
    for letter in QUESTION[:-1]:
        connection.sendall(bytes([letter]))
    return Caller.question(connection, b"\n")


def large(caller, size):
    """So many bytes there and back, in the largest records there are."""
    connection = caller.open(settings())
    connection.sendall(b"bytes %d\n" % size)
    data = bytes(range(256)) * (size // 256)
    connection.sendall(data)
    back = b""
    while len(back) < size:
        back += bytes(connection.recv(65536))
    return "the same" if back == data else "other bytes"


def raw(caller, data):
    """These bytes behind a handshake, where a record should be."""
    connection = caller.open(settings())
    connection.sock.sendall(data)
    return Caller.question(connection)


def message(caller, kind, data, version=TLS13):
    """A protected record of a kind that has no place there."""
    connection = caller.open(settings(version))
    for _ in connection._sendMsg(Message(kind, bytearray(data))):
        pass
    return Caller.question(connection)


def wrong_tag(caller):
    """A record of the right form that was not protected with the right keys."""
    connection = caller.open(settings())
    connection.sock.sendall(b"\x17\x03\x03\x00\x40" + bytes(64))
    return Caller.question(connection)


def empty_records(caller, count):
    connection = caller.open(settings(TLS12))
    for _ in range(count):
        for _ in connection._sendMsg(ApplicationData().create(bytearray())):
            pass
    return Caller.question(connection)


def cases():
    """(name, function, its arguments behind the caller)."""
    for suite in ("aes128gcm", "aes256gcm", "chacha20-poly1305"):
        for version in (TLS12, TLS13):
            yield f"{suite} in {version}", fits, {"version": version, "cipherNames": [suite]}
    for group in ("x25519", "secp256r1", "secp384r1", "secp521r1"):
        yield f"group {group}", fits, {"eccCurves": [group], "keyShares": [group], "dhGroups": []}
    yield "another group than the key share's", fits, {
        "eccCurves": ["secp521r1", "x25519"], "keyShares": ["secp521r1"], "dhGroups": []}
    yield "no key share", fits, {"keyShares": []}
    yield "only finite fields", fits, {"eccCurves": [], "keyShares": ["ffdhe2048"],
                                       "dhGroups": ["ffdhe2048"]}
    yield "CBC in TLS 1.2", fits, {"version": TLS12, "cipherNames": ["aes128"],
                                   "macNames": ["sha", "sha256"]}
    for version in ((3, 1), (3, 2)):
        yield f"version {version}", fits, {"version": version}
    yield "records of 64 bytes", fits, {"record_size_limit": 64}
    yield "padded records", fits, {"padding_cb": lambda length, kind, most: 100}
    yield "no extended master secret", fits, {"version": TLS12,
                                              "useExtendedMasterSecret": False}
    for version in (TLS12, TLS13):
        yield f"resumed in {version}", resumed, {"version": version}
    yield "a letter a record", small_writes, {}
    yield "64 KiB there and back", large, {"size": 1 << 16}
    for name, data in (("a plain HTTP request behind the handshake", b"GET / HTTP/1.1\r\n\r\n"),
                       ("the head of a record of 20,000 bytes", b"\x17\x03\x03\x4e\x20"),
                       ("a plain alert", b"\x15\x03\x03\x00\x02\x02\x28"),
                       ("a plain ClientHello", b"\x16\x03\x03\x00\x04\x01\x00\x00\x00")):
        yield name, raw, {"data": data}
    yield "a wrong tag", wrong_tag, {}
    yield "a record of no known kind", message, {"kind": 99, "data": b"x"}
    yield "a ServerHello of the client's", message, {"kind": 22, "data": b"\x02\0\0\0"}
    yield "an empty ClientHello in TLS 1.2", message, {"kind": 22, "data": b"\x01\0\0\0",
                                                "version": TLS12}
    yield "a heartbeat", message, {"kind": 24, "data": b"\x01\0\x01x" + bytes(16),
                                   "version": TLS12}
    yield "40 empty records", empty_records, {"count": 40}


def outcome_of(caller, call, arguments):
    try:
        return call(caller, **arguments)
    except TLSRemoteAlert as alert:
        return f"alert {alert.description}"
    except TLSLocalAlert as alert:
        return f"own alert {alert.description}"
    except (TLSError, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


def main():
    caller = Caller(*sys.argv[1:])
    print(json.dumps({name: outcome_of(caller, call, arguments)
                      for name, call, arguments in cases()}, indent=1))


if __name__ == "__main__":
    main()
