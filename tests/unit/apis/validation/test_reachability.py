"""Warnings about rules that are never reached."""

from __future__ import annotations

import pytest

from tests.support.documents import errors_of, warnings_of

ROUTE = "route: [{destination: {host: a}}]"


def rules(*matches: str) -> str:
    """Return the spec of a VirtualService with one HTTP rule for each list of match blocks (empty: no match)."""
    return "{hosts: [a], http: [" + ", ".join(f"{{{f'match: {match}, ' if match else ''}{ROUTE}}}" for match in matches) + "]}"


REACHED = {
    "catch-all last": ("[{uri: {prefix: /a}}]", ""),
    "more special first": ("[{uri: {prefix: /a/b}}]", "[{uri: {prefix: /a}}]"),
    "earlier one wants a header": ("[{uri: {prefix: /}, headers: {a: {exact: b}}}]", "[{uri: {prefix: /a}}]"),
    "earlier one wants another header": (
        "[{uri: {prefix: /}, headers: {a: {exact: b}}}]",
        "[{uri: {prefix: /a}, headers: {a: {exact: c}}}]",
    ),
    "earlier one wants a port": ("[{uri: {prefix: /}, port: 80}]", "[{uri: {prefix: /}, port: 81}]"),
    "earlier one wants a gateway": ("[{uri: {prefix: /}, gateways: [mesh]}]", "[{uri: {prefix: /}}]"),
    "earlier one wants labels": ("[{uri: {prefix: /}, sourceLabels: {a: b}}]", "[{uri: {prefix: /}}]"),
    "earlier one wants labels, later one has gateways": (
        "[{uri: {prefix: /}, sourceLabels: {a: b}}]",
        "[{uri: {prefix: /}, sourceLabels: {a: b}, gateways: [mesh]}]",
    ),
    "exact before prefix": ("[{uri: {exact: /a}}]", "[{uri: {prefix: /a}}]"),
    "regex": ("[{uri: {prefix: /a}}]", "[{uri: {regex: /a.*}}]"),
    "case": ("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a}, ignoreUriCase: true}]"),
}
UNREACHED = {
    "behind a catch-all": (("", "[{uri: {prefix: /a}}]"), "spec.http[1]"),
    "second catch-all": (("", ""), "spec.http[1]"),
    "equal block": (("[{uri: {exact: /a}}]", "[{name: n, uri: {exact: /a}}]"), "spec.http[1]"),
    "equal block beside another": (("[{uri: {exact: /a}}]", "[{uri: {exact: /b}}, {uri: {exact: /a}}]"), "spec.http[1].match[1]"),
    "longer prefix": (("[{uri: {prefix: /a}}]", "[{uri: {prefix: /a/b}}]"), "spec.http[1]"),
    "exact below a prefix": (("[{uri: {prefix: /a}}]", "[{uri: {exact: /a/b}}]"), "spec.http[1]"),
    "more conditions": (
        ("[{uri: {prefix: /}, method: {exact: GET}}]", "[{uri: {prefix: /a}, method: {exact: GET}, port: 80}]"),
        "spec.http[1]",
    ),
    "no path": (("[{headers: {a: {exact: b}}}]", "[{uri: {regex: .*}, headers: {a: {exact: b}, c: {}}}]"), "spec.http[1]"),
    "one gateway of two": (("[{uri: {prefix: /}, gateways: [a, b]}]", "[{uri: {prefix: /}, gateways: [b]}]"), "spec.http[1]"),
}


@pytest.mark.parametrize("matches", REACHED.values(), ids=REACHED)
def test_reached(matches: tuple[str, ...]) -> None:
    """Rules that some request reaches are not warned about."""
    assert warnings_of("VirtualService", rules(*matches)) == []


@pytest.mark.parametrize(("matches", "path"), UNREACHED.values(), ids=UNREACHED)
def test_unreached(matches: tuple[str, ...], path: str) -> None:
    """A rule or block that an earlier one leaves nothing to is warned about, and accepted."""
    assert errors_of("VirtualService", rules(*matches)) == []
    assert warnings_of("VirtualService", rules(*matches)) == [("MC1217", path)]


def test_delegates_hide_nothing() -> None:
    """What a delegate matches is not known here."""
    spec = (
        f"{{hosts: [a], http: [{{match: [{{uri: {{prefix: /}}}}], delegate: {{name: d}}}}, {{match: [{{uri: {{prefix: /a}}}}], {ROUTE}}}]}}"
    )
    assert warnings_of("VirtualService", spec) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        (f"{{hosts: [a], tcp: [{{{ROUTE}}}, {{match: [{{port: 1}}], {ROUTE}}}]}}", "spec.tcp[1]"),
        (f"{{hosts: [a], tcp: [{{match: [{{port: 1}}], {ROUTE}}}, {{match: [{{port: 1}}], {ROUTE}}}]}}", "spec.tcp[1].match[0]"),
    ],
    ids=["behind a catch-all", "equal block"],
)
def test_unreached_connections(spec: str, path: str) -> None:
    """TCP rules are looked at in the same way."""
    assert warnings_of("VirtualService", spec) == [("MC1217", path)]


def test_many_rules_are_checked_in_reasonable_time() -> None:
    """The work grows with the number of rules, not with its square."""
    spec = rules(*(f"[{{uri: {{prefix: /service-{index}/}}}}]" for index in range(600)))
    assert warnings_of("VirtualService", spec) == []
