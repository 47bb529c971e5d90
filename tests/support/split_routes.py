"""Split route configurations for tests with real Envoys: small messages, and a client of the listeners."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from envoy.config.listener.v3 import listener_pb2
from envoy.extensions.filters.http.fault.v3 import fault_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
from google.protobuf.json_format import ParseDict

from meshctl_operator.compiler.emit.routes import (
    emit_route_configuration,
    emit_split_route_configuration,
    emit_virtual_host,
    split_virtual_hosts,
    virtual_host_resource_name,
)
from meshctl_operator.compiler.inputs.routes import (
    DirectResponseInput,
    MatchKind,
    RouteConfigurationInput,
    RouteInput,
    RouteMatchInput,
    TextMatchInput,
    VirtualHostInput,
)
from tests.support.ads_bootstrap import ADS, ads_bootstrap
from tests.support.envoy_process import EnvoyProcess

_REGISTERED = (fault_pb2, router_pb2, http_connection_manager_pb2)  # the type URLs that ParseDict resolves inside Any
_TYPES = "type.googleapis.com/envoy.extensions.filters"
_FILTERS = {"fault": f"{_TYPES}.http.fault.v3.HTTPFault", "router": f"{_TYPES}.http.router.v3.Router"}
ANYTHING = RouteMatchInput()
BAD_REGEX = RouteMatchInput(TextMatchInput(MatchKind.REGEX, "("))
NO_STATUS = RouteInput(ANYTHING, DirectResponseInput(99))  # what Envoy's validation of the message refuses


def listener(name: str, route: str, stat_prefix: str = "") -> Any:
    """Return a listener on a free port whose routes come by RDS."""
    hcm = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": stat_prefix or name,
        "rds": {"config_source": ADS, "route_config_name": route},
        "http_filters": [{"name": f"envoy.filters.http.{kind}", "typed_config": {"@type": url}} for kind, url in _FILTERS.items()],
    }
    body = {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": hcm}]}],
    }
    return ParseDict(body, listener_pb2.Listener())


def host(name: str, *domains: str, says: str = "", match: RouteMatchInput = ANYTHING) -> VirtualHostInput:
    """Return a virtual host that answers everything with a text: its own name, if nothing else is said."""
    return VirtualHostInput(name, domains or (name,), (RouteInput(match, DirectResponseInput(200, says or name)),))


REST = host("rest", "*")
A, B = host("a.com"), host("b.com")


def virtual_hosts(route: str, *hosts: VirtualHostInput) -> dict[str, Any]:
    """Return the messages of virtual hosts by their resource names."""
    return {entry.name: emit_virtual_host(entry) for entry in split_virtual_hosts(route, hosts)} if hosts else {}


def names(route: str, *hosts: VirtualHostInput) -> list[str]:
    """Return the resource names of virtual hosts."""
    return [virtual_host_resource_name(route, entry.name) for entry in hosts]


def shell(route: str, **settings: Any) -> dict[str, Any]:
    """Return a split route configuration by its name."""
    return {route: emit_split_route_configuration(RouteConfigurationInput(route, **settings))}


def whole(route: str, *hosts: VirtualHostInput) -> dict[str, Any]:
    """Return a whole route configuration by its name."""
    return {route: emit_route_configuration(RouteConfigurationInput(route, hosts))}


class Client:
    """Requests to the listeners of an Envoy."""

    def __init__(self, envoy: EnvoyProcess, http: aiohttp.ClientSession) -> None:
        self.envoy, self._http = envoy, http

    async def ports(self) -> dict[str, int]:
        """Return the ports of the listeners that are open, by the names of the listeners."""
        statuses = json.loads(await self.envoy.get("/listeners?format=json")).get("listener_statuses", [])
        return {entry["name"]: entry["local_address"]["socket_address"]["port_value"] for entry in statuses}

    async def open(self, name: str) -> int:
        """Wait until a listener takes connections; returns its port."""
        found: list[int] = []

        async def is_open() -> bool:
            found[:] = [port for listener_name, port in (await self.ports()).items() if listener_name == name]
            return bool(found) and (await self.envoy.get("/ready")).strip() == "LIVE"

        await self.envoy.wait_until(is_open, f"listener {name} is open")
        return found[0]

    async def ask(self, authority: str, listener_name: str = "web") -> str:
        """Return what answers a host: the text, or the status where it is not 200."""
        return await self.ask_port(await self.open(listener_name), authority)

    async def ask_port(self, port: int, authority: str) -> str:
        """As ``ask``, on a port that is open."""
        async with self._http.get(f"http://127.0.0.1:{port}/", headers={"Host": authority}) as response:
            return await response.text() if response.status == 200 else str(response.status)

    @asynccontextmanager
    async def load(self, *authorities: str) -> AsyncIterator[Counter[str]]:
        """Ask the same hosts again and again; yields the answers, counted."""
        port, answers, all_told = await self.open("web"), Counter[str](), False

        async def asking(authority: str) -> None:
            while not all_told:
                answers[await self.ask_port(port, authority)] += 1
            for _ in range(5):
                answers[await self.ask_port(port, authority)] += 1

        async with asyncio.TaskGroup() as tasks:
            for authority in authorities:
                tasks.create_task(asking(authority))
            yield answers
            all_told = True


@asynccontextmanager
async def running(server: str, binary: Path, folder: Path) -> AsyncIterator[tuple[EnvoyProcess, aiohttp.ClientSession]]:
    """Run an Envoy that asks the server for its listeners."""
    bootstrap = ads_bootstrap(server, "test-proxy", ["lds"])
    async with EnvoyProcess(bootstrap, folder, binary=binary, log_level="critical", ready=False) as envoy, aiohttp.ClientSession() as http:
        yield envoy, http
