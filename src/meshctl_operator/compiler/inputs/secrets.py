"""What an SDS secret is made of."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SecretInput:
    """A certificate chain with its private key, both PEM. Neither shows in a repr."""

    name: str
    certificate_chain: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
