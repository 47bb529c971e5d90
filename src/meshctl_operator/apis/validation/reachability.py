"""Warnings about rules that an earlier rule leaves nothing to match. Never errors: order may be deliberate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from meshctl_operator.apis.networking.common import StringMatch
from meshctl_operator.apis.networking.virtual_service import HttpMatchRequest, HttpRoute, TcpRoute, TlsRoute
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings

MOST_COMPARED: Final = 16
"""Blocks of one path with which a block is compared: thousands under one path would take minutes, and only a warning is missed."""


def check_http_reachability(routes: Sequence[HttpRoute], path: str, findings: Findings) -> None:
    """Warn about HTTP rules and match blocks that earlier ones make useless."""
    prefixes: dict[str, list[tuple[HttpMatchRequest, str]]] = {}
    known: dict[str, str] = {}
    catch_all: str | None = None
    for index, route in enumerate(routes):
        where = f"{path}[{index}]"
        if catch_all is not None:
            findings.warn(codes.UNREACHABLE, where, f"is never reached: {catch_all} has no match and takes every request")
            continue
        if not route.match:
            catch_all = f"http[{index}]"
            continue
        useless = []
        for position, block in enumerate(route.match):
            place = f"http[{index}].match[{position}]"
            earlier = known.get(key := _block_key(block)) or _covering(block, prefixes)
            if earlier is not None:
                useless.append((f"{where}.match[{position}]", earlier))
                continue
            known[key] = place
            covered = "" if block.uri is None else block.uri.prefix
            if covered is not None and route.delegate is None:  # whether a delegate takes everything is not known here
                prefixes.setdefault(covered, []).append((block, place))
        if len(useless) == len(route.match):
            findings.warn(codes.UNREACHABLE, where, f"is never reached: {useless[0][1]} already matches the same requests")
        else:
            for place, earlier in useless:
                findings.warn(codes.UNREACHABLE, place, f"is never reached: {earlier} already matches the same requests")


def check_l4_reachability(routes: Sequence[TlsRoute | TcpRoute], path: str, findings: Findings) -> None:
    """Warn about TLS and TCP rules behind a rule without match, and about equal match blocks."""
    known: dict[str, str] = {}
    catch_all: str | None = None
    for index, route in enumerate(routes):
        if catch_all is not None:
            message = f"is never reached: {catch_all} has no match and takes every connection"
            findings.warn(codes.UNREACHABLE, f"{path}[{index}]", message)
        elif not route.match:
            catch_all = f"{path.removeprefix('spec.')}[{index}]"
        for position, block in enumerate(route.match) if catch_all is None else ():
            place = f"{path.removeprefix('spec.')}[{index}].match[{position}]"
            earlier = known.setdefault(repr(block), place)
            if earlier != place:
                message = f"is never reached: {earlier} matches the same connections"
                findings.warn(codes.UNREACHABLE, f"{path}[{index}].match[{position}]", message)


def _text(match: StringMatch | None) -> tuple[str | None, str | None, str | None] | None:
    return None if match is None else (match.exact, match.prefix, match.regex)


def _texts(matches: Mapping[str, StringMatch]) -> list[tuple[str, object]]:
    return sorted((name, _text(match)) for name, match in matches.items())


def _block_key(block: HttpMatchRequest) -> str:
    """Return text that is equal for blocks with equal conditions; the name of a block is no condition."""
    conditions = (
        *map(_text, (block.uri, block.scheme, block.method, block.authority)),
        *((_texts(found) if found else None) for found in (block.headers, block.without_headers, block.query_params)),
        block.port,
        block.ignore_uri_case,
        block.source_namespace,
        sorted(block.source_labels.items()) if block.source_labels else None,
        sorted(block.gateways),
    )
    return repr(conditions)


def _covering(block: HttpMatchRequest, prefixes: Mapping[str, Sequence[tuple[HttpMatchRequest, str]]]) -> str | None:
    """Return the place of an earlier prefix match that takes every request of this block."""
    text = "" if block.uri is None else block.uri.prefix or block.uri.exact or ""
    for end in range(len(text) + 1) if prefixes else ():
        for earlier, place in prefixes.get(text[:end], ())[:MOST_COMPARED]:
            if _implies(block, earlier):
                return place
    return None


def _implies(block: HttpMatchRequest, earlier: HttpMatchRequest) -> bool:
    """Tell whether every condition of the earlier block, but for its path, is also one of this block."""
    if earlier.ignore_uri_case != block.ignore_uri_case:
        return False
    for mine, theirs in ((block.scheme, earlier.scheme), (block.method, earlier.method), (block.authority, earlier.authority)):
        if theirs is not None and theirs != mine:
            return False
    for found, wanted in (
        (block.headers, earlier.headers),
        (block.without_headers, earlier.without_headers),
        (block.query_params, earlier.query_params),
        ({} if block.gateways else block.source_labels, earlier.source_labels),  # Istio ignores labels beside gateways
    ):
        if wanted and not wanted.items() <= found.items():
            return False
    return (
        earlier.port in {0, block.port}
        and earlier.source_namespace in {"", block.source_namespace}
        and (not earlier.gateways or (bool(block.gateways) and set(block.gateways) <= set(earlier.gateways)))
    )
