"""Objects that Kubernetes would have added."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meshctl_operator.apis.changes import ChangeSet, Delete, Upsert
from meshctl_operator.base.errors import CompileBug
from meshctl_operator.bootstrap.static import KeyPair
from meshctl_operator.controlplane.source import SourceLocator
from meshctl_operator.dev import overlay
from meshctl_operator.dev.config import WorkloadEntry
from meshctl_operator.dev.overlay import LocalObjects, Placed, endpoint_slices, tls_secret
from meshctl_operator.dev.workloads import place
from meshctl_operator.sources.memory import MemorySource
from tests.support.local_objects import decoded, deployment, gateway, service

ENTRIES = [WorkloadEntry(deployment=name, command=("run",)) for name in ("reviews-v1", "reviews-v2")]


def placed(*names: str, ports: dict[int, int] | None = None) -> tuple[Placed, ...]:
    """Return the workloads at 127.0.9.1, 127.0.9.2 and so on."""
    workloads = place(decoded("---".join(map(deployment, names))), ENTRIES).workloads
    return tuple(Placed(workload, f"127.0.9.{number}", ports or {}) for number, workload in enumerate(workloads, start=1))


def spec_of(upsert: Upsert) -> Any:
    """Return the spec of an object."""
    return upsert.object.spec


def test_one_slice_for_each_selected_workload() -> None:
    """The endpoints of a Service are its workloads at their addresses, each known by its Deployment."""
    (obj,) = decoded(service("reviews"))
    first, second = endpoint_slices(obj, placed("reviews-v1", "reviews-v2"))
    assert first.object.meta.labels == {"kubernetes.io/service-name": "reviews"}
    (endpoint,) = spec_of(first).endpoints
    assert endpoint.addresses == ("127.0.9.1",)
    assert (endpoint.target_ref.kind, endpoint.target_ref.name) == ("Pod", "reviews-v1")
    assert spec_of(second).endpoints[0].addresses == ("127.0.9.2",)


def test_ports_are_targets_as_they_are_bound() -> None:
    """Named targets are resolved, targets without a number are left out, and moved ports are told where they went."""
    (obj,) = decoded(service("reviews", ports="[{name: a, port: 80, targetPort: http}, {name: b, port: 81, targetPort: nope}]"))
    (upsert,) = endpoint_slices(obj, placed("reviews-v1", ports={9080: 19080}))
    assert [(port.name, port.port) for port in spec_of(upsert).ports] == [("a", 19080)]


@pytest.mark.parametrize(
    "text",
    [service("bare", selector="{}"), service("other", selector="{app: ratings}"), service("far", namespace="shop")],
    ids=["no selector", "other labels", "other namespace"],
)
def test_no_slice_for_others(text: str) -> None:
    """A Service gets endpoints only from workloads that it selects."""
    assert endpoint_slices(decoded(text)[0], placed("reviews-v1")) == ()


def test_secret_of_a_certificate() -> None:
    """A throw-away certificate becomes a Secret as kubectl would make it, which never shows its key."""
    upsert = tls_secret("istio-system", "cert", KeyPair("CERTIFICATE", "PRIVATE"))
    data = spec_of(upsert).data
    assert (upsert.key.namespace, upsert.key.name) == ("istio-system", "cert")
    assert (data["tls.crt"].reveal(), data["tls.key"].reveal()) == (b"CERTIFICATE", b"PRIVATE")
    assert "PRIVATE" not in repr(upsert)


def test_an_object_of_ours_that_is_refused_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """What we add is valid; anything else is our own mistake."""
    monkeypatch.setattr(overlay, "SERVICE_NAME_LABEL", "not a label")
    monkeypatch.setattr(overlay, "decode", lambda _raw: type("Refused", (), {"diagnostics": ("no",)})())
    with pytest.raises(CompileBug, match="a Secret of our own is refused: no"):
        tls_secret("a", "b", KeyPair("c", "d"))


class Recorder:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        """Start empty."""
        self.sets: list[ChangeSet] = []
        self.news = asyncio.Event()

    def submit(self, changes: ChangeSet) -> None:
        """Keep a set."""
        self.sets.append(changes)
        self.news.set()

    async def next(self) -> ChangeSet:
        """Return the next set of the local objects."""
        async with asyncio.timeout(10):
            while not any(changes.source == "local" for changes in self.sets):
                self.news.clear()
                await self.news.wait()
        found = next(changes for changes in self.sets if changes.source == "local")
        self.sets.clear()
        return found


def told(changes: ChangeSet) -> list[str]:
    """Return the changes in short."""
    return [f"{'-' if isinstance(change, Delete) else '+'}{change.key.name}" for change in changes.changes]


async def test_slices_follow_the_services() -> None:
    """Endpoints appear with a Service, change with it and go with it; equal ones are not told again."""
    local = LocalObjects(placed("reviews-v1"), [tls_secret("istio-system", "cert", KeyPair("c", "k"))])
    files = MemorySource(*decoded(service("reviews")), name="files")
    sink = Recorder()
    source = local.observed(files)
    assert source.name == "files"
    task = asyncio.create_task(local.run(sink))
    await source.run(sink)
    first = await sink.next()
    assert (told(first), first.synced) == (["+reviews-reviews-v1", "+cert"], True)
    # MemorySource speaks to the sink it was run with, which is the listening one.
    files.apply(*decoded(service("reviews", ports="[{name: http, port: 9080, targetPort: 7000}]")))
    assert told(await sink.next()) == ["+reviews-reviews-v1"]
    files.apply(*decoded(deployment("reviews-v3")))
    assert told(await sink.next()) == []
    files.delete(decoded(service("reviews"))[0].key)
    assert told(await sink.next()) == ["-reviews-reviews-v1"]
    task.cancel()


async def test_nothing_is_said_before_the_others_are_in_sync() -> None:
    """A mesh without endpoints must not be served, so the local objects wait for the Services."""
    local = LocalObjects(placed("reviews-v1"))
    files = MemorySource(*decoded(service("reviews")), name="files")
    source = local.observed(files)
    sink = Recorder()
    task = asyncio.create_task(local.run(sink))
    await asyncio.sleep(0)
    assert sink.sets == []
    await source.run(sink)
    assert told(await sink.next()) == ["+reviews-reviews-v1"]
    task.cancel()


def test_the_first_source_wins() -> None:
    """Of two sources with one Service the one observed first counts."""
    local = LocalObjects(placed("reviews-v1"))
    local.observed(MemorySource(name="first"))
    local.observed(MemorySource(name="second"))
    for name, port in (("second", 2000), ("first", 1000)):
        objects = decoded(service("reviews", ports=f"[{{port: {port}}}]"))
        local.take(ChangeSet(tuple(map(Upsert, objects)), name))
    (change,) = local.changes()
    assert isinstance(change, Upsert)
    assert spec_of(change).ports[0].port == 1000


def test_services_and_gateways_are_remembered() -> None:
    """What is observed can be asked for, as it counts now; other kinds are not kept."""
    local = LocalObjects(())
    local.observed(MemorySource(name="files"))
    objects = decoded("---".join((service("reviews"), gateway("entrance"), deployment("reviews-v1"))))
    local.take(ChangeSet(tuple(map(Upsert, objects)), "files"))
    assert [obj.key.name for obj in local.observed_objects()] == ["reviews", "entrance"]
    local.take(ChangeSet((Delete(objects[1].key),), "files"))
    assert [obj.key.name for obj in local.observed_objects()] == ["reviews"]


def test_places_are_asked_of_the_source_behind() -> None:
    """File and line of a finding come from the observed source, where it knows them."""
    local = LocalObjects(())
    assert isinstance(local.observed(MemorySource(name="a")), SourceLocator)
    finding: Any = object()
    assert getattr(local.observed(MemorySource(name="b")), "locate")(finding) is finding  # noqa: B009  (no part of the protocol Source)
