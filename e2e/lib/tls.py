# SPDX-License-Identifier: Apache-2.0
"""A TLS client as a sidecar is one: SNI name, mesh ALPN, a certificate with a SPIFFE identity."""

import dataclasses
import ssl

from cryptography import x509

from lib import http


@dataclasses.dataclass
class Outcome:
    """How a handshake ended. `error` is OpenSSL's reason (`TLSV1_UNRECOGNIZED_NAME`, ...),
    `CLOSED` for an end without an alert, or None; `server` is the SPIFFE id of the server."""
    error: str | None
    server: str | None = None


def handshake(host, address, port, server_name, alpn=("istio",), identity=None):
    """Tries a handshake from a host of the lab; `identity` is a pki.Identity to show."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Whom we reach is what the test looks at afterwards.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if identity:
        context.load_cert_chain(*identity.write(host.directory, "client"))
    with http.connect(host, address, port) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=server_name) as secure:
                return Outcome(None, spiffe_id(secure.getpeercert(binary_form=True)))
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
            return Outcome("CLOSED")
        except ssl.SSLError as error:
            return Outcome(error.reason)


def spiffe_id(der):
    """The first URI among the alternative names of a certificate."""
    certificate = x509.load_der_x509_certificate(der)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)[0]
