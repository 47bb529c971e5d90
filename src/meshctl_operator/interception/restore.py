"""Rules as the input of ``iptables-restore --noflush``: one transaction for each table, which replaces what was there before.

A chain of ours that is declared is emptied first; rules of ours in the chains of the kernel are deleted by the line under which
``iptables-save`` shows them. So the same options may be applied again, and others after them, and at no moment is a connection neither
under the old rules nor under the new ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from meshctl_operator.interception.rules import BUILT_IN, CHAINS, Rule, Table

_MARK: Final = r"0x[0-9a-f]+(/0xffffffff)?"
_LOOPBACK: Final = r"(127\.0\.0\.1/32|::1/128)"
_OURS: Final = re.compile(
    "|".join(
        (
            rf"-A \w+ .*-j ({'|'.join(CHAINS)})",
            rf"-A \w+ -j ({'|'.join(CHAINS)})",
            r"-A PREROUTING -i \S+ -j RETURN",
            r"-A OUTPUT -o \S+ -j RETURN",
            rf"-A PREROUTING -p tcp -m mark --mark {_MARK} -j CONNMARK --save-mark.*",
            rf"-A OUTPUT -o lo -p tcp -m mark --mark {_MARK} -j RETURN",
            rf"-A OUTPUT ! -d {_LOOPBACK} -o lo -p tcp -m owner --[ug]id-owner \S+ -j MARK --set-xmark {_MARK}",
            rf"-A OUTPUT -p tcp -m connmark --mark {_MARK} -j CONNMARK --restore-mark.*",
        )
    )
)
"""Rules of ours in chains of the kernel, as ``iptables-save`` spells them."""
_INTERFACE_ALONE: Final = re.compile(r"-A \w+ -[io] \S+ -j RETURN")


def render(rules: Sequence[Rule], saved: str = "") -> str:
    """Return the input that puts the rules in place. ``saved`` is the output of ``iptables-save``: rules of ours in it are replaced.

    Every table that has rules, or had some of ours, is one block.
    """
    before = _ours_by_table(saved)
    blocks = [
        _block(table, before.get(table, ()), [rule for rule in rules if rule.table is table])
        for table in Table
        if before.get(table) or any(rule.table is table for rule in rules)
    ]
    return "".join(blocks)


def render_removal(saved: str) -> str:
    """Return the input that takes away all rules and chains of ours that ``iptables-save`` shows; empty if there are none."""
    return render((), saved)


def _block(table: Table, before: Sequence[str], rules: Sequence[Rule]) -> str:
    """Return one table: chains emptied or made, old rules out, new rules in, chains that have none left removed."""
    needed = [chain for chain in CHAINS if any(chain in (rule.chain, rule.target) for rule in rules)]
    found = [chain for chain in CHAINS if f":{chain}" in before]
    lines = [
        f"*{table}",
        *(f":{chain} - [0:0]" for chain in CHAINS if chain in needed or chain in found),
        *(line.replace("-A ", "-D ", 1) for line in before if line.startswith("-A ")),
        *map(str, rules),
        *(f"-X {chain}" for chain in found if chain not in needed),
        "COMMIT",
    ]
    return "\n".join(lines) + "\n"


def _ours_by_table(saved: str) -> dict[Table, list[str]]:
    """Return the lines of ours by table: rules in chains of the kernel, and ``:NAME`` for each chain of ours.

    A rule that returns by its interface alone may be somebody else's; it counts as ours where the table has something else of ours.
    """
    found = {table: list(lines) for table, lines in _by_table(saved)}
    return {table: lines for table, lines in found.items() if not all(map(_INTERFACE_ALONE.fullmatch, lines))}


def _by_table(saved: str) -> Iterator[tuple[Table, Iterable[str]]]:
    known = {f"*{table}": table for table in Table}
    table: Table | None = None
    lines: list[str] = []
    for line in saved.splitlines():
        if line.startswith("*"):
            table, lines = known.get(line.strip()), []
        elif line.strip() == "COMMIT":
            if table is not None:
                yield table, lines
            table = None
        elif line.startswith(":") and line[1:].split()[0] in CHAINS:
            lines.append(f":{line[1:].split()[0]}")
        elif line.startswith("-A ") and line.split()[1] in BUILT_IN and _OURS.fullmatch(line.strip()):
            lines.append(line.strip())
