"""Rules of header operations: which names may be changed, and which values Envoy takes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from meshctl_operator.apis.networking.virtual_service import HeaderOperations, Headers, HttpRewrite
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.structure import did_you_mean
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.envoy_operators import (
    COMMAND_OPERATORS,
    LENGTH_OPERATORS,
    PLAIN_OPERATORS,
    REQUIRED_OPERATORS,
)
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import has_control_characters, is_header_name

_ESCAPE: Final = 'write "%%" for a percent sign'
_AUTHORITY: Final = frozenset({"host", ":authority"})
_OPERATOR: Final = re.compile(r'%(?:%|([A-Z0-9_]+)(\((?:\["(?:[^"\\]|\\.)*"(?:\s*,\s*"(?:[^"\\]|\\.)*")*\]|[^)]*)\))?(:\d+)?%)')
_HEADER_OPERATORS: Final = frozenset({"REQ", "RESP", "TRAILER"})


def is_authority(name: str) -> bool:
    """Tell whether a header operation on this name rewrites the authority of the request."""
    return name.lower() in _AUTHORITY


@lru_cache(maxsize=4096)
def value_problem(value: str) -> tuple[str, str | None] | None:
    """Return why Envoy refuses the value of a header to add, with a hint, or None."""
    if has_control_characters(value):
        return "holds a control character", None
    if "%" not in value:
        return None
    position = value.find("%")
    while position >= 0:
        match = _OPERATOR.match(value, position)
        if match is None:
            return f'"{value}" has a % that starts no command operator', _ESCAPE
        if match[1] is not None:
            problem = _operator_problem(match[1], match[2], match[3])
            if problem is not None:
                return problem
        position = value.find("%", match.end())
    return None


def _operator_problem(name: str, argument: str | None, length: str | None) -> tuple[str, str | None] | None:
    if name not in COMMAND_OPERATORS:
        return f'"%{name}%" is no command operator of Envoy', did_you_mean(name, COMMAND_OPERATORS) or _ESCAPE
    if argument is not None and name in PLAIN_OPERATORS:
        return f'"{name}" takes no argument', f"write %{name}%"
    if name in REQUIRED_OPERATORS and argument in {None, "()"}:
        return f'"{name}" needs an argument', f"write %{name}(...)%"
    if length is not None and name not in LENGTH_OPERATORS:
        return f'"{name}" cannot be cut to a length', f"leave {length} out"
    if name in _HEADER_OPERATORS and argument is not None:
        for header in argument[1:-1].split("?"):
            if not is_header_name(header.removeprefix(":")):
                return f'"{header}" in "%{name}{argument}%" is not the name of a header', None
    return None


def check_headers(headers: Headers, path: str, findings: Findings) -> None:
    """Check the operations on request and response headers."""
    if headers.request is not None:
        _check_operations(headers.request, f"{path}.request", findings, is_request=True)
    if headers.response is not None:
        _check_operations(headers.response, f"{path}.response", findings, is_request=False)


def _check_operations(operations: HeaderOperations, path: str, findings: Findings, *, is_request: bool) -> None:
    for action, entries in (("set", operations.set), ("add", operations.add)):
        for name, value in entries.items():
            where = child(f"{path}.{action}", name)
            _check_name(name, where, findings, authority=is_request)
            problem = value_problem(value)
            if problem is not None:
                findings.error(codes.BAD_HEADER_OPERATION, where, problem[0], hint=problem[1])
    for index, name in enumerate(operations.remove):
        _check_name(name, f"{path}.remove[{index}]", findings, authority=False)


def _check_name(name: str, path: str, findings: Findings, *, authority: bool) -> None:
    if is_authority(name):
        if not authority:
            hint = "the authority is changed by set in headers.request, or by rewrite.authority"
            findings.error(codes.BAD_HEADER_OPERATION, path, f'"{name}" cannot be changed here', hint=hint)
    elif name.startswith(":"):
        findings.error(codes.BAD_HEADER_OPERATION, path, f'"{name}" is a pseudo header and cannot be changed')
    elif not is_header_name(name):
        findings.error(codes.BAD_HEADER_OPERATION, path, f'"{name}" is not the name of a header')


def check_authority_once(rewrite: HttpRewrite | None, headers: Headers, path: str, findings: Findings) -> None:
    """Report an authority that is given more than once by rewrite, set and add."""
    places = ["rewrite.authority"] if rewrite is not None and rewrite.authority else []
    if headers.request is not None:
        for action, entries in (("set", headers.request.set), ("add", headers.request.add)):
            places += [f"headers.request.{action}" for name in entries if is_authority(name)]
    if len(places) > 1:
        message = f"the authority is given {len(places)} times: {', '.join(places)}"
        findings.error(codes.BAD_HEADER_OPERATION, path, message, hint="keep one of them")
