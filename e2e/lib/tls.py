# SPDX-License-Identifier: Apache-2.0
"""A TLS client as a sidecar is one: SNI name, mesh ALPN, a certificate with a SPIFFE identity."""

import dataclasses
import ssl
from http.client import HTTPResponse

from cryptography import x509

from lib import http


@dataclasses.dataclass
class Outcome:
    """How a handshake ended. `error` is OpenSSL's reason (`TLSV1_UNRECOGNIZED_NAME`, ...),
    `CLOSED` for an end without an alert, or None; `server` is the SPIFFE id of the server."""
    error: str | None
    server: str | None = None


def connect(host, address, port, server_name, alpn=("istio",), identity=None):
    """A TLS connection from a host of the lab; `identity` is a pki.Identity to show.

    Raises what the ssl module raises. The server is not verified: whom we reach is what a test
    looks at afterwards (`spiffe_id`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity:
        context.load_cert_chain(*identity.write(host.directory, "client"))
    plain = http.connect(host, address, port)
    try:
        return context.wrap_socket(plain, server_hostname=server_name)
    except OSError:
        plain.close()
        raise


def handshake(*where, **more):
    """Tries a handshake (arguments of `connect`), closes the connection, tells the Outcome."""
    try:
        with connect(*where, **more) as secure:
            return Outcome(None, spiffe_id(secure))
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
        return Outcome("CLOSED")
    except ssl.SSLError as error:
        return Outcome(error.reason)


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
