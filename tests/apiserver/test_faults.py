"""An API server in trouble changes nothing; when it is back, what happened meanwhile is caught up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshctl_operator.apis.kinds import KINDS, Kind
from tests.support.api_server import ApiServer, api_server
from tests.support.kube_rig import Told, kube_settings, telling
from tests.support.meshes import endpoints, service, virtual_service
from tests.support.tcp_proxy import TcpProxy

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]
CATCH_UP = 60.0


@contextmanager
def behind_proxy(server: ApiServer) -> Iterator[tuple[TcpProxy, Path]]:
    """Put a proxy before the API server; yields it and a kubeconfig that leads there."""
    with TcpProxy(server.port) as proxy:
        yield proxy, server.kubeconfig(server=f"https://127.0.0.1:{proxy.port}", name="kubeconfig-proxy")


def change_everything(server: ApiServer) -> None:
    """Delete, change and create objects of both ways in, while nobody hears of it."""
    server.delete(virtual_service("gone", "a"))
    server.delete(service("gone"))
    server.apply(virtual_service("changed", "other"), virtual_service("new", "a"), service("new"), service("changed", 8))


async def caught_up(told: Told) -> None:
    """Wait until what ``change_everything`` did is told."""

    def done() -> bool:
        rule, changed = told.held("VirtualService", "changed"), told.held("Service", "changed")
        return (
            told.names("VirtualService") == {"changed", "new"}
            and told.names("Service") == {"changed", "new", "kubernetes"}
            and rule is not None
            and rule.object.spec.http[0].route[0].destination.host == "other"
            and changed is not None
            and changed.object.spec.ports[0].port == 8
        )

    await told.until(done, timeout=CATCH_UP)


BEFORE = (virtual_service("gone", "a"), virtual_service("changed", "a"), service("gone"), service("changed"), endpoints("gone", "10.1.0.1"))


async def test_what_happened_while_it_could_not_be_reached_is_caught_up(server: ApiServer) -> None:
    """Deletions too. Meanwhile everything stays as it was."""
    server.apply(*BEFORE)
    with behind_proxy(server) as (proxy, kubeconfig):
        async with telling(kube_settings(kubeconfig)) as told:
            await told.in_sync()
            proxy.refuse(refusing=True)
            await told.until(lambda: told.telemetry.kube_failures.total > 0)
            change_everything(server)
            assert told.names("VirtualService") == {"changed", "gone"}
            proxy.refuse(refusing=False)
            await caught_up(told)


async def test_an_expired_watch_is_caught_up(server: ApiServer) -> None:
    """After a compaction the server answers 410 to whoever goes on from an older version: everything is listed again."""
    server.apply(*BEFORE)
    with behind_proxy(server) as (proxy, kubeconfig):
        async with telling(kube_settings(kubeconfig)) as told:
            await told.in_sync()
            proxy.refuse(refusing=True)
            await told.until(lambda: told.telemetry.kube_failures.total > 0)
            change_everything(server)
            server.compact()
            server.stop()  # its own cache of events would bridge the gap
            server.start()
            proxy.refuse(refusing=False)
            await caught_up(told)
            assert told.telemetry.kube_relists.total > 0


async def test_a_server_that_is_restarted_costs_no_object(server: ApiServer) -> None:
    """Not even while it starts, when it does not serve the kinds of CRDs yet."""
    server.apply(*BEFORE)
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        before = len(told.sets)
        server.stop()
        await told.until(lambda: told.telemetry.kube_failures.total > 0)
        await asyncio.to_thread(server.start)
        assert [change for changes in told.sets[before:] for change in changes.changes if change.key.name != "kubernetes"] == []
        change_everything(server)
        await caught_up(told)


async def test_connections_that_are_cut_again_and_again_lose_nothing(server: ApiServer) -> None:
    """Every change gets through between two cuts."""
    with behind_proxy(server) as (proxy, kubeconfig):
        async with telling(kube_settings(kubeconfig)) as told:
            await told.in_sync()
            for number in range(4):
                proxy.cut()
                name = f"r{number}"
                server.apply(virtual_service(name, "a"), service(name))
                await told.until(lambda name=name: name in told.names("VirtualService") and name in told.names("Service"))  # type: ignore[misc]
            assert told.telemetry.kube_restarts.total > 0


async def test_a_kind_starts_when_its_crd_is_installed(tmp_path: Path) -> None:
    """And all kinds count as listed before: there is nothing of them."""
    with api_server(tmp_path, crds=False) as server:
        async with telling(kube_settings(server.kubeconfig())) as told:
            await told.in_sync()
            await asyncio.to_thread(server.install, KINDS[Kind.VIRTUAL_SERVICE])
            server.apply(virtual_service("a", "a"))
            await told.until(lambda: told.names("VirtualService") == {"a"}, timeout=CATCH_UP)
            await asyncio.to_thread(server.uninstall, KINDS[Kind.VIRTUAL_SERVICE])
            await told.until(lambda: not told.names("VirtualService"), timeout=CATCH_UP)
