"""The certificates of one control plane, all signed by a CA of its own.

etcd is behind TLS too, although it listens on loopback only: it hands out every
Secret to whoever reaches it, past RBAC, and a machine may have other users.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from together_local.cluster.layout import Layout

_VALID_DAYS = 3650
_CLOCK_SKEW = datetime.timedelta(hours=1)

SERVER = "server"
"""What kube-apiserver and etcd show; etcd also shows it as a client of itself."""
ADMIN = "admin"
"""The administrator: group system:masters."""
APISERVER_TO_ETCD = "apiserver-etcd"
CONTROLLER_MANAGER = "kube-controller-manager"
SERVICE_ACCOUNTS = "service-accounts"
"""The key pair that signs ServiceAccount tokens."""


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from the first byte on."""
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    partial.replace(path)


def _private(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class _Authority:
    """A CA that lives as long as it takes to sign; its key is not kept."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "together-operator-local")])
        builder = self._builder(self._name, self._key.public_key())
        builder = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        builder = builder.add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        self.certificate = builder.sign(self._key, hashes.SHA256())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SKEW)
            .not_valid_after(now + datetime.timedelta(days=_VALID_DAYS))
        )

    def issue(self, layout: Layout, name: str, user: str, group: str | None, server: bool) -> None:
        """Sign a certificate and write it with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        attributes = [x509.NameAttribute(NameOID.COMMON_NAME, user)]
        if group is not None:
            attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = self._builder(x509.Name(attributes), key.public_key())
        if server:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
            builder = builder.add_extension(
                x509.SubjectAlternativeName(
                    [
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                        *(x509.DNSName(host) for host in names),
                    ]
                ),
                critical=False,
            )
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        signed = builder.sign(self._key, hashes.SHA256())
        write_private(layout.key(name), _private(key))
        write_private(layout.certificate(name), signed.public_bytes(serialization.Encoding.PEM))


def create_certificates(layout: Layout) -> None:
    """Write all certificates and keys that a control plane needs; keep existing ones.

    Args:
        layout: Where to. The CA's certificate is written last: when it is there,
            the rest is.
    """
    if layout.ca.exists():
        return
    authority = _Authority()
    authority.issue(layout, SERVER, "kube-apiserver", None, server=True)
    authority.issue(layout, ADMIN, "admin", "system:masters", server=False)
    authority.issue(layout, APISERVER_TO_ETCD, "kube-apiserver", None, server=False)
    authority.issue(
        layout, CONTROLLER_MANAGER, "system:kube-controller-manager", None, server=False
    )
    # RS256 is the one algorithm that every verifier of ServiceAccount tokens knows.
    signer = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    write_private(layout.key(SERVICE_ACCOUNTS), _private(signer))
    write_private(
        layout.certificate(SERVICE_ACCOUNTS),
        signer.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
    )
    write_private(layout.ca, authority.certificate.public_bytes(serialization.Encoding.PEM))
