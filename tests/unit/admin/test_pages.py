"""Debug pages say what a proxy should hold, and never what is secret."""

from __future__ import annotations

import json

from meshctl_operator.admin.pages import REDACTED, config_dump, connection, sync_status
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.resources import CompiledProxy, CompiledResource
from meshctl_operator.controlplane.nodes import read_proxy
from meshctl_operator.controlplane.pipeline import Served
from meshctl_operator.controlplane.plane import ControlPlane
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.controlplane.settings import Settings
from meshctl_operator.controlplane.states import StateBuilder
from meshctl_operator.xds.events import AckEvent, NackEvent
from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.resources import TypeUrl

NODE = NodeInfo("sidecar~10.0.0.1~a.b~b.svc.cluster.local", user_agent="envoy", version=(1, 40, 0))
SENTINEL = b"-----SENTINEL KEY-----"


def session() -> ProxySession:
    """Return a session without state."""
    return ProxySession(NODE, "delta", "ipv4:127.0.0.1:1", 10.0, ControlPlane(Settings(), []))


def served(**resources: tuple[TypeUrl, bytes]) -> Served:
    """Return something to serve."""
    by_type: dict[str, dict[str, CompiledResource]] = {}
    for name, (type_url, body) in resources.items():
        by_type.setdefault(type_url, {})[name] = CompiledResource(type_url, name, body, (ObjectKey("Service", "b", "a"),))
    compiled = CompiledProxy(by_type, ())
    return Served(read_proxy(NODE).proxy, compiled, StateBuilder().state(3, compiled, None))


def test_connections_say_who_is_there() -> None:
    """With the version of Envoy and for how long."""
    page = connection(session(), 12.5)
    assert (page["proxy"], page["envoy"], page["seconds"], page["protocol"]) == ("a.b", "1.40.0", 2.5, "delta")


def test_sync_status_of_each_type() -> None:
    """Nothing sent, in sync, behind, rejected."""
    here = session()
    assert sync_status(here)["revision"] is None
    here.update(served(c1=(TypeUrl.CLUSTER, b""), r1=(TypeUrl.ROUTE, b""), r2=(TypeUrl.ROUTE, b"")))
    assert here.state is not None
    version = {kind: {name: resource.version for name, resource in here.state.of(kind).items()} for kind in TypeUrl}
    here.acked(AckEvent(TypeUrl.CLUSTER, 3, {"c1": "old"}))
    here.acked(AckEvent(TypeUrl.ROUTE, 3, {"r1": version[TypeUrl.ROUTE]["r1"]}))
    here.nacked(NackEvent(TypeUrl.LISTENER, 3, {}, "bad", "1"))
    types = sync_status(here)["types"]
    assert isinstance(types, dict)
    assert {name: row["status"] for name, row in types.items()} == {
        "CDS": "STALE",
        "EDS": "NOT SENT",
        "LDS": "ERROR",
        "RDS": "SYNCED",
        "SDS": "NOT SENT",
    }
    here.acked(AckEvent(TypeUrl.CLUSTER, 3, {"c1": version[TypeUrl.CLUSTER]["c1"]}))
    types = sync_status(here)["types"]
    assert isinstance(types, dict)
    assert types["CDS"]["status"] == "SYNCED"


def test_config_dump_shows_messages_and_provenance_but_no_secrets() -> None:
    """A sentinel in a secret never shows."""
    here = session()
    assert config_dump(here)["resources"] == {}
    cluster = b"\n\x02c1"  # envoy.config.cluster.v3.Cluster{name: "c1"}
    here.update(served(c1=(TypeUrl.CLUSTER, cluster), key=(TypeUrl.SECRET, SENTINEL)))
    page = json.dumps(config_dump(here))
    assert json.loads(page)["resources"]["CDS"][0]["resource"] == {"name": "c1"}
    assert json.loads(page)["resources"]["CDS"][0]["objects"] == ["Service/b/a"]
    assert json.loads(page)["resources"]["SDS"][0]["resource"] == REDACTED
    assert "SENTINEL" not in page
