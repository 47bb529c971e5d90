"""Probes of applications, rewritten so that Envoy answers for them: with the sidecar in between, the kubelet would ask Envoy, not the application.

A probe by HTTP gets a path of its own at the proxy (``bootstrap.listeners``). Others cannot be passed on, so their ports are kept out of
the interception. Probes by a command run inside the container and stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from meshctl_operator.bootstrap.options import AppProbe
from meshctl_operator.injector.json_values import Json, JsonObject, as_object, as_objects, as_text, copied

_PROBES: Final = {"readinessProbe": "readyz", "livenessProbe": "livez", "startupProbe": "startupz"}
_HANDLERS: Final = {"preStop": "prestopz", "postStart": "poststartz"}
_HOP_HEADERS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class RewrittenProbes:
    """The containers with their probes rewritten; what Envoy has to answer for; the ports to keep out of the interception.

    ``originals`` maps the new path to the probe as it was, so that it can be put back.
    """

    containers: tuple[JsonObject, ...]
    probes: tuple[AppProbe, ...]
    originals: JsonObject
    kept_out: tuple[int, ...]


def rewrite_probes(containers: list[JsonObject], port: int, *, skip: str) -> RewrittenProbes:
    """Rewrite the probes of the containers to a port of the proxy; the container named ``skip`` is the proxy itself."""
    written, probes, originals, kept_out = [], [], JsonObject(), []
    for container in containers:
        container = copied(container)  # noqa: PLW2901  (the one given stays as it is)
        if container.get("name") != skip:
            for handler, path in _handlers(container):
                kept_out += [number for kind in ("tcpSocket", "grpc") if (number := _port(as_object(handler.get(kind)), container))]
                asked = handler.get("httpGet")
                probe = _http_probe(as_object(asked), container, path) if isinstance(asked, dict) else None
                if probe is not None:
                    probes.append(probe)
                    originals[path] = {"httpGet": {**as_object(copied(asked)), "port": as_object(asked).get("port")}}
                    handler["httpGet"] = {"path": path, "port": port}
        written.append(container)
    return RewrittenProbes(tuple(written), tuple(probes), originals, tuple(dict.fromkeys(kept_out)))


def restore_probes(containers: list[JsonObject], originals: JsonObject) -> list[JsonObject]:
    """Return the containers with the probes that ``rewrite_probes`` has taken note of."""
    restored = copied(containers)
    for container in restored:
        for handler, path in _handlers(container):
            before = as_object(originals.get(path))
            if as_object(handler.get("httpGet")).get("path") == path and before:
                handler["httpGet"] = before["httpGet"]
    return restored


def _handlers(container: JsonObject) -> list[tuple[JsonObject, str]]:
    """Return the probes and handlers of a container, each with the path that stands for it."""
    name = as_text(container.get("name"))
    lifecycle = as_object(container.get("lifecycle"))
    found = [(container.get(kind), f"/app-health/{name}/{path}") for kind, path in _PROBES.items()]
    found += [(lifecycle.get(kind), f"/app-lifecycle/{name}/{path}") for kind, path in _HANDLERS.items()]
    return [(as_object(value), path) for value, path in found if isinstance(value, dict)]


def _http_probe(asked: JsonObject, container: JsonObject, path: str) -> AppProbe | None:
    """Return what Envoy asks the application for; None for a probe of another host or of a port that is not known."""
    port = _port(asked, container)
    if not port or asked.get("host"):
        return None
    target = as_text(asked.get("path")) or "/"
    headers = {as_text(header.get("name")).lower(): as_text(header.get("value")) for header in as_objects(asked.get("httpHeaders"))}
    return AppProbe(
        path=path,
        port=port,
        target=quote(target if target.startswith("/") else f"/{target}", safe="/?&=%:@!$'()*+,;~-._[]"),
        headers=tuple((name, value) for name, value in headers.items() if name not in _HOP_HEADERS),
        host=headers.get("host", ""),
        tls=asked.get("scheme") == "HTTPS",
    )


def _port(asked: JsonObject, container: JsonObject) -> int:
    """Return the number of a port that may be given by name; 0 if there is none."""
    match asked.get("port"):
        case bool():
            return 0
        case int(number):
            return number
        case str(name) if name.isdigit():
            return int(name)
        case str(name):
            return _named_port(as_objects(container.get("ports")), name)
        case _:
            return 0


def _named_port(ports: list[JsonObject], name: str) -> int:
    found: Json = next((port.get("containerPort") for port in ports if port.get("name") == name), 0)
    return found if isinstance(found, int) else 0
