"""Where people come in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from meshctl_operator.dev import entrances
from meshctl_operator.dev.config import WorkloadEntry
from meshctl_operator.dev.entrances import moved, with_open_ports
from meshctl_operator.dev.envoys import EnvoyAdmin
from meshctl_operator.dev.layout import LocalProxy
from meshctl_operator.dev.workloads import place
from tests.support.local_objects import decoded, deployment, gateway

EDGE = deployment("gw", labels="{role: edge}")
FIRST = gateway("first")
SECOND = gateway("second", port=9000)


@dataclass(frozen=True, slots=True)
class FakeAdmin(EnvoyAdmin):
    """An Envoy that listens on some addresses; each question is answered by the next of them, the last one for ever."""

    answers: tuple[tuple[str, ...], ...] = ()
    asked: list[int] | None = None

    async def listeners(self) -> tuple[str, ...]:
        """Return the addresses."""
        if self.asked is None:
            return self.answers[0]
        self.asked.append(1)
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def proxies(*answers: tuple[str, ...]) -> tuple[LocalProxy, ...]:
    """Return a gateway and a sidecar."""
    objects = decoded("---".join((EDGE, FIRST, deployment("reviews-v1"))))
    edge, app = place(objects, [WorkloadEntry(deployment="reviews-v1", command=("run",))]).workloads
    return (
        LocalProxy(edge, "127.0.0.1", FakeAdmin("127.0.0.1", 1, answers, []), ((80, 8080),)),
        LocalProxy(app, "127.0.9.1", FakeAdmin("127.0.0.1", 2, ((),)), (), ((9080, 20001),)),
    )


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again at once."""
    monkeypatch.setattr(entrances, "_PAUSE", 0)


def objects(*texts: str) -> list[Any]:
    """Return decoded objects."""
    return decoded("---".join(texts))


async def test_what_is_declared_and_listened_on() -> None:
    """A declared port counts once its Envoy listens there, at the port where it is bound; it is asked until it does."""
    edge, app = await with_open_ports(proxies((), ("127.0.0.1:8080", "127.0.0.1:9000")), objects(FIRST, SECOND))
    assert edge.gateway_ports == {"80": "127.0.0.1:8080", "9000": "127.0.0.1:9000"}
    assert app.gateway_ports == {}


async def test_what_does_not_listen_is_no_entrance() -> None:
    """A server whose port is taken, or whose certificate is missing, is not told."""
    edge, _ = await with_open_ports(proxies(("127.0.0.1:8080",)), objects(FIRST, SECOND))
    assert edge.gateway_ports == {"80": "127.0.0.1:8080"}


async def test_only_what_moved_is_told() -> None:
    """Each gateway with other ports than before is told once, with the ports that are new and those that are gone."""
    before = await with_open_ports(proxies(("127.0.0.1:8080",)), objects(FIRST))
    after = await with_open_ports(proxies(("127.0.0.1:9000",)), objects(SECOND))
    (change,) = moved(before, after)
    assert change.to_json() == {
        "event": "gateway",
        "name": "gw",
        "namespace": "default",
        "ports": {"9000": "127.0.0.1:9000"},
        "admin": "127.0.0.1:1",
        "opened": {"9000": "127.0.0.1:9000"},
        "closed": {"80": "127.0.0.1:8080"},
    }
    assert moved(after, after) == ()
