"""Rules of the match blocks of HTTP rules."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from meshctl_operator.apis import codes as structure_codes
from meshctl_operator.apis.networking.common import StringMatch
from meshctl_operator.apis.networking.virtual_service import HttpMatchRequest
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import check_labels, check_port, check_regex, is_dns_label, is_header_name

_PSEUDO_HEADERS: Final = frozenset({":method", ":scheme", ":authority", ":path", ":status"})
_CLAIM: Final = re.compile(r"@request\.auth\.claims(?:(?:\.[^.\[\]]+)+|(?:\[[^\[\]]+\])+)", re.IGNORECASE)
_CLAIM_PREFIX: Final = "@request.auth.claims"


def is_claim(name: str) -> bool:
    """Tell whether a header name stands for a claim of a JSON web token, such as ``@request.auth.claims.group``."""
    return name[:1] == "@" and name.lower().startswith(_CLAIM_PREFIX)


def check_http_matches(blocks: Sequence[HttpMatchRequest], path: str, findings: Findings, *, applies_to_mesh: bool) -> None:
    """Check the match blocks of one rule."""
    for index, block in enumerate(blocks):
        where = f"{path}[{index}]"
        if block.uri is not None and block.uri.regex is not None:
            check_regex(block.uri.regex, f"{where}.uri.regex", findings)
        if block.scheme is not None:
            _check_match(block.scheme, f"{where}.scheme", findings)
        if block.method is not None:
            _check_match(block.method, f"{where}.method", findings)
        if block.authority is not None:
            _check_match(block.authority, f"{where}.authority", findings)
        if block.headers:
            _check_headers(block.headers, f"{where}.headers", findings, applies_to_mesh=applies_to_mesh)
        if block.without_headers:
            _check_headers(block.without_headers, f"{where}.withoutHeaders", findings, applies_to_mesh=applies_to_mesh, star=True)
        for name, match in block.query_params.items():
            _check_match(match, child(f"{where}.queryParams", name), findings)
        if block.port:
            check_port(block.port, f"{where}.port", findings)
        check_labels(block.source_labels, f"{where}.sourceLabels", findings)
        if block.source_namespace and not is_dns_label(block.source_namespace):
            findings.error(codes.BAD_NAME, f"{where}.sourceNamespace", f'"{block.source_namespace}" is not a namespace')


def _check_match(match: StringMatch, path: str, findings: Findings, *, star: bool = False) -> None:
    if match.prefix == "":
        findings.error(codes.BAD_MATCH, f"{path}.prefix", "is empty", hint="write {} to ask that it is present")
    if match.regex is not None and not (star and match.regex == "*"):
        check_regex(match.regex, f"{path}.regex", findings)


def _check_headers(headers: Mapping[str, StringMatch], path: str, findings: Findings, *, applies_to_mesh: bool, star: bool = False) -> None:
    for name, match in headers.items():
        where = child(path, name)
        if is_claim(name):
            if not _CLAIM.fullmatch(name):
                findings.error(codes.BAD_HTTP_MATCH, where, f'"{name}" names no claim', hint="write @request.auth.claims.group")
            elif applies_to_mesh:
                hint = "set gateways, without mesh"
                findings.error(codes.BAD_HTTP_MATCH, where, "claims are matched at gateways only", hint=hint)
            else:
                message = "is compared with verified tokens, and none are verified yet: no request has the claim"
                findings.warn(structure_codes.NOT_COMPILED, where, message)
        elif name not in _PSEUDO_HEADERS and not is_header_name(name):
            findings.error(codes.BAD_HTTP_MATCH, where, f'"{name}" is not the name of a header')
        _check_match(match, where, findings, star=star)
