"""The process of the load: commands as lines of JSON on standard input, one answer each on standard output."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from functools import partial
from typing import Any

from tests.support.traffic.connections import Load, Server, Target
from tests.support.traffic.names import NameServer

Answer = dict[str, Any]


class Traffic:
    """Servers and clients."""

    def __init__(self) -> None:
        self._loads: dict[str, Load] = {}
        self._servers: dict[str, asyncio.Server] = {}

    async def serve(self, names: list[str]) -> Answer:
        """Run a server for each name on a free port; returns the ports."""
        loop = asyncio.get_running_loop()
        for name in names:
            self._servers[name] = await loop.create_server(partial(Server, name), "127.0.0.1", 0)
        return {name: self._servers[name].sockets[0].getsockname()[1] for name in names}

    async def names(self, delays: dict[str, int]) -> Answer:
        """Run a DNS server that answers these names after so many milliseconds; returns its port."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: NameServer(delays), ("127.0.0.1", 0))
        return {"port": transport.get_extra_info("sockname")[1]}

    async def load(self, targets: list[Answer]) -> Answer:
        """Ask more targets from now on."""
        for raw in targets:
            target = Target(**raw)
            self._loads[target.name] = Load(target, _anything() if target.tls else None)
        return {}

    async def take(self) -> Answer:
        """Return what happened since the last call, by target."""
        return {name: load.take().to_json() for name, load in self._loads.items()}

    async def stop(self) -> Answer:
        """End the load; returns as ``take``."""
        await asyncio.gather(*(load.stop() for load in self._loads.values()))
        found = await self.take()
        self._loads.clear()
        return found

    async def run(self) -> None:
        """Obey until standard input ends."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            answer = await getattr(self, command.pop("do"))(**command)
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()
        await self.stop()


def _anything() -> ssl.SSLContext:
    """Return a context that takes every certificate: it is the names that are asked for, not trust, that is tested."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    asyncio.run(Traffic().run())
