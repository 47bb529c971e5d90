"""The local mesh on a terminal: where to click, who gets how many requests, what changed last and how soon it was live."""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from meshctl_operator.base.diagnostics import Diagnostic, Severity
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.controlplane.events import Acked, ConfigApplied, Nacked
from meshctl_operator.dev.events import DevEvent, GatewayPorts, ProcessDied, Ready
from meshctl_operator.dev.layout import LocalProxy
from meshctl_operator.dev.ports import owner_of
from meshctl_operator.dev.workloads import Server
from meshctl_operator.sources.codes import FILE_KIND

if TYPE_CHECKING:
    from meshctl_operator.dev.mesh import LocalMesh, Traffic

_REFRESH: Final = 0.5
_CHANGES_SHOWN: Final = 6
_CANNOT_BIND: Final = re.compile(r"cannot bind '([\d.]+):(\d+)'")  # Envoy's words
_SEVERITY_STYLE: Final = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


@dataclass(slots=True)
class Answers:
    """Which Envoys accepted a revision, and when the last of them did, in milliseconds after the edit; and which refused it."""

    proxies: set[str] = field(default_factory=set)
    refusing: set[str] = field(default_factory=set)
    ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """One edit as it goes out: what changed and how many resources differ, with the answers of the Envoys."""

    config: ConfigApplied
    answers: Answers

    def line(self) -> str:
        """Return the edit in one line."""
        changed, rejected = (", ".join(map(_named, keys)) for keys in (self.config.changed, self.config.rejected))
        what = "; ".join(part for part in (changed, f"{rejected} rejected, the last good state stays" if rejected else "") if part)
        if self.config.healed and not what:
            return f"mended: {_counted(self.config.healed, 'finding')} gone, and every object is as it was"
        if not self.config.resources:
            gone = f", {_counted(self.config.healed, 'finding')} gone" if self.config.healed else ""
            return f"{what or 'no object changed'}: no Envoy is concerned{gone}"
        count = _counted(self.config.resources, "resource")
        refused = f", refused by {_counted(len(self.answers.refusing), 'Envoy')}" if self.answers.refusing else ""
        if not self.answers.proxies:
            return f"{what}: {count}{refused or ', on the way'}"
        return f"{what}: {count} live in {_counted(len(self.answers.proxies), 'Envoy')} after {self.answers.ms:.0f} ms{refused}"


class Changes:
    """The last edits, completed by what the Envoys answer. An answer may be quicker than the news of the edit itself."""

    def __init__(self) -> None:
        """Start without any."""
        self.last: deque[Change] = deque(maxlen=_CHANGES_SHOWN)
        self._answers: dict[int, Answers] = {}

    def take(self, event: DevEvent) -> None:
        """Note an event."""
        match event:
            case ConfigApplied():
                # A revision that nothing led to (a rejected edit) repeats the number of the one before.
                answers = self._of(event.revision) if event.resources else Answers()
                self.last.append(Change(event, answers))
            case Acked():
                answers = self._of(event.revision)
                answers.proxies.add(event.proxy)
                answers.ms = max(answers.ms, event.ms)
            case Nacked():
                self._of(event.revision).refusing.add(event.proxy)
            case _:
                pass

    def _of(self, revision: int) -> Answers:
        for old in [known for known in self._answers if known < revision - _CHANGES_SHOWN]:
            del self._answers[old]
        return self._answers.setdefault(revision, Answers())


def _shown(finding: Diagnostic) -> Text:
    """Return a finding as one line in the colour of its severity; a file below the current folder is called by its path from there."""
    if finding.source:
        key = finding.subject
        subject = key._replace(name=_from_here(key.name)) if key.kind == FILE_KIND else key
        finding = replace(finding, source=_from_here(finding.source), subject=subject)
    return Text(str(finding), style=_SEVERITY_STYLE[finding.severity])


def _named(key: ObjectKey) -> str:
    """Return how people call an object; a file is called by its path."""
    return _from_here(key.name) if key.kind == FILE_KIND else str(key)


def _from_here(path: str) -> str:
    """Return a path below the current folder as it is called from there, and any other as it is."""
    with contextlib.suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def remark(event: DevEvent) -> tuple[str, str] | None:
    """Return what an event tells people beyond the table, and its style; None for events that only move the table."""
    match event:
        case Nacked():
            objects = ", ".join(map(str, event.objects)) or ", ".join(event.resources)
            return f"{event.proxy} rejects {event.type} ({objects}): {event.detail}{_owner(event.detail)}", "bold red"
        case GatewayPorts():
            servers = {str(server.number): server for server in event.gateway.workload.servers}
            opened = [url for number in event.opened for url, _ in _entrance(event.gateway, servers[number], ())]
            closed = [f"port {number}" for number in event.closed if number not in event.opened]
            said = (f"answers at {', '.join(opened)}" if opened else "", f"no longer answers at {', '.join(closed)}" if closed else "")
            return f"{event.gateway.workload.name} {' and '.join(filter(None, said))}", "bold cyan"
        case ProcessDied():
            return f"{event.name} ended with {event.reason}; it is started again", "yellow"
        case _:
            return None


def _owner(detail: str) -> str:
    """Return who has the port that an Envoy could not bind, if its message is about one."""
    taken = _CANNOT_BIND.search(detail)
    owner = owner_of(taken[1], int(taken[2])) if taken else None
    return f"; it is taken by {owner}" if owner else ""


