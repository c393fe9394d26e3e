# SPDX-License-Identifier: Apache-2.0
"""A TLS client as a sidecar is one: SNI name, mesh ALPN, a certificate with a SPIFFE identity."""

import dataclasses
import ssl
from http.client import HTTPResponse

from cryptography import x509

from lib import http


@dataclasses.dataclass
class Outcome:
    """How a handshake ended. `error` is "alert NUMBER", "closed" for an end without an alert,
    else OpenSSL's reason, or None; `server` is the SPIFFE id of the server."""
    error: str | None
    server: str | None = None


def hello(server_name, alpn=("istio",)):
    """The bytes of a client's first flight, for a test that sends them in its own way."""
    context = _context(alpn)
    written = ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), written, server_hostname=server_name).do_handshake()
    except ssl.SSLWantReadError:
        pass
    return written.read()


def _context(alpn):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


def connect(host, address, port, server_name, alpn=("istio",), identity=None):
    """A TLS connection from a host of the lab; `identity` is a pki.Identity to show.

    Raises what the ssl module raises. The server is not verified: whom we reach is what a test
    looks at afterwards (`spiffe_id`).
    """
    context = _context(alpn)
    if identity:
        context.load_cert_chain(*identity.write(host.directory, "client"))
    plain = http.connect(host, address, port)
    try:
        return context.wrap_socket(plain, server_hostname=server_name)
    except OSError:
        plain.close()
        raise


def handshake(host, address, port, server_name, alpn=("istio",), identity=None):
    """Tries a handshake, closes the connection and tells the Outcome."""
    context = _context(alpn)
    if identity:
        context.load_cert_chain(*identity.write(host.directory, "client"))
    received, written = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(received, written, server_hostname=server_name)
    with http.connect(host, address, port) as plain:
        try:
            while not _step(session):
                plain.sendall(written.read())
                data = plain.recv(65536)
                if not data:
                    return Outcome("closed")
                # The ssl module has no names for some alerts, so the record itself is read.
                if len(data) == 7 and data[:1] == b"\x15":
                    return Outcome(f"alert {data[6]}")
                received.write(data)
        except ConnectionError:
            return Outcome("closed")
        except ssl.SSLError as error:
            return Outcome(error.reason)
        return Outcome(None, spiffe_id(session))


def _step(session):
    """One step of a handshake; True when it is complete."""
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def spiffe_id(connection):
    """The first URI among the alternative names of the server's certificate."""
    certificate = x509.load_der_x509_certificate(connection.getpeercert(binary_form=True))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)[0]


def ask(connection, path="/"):
    """One HTTP request on an open connection; returns (status, body)."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: web\r\n\r\n".encode())
    response = HTTPResponse(connection)
    response.begin()
    return response.status, response.read()
