"""Findings about how VirtualServices are put together; those about their contents are in ``compiler.codes``."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.codes import define

DELEGATE_MISSING: Final = define(
    "MC2240",
    "A delegate cannot be used",
    cause=(
        "The rule hands its requests to another VirtualService, which does not exist, has hosts of its own, or is not exported to this "
        "namespace. The rule alone is left out."
    ),
    example="spec: {hosts: [shop.example.com], http: [{delegate: {name: cartt, namespace: shop}}]}",
    fix="Name a VirtualService that has no hosts and whose exportTo includes the namespace of the one that delegates to it.",
    istio_code="IST0101",
)
DELEGATE_CONFLICT: Final = define(
    "MC2241",
    "A rule of a delegate contradicts the rule that delegates to it",
    cause="No request can satisfy both match blocks, for instance two different exact paths, so the rule of the delegate is left out.",
    example="root: match: [{uri: {prefix: /cart}}]   delegate: match: [{uri: {exact: /login}}]",
    fix="Let the delegate match inside of what the root matches: the same values, or paths that start with the root's prefix.",
)
DELEGATE_TOO_DEEP: Final = define(
    "MC2242",
    "A delegate delegates again",
    cause="Delegation is one level deep, so a rule of a delegate that has a delegate itself is left out.",
    example="spec: {http: [{delegate: {name: other}}]}   # in a VirtualService without hosts",
    fix="Let the root delegate to the last VirtualService directly.",
)
