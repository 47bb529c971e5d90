"""A rejection is reported once, with the objects that it came from."""

from __future__ import annotations

import logging

import pytest

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.nacks import NackLog, accused
from meshctl_operator.xds.events import NackEvent
from meshctl_operator.xds.resources import TypeUrl

GATEWAY, SERVICE = ObjectKey("Gateway", "a", "gw"), ObjectKey("Service", "a", "s")
PROVENANCE = {"0.0.0.0_80": (GATEWAY,), "0.0.0.0_443": (GATEWAY, SERVICE)}


def origins(name: str) -> tuple[ObjectKey, ...]:
    """Return the objects that a resource was computed from."""
    return PROVENANCE.get(name, ())


def nack(message: str, **changes: str | None) -> NackEvent:
    """Return a rejection of listeners; names are given as ``l80`` for ``0.0.0.0_80``."""
    named = {name.replace("l", "0.0.0.0_"): version for name, version in changes.items()}
    return NackEvent(TypeUrl.LISTENER, 3, named, message, "1")


def test_the_resources_that_envoy_names_are_accused() -> None:
    """If it names none, all that were new; what was removed is never to blame."""
    assert accused(nack("bad 0.0.0.0_443", l80="1", l443="1")) == ("0.0.0.0_443",)
    assert accused(nack("bad", l80="1", l443=None)) == ("0.0.0.0_80",)


def test_each_version_is_logged_once_per_proxy(caplog: pytest.LogCaptureFixture) -> None:
    """Another version, another proxy: another line."""
    log = NackLog()
    with caplog.at_level(logging.ERROR, "meshctl.controlplane"):
        assert log.note("p", nack("bad", l80="1"), origins) == (("0.0.0.0_80",), (GATEWAY,))
        log.note("p", nack("bad", l80="1"), origins)
        assert len(caplog.records) == 1
        log.note("p", nack("bad", l80="2"), origins)
        log.note("q", nack("bad", l80="1"), origins)
    assert len(caplog.records) == 3
    assert vars(caplog.records[0])["objects"] == ["Gateway/a/gw"]


def test_findings_hold_until_the_proxy_accepts_or_goes() -> None:
    """They name the objects."""
    log = NackLog()
    log.note("p", nack("bad", l443="1"), origins)
    log.note("q", nack("bad", l80="1"), origins)
    assert {finding.subject for finding in log.findings()} == {GATEWAY, SERVICE}
    log.cleared("p", "LDS", {"0.0.0.0_443": "2"})
    assert [finding.subject for finding in log.findings()] == [GATEWAY]
    log.forget("q")
    assert log.findings() == ()


def test_what_the_proxy_says_is_one_line() -> None:
    """Envoy ends its message with a newline, which would tear the finding apart."""
    log = NackLog()
    log.note("p", nack("bad\n", l443="1"), origins)
    assert {finding.message for finding in log.findings()} == {"LDS of p was rejected: bad"}


def test_unchanged_findings_are_the_very_tuple() -> None:
    """Who asks after each change need not look at them again."""
    log = NackLog()
    log.note("p", nack("bad", l443="1"), origins)
    found = log.findings()
    log.cleared("p", "LDS", {"0.0.0.0_80": "2"})
    log.forget("q")
    assert log.findings() is found
    log.cleared("p", "LDS", {"0.0.0.0_443": "2"})
    assert log.findings() == ()
