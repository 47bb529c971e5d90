"""What Kopf is told to do."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from typing import Any

import kopf

from meshctl_operator.apis.kinds import KindInfo
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.handlers import EndlessBackoffs, configure, connection_info, register
from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.settings import KubeSettings, Timings
from tests.support.scripted_api import ScriptedApi


def connection(folder: Path) -> Connection:
    """Return a connection to nowhere."""
    api = ScriptedApi()
    api.url = "http://127.0.0.1:1"
    return Connection.load(KubeSettings(kubeconfig=str(api.kubeconfig(folder / "k"))))


async def test_seven_kinds_have_a_handler_that_returns_nothing(tmp_path: Path) -> None:
    """What it returned would be written into the status."""
    taken: list[tuple[str, str | None, Any]] = []

    def take(info: KindInfo, event: str | None, raw: dict[str, Any]) -> None:
        taken.append((info.kind, event, raw))

    registry = kopf.OperatorRegistry()
    register(registry, lambda: connection(tmp_path), take)
    handlers = registry._watching.get_all_handlers()
    assert sorted(handler.id for handler in handlers)[:2] == ["meshctl-destinationrules", "meshctl-gateways"]
    for handler in handlers:
        handle: Any = handler.fn
        assert await handle(event={"type": "ADDED", "object": {"x": 1}}) is None
    assert len(taken) == 7
    assert {(event, raw["x"]) for _, event, raw in taken} == {("ADDED", 1)}


def test_kopf_logs_in_as_we_do(tmp_path: Path) -> None:
    """The same server and the same token."""
    info = connection_info(connection(tmp_path))
    assert (info.server, info.scheme, info.token) == ("http://127.0.0.1:1", "Bearer", "secret")


def test_kopf_never_gives_up() -> None:
    """Failed requests are repeated for ever, each from the shortest pause on; nothing is posted, and no process is killed."""
    settings, timings = kopf.OperatorSettings(), Timings(backoff=1.0, backoff_most=4.0)
    configure(settings, timings, Pauses(timings, threading.Event()))
    assert not settings.posting.enabled
    assert settings.process.ultimate_exiting_timeout is None
    backoffs = settings.networking.error_backoffs
    assert isinstance(backoffs, EndlessBackoffs)
    for _ in range(2):
        found = list(itertools.islice(backoffs, 50))
        assert found[0] <= 1.0
        assert max(found) <= 4.0
