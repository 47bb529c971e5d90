"""What the debug pages show, as plain data: pure functions over the state of the control plane."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from meshctl_operator.controlplane.quarantine_board import way_out
from meshctl_operator.controlplane.sessions import ProxySession
from meshctl_operator.xds.resources import TypeUrl, XdsResource

if TYPE_CHECKING:
    from meshctl_operator.compiler.resources import CompiledResource
    from meshctl_operator.controlplane.pipeline import ResourceTrace
    from meshctl_operator.xds.quarantine import Held

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
    held_by_type = session.held
    for type_url in TypeUrl:
        current = len(state.of(type_url)) if state is not None else 0
        held = held_by_type.get(type_url)
        if type_url in session.rejected:
            status = "ERROR"
        elif held is None:
            status = "NOT SENT"
        elif _in_sync(session, type_url, held):
            status = "SYNCED"
        else:
            status = "STALE"
        types[type_url.short] = {"status": status, "held": len(held or ()), "current": current, "error": session.rejected.get(type_url)}
    revision = state.revision if state is not None else None
    return {"proxy": session.proxy_id, "revision": revision, "synced": session.settled, "types": types}


def _in_sync(session: ProxySession, type_url: TypeUrl, held: Mapping[str, str]) -> bool:
    """Tell whether a proxy holds what it should, in one of the two forms that routes are served in."""
    state = session.state
    if state is None:
        return not held
    return (
        session.settled or _same(type_url, held, state.of(type_url)) or (state.splits and _same(type_url, held, state.whole.of(type_url)))
    )


def _same(type_url: TypeUrl, held: Mapping[str, str], wanted: Mapping[str, XdsResource]) -> bool:
    """CDS and LDS are asked for as a whole; of the others a proxy may hold fewer than there are."""
    if type_url.full_state and len(held) != len(wanted):
        return False
    return all(name in wanted and wanted[name].version == version for name, version in held.items())


def config_dump(proxy: str, revision: int | None, resources: Mapping[TypeUrl, Mapping[str, CompiledResource]]) -> dict[str, object]:
    """Return resources as protobuf JSON with version and the objects that they came from; secrets without their bodies.

    Takes some time for a large mesh. What it reads never changes, so another thread may do it.
    """
    from meshctl_operator.compiler.emit.rendering import as_json  # the generated classes are loaded with the page that needs them

    def row(type_url: TypeUrl, resource: CompiledResource) -> dict[str, object]:
        return {
            "name": resource.name,
            "version": resource.version,
            "objects": [str(key) for key in resource.provenance],
            "resource": REDACTED if type_url is TypeUrl.SECRET else as_json(resource),
        }

    dumped = {each.short: [row(each, resource) for _, resource in sorted(resources[each].items())] for each in TypeUrl if each in resources}
    return {"proxy": proxy, "revision": revision, "resources": dumped}


def trace(found: ResourceTrace, sessions: Iterable[ProxySession]) -> dict[str, object]:
    """Return where one resource comes from: its objects, when and why it was computed last, and who should hold it."""
    type_url = TypeUrl(found.type_url)
    holders = {session.proxy_id for session in sessions if session.state is not None and _has(session, type_url, found)}
    return {
        "type": type_url.short,
        "name": found.name,
        "version": found.version,
        "objects": [str(key) for key in found.provenance],
        "recomputed_at": found.recomputed_at,
        "because": list(found.because),
        "proxies": sorted(holders),
    }


def quarantined(held: Held, now: float) -> dict[str, object]:
    """Return what is held back because proxies reject it, and what is served instead."""
    place = held.rejection
    return {
        "type": place.type_url.short,
        "name": place.name,
        "version": place.version,
        "envoy": place.kind.version,
        "extensions": place.kind.extensions,
        "objects": list(held.objects),
        "error": held.message,
        "last_good": held.instead.version if held.instead is not None else None,
        "kept": [f"{need.type_url.short} {need.name}" for need in held.needs],
        "rejections": held.attempts,
        "seconds": round(now - held.since, 3),
        "not_tried_before_seconds": round(max(0.0, held.not_before - now), 3),
        "way_out": way_out(held),
    }


def _has(session: ProxySession, type_url: TypeUrl, found: ResourceTrace) -> bool:
    resource = session.state.of(type_url).get(found.name) if session.state is not None else None
    return resource is not None and resource.version == found.version
