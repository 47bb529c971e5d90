"""One rule of iptables as a value, and the names of tables and chains."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PREROUTING: Final = "PREROUTING"
OUTPUT: Final = "OUTPUT"
BUILT_IN: Final = frozenset({PREROUTING, OUTPUT, "INPUT", "FORWARD", "POSTROUTING"})

INBOUND: Final = "ISTIO_INBOUND"
OUTBOUND: Final = "ISTIO_OUTPUT"
REDIRECT: Final = "ISTIO_REDIRECT"
IN_REDIRECT: Final = "ISTIO_IN_REDIRECT"
DNS: Final = "ISTIO_OUTPUT_DNS"
DIVERT: Final = "ISTIO_DIVERT"
TPROXY: Final = "ISTIO_TPROXY"
DROP: Final = "ISTIO_DROP"
CHAINS: Final = (INBOUND, REDIRECT, IN_REDIRECT, OUTBOUND, DNS, DIVERT, TPROXY, DROP)
"""All chains of ours. The names are Istio's: people look for them in the output of ``iptables-save``, and tools of others know them."""


class Table(StrEnum):
    """The tables that we touch, in the order in which a packet passes them."""

    RAW = "raw"
    MANGLE = "mangle"
    NAT = "nat"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule at the end of a chain, or at ``position`` (1 is the first). ``words`` are match and target as iptables spells them."""

    table: Table
    chain: str
    words: tuple[str, ...]
    position: int | None = None

    @property
    def target(self) -> str:
        """The chain or target that the rule jumps to."""
        return self.words[self.words.index("-j") + 1]

    def __str__(self) -> str:
        """Return the line for ``iptables-restore``."""
        command = f"-A {self.chain}" if self.position is None else f"-I {self.chain} {self.position}"
        return f"{command} {' '.join(self.words)}"


def rule(table: Table, chain: str, match: str, target: str, *, position: int | None = None) -> Rule:
    """Return a rule from its match, such as ``-p tcp --dport 15008``, and its target with options, such as ``REDIRECT --to-ports 1``."""
    return Rule(table, chain, (*match.split(), "-j", *target.split()), position)
