"""The local mesh on a terminal."""

from __future__ import annotations

import asyncio
import io
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.events import Acked, ConfigApplied, Connected, Nacked
from meshctl_operator.dev import codes, table
from meshctl_operator.dev.envoys import EnvoyAdmin
from meshctl_operator.dev.events import GatewayPorts, ProcessDied, Ready
from meshctl_operator.dev.layout import LocalProxy
from meshctl_operator.dev.mesh import Traffic
from meshctl_operator.dev.table import Changes, LiveReporter, PlainReporter, _shown, entrances, remark, text_reporter
from meshctl_operator.dev.workloads import Server, place
from tests.support.local_objects import decoded, deployment, gateway

KEY = ObjectKey("VirtualService", "default", "reviews")
FINDING = codes.NOT_RUN.warning(KEY, "", "is not run")


def ready(*paths: str) -> Ready:
    """Return a mesh of one gateway with two ports."""
    text = "---".join((deployment("gw", labels="{role: edge}"), gateway("a"), gateway("b", port=443)))
    (edge,) = place(decoded(text), []).workloads
    proxy = LocalProxy(edge, "127.0.0.1", EnvoyAdmin("127.0.0.1", 15000), ((80, 8080), (443, 8443)))
    return Ready(2300, (proxy,), "127.0.0.1:15010", "127.0.0.1:15014", (FINDING,), "/logs/x", paths)


def lines_of(*events: Any) -> list[str]:
    """Return the lines of the last edits after some events."""
    changes = Changes()
    for event in events:
        changes.take(event)
    return [change.line() for change in changes.last]


APPLIED = ConfigApplied(7, (KEY,), (), 2)


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ((APPLIED,), "VirtualService/default/reviews: 2 resources, on the way"),
        (
            (APPLIED, Acked("a", "RDS", 7, 10.0), Acked("b", "RDS", 7, 12.4), Acked("b", "CDS", 6, 99.0)),
            "VirtualService/default/reviews: 2 resources live in 2 Envoys after 12 ms",
        ),
        (
            (Acked("a", "RDS", 7, 10.0), ConfigApplied(7, (KEY,), (), 1)),
            "VirtualService/default/reviews: 1 resource live in 1 Envoy after 10 ms",
        ),
        (
            (Nacked("a", "LDS", 7, 9.0, "no", (), ()), APPLIED),
            "VirtualService/default/reviews: 2 resources, refused by 1 Envoy",
        ),
        (
            (APPLIED, Acked("a", "RDS", 7, 10.0), Nacked("b", "LDS", 7, 9.0, "no", (), ())),
            "VirtualService/default/reviews: 2 resources live in 1 Envoy after 10 ms, refused by 1 Envoy",
        ),
        ((ConfigApplied(7, (KEY,), (), 0),), "VirtualService/default/reviews: no Envoy is concerned"),
        ((ConfigApplied(7, (), (KEY,), 0),), "VirtualService/default/reviews rejected, the last good state stays: no Envoy is concerned"),
        ((ConfigApplied(7, (), (), 0, healed=1),), "mended: 1 finding gone, and every object is as it was"),
        ((ConfigApplied(7, (KEY,), (), 0, healed=2),), "VirtualService/default/reviews: no Envoy is concerned, 2 findings gone"),
        (
            (ConfigApplied(7, (), (ObjectKey("File", "", "a.yaml"),), 0),),
            "a.yaml rejected, the last good state stays: no Envoy is concerned",
        ),
        (
            (ConfigApplied(7, (KEY,), (ObjectKey("Gateway", "a", "b"),), 1),),
            "VirtualService/default/reviews; Gateway/a/b rejected, the last good state stays: 1 resource, on the way",
        ),
    ],
    ids=[
        "on the way",
        "live",
        "answered before it was told",
        "refused",
        "refused by some",
        "no difference",
        "rejected",
        "mended",
        "mended and changed",
        "a file",
        "both",
    ],
)
def test_an_edit_in_one_line(events: tuple[Any, ...], line: str) -> None:
    """The line says what changed, how much of it, and when the last Envoy had it."""
    assert lines_of(*events) == [line]


def test_only_the_last_edits_are_kept() -> None:
    """The table does not grow."""
    assert len(lines_of(*(ConfigApplied(number, (KEY,), (), 1) for number in range(20)))) == 6


@pytest.mark.parametrize(
    ("paths", "urls"),
    [
        ((), ["http://127.0.0.1:8080/", "http://127.0.0.1:8443/"]),
        (("/productpage",), ["http://127.0.0.1:8080/productpage", "http://127.0.0.1:8443/productpage"]),
    ],
)
def test_where_to_click(paths: tuple[str, ...], urls: list[str]) -> None:
    """Each port of a gateway is an address to open, at the path worth opening."""
    assert [url for url, _ in entrances(ready(*paths))] == urls


def test_a_port_without_http_has_no_path() -> None:
    """TCP is no page to open."""
    told = ready("/productpage")
    (edge,) = told.proxies
    tcp = replace(edge, workload=replace(edge.workload, servers=(Server(31400, 31400, "TCP"), Server(8443, 8443, "HTTPS"))))
    urls = [url for url, _ in entrances(replace(told, proxies=(tcp,)))]
    assert urls == ["tcp://127.0.0.1:31400", "https://127.0.0.1:8443/productpage"]


def test_a_taken_port_is_told_with_its_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Envoy cannot bind is somebody's, and the line says whose."""
    monkeypatch.setattr(table, "owner_of", lambda address, port: f"nginx (pid 7) at {address}:{port}")
    said = remark(Nacked("gw.default", "LDS", 7, 1.0, "cannot bind '127.0.0.1:9000': Address already in use", ("l",), (KEY,)))
    assert said is not None
    assert said[0].endswith("Address already in use; it is taken by nginx (pid 7) at 127.0.0.1:9000")


