"""A source that fails is run again, and readiness knows."""

from __future__ import annotations

import logging

import pytest

from meshctl_operator.apis.changes import ChangeSet
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.errors import SourceError
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.codes import REJECTED_BY_PROXY
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.source import Sink
from meshctl_operator.controlplane.supervision import SupervisedSource, locate

FINDING = REJECTED_BY_PROXY.error(ObjectKey("Service", "a", "b"), "spec", "wrong")


class Silent:
    """A sink that forgets."""

    def submit(self, changes: ChangeSet) -> None:
        """Forget."""


class Scripted:
    """A source whose runs end as told; knows a place under its name."""

    def __init__(self, *ends: Exception | None, name: str = "scripted") -> None:
        """Take how each run ends: with an error, or well."""
        self.name = name
        self.ends = list(ends)

    async def run(self, sink: Sink) -> None:
        """End as told."""
        del sink
        end = self.ends.pop(0)
        if end is not None:
            raise end

    def locate(self, diagnostic: Diagnostic) -> Diagnostic:
        """Return the finding with a place, but for sources that know none."""
        return diagnostic if self.name == "nowhere" else diagnostic.at(self.name, 1)


async def test_failures_are_counted_and_the_source_is_run_again(caplog: pytest.LogCaptureFixture) -> None:
    """Errors of the world are warnings, errors of ours have a traceback."""
    source = SupervisedSource(Scripted(SourceError("out of reach"), RuntimeError("oh"), None))
    failures: list[str] = []
    with caplog.at_level(logging.WARNING, "meshctl.controlplane"):
        await source.run(Silent(), Settings(source_retry=0.0), failures.append)
    assert failures == ["scripted", "scripted"]
    assert [(record.levelname, record.exc_info is not None) for record in caplog.records] == [("WARNING", False), ("ERROR", True)]


async def test_what_stands_in_the_way_is_said() -> None:
    """Not in sync at first, failed later, in sync again."""
    source = SupervisedSource(Scripted(SourceError("out of reach"), None))
    assert source.obstacle == "source scripted: not in sync yet"
    source.in_sync()
    assert source.obstacle is None
    await source.run(Silent(), Settings(source_retry=0.0), lambda _: None)
    assert source.obstacle == "source scripted: out of reach"
    source.in_sync()
    assert source.obstacle is None


def test_the_first_source_that_knows_the_place_is_asked() -> None:
    """A finding that has a place keeps it."""
    sources = [Scripted(name="nowhere"), Scripted(name="one"), Scripted(name="two")]
    assert locate(FINDING, sources).source == "one"
    assert locate(FINDING.at("file", 3), sources).line == 3
    assert locate(FINDING, []) == FINDING
