"""A pretended API server for faults that a real one does not produce on request: each request of a path takes the next answer of its script."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web


@dataclass(frozen=True, slots=True)
class Answer:
    """A document with its status and headers."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a watch, after which the connection stays open unless it is to end."""

    events: Sequence[Any]
    ends: bool = False
    gate: asyncio.Event | None = None  # waited for before the last event


class ScriptedApi:
    """Serves the scripts. A script that is used up repeats its last answer."""

    def __init__(self) -> None:
        """Start with no script: everything is 404."""
        self.lists: dict[str, list[Answer]] = defaultdict(list)
        self.watches: dict[str, list[Answer | Events]] = defaultdict(list)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.url = ""
        self._stop = asyncio.Event()

    def asked(self, check: Callable[[dict[str, str]], bool]) -> int:
        """Return how many requests had a query like that."""
        return sum(check(query) for _, query in self.requests)

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig that leads here."""
        content = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.url}}],
            "users": [{"name": "u", "user": {"token": "secret"}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(yaml.safe_dump(content))
        return path

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer by the script."""
        query = dict(request.query)
        self.requests.append((request.path, query))
        script: list[Any] = self.watches[request.path] if query.get("watch") else self.lists[request.path]
        if not script:
            return web.json_response({"kind": "Status", "code": 404, "message": "not found"}, status=404)
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Answer):
            return web.json_response(answer.body, status=answer.status, headers=answer.headers)
        response = web.StreamResponse()
        await response.prepare(request)
        for number, event in enumerate(answer.events, 1):
            if answer.gate is not None and number == len(answer.events):
                await answer.gate.wait()
            await response.write(json.dumps(event).encode() + b"\n")
        if not answer.ends:
            await self._stop.wait()
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedApi]:
        """Serve for the length of a block."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self.handle)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._stop.set()
            await runner.cleanup()


def listed(*items: Any, version: str = "10", token: str = "") -> Answer:
    """Return a page of a list."""
    return Answer({"kind": "List", "metadata": {"resourceVersion": version, "continue": token}, "items": list(items)})


def raw_service(name: str, version: str = "1", port: int = 80) -> dict[str, Any]:
    """Return a Service as an API server lists it: without kind and apiVersion."""
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", "resourceVersion": version},
        "spec": {"ports": [{"name": "http", "port": port}]},
    }


def failure(status: int, message: str = "no", **headers: str) -> Answer:
    """Return a refusal."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer({"kind": "Status", "code": status, "message": message}, status, given)