def test_a_gateway_at_other_ports() -> None:
    """The line says where the new port is, and which is gone."""
    (edge,) = ready().proxies
    said = remark(GatewayPorts(edge, {"80": "127.0.0.1:8080"}, {"81": "127.0.0.1:81"}))
    assert said is not None
    assert said[0] == "gw answers at http://127.0.0.1:8080/ and no longer answers at port 81"


def test_remarks() -> None:
    """Rejections and restarts are told beyond the table, the rest is not."""
    said = remark(Nacked("p", "RDS", 7, 1.0, "bad route", ("9080",), (KEY,)))
    assert said is not None
    assert said[0] == "p rejects RDS (VirtualService/default/reviews): bad route"
    died = remark(ProcessDied("reviews-v1", "exit code 1"))
    assert died is not None
    assert "reviews-v1 ended with exit code 1" in died[0]
    assert remark(Connected("p", "delta")) is None


class SettledMesh:
    """Stands in for a mesh whose Envoys have answered."""

    async def settled(self) -> None:
        """Return at once."""

    async def traffic(self) -> dict[str, Traffic]:
        """Return some requests."""
        return {"reviews-v2": Traffic(12, 10, 1, 1), "gw": Traffic()}


class Screen(io.StringIO):
    """A stream in memory that can be waited for."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        """Keep the text and wake who waits."""
        self.written.set()
        return super().write(text)

    async def shows(self, text: str) -> None:
        """Return when the text is there."""
        async with asyncio.timeout(10):
            while text not in self.getvalue():
                self.written.clear()
                await self.written.wait()


async def test_lines_for_pipes() -> None:
    """Without a terminal there are plain lines: what starts, where to click, what changed and how soon it was live."""
    screen = Screen()
    reporter = PlainReporter(Console(file=screen, width=160, soft_wrap=True, highlight=False))
    reporter.starting(ready().proxies)
    reporter.ready(ready("/productpage"))
    reporter.event(Acked("a", "RDS", 7, 12.0))
    reporter.event(ConfigApplied(7, (KEY,), (), 1, (FINDING,)))
    reporter.event(ProcessDied("reviews-v1", "signal SIGKILL"))
    mesh: Any = SettledMesh()
    watching = asyncio.create_task(reporter.watch(mesh))
    await screen.shows("live in")
    watching.cancel()
    text = screen.getvalue()
    assert "starting 1 gateways" in text
    assert "ready in 2.3 s\n  http://127.0.0.1:8080/productpage  (gw port 80)" in text
    assert "\n  control plane: xDS 127.0.0.1:15010, http 127.0.0.1:15014\n  Envoy admin: gw 127.0.0.1:15000\n" in text
    assert text.count(str(FINDING)) == 2
    assert "reviews-v1 ended with signal SIGKILL; it is started again" in text
    assert "VirtualService/default/reviews: 1 resource live in 1 Envoy after 12 ms" in text


async def test_table_for_terminals() -> None:
    """On a terminal the requests of each workload are shown with their rate, by class of status."""
    screen = Screen()
    reporter = LiveReporter(Console(file=screen, width=160, force_terminal=True, color_system=None, highlight=False))
    reporter.starting(ready().proxies)
    reporter.ready(ready())
    reporter.event(APPLIED)
    reporter.event(ProcessDied("reviews-v1", "exit code 1"))
    (edge,) = ready().proxies
    here = replace(edge, workload=replace(edge.workload, servers=(Server(9000, 9000),)))
    reporter.event(GatewayPorts(here, {"9000": "127.0.0.1:9000"}, {}))
    mesh: Any = SettledMesh()
    watching = asyncio.create_task(reporter.watch(mesh))
    await screen.shows("reviews-v2")
    watching.cancel()
    await asyncio.wait([watching])
    assert str(FINDING) in screen.getvalue()
    page = Console(file=io.StringIO(), width=160)
    page.print(reporter.render(2.0, {"reviews-v2": Traffic(2, 2, 0, 0)}))
    assert isinstance(page.file, io.StringIO)
    assert page.file.getvalue().startswith("http://127.0.0.1:9000/  gw port 9000\n")
    row = next(line for line in page.file.getvalue().splitlines() if line.startswith("reviews-v2"))
    assert row.split() == ["reviews-v2", "12", "5", "10", "1", "1"]
    assert page.file.getvalue().count("127.0.0.1:15000") == 1


def test_files_below_the_current_folder_are_called_from_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A place can be clicked or copied; one elsewhere keeps its full path."""
    monkeypatch.chdir(tmp_path)
    assert _shown(FINDING.at(str(tmp_path / "mesh" / "a.yaml"), 3)).plain.startswith(f"mesh{os.sep}a.yaml:3: warning")
    assert _shown(FINDING.at("/elsewhere/a.yaml", 3)).plain.startswith("/elsewhere/a.yaml:3: warning")
    assert _shown(FINDING).plain == str(FINDING)
    path = str(tmp_path / "a.yaml")
    broken = codes.NOT_RUN.error(ObjectKey("File", "", path), "", "not YAML").at(path, 1)
    assert _shown(broken).plain == "a.yaml:1: error [MC4101] not YAML"


@pytest.mark.parametrize(("terminal", "kind"), [(True, LiveReporter), (False, PlainReporter)], ids=["terminal", "pipe"])
def test_the_reporter_suits_the_output(monkeypatch: pytest.MonkeyPatch, terminal: bool, kind: type) -> None:  # noqa: FBT001  (a column of the table)
    """A terminal gets the table, a pipe gets lines."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert isinstance(text_reporter(), kind)
