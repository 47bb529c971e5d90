"""No request is lost, and no connection reset, while listeners and routes change on the ports that are in use."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshctl_operator.bootstrap.options import XdsVariant
from tests.support.gapless import BLOG, PORT, SHOP, credential, destination, entrance, mesh_wide, rule, running, tls_server

pytestmark = pytest.mark.envoy

AROUND = 5
variants = pytest.mark.parametrize("variant", list(XdsVariant), ids=lambda variant: variant.name)


@variants
async def test_settings_of_a_listener_change(tmp_path: Path, variant: XdsVariant) -> None:
    """Settings of the mesh change all listeners, together with a route: Envoy puts the new listener in the place of the old one."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        for number in range(2 * AROUND):
            version = ("v1", "v2")[number % 2]
            mesh.change(
                mesh_wide(pathNormalization={"normalization": ("BASE", "MERGE_SLASHES")[number % 2]}),
                rule(SHOP, destination(SHOP, version)),
            )
            await mesh.answered_by(version)
            await mesh.settled()
        await mesh.traffic.more(20)


@variants
async def test_the_hosts_of_a_server_change(tmp_path: Path, variant: XdsVariant) -> None:
    """The port of a gateway is shared by one server for all hosts, then by one for each, then again by one."""
    async with running(tmp_path, variant) as mesh, mesh.serving():
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG))
        await mesh.answered_by("v1")
        one = entrance(mesh.address)
        (server,) = one["spec"]["servers"]
        port = {"number": PORT, "protocol": "HTTP"}
        each = [{**server, "port": {**port, "name": f"http-{host}"}, "hosts": [host]} for host in (SHOP, BLOG)]
        for _ in range(AROUND):
            await mesh.edit({**one, "spec": {"servers": each}})
            await mesh.traffic.more(5)
            await mesh.edit(
                {**one, "spec": {"servers": [*each, {**server, "port": {**port, "name": "rest"}, "hosts": ["rest.example.org"]}]}}
            )
            await mesh.traffic.more(5)
            await mesh.edit(one)
            await mesh.traffic.more(5)


@variants
async def test_a_port_for_tls_gets_more_hosts_and_other_certificates(tmp_path: Path, variant: XdsVariant) -> None:
    """Servers for other hosts come and go on the port for TLS, a certificate is renewed, and the port for plain HTTP changes meanwhile."""
    secrets = [credential("shop", 1), credential("blog", 1)]
    async with running(tmp_path, variant, *secrets) as mesh, mesh.serving():
        base = tls_server(mesh.address, SHOP, "shop")
        await mesh.edit(entrance(mesh.address, base))
        await mesh.ready()
        await mesh.traffic.load(*mesh.targets(SHOP, BLOG), *mesh.secure(SHOP))
        await mesh.traffic.answered_by({"gateway/secure-shop": ("v1",)})
        for number in range(AROUND):
            version = ("v2", "v1")[number % 2]
            mesh.change(entrance(mesh.address, base, tls_server(mesh.address, BLOG, "blog")), rule(SHOP, destination(SHOP, version)))
            await mesh.traffic.answered_by({"gateway/secure-shop": (version,)})
            await mesh.edit(credential("shop", number + 2))
            await mesh.traffic.more(5)
            await mesh.edit(entrance(mesh.address, base))
            await mesh.traffic.more(5)
