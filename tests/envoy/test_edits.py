"""Edits while the mesh runs: live soon, without a lost request, and never broken by a mistake."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.support.dev_mesh import DevMesh, Event, reviews_route

pytestmark = [pytest.mark.envoy, pytest.mark.asyncio(loop_scope="module")]

EDITS = 20


@pytest.fixture
def route(plain: DevMesh) -> Path:
    """Where the tests keep their VirtualService for reviews; in the folder that is removed after each test."""
    folder = plain.folder / "mesh" / "scenario"
    folder.mkdir()
    return folder / "reviews.yaml"


async def test_no_request_is_lost_while_editing(plain: DevMesh, route: Path) -> None:
    """A steady load sees no failure during twenty edits, and each edit takes effect."""
    await plain.edit(lambda: route.write_text(reviews_route("v1")))
    failed: list[object] = []
    asked, done = 0, False

    async def load() -> None:
        nonlocal asked
        while not done:
            status, body = await plain.get("/api/v1/products/0")
            asked += 1
            if status != 200 or '"error"' in body:
                failed.append((status, body))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(load())
        for number in range(EDITS):
            subset = ("v3", "v1", "v2")[number % 3]
            await plain.edit(lambda subset=subset: route.write_text(reviews_route(subset)))  # type: ignore[misc]  # bound at once
            assert await plain.reviewers(5) == {f"reviews-{subset}": 5}
        done = True
    assert not failed
    assert asked > EDITS * 5


BROKEN = {
    "not YAML": ("spec: [unclosed\n", 1),
    "an unknown field": (reviews_route("v3").replace("hosts:", "host:"), 5),
    "a negative weight": (reviews_route("v3").replace("subset: v3}", "subset: v3}\n      weight: -1"), 9),
}


@pytest.mark.parametrize("mistake", sorted(BROKEN))
async def test_a_broken_edit_changes_nothing(plain: DevMesh, route: Path, mistake: str) -> None:
    """A mistake is reported with file and line, traffic goes on by the last good state, and mending it heals."""
    await plain.edit(lambda: route.write_text(reviews_route("v1")))
    text, line = BROKEN[mistake]
    since = len(plain.events)
    route.write_text(text)
    event = await plain.event(lambda event: event["event"] == "config" and bool(event["rejected"]), since=since)
    findings = _errors(event)
    assert [(Path(str(found["source"])).name, found["line"]) for found in findings] == [("reviews.yaml", line)], findings
    assert await plain.reviewers(20) == {"reviews-v1": 20}
    await plain.edit(lambda: route.write_text(reviews_route("v3")))
    assert await plain.reviewers(20) == {"reviews-v3": 20}


async def test_a_host_that_does_not_exist_is_reported(plain: DevMesh, route: Path) -> None:
    """A destination that matches no service is no rejection, but a diagnostic with file and line and the likely name."""
    await plain.edit(lambda: route.write_text(reviews_route("v1")))
    since = len(plain.events)
    route.write_text(reviews_route("v1").replace("host: reviews,", "host: reviewz,"))
    event = await plain.event(lambda event: event["event"] == "config" and bool(event["diagnostics"]), since=since)
    (found,) = (found for found in event["diagnostics"] if found["path"].endswith("destination.host"))
    assert (Path(found["source"]).name, found["line"]) == ("reviews.yaml", 8)
    assert "reviews" in found["hint"]


async def test_ratings_that_died_are_said_in_words(plain: DevMesh, route: Path) -> None:
    """Without the ratings process the page says so and stays 200."""
    await plain.edit(lambda: route.write_text(reviews_route("v2")))
    assert "ratings-v1" in (await plain.get("/productpage"))[1]
    for attempt in range(100):
        for pid in _processes("services/ratings.py", plain.folder):
            os.kill(pid, signal.SIGKILL)
        status, html = await plain.get("/productpage")
        assert status == 200
        if "Ratings are not available right now" in html:
            return
        assert attempt < 99, "killed a hundred times and never missed"


def _errors(event: Event) -> list[Event]:
    return [found for found in event["diagnostics"] if found["severity"] == "error"]


def _processes(script: str, folder: Path) -> list[int]:
    """Return the processes that run a script of this mesh."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            here = (process / "cwd").resolve() == folder.resolve()
        except OSError:
            continue
        if here and any(word.endswith(script) for word in words):
            found.append(int(process.name))
    return found