class PlainReporter:
    """Writes lines: for terminals that cannot redraw, pipes and logs."""

    def __init__(self, console: Console | None = None) -> None:
        """Take where to write, standard output by default."""
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._changes = Changes()
        self._fresh: asyncio.Queue[Change] = asyncio.Queue()

    def starting(self, proxies: tuple[LocalProxy, ...]) -> None:
        """Say what is coming."""
        gateways = sum(proxy.is_gateway for proxy in proxies)
        self._console.print(f"starting {gateways} gateways and {len(proxies) - gateways} workloads with their sidecars ...")

    def ready(self, ready: Ready) -> None:
        """Say where to click."""
        for finding in ready.findings:
            self._console.print(_shown(finding))
        self._console.print(f"ready in {ready.ms / 1000:.1f} s")
        for url, gateway in entrances(ready):
            self._console.print(f"  {url}  ({gateway})")
        self._console.print(f"  control plane: xDS {ready.xds}, http {ready.http}")
        self._console.print("  Envoy admin: " + ", ".join(f"{proxy.workload.name} {proxy.admin}" for proxy in ready.proxies))
        self._console.print(f"  log: {ready.log}")

    def event(self, event: DevEvent) -> None:
        """Say what changed, once the Envoys have it."""
        self._changes.take(event)
        if isinstance(event, ConfigApplied):
            for finding in event.diagnostics:
                self._console.print(_shown(finding))
            self._fresh.put_nowait(self._changes.last[-1])
        elif said := remark(event):
            self._console.print(Text(said[0], style=said[1]))

    async def watch(self, mesh: LocalMesh) -> None:
        """Wait for the Envoys after each edit, and say how long they took."""
        while True:
            change = await self._fresh.get()
            await mesh.settled()
            self._console.print(Text(change.line()))


class LiveReporter:
    """Redraws a table in place."""

    def __init__(self, console: Console | None = None) -> None:
        """Take the terminal, standard output by default."""
        self._console = console or Console()
        self._changes = Changes()
        self._ready: Ready | None = None
        self._traffic: Mapping[str, Traffic] = {}
        self._before: tuple[float, Mapping[str, Traffic]] = (0.0, {})
        self._live: Live | None = None

    def starting(self, proxies: tuple[LocalProxy, ...]) -> None:
        """Say that it takes a moment."""
        self._console.print(f"starting {len(proxies)} Envoys with their workloads ...", style="dim")

    def ready(self, ready: Ready) -> None:
        """Say what was found wrong; the rest is in the table."""
        for finding in ready.findings:
            self._console.print(_shown(finding))
        self._ready = ready

    def event(self, event: DevEvent) -> None:
        """Note it; findings and rejections are printed above the table and stay there."""
        self._changes.take(event)
        if isinstance(event, GatewayPorts) and self._ready is not None:
            key = event.gateway.workload.key
            proxies = (event.gateway if proxy.workload.key == key else proxy for proxy in self._ready.proxies)
            self._ready = replace(self._ready, proxies=tuple(proxies))
        if isinstance(event, ConfigApplied):
            for finding in event.diagnostics:
                self._console.print(_shown(finding))
        elif said := remark(event):
            self._console.print(Text(said[0], style=said[1]))

    async def watch(self, mesh: LocalMesh) -> None:
        """Redraw until cancelled."""
        with Live(console=self._console, auto_refresh=False, transient=False) as live:
            while True:
                now = time.monotonic()
                before_at, before = self._before
                self._traffic = await mesh.traffic()
                live.update(self.render(now - before_at, before), refresh=True)
                self._before = (now, self._traffic)
                await asyncio.sleep(_REFRESH)

    def render(self, seconds: float, before: Mapping[str, Traffic]) -> RenderableType:
        """Return what is shown: entrances, requests by workload with their rate since the traffic before, the last edits."""
        parts: list[RenderableType] = []
        if self._ready is not None:
            for url, gateway in entrances(self._ready):
                parts.append(Text.assemble((url, "bold underline cyan"), f"  {gateway}"))
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name, justify in (
            ("workload", "left"),
            ("requests", "right"),
            ("per s", "right"),
            ("2xx", "right"),
            ("4xx", "right"),
            ("5xx", "right"),
            ("Envoy admin", "left"),
        ):
            table.add_column(name, justify="left" if justify == "left" else "right")
        admins = {proxy.workload.name: str(proxy.admin) for proxy in self._ready.proxies} if self._ready is not None else {}
        for name, traffic in self._traffic.items():
            old = before.get(name)
            rate = (traffic.total - old.total) / seconds if old is not None and seconds > 0 else 0.0
            failed = Text(str(traffic.failed), style="bold red" if traffic.failed else "dim")
            admin = Text(admins.get(name, ""), style="dim")
            requests = (str(traffic.total), f"{rate:.0f}" if rate > 0 else "", str(traffic.good), str(traffic.refused))
            table.add_row(name, *requests, failed, admin)
        parts += [Text(), table, Text()]
        parts += [Text(change.line(), style="red" if change.config.rejected else "green") for change in self._changes.last]
        if self._ready is not None:
            parts.append(Text(f"ready in {self._ready.ms / 1000:.1f} s; log: {self._ready.log}; Ctrl-C ends it", style="dim"))
        return Group(*parts)


def entrances(ready: Ready) -> list[tuple[str, str]]:
    """Return the addresses that people can open, each with the gateway that answers."""
    return [
        entrance
        for gateway in ready.gateways
        for server in gateway.workload.servers
        for entrance in _entrance(gateway, server, ready.paths)
    ]


def _entrance(gateway: LocalProxy, server: Server, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Return the addresses of one port of a gateway; one that speaks no HTTP has no paths."""
    shown = [""] if server.scheme == "tcp" else paths or ["/"]
    return [(f"{server.scheme}://{gateway.address_of(server)}{path}", f"{gateway.workload.name} port {server.number}") for path in shown]


def text_reporter() -> PlainReporter | LiveReporter:
    """Return the reporter that suits standard output."""
    return LiveReporter() if sys.stdout.isatty() else PlainReporter()
