# SPDX-License-Identifier: Apache-2.0
"""ClientHello messages, made by OpenSSL and by hand."""

import ssl
import struct

GREASE = 0x0A0A  # RFC 8701
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


def server_name(*names, kind=0):
    """The extension with these names, text or bytes, each of this type."""
    raw = (name if isinstance(name, bytes) else name.encode("latin-1") for name in names)
    return extension(0, vector(2, b"".join(bytes([kind]) + vector(2, name) for name in raw)))


def protocols(*names):
    """The ALPN extension."""
    return extension(16, vector(2, b"".join(vector(1, name.encode("latin-1")) for name in names)))


def client_hello(extensions, version=0x0303, session=bytes(32), suites=b"\x13\x01",
                 compression=b"\0"):
    """A ClientHello without records. extensions: bytes, or None for a hello that has no such
    block."""
    body = (struct.pack("!H", version) + bytes(32) + vector(1, session) + vector(2, suites)
            + vector(1, compression))
    if extensions is not None:
        body += vector(2, extensions)
    return b"\x01" + vector(3, body)


def message(name=NAME, alpn=("istio",), padding=0):
    """A ClientHello without records, padded to about `padding` bytes."""
    extensions = extension(GREASE, b"")
    if padding:
        extensions += extension(21, bytes(padding))
    if name is not None:
        extensions += server_name(name)
    if alpn:
        extensions += protocols(*alpn)
    return client_hello(extensions)


def post_quantum(name=NAME, alpn=("istio",)):
    """A ClientHello of 1.8 KB as browsers send it: GREASE, an encrypted hello, a key share of
    X25519MLKEM768, and the name behind all that."""
    grease = GREASE.to_bytes(2, "big")
    key = bytes(range(256)) * 4 + bytes(192)
    shares = (grease + vector(2, b"\0") + b"\x11\xec" + vector(2, key)
              + b"\x00\x1d" + vector(2, bytes(32)))
    encrypted = b"\0\0\x01\0\x01\x07" + vector(2, bytes(32)) + vector(2, bytes(208))
    extensions = (extension(GREASE, b"") + extension(51, vector(2, shares))
                  + extension(10, vector(2, grease + b"\x11\xec\x00\x1d\x00\x17"))
                  + extension(43, vector(1, grease + b"\x03\x04\x03\x03"))
                  + extension(0xFE0D, encrypted) + server_name(name) + protocols(*alpn)
                  + extension(13, vector(2, b"\x04\x03\x08\x04")) + extension(0x1A1A, b"\0"))
    return client_hello(extensions, suites=grease + b"\x13\x01\x13\x02\x13\x03")


def exactly(size):
    """The first flight that has exactly this many bytes, record headers included."""
    flights = (records(message(padding=size - less)) for less in range(100, 400))
    return next(flight for flight in flights if len(flight) == size)


def records(data, size=16384):
    """A handshake message as TLS records of at most `size` bytes."""
    return b"".join(b"\x16\x03\x01" + vector(2, data[at:at + size])
                    for at in range(0, len(data), size))


def alert(number):
    """The record with which the gateway refuses."""
    return bytes([21, 3, 3, 0, 2, 2, number])
