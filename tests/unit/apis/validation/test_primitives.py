"""Checks that several kinds share."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.validation import primitives
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.base.durations import Duration
from meshctl_operator.base.objects import ObjectKey


def findings() -> Findings:
    """Return a place to write findings to."""
    return Findings(ObjectKey("VirtualService", "shop", "a"))


@pytest.mark.parametrize(
    ("name", "fqdn", "wildcard"),
    [
        ("a", True, True),
        ("A.b-c.D9", True, True),
        ("a.b.", True, True),
        ("*", False, True),
        ("*.a.com", False, True),
        ("*a.com", False, True),
        ("*-a.com", False, True),
        ("*.", False, True),
        ("", False, False),
        (".", False, False),
        ("a..b", False, False),
        ("-a.com", False, False),
        ("a-.com", False, False),
        ("a_b", False, False),
        ("10.0.0.1", False, False),
        ("a.1", False, False),
        ("a.*.com", False, False),
        ("**.com", False, False),
        ("a" * 63, True, True),
        ("a" * 64, False, False),
        (".".join(["a" * 63] * 4), True, True),
        (".".join(["a" * 63] * 4) + ".b", False, False),
    ],
)
def test_domains(name: str, fqdn: bool, wildcard: bool) -> None:  # noqa: FBT001  (columns of the table)
    """Names are made of DNS labels; the last one is no number; a wildcard stands at the start only."""
    assert (primitives.is_fqdn(name), primitives.is_wildcard_domain(name)) == (fqdn, wildcard)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("10.0.0.1", "ip"),
        ("::1", "ip"),
        ("fe80::1%eth0", None),
        ("10.0.0.0/8", "cidr"),
        ("::/0", "cidr"),
        ("10.0.0.0/33", None),
        ("10.0.0.0/-1", None),
        ("10.0.0.0/255.0.0.0", None),
        ("10.0.0", None),
        ("unix:///a/b", "unix"),
        ("unix://@a", "unix"),
        ("unix://@", None),
        ("unix:///a/", None),
        ("unix://a", None),
        ("/a", None),
    ],
)
def test_addresses(text: str, kind: str | None) -> None:
    """An address, a range and a socket are told apart, and nothing else passes for one."""
    kinds = {"ip": primitives.is_ip(text), "cidr": primitives.is_cidr(text), "unix": primitives.is_unix_address(text)}
    assert [name for name, is_one in kinds.items() if is_one] == ([kind] if kind else [])


@pytest.mark.parametrize("key", ["app", "app.kubernetes.io/name", "A_b.c-9", "a" * 63])
def test_label_keys(key: str) -> None:
    """A key is a name with an optional DNS name in front."""
    assert primitives.is_label_key(key)


@pytest.mark.parametrize("key", ["", "/a", "a/", "a/b/c", "-a", "a b", "a" * 64, "a_b/c"])
def test_what_is_no_label_key(key: str) -> None:
    """Anything else is no key."""
    assert not primitives.is_label_key(key)


def test_label_values() -> None:
    """A value may be empty, but has the syntax of a name otherwise."""
    assert primitives.is_label_value("")
    assert primitives.is_label_value("v1.2_x")
    assert not primitives.is_label_value("a/b")
    assert not primitives.is_label_value("x" * 64)


@pytest.mark.parametrize(
    ("pattern", "is_good"),
    [
        ("a.*", True),
        ("(?i)a", True),
        ("", False),
        ("(", False),
        ("(?=a)", False),
        ("(?<!a)b", False),
        ("(a)\\1", False),
        ("a++", False),
        ("*", False),
        ("a" * 1025, False),
    ],
)
def test_regex(pattern: str, is_good: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Patterns are judged by the engine that Envoy runs them with, and kept short."""
    assert (primitives.regex_problem(pattern) is None) is is_good


def test_regex_is_judged_in_silence(capfd: pytest.CaptureFixture[str]) -> None:
    """The engine writes nothing of its own to the terminal."""
    assert primitives.regex_problem("(unclosed") is not None
    assert "unclosed" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("nanos", "options", "is_good"),
    [
        (1_000_000, {}, True),
        (999_999, {}, False),
        (1_500_000, {}, False),
        (0, {}, False),
        (0, {"zero": True}, True),
        (-1, {"zero": True}, False),
        (1_500_000_000, {"whole_seconds": True}, False),
        (2_000_000_000, {"whole_seconds": True}, True),
    ],
)
def test_periods(nanos: int, options: dict[str, bool], is_good: bool) -> None:  # noqa: FBT001  (a column of the table)
    """A duration is at least 1ms and a whole number of milliseconds, or of seconds where Envoy counts those."""
    found = findings()
    primitives.check_period(Duration(nanos), "p", found, **options)
    assert (not found.items) is is_good


@pytest.mark.parametrize(
    ("export_to", "none", "paths"),
    [
        ([], False, []),
        (["."], False, []),
        (["*"], False, []),
        (["a", "b"], False, []),
        (["~"], True, []),
        (["~"], False, ["e[0]"]),
        (["~", "a"], True, ["e[0]"]),
        (["*", "a"], False, ["e"]),
        (["a", "a"], False, ["e[1]"]),
        ([".", "shop"], False, ["e[1]"]),
        (["a.b"], False, ["e[0]"]),
        ([""], False, ["e[0]"]),
    ],
)
def test_export_to(export_to: list[str], none: bool, paths: list[str]) -> None:  # noqa: FBT001  (a column of the table)
    """Visibility is a list of namespaces, or everybody, or (for some kinds) nobody; the dot is the own namespace."""
    found = findings()
    primitives.check_export_to(export_to, "e", found, none=none)
    assert [d.path for d in found.items] == paths


def test_protocols() -> None:
    """Protocols are read in any case."""
    assert primitives.protocol_of("grpc-Web") == "GRPC-WEB"
    assert primitives.protocol_of("HTTP3") is None
    assert primitives.protocol_of("") is None


@pytest.mark.parametrize(("port", "is_good"), [(0, False), (1, True), (65535, True), (65536, False)])
def test_ports(port: int, is_good: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Ports lie between 1 and 65535."""
    found = findings()
    primitives.check_port(port, "p", found)
    assert (not found.items) is is_good
