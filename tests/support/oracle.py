"""What VirtualServices mean for one request, straight from the documents: slow, plain, and without a line of the compiler.

It knows scenes: every object is public, short names are of services of the cluster, a gateway serves every host on its declared port 80.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import re2

Document = Mapping[str, Any]
_SUFFIX = "svc.cluster.local"


@dataclass(frozen=True)
class Call:
    """A request as routes see it. ``gateway`` is ``mesh`` or ``namespace/name``; ``port`` that of the service or of the server."""

    host: str
    path: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    gateway: str = "mesh"
    port: int = 80
    namespace: str = "default"
    labels: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Verdict:
    """The rule that takes the call: ``namespace/name`` of the VirtualService and the names of rule and block; None: no rule does."""

    owner: str
    name: str


def decide(documents: Iterable[Document], call: Call) -> Verdict | None:
    """Return what takes the call. For the mesh the first VirtualService of the host decides alone, on gateways all do in turn."""
    objects = [each for each in documents if each["kind"] == "VirtualService" and call.gateway in _gateways(each)]
    objects.sort(key=lambda each: (each["metadata"].get("creationTimestamp", ""), each["metadata"]["name"], each["metadata"]["namespace"]))
    matching = [(found, each) for each in objects if (found := _best_host(each, call)) is not None]
    if not matching:
        return None
    most = min((found for found, _ in matching), key=_specificity)
    chosen = [each for found, each in matching if found == most and any(_routes(each, call))]
    if call.gateway == "mesh":
        chosen = chosen[:1]
    routes = [(each, rule, block) for each in chosen for rule, block in _routes(each, call)]
    routes.sort(key=lambda entry: _is_catch_all(entry[2]))
    for each, rule, block in routes:
        if _matches(block, call):
            meta = each["metadata"]
            name = f"{rule.get('name', '')}.{block['name']}" if block and block.get("name") else rule.get("name", "")
            return Verdict(f"{meta['namespace']}/{meta['name']}", name)
    return None


def _gateways(document: Document) -> list[str]:
    listed = document["spec"].get("gateways") or ["mesh"]
    return [name if name == "mesh" or "/" in name else f"{document['metadata']['namespace']}/{name}" for name in listed]


def _best_host(document: Document, call: Call) -> str | None:
    namespace = document["metadata"]["namespace"]
    names = [host if "." in host or host == "*" else f"{host}.{namespace}.{_SUFFIX}" for host in document["spec"].get("hosts", ())]
    fitting = [name for name in names if name == call.host or (name[0] == "*" and call.host.endswith(name[1:]) and call.host != name[1:])]
    return min(fitting, key=_specificity, default=None)


def _specificity(host: str) -> tuple[bool, int]:
    return host[0] == "*", -len(host)


def _routes(document: Document, call: Call) -> Iterator[tuple[Document, Document | None]]:
    """Yield the rules and blocks that are there for the caller, up to the first that takes everything."""
    for rule in document["spec"].get("http", ()):
        for block in rule.get("match") or [None]:
            if block is not None and not _is_for(block, document, call):
                continue
            yield rule, block
            if _is_catch_all(block):
                return


def _is_for(block: Document, document: Document, call: Call) -> bool:
    if block.get("port") and block["port"] != call.port:
        return False
    if block.get("gateways"):
        return call.gateway in _gateways({"metadata": document["metadata"], "spec": block})
    labels = call.labels or {}
    return block.get("sourceNamespace", "") in {"", call.namespace} and all(
        labels.get(name) == value for name, value in block.get("sourceLabels", {}).items()
    )


def _is_catch_all(block: Document | None) -> bool:
    """Tell whether a block takes every request: only then nothing follows it in its object, and gateways try it last."""
    if block is None:
        return True
    path = {key: value for key, value in block.get("uri", {}).items() if value is not None}
    if any(block.get(name) is not None for name in ("method", "scheme", "authority")):
        return False
    return path in ({}, {"prefix": "/"}, {"regex": ".*"}) and not any(
        block.get(name) for name in ("headers", "withoutHeaders", "queryParams")
    )


def _matches(block: Document | None, call: Call) -> bool:
    if block is None:
        return True
    bare, mark, query = call.path.partition("?")
    headers = {"x-forwarded-proto": "http", **{name.lower(): value for name, value in (call.headers or {}).items()}}
    said = headers["x-forwarded-proto"]
    headers |= {":method": call.method, ":scheme": said if said in {"http", "https"} and call.gateway == "mesh" else "http"}
    pairs = (part.partition("=") for part in reversed(query.split("&") if mark else []))
    parameters = {name: value for name, _, value in pairs}
    folded = block.get("ignoreUriCase") and "regex" not in block.get("uri", {})
    uri = {kind: text.lower() if folded else text for kind, text in block.get("uri", {}).items()}
    return (
        (not uri or _fits(uri, bare.lower() if folded else bare))
        and all(_fits(block[name], headers[f":{name}"]) for name in ("method", "scheme") if name in block)
        and ("authority" not in block or _fits(block["authority"], headers.get("host", call.host)))
        and all(_fits(match, headers.get(name.lower())) for name, match in block.get("headers", {}).items())
        and all(_fits(match, parameters.get(name)) for name, match in block.get("queryParams", {}).items())
        and not any(
            _fits(match, headers.get(name.lower(), "" if match else None)) for name, match in block.get("withoutHeaders", {}).items()
        )
    )


def _fits(match: Mapping[str, str], value: str | None) -> bool:
    if value is None:
        return False
    if "exact" in match:
        return value == match["exact"]
    if "prefix" in match:
        return value.startswith(match["prefix"])
    return "regex" not in match or re2.fullmatch(match["regex"], value) is not None
