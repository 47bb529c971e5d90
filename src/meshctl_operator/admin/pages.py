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
    revision = state.revision if state is not None else None
    return {"proxy": session.proxy_id, "revision": revision, "synced": session.settled, "types": types}


def _in_sync(type_url: TypeUrl, held: dict[str, str], wanted: dict[str, str]) -> bool:
    """CDS and LDS are asked for as a whole; of the others a proxy may hold fewer than there are."""
    if type_url.full_state:
        return held == wanted
    return all(wanted.get(name, version) == version for name, version in held.items())


def config_dump(session: ProxySession) -> dict[str, object]:
    """Return every resource of a proxy as protobuf JSON with its version and the objects it came from; secrets without their bodies."""
    from meshctl_operator.compiler.emit.rendering import as_json  # the generated classes are loaded with the page that needs them

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
                "resource": REDACTED if type_url is TypeUrl.SECRET else as_json(compiled),
            }
            for name, compiled in served.compiled.resources.get(type_url, {}).items()
        ]
    return {"proxy": session.proxy_id, "revision": served.state.revision, "resources": resources}
