"""What an SDS secret is made of that holds authorities: whom a cluster trusts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuthorityInput:
    """Certificates of authorities, PEM, and a list of revoked ones, empty where there is none. Nothing of it is secret."""

    name: str
    certificates: bytes
    revoked: bytes = b""
