# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities and leaves, made for one test run and valid for a day."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The clock of a program under test may be a little behind.
EARLIER = datetime.timedelta(hours=1)
LIFE = datetime.timedelta(days=1)


class Identity:
    """A certificate with its private key; `chain`: PEM from it up to below the root."""

    def __init__(self, certificate, key, issuer=None):
        self.certificate = certificate
        self.key = key
        self.issuer = issuer

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM,
                                      serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()

    @property
    def chain(self):
        return self.pem + (self.issuer.chain if self.issuer and self.issuer.issuer else "")

    def root(self):
        """The root it goes back to."""
        return self.issuer.root() if self.issuer else self

    def issue_ca(self, name, path_length=0):
        """An intermediate signed by this one."""
        return _make(name, issuer=self, path_length=path_length)

    def issue(self, name, dns=(), ips=(), uris=()):
        """A leaf for servers and clients with these alternative names."""
        names = ([x509.DNSName(dns_name) for dns_name in dns]
                 + [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
                 + [x509.UniformResourceIdentifier(uri) for uri in uris])
        return _make(name, issuer=self, names=names)

    def write(self, directory, name):
        """Writes NAME.crt (the chain) and NAME.key; returns both paths."""
        directory.mkdir(parents=True, exist_ok=True)
        certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
        certificate.write_text(self.chain if self.issuer else self.pem)
        key.touch(0o600)
        key.write_text(self.key_pem)
        return certificate, key


def root(name):
    """A new self-signed root."""
    return _make(name, path_length=2)


def key_pair(directory, name):
    """A signing key pair as NAME.key and NAME.pub (service account tokens); returns both paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    private, public = directory / f"{name}.key", directory / f"{name}.pub"
    private.touch(0o600)
    private.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                          serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    return private, public


def _make(name, issuer=None, path_length=None, names=()):
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "e2e"),
                         x509.NameAttribute(NameOID.COMMON_NAME, name)])
    authority = path_length is not None
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, key_cert_sign=authority,
        crl_sign=authority, encipher_only=False, decipher_only=False)
    builder = (x509.CertificateBuilder()
               .subject_name(subject)
               .issuer_name(issuer.certificate.subject if issuer else subject)
               .public_key(key.public_key())
               .serial_number(x509.random_serial_number())
               .not_valid_before(now - EARLIER)
               .not_valid_after(now + LIFE)
               .add_extension(x509.BasicConstraints(authority, path_length), critical=True)
               .add_extension(usage, critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
                              critical=False))
    if issuer:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()),
            critical=False)
    if not authority:
        builder = builder.add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                   ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    signer = issuer.key if issuer else key
    return Identity(builder.sign(signer, hashes.SHA256()), key, issuer)
