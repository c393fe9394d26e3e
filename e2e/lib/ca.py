# SPDX-License-Identifier: Apache-2.0
"""Certificates for workloads, from the control plane: IstioCertificateService/CreateCertificate
with a service account's token, as an Istio agent asks. curl carries the gRPC call."""

import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lib import parts

METHOD = "istio.v1.auth.IstioCertificateService/CreateCertificate"


class Refused(Exception):
    """The control plane does not sign this; the text says why."""


def issue(host, xds_address, roots_file, cluster, token, uri):
    """A new key and a certificate for the SPIFFE id `uri`, asked for from `host`.

    Writes tls.crt (chain, leaf first), tls.key and roots.pem into the host's directory and returns
    their paths. `cluster` None: without the metadata that names it. `uri` None: a request without
    a name.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if uri:
        names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)])
        request = request.add_extension(names, critical=False)
    csr = request.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    chain = call(host, xds_address, roots_file, cluster, token, field(1, csr))
    folder = host.directory
    files = [folder / name for name in ("tls.crt", "tls.key", "roots.pem")]
    files[0].write_bytes(b"".join(chain[:-1]))
    files[1].touch(0o600)
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    files[2].write_bytes(chain[-1])
    return files


def call(host, xds_address, roots_file, cluster, token, message):
    """One gRPC call; returns the strings of field 1 of the answer."""
    request = host.directory / "request.bin"
    request.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    headers = host.directory / "headers.txt"
    # the token in a file, not among the words that `ps` shows
    secret = host.directory / "curl.conf"
    secret.touch(0o600)
    secret.write_text(f'header = "authorization: Bearer {token}"\n')
    body = host.run(
        parts.tool("curl"), "--silent", "--show-error", "--http2", "--max-time", "20",
        "--cacert", roots_file, "--config", secret, "--dump-header", headers,
        "--header", "content-type: application/grpc", "--header", "te: trailers",
        *(["--header", f"clusterid: {cluster}"] if cluster else []), "--data-binary", f"@{request}",
        f"https://{xds_address}/{METHOD}", text=False).stdout
    told = dict(line.split(": ", 1) for line in headers.read_text().splitlines() if ": " in line)
    if told.get("grpc-status") != "0" or len(body) < 5:
        message = urllib.parse.unquote(told.get("grpc-message", ""))
        raise Refused(f"grpc-status {told.get('grpc-status')}: {message}")
    return list(strings(body[5:]))


# --- protobuf: messages of strings only ----------------------------------------------------------

def varint(number):
    out = b""
    while number > 0x7f:
        out += bytes([number & 0x7f | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, data):
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def strings(message):
    """The values of the length-delimited fields of a message that has no others."""
    at = 0
    while at < len(message):
        length, shift = 0, 0
        at += 1
        while True:
            byte = message[at]
            at += 1
            length |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        yield message[at:at + length]
        at += length
