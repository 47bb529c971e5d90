"""What the debug pages show, as plain data: pure functions over the state of the control plane."""

from __future__ import annotations

from typing import Final

from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.xds.resources import TypeUrl

REDACTED: Final = "<redacted>"


def connection(session: ProxySession, now: float) -> dict[str, object]:
    """Return who is connected."""
    served = session.served
    proxy = served.proxy if served is not None else session.declared.proxy
    return {
        "proxy": session.proxy_id,
        "node": session.node_id,
        "role": proxy.role.value,
        "namespace": proxy.namespace,
        "ips": list(proxy.ips),
        "labels": dict(proxy.labels),
        "locality": str(proxy.locality),
        "protocol": session.protocol,
        "peer": session.peer,
        "envoy": session.envoy,
        "seconds": round(now - session.connected_at, 3),
    }


def sync_status(session: ProxySession) -> dict[str, object]:
    """Return, for each type, whether the proxy holds what it should: SYNCED, STALE, NOT SENT, or ERROR with what it says."""
    state = session.state
    types: dict[str, object] = {}
    for type_url in TypeUrl:
        wanted = {name: resource.version for name, resource in state.of(type_url).items()} if state is not None else {}
        held = session.held.get(type_url)
        if type_url in session.rejected:
            status = "ERROR"
        elif held is None:
            status = "NOT SENT"
        elif _in_sync(type_url, held, wanted):
            status = "SYNCED"
        else:
            status = "STALE"
        types[type_url.short] = {"status": status, "held": len(held or ()), "current": len(wanted), "error": session.rejected.get(type_url)}
    return {"proxy": session.proxy_id, "revision": state.revision if state is not None else None, "types": types}


def _in_sync(type_url: TypeUrl, held: dict[str, str], wanted: dict[str, str]) -> bool:
    """CDS and LDS are asked for as a whole; of the others a proxy may hold fewer than there are."""
    if type_url.full_state:
        return held == wanted
    return all(wanted.get(name, version) == version for name, version in held.items())


def config_dump(session: ProxySession) -> dict[str, object]:
    """Return every resource of a proxy as protobuf JSON with its version and the objects it came from; secrets without their bodies."""
    served = session.served
    if served is None:
        return {"proxy": session.proxy_id, "revision": None, "resources": {}}
    resources: dict[str, object] = {}
    for type_url in TypeUrl:
        framed = served.state.of(type_url)
        resources[type_url.short] = [
            {
                "name": name,
                "version": framed[name].version,
                "objects": [str(key) for key in compiled.provenance],
                "resource": REDACTED if type_url is TypeUrl.SECRET else _decoded(type_url, compiled.body),
            }
            for name, compiled in served.compiled.resources.get(type_url, {}).items()
        ]
    return {"proxy": session.proxy_id, "revision": served.state.revision, "resources": resources}


def _decoded(type_url: TypeUrl, body: bytes) -> object:
    """Return a message as protobuf JSON with the original field names."""
    from google.protobuf import json_format

    return json_format.MessageToDict(_message_type(type_url).FromString(body), preserving_proto_field_name=True)


def _message_type(type_url: TypeUrl):  # type: ignore[no-untyped-def]  # noqa: ANN202  (generated classes carry no types)
    """Return the class of a message; its generated module registers what is packed inside."""
    import meshctl_operator.compiler.emit.resources  # noqa: F401  (registers every message that the compiler packs into Any)
    from envoy.config.cluster.v3 import cluster_pb2
    from envoy.config.endpoint.v3 import endpoint_pb2
    from envoy.config.listener.v3 import listener_pb2
    from envoy.config.route.v3 import route_pb2

    return {
        TypeUrl.CLUSTER: cluster_pb2.Cluster,
        TypeUrl.ENDPOINT: endpoint_pb2.ClusterLoadAssignment,
        TypeUrl.LISTENER: listener_pb2.Listener,
        TypeUrl.ROUTE: route_pb2.RouteConfiguration,
    }[type_url]
