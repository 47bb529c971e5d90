"""What an SDS secret is made of: a key pair or the certificates of an authority, with their bytes or as files of the proxy."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KeyPairInput:
    """A certificate chain with its private key, both PEM, and a DER response of OCSP to staple. None of them shows in a repr."""

    name: str
    certificate_chain: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    ocsp_staple: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class AuthorityInput:
    """Certificates of authorities, and a list of revoked certificates, both PEM."""

    name: str
    certificates: bytes = field(repr=False)
    revoked: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class FilePairInput:
    """A certificate chain and its private key as paths that the proxy reads, and reads again when they are replaced."""

    name: str
    certificate_chain: str
    private_key: str


@dataclass(frozen=True, slots=True)
class FileAuthorityInput:
    """Certificates of authorities as a path that the proxy reads, and reads again when it is replaced."""

    name: str
    certificates: str


SecretInput = KeyPairInput | AuthorityInput | FilePairInput | FileAuthorityInput
"""Any secret; ``name`` is its SDS name."""
