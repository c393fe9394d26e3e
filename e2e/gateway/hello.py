# SPDX-License-Identifier: Apache-2.0
"""ClientHello messages, made by OpenSSL and by hand."""

import ssl
import struct

NAME = "outbound_.5000_._.helloworld.sample.svc.cluster.local"
ALERT_UNRECOGNIZED_NAME = 112
ALERT_NO_APPLICATION_PROTOCOL = 120
ALERT_INTERNAL_ERROR = 80
ALERT_DECODE_ERROR = 50


def openssl(name=NAME, alpn=("istio",)):
    """The first flight of a real client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def vector(size, data):
    return len(data).to_bytes(size, "big") + data


def extension(kind, data):
    return struct.pack("!H", kind) + vector(2, data)


def message(name=NAME, alpn=("istio",), padding=0):
    """A ClientHello without records, padded to about `padding` bytes."""
    extensions = extension(0x0A0A, b"")
    if padding:
        extensions += extension(21, bytes(padding))
    if name is not None:
        extensions += extension(0, vector(2, b"\0" + vector(2, name.encode("latin-1"))))
    if alpn:
        extensions += extension(16, vector(2, b"".join(vector(1, p.encode()) for p in alpn)))
    body = (b"\x03\x03" + bytes(32) + vector(1, bytes(32)) + vector(2, b"\x13\x01")
            + vector(1, b"\0") + vector(2, extensions))
    return b"\x01" + vector(3, body)


def records(data, size=16384):
    """A handshake message as TLS records of at most `size` bytes."""
    return b"".join(b"\x16\x03\x01" + vector(2, data[at:at + size])
                    for at in range(0, len(data), size))


def alert(number):
    """The record with which the gateway refuses."""
    return bytes([21, 3, 3, 0, 2, 2, number])
