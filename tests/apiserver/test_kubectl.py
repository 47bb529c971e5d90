"""What people do with kubectl on our CRDs: look, ask what a field means, and apply what they have, in any version."""

from __future__ import annotations

import json
from pathlib import Path

import aiohttp
import pytest

from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import KINDS, Kind
from tests.support.ads_bootstrap import ads_bootstrap
from tests.support.api_server import ApiServer, free_port, object_path
from tests.support.envoy_process import EnvoyProcess
from tests.support.meshes import RawObject, istio, service
from tests.support.operator_process import next_event, serving
from tests.support.upstreams import upstream

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(180)]

OF_EACH_KIND = (
    istio("Gateway", "a", {"servers": [{"port": {"number": 80, "protocol": "HTTP", "name": "http"}, "hosts": ["*"]}]}),
    istio("VirtualService", "a", {"hosts": ["shop"], "gateways": ["edge"], "http": [{"route": [{"destination": {"host": "shop"}}]}]}),
    istio("DestinationRule", "a", {"host": "shop"}),
    istio(
        "ServiceEntry",
        "a",
        {"hosts": ["shop"], "ports": [{"number": 80, "name": "http"}], "location": "MESH_EXTERNAL", "resolution": "DNS"},
    ),
    istio("WorkloadEntry", "a", {"address": "10.9.8.7"}),
    istio("WorkloadGroup", "a", {"template": {}}),
    istio("Sidecar", "a", {"egress": [{"hosts": ["./*"]}]}),
)
COLUMNS = {
    "gw": ["NAME", "ACCEPTED", "PROGRAMMED", "AGE"],
    "vs": ["NAME", "GATEWAYS", "HOSTS", "ACCEPTED", "PROGRAMMED", "AGE"],
    "dr": ["NAME", "HOST", "ACCEPTED", "PROGRAMMED", "AGE"],
    "se": ["NAME", "HOSTS", "LOCATION", "RESOLUTION", "ACCEPTED", "PROGRAMMED", "AGE"],
    "we": ["NAME", "ADDRESS", "ACCEPTED", "PROGRAMMED", "AGE"],
    "wg": ["NAME", "ACCEPTED", "PROGRAMMED", "AGE"],
    "sidecars": ["NAME", "ACCEPTED", "PROGRAMMED", "AGE"],
}


def test_columns(users_server: ApiServer) -> None:
    """Short names, what users know of each kind, and the two conditions."""
    users_server.apply(*OF_EACH_KIND)
    conditions = [{"type": "Accepted", "status": "True"}, {"type": "Programmed", "status": "False"}]
    for given in OF_EACH_KIND:
        users_server.request(
            "PATCH", f"{object_path(given)}/status", {"status": {"conditions": conditions}}, content="application/merge-patch+json"
        )
    for name, expected in COLUMNS.items():
        head, row = users_server.kubectl("get", name).stdout.splitlines()
        assert head.split() == expected
        assert row.split()[-3:-1] == ["True", "False"]
    assert '["shop"]' in users_server.kubectl("get", "vs,dr,se").stdout
    assert users_server.kubectl("get", "istio-io", "-o", "name").stdout.count("/a") == len(OF_EACH_KIND)


def test_fields_explain_themselves(users_server: ApiServer) -> None:
    """With words of our own, for every kind, also deep inside."""
    text = users_server.kubectl("explain", "vs.spec.http.route").stdout
    assert "destination" in text
    assert "weight" in text
    for kind in ROUTING_SPECS:
        described = users_server.kubectl("explain", f"{KINDS[kind].plural}.spec").stdout
        assert "<no description>" not in described.partition("FIELDS:")[0]
    assert "mirror_percent" in users_server.kubectl("explain", "vs.spec.http", "--api-version=networking.istio.io/v1alpha3").stdout


def in_the_oldest_version(given: RawObject) -> RawObject:
    """Return the object as it was written years ago."""
    return {**given, "apiVersion": "networking.istio.io/v1alpha3"}


def story(reviews: dict[str, int], external: int) -> list[RawObject]:
    """Return a gateway on port 80, what it routes to by path and header, subsets and a host outside, given the ports of the servers."""
    gateway = {
        "selector": {"app": "gw"},
        "servers": [{"port": {"number": 80, "name": "http", "protocol": "HTTP"}, "hosts": ["*"]}],
    }
    paths = [{"uri": {"exact": "/productpage"}}, {"uri": {"prefix": "/static"}}]
    rules = [
        {"match": [{"uri": {"prefix": "/outside"}}], "route": [{"destination": {"host": "outside.example.com"}}]},
        {
            "match": [{"headers": {"end-user": {"exact": "jason"}}, **paths[0]}],
            "route": [{"destination": {"host": "reviews.test", "subset": "v2"}}],
        },
        {"match": paths, "route": [{"destination": {"host": "reviews.test", "subset": "v1"}}]},
        {"match": [{"uri": {"regex": "/api/v[0-9]+"}}], "route": [{"destination": {"host": "reviews.test", "subset": "v3"}}]},
    ]
    endpoints = [{"address": "127.0.0.1", "labels": {"version": version}, "ports": {"http": port}} for version, port in reviews.items()]
    ports = [{"number": 80, "name": "http", "protocol": "HTTP"}]
    outside = [{"address": "127.0.0.1", "ports": {"http": external}}]
    objects = (
        istio("Gateway", "bookinfo-gateway", gateway),
        istio("VirtualService", "bookinfo", {"hosts": ["*"], "gateways": ["bookinfo-gateway"], "http": rules}),
        istio("DestinationRule", "reviews", {"host": "reviews.test", "subsets": [{"name": v, "labels": {"version": v}} for v in reviews]}),
        istio("ServiceEntry", "reviews", {"hosts": ["reviews.test"], "ports": ports, "resolution": "STATIC", "endpoints": endpoints}),
        istio(
            "ServiceEntry",
            "outside",
            {"hosts": ["outside.example.com"], "ports": ports, "location": "MESH_EXTERNAL", "resolution": "STATIC", "endpoints": outside},
        ),
    )
    return [in_the_oldest_version(given) for given in objects]


@pytest.mark.envoy
async def test_objects_of_the_oldest_version_route(users_server: ApiServer, tmp_path: Path) -> None:
    """A Gateway on port 80, rules by path and header, subsets and an external host, all v1alpha3: one apply, and requests go where they should."""
    port = free_port()
    gateway = service("gw", 80, selector={"app": "gw"}, ports=[{"name": "http", "port": 80, "targetPort": port}])
    async with upstream("v1") as v1, upstream("v2") as v2, upstream("v3") as v3, upstream("outside") as external:
        users_server.apply(gateway)
        with serving(users_server) as process:
            address = next_event(process)["xds"]
            next_event(process, "synced")
            bootstrap = ads_bootstrap(address, "router~127.0.0.1~gw.default~default.svc.cluster.local", ["cds", "lds"])
            bootstrap["node"]["metadata"] = {"LABELS": {"app": "gw"}, "NAMESPACE": "default"}
            async with EnvoyProcess(bootstrap, tmp_path) as envoy, aiohttp.ClientSession() as http:
                items = story({"v1": v1, "v2": v2, "v3": v3}, external)
                done = users_server.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
                assert done.stderr == ""

                async def asked(path: str, **headers: str) -> str:
                    try:
                        async with http.get(f"http://127.0.0.1:{port}{path}", headers=headers) as response:
                            return await response.text() if response.status == 200 else str(response.status)
                    except aiohttp.ClientError as error:
                        return repr(error)

                async def is_routed() -> bool:
                    return await asked("/outside") == "outside"

                await envoy.wait_until(is_routed, "the rules are in force")
                assert await asked("/productpage") == "v1"
                assert await asked("/static/style.css") == "v1"
                assert await asked("/productpage", **{"end-user": "jason"}) == "v2"
                assert await asked("/productpage", **{"end-user": "john"}) == "v1"
                assert await asked("/api/v7") == "v3"
                assert await asked("/nothing") == "404"
    kinds = {Kind.GATEWAY, Kind.VIRTUAL_SERVICE, Kind.DESTINATION_RULE, Kind.SERVICE_ENTRY}
    stored = [users_server.kubectl("get", KINDS[kind].plural, "-o", "jsonpath={.items[*].apiVersion}").stdout for kind in sorted(kinds)]
    assert set(" ".join(stored).split()) == {"networking.istio.io/v1"}
