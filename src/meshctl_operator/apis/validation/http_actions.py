"""Rules of what an HTTP rule does: redirect, direct response, rewrite, retries, faults, mirrors, CORS."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Final

from meshctl_operator.apis.networking.common import Destination, Percent
from meshctl_operator.apis.networking.virtual_service import (
    CorsPolicy,
    FaultAbort,
    FaultDelay,
    HttpDirectResponse,
    HttpFaultInjection,
    HttpRetry,
    HttpRewrite,
    HttpRoute,
)
from meshctl_operator.apis.structure import did_you_mean
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import (
    check_period,
    check_port,
    check_regex,
    has_control_characters,
    is_header_name,
)

REDIRECT_CODES: Final = (301, 302, 303, 307, 308)
MIN_STATUS: Final = 200
MAX_STATUS: Final = 599  # Envoy refuses 600, which Istio lets through
MAX_BODY: Final = 1024 * 1024
_LARGE_BODY: Final = 100 * 1024
_MIN_PERCENT: Final = 0.0001
_MAX_PERCENT: Final = 100.0

RETRY_POLICIES: Final = frozenset(
    {
        "5xx",
        "gateway-error",
        "reset",
        "reset-before-request",
        "connect-failure",
        "retriable-4xx",
        "refused-stream",
        "retriable-status-codes",
        "retriable-headers",
        "envoy-ratelimited",
        "http3-post-connect-failure",
        "cancelled",
        "deadline-exceeded",
        "internal",
        "resource-exhausted",
        "unavailable",
    }
)
"""Envoy's retry conditions, of HTTP and of gRPC."""

GRPC_STATUS: Final = {
    name: number
    for number, name in enumerate(
        (
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        )
    )
}
"""The status codes of gRPC by name."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"})
_STATUS_CODES: Final = frozenset(str(status.value) for status in HTTPStatus)


def check_redirect(route: HttpRoute, path: str, findings: Findings) -> None:
    """Check the redirect of a rule, which has one."""
    redirect = route.redirect
    if redirect is None:
        return
    if redirect.uri and redirect.prefix_rewrite:
        findings.error(codes.BAD_REDIRECT, f"{path}.prefixRewrite", "is not allowed beside uri", hint="keep one of them")
    if redirect.prefix_rewrite:
        for index, block in enumerate(route.match):
            if block.uri is not None and block.uri.prefix is None:
                message = f"needs prefix matches, but match[{index}].uri is none"
                findings.error(codes.BAD_REDIRECT, f"{path}.prefixRewrite", message, hint="match by prefix, or use uri")
    has_port = redirect.port is not None or redirect.derive_port is not None
    if not (redirect.uri or redirect.prefix_rewrite or redirect.authority or redirect.scheme or has_port):
        findings.error(codes.BAD_REDIRECT, path, "changes nothing", hint="give uri, authority, scheme or port")
    if redirect.scheme and redirect.scheme not in {"http", "https"}:
        findings.error(codes.BAD_REDIRECT, f"{path}.scheme", f'"{redirect.scheme}" is neither "http" nor "https"')
    if redirect.port:
        check_port(redirect.port, f"{path}.port", findings)
    if redirect.redirect_code and redirect.redirect_code not in REDIRECT_CODES:
        hint = f"Envoy has {', '.join(map(str, REDIRECT_CODES))}"
        findings.error(codes.BAD_REDIRECT, f"{path}.redirectCode", f"{redirect.redirect_code} is no redirect", hint=hint)
    for name, value in (("uri", redirect.uri), ("prefixRewrite", redirect.prefix_rewrite), ("authority", redirect.authority)):
        _check_header_safe(value, f"{path}.{name}", findings)


def _check_header_safe(value: str, path: str, findings: Findings) -> None:
    """Report text that Envoy cannot write into a header."""
    if value and has_control_characters(value):
        findings.error(codes.BAD_REWRITE, path, "holds a control character")


def check_direct_response(response: HttpDirectResponse, path: str, findings: Findings) -> None:
    """Check an answer without upstream."""
    if not MIN_STATUS <= response.status <= MAX_STATUS:
        hint = f"give a status from {MIN_STATUS} to {MAX_STATUS}"
        message = f"{response.status} is no status that Envoy answers" if "status" in response.model_fields_set else "is required"
        findings.error(codes.BAD_DIRECT_RESPONSE, f"{path}.status", message, hint=hint)
    if response.body is None:
        return
    size = len(response.body.bytes_ or b"") if response.body.string is None else len(response.body.string.encode())
    if size > MAX_BODY:
        findings.error(codes.BAD_DIRECT_RESPONSE, f"{path}.body", f"has {size} bytes, at most {MAX_BODY} are allowed")
    elif size > _LARGE_BODY:
        findings.warn(codes.BAD_DIRECT_RESPONSE, f"{path}.body", f"has {size} bytes, which every proxy keeps in memory")


def check_rewrite(rewrite: HttpRewrite, path: str, findings: Findings) -> None:
    """Check a rewrite."""
    regex = rewrite.uri_regex_rewrite
    if not rewrite.uri and not rewrite.authority and regex is None:
        findings.error(codes.BAD_REWRITE, path, "changes nothing", hint="give uri, uriRegexRewrite or authority")
    if rewrite.uri and regex is not None:
        findings.error(codes.BAD_REWRITE, f"{path}.uriRegexRewrite", "is not allowed beside uri", hint="keep one of them")
    if regex is not None:
        check_regex(regex.match, f"{path}.uriRegexRewrite.match", findings)
        if not regex.rewrite:
            findings.error(codes.BAD_REWRITE, f"{path}.uriRegexRewrite.rewrite", "is empty")
    _check_header_safe(rewrite.uri, f"{path}.uri", findings)
    _check_header_safe(rewrite.authority, f"{path}.authority", findings)


def check_retries(retries: HttpRetry, path: str, findings: Findings) -> None:
    """Check a retry policy. Blanks around the parts of retryOn are fine: the compiler trims them."""
    if retries.attempts < 0:
        findings.error(codes.BAD_RETRIES, f"{path}.attempts", f"{retries.attempts} is negative", hint="0 turns retries off")
    elif retries.attempts == 0:
        given = {
            "perTryTimeout": retries.per_try_timeout is not None,
            "retryOn": bool(retries.retry_on),
            "retryRemoteLocalities": retries.retry_remote_localities is not None,
        }
        for name in (name for name, is_set in given.items() if is_set):
            findings.error(codes.BAD_RETRIES, f"{path}.{name}", "is not allowed with 0 attempts", hint="set attempts")
    check_period(retries.per_try_timeout, f"{path}.perTryTimeout", findings)
    check_period(retries.backoff, f"{path}.backoff", findings)
    for part in retries.retry_on.split(",") if retries.retry_on else ():
        word = part.strip()
        if word in RETRY_POLICIES or word in _STATUS_CODES:
            continue
        problem = f"{word} is no HTTP status code" if word.isdigit() else f'"{word}" is no retry policy of Envoy'
        hint = did_you_mean(word, RETRY_POLICIES) or "use Envoy's policies, such as 5xx or connect-failure, and status codes"
        findings.error(codes.BAD_RETRIES, f"{path}.retryOn", problem, hint=hint)


def check_fault(fault: HttpFaultInjection, path: str, findings: Findings) -> None:
    """Check a fault."""
    if fault.delay is None and fault.abort is None:
        findings.error(codes.BAD_FAULT, path, "has neither delay nor abort")
    if fault.delay is not None:
        _check_delay(fault.delay, f"{path}.delay", findings)
    if fault.abort is not None:
        _check_abort(fault.abort, f"{path}.abort", findings)


def _check_delay(delay: FaultDelay, path: str, findings: Findings) -> None:
    if delay.exponential_delay is not None:
        findings.error(codes.BAD_FAULT, f"{path}.exponentialDelay", "is not supported", hint="use fixedDelay")
    elif delay.fixed_delay is None:
        findings.warn(codes.BAD_FAULT, path, "has no fixedDelay, so nothing is delayed")
    check_period(delay.fixed_delay, f"{path}.fixedDelay", findings)
    if delay.percent or "percent" in delay.model_fields_set:
        findings.warn(codes.DEPRECATED, f"{path}.percent", "is deprecated", hint="use percentage.value")
        if not 0 <= delay.percent <= _MAX_PERCENT:
            findings.warn(codes.BAD_PERCENT, f"{path}.percent", f"{delay.percent} is read as the nearest of 0 and 100")
    if delay.percentage is not None:
        _check_share(delay.percentage, f"{path}.percentage.value", findings, least=_MIN_PERCENT)


def _check_abort(abort: FaultAbort, path: str, findings: Findings) -> None:
    if abort.http2_error is not None:
        findings.error(codes.BAD_FAULT, f"{path}.http2Error", "is not supported", hint="use httpStatus or grpcStatus")
    elif abort.http_status is None and abort.grpc_status is None:
        findings.warn(codes.BAD_FAULT, path, "has neither httpStatus nor grpcStatus, so nothing is aborted")
    if abort.http_status is not None and not MIN_STATUS <= abort.http_status <= MAX_STATUS:
        hint = f"give a status from {MIN_STATUS} to {MAX_STATUS}"
        findings.error(codes.BAD_FAULT, f"{path}.httpStatus", f"{abort.http_status} is no status that Envoy answers", hint=hint)
    if abort.grpc_status is not None and abort.grpc_status not in GRPC_STATUS:
        hint = did_you_mean(abort.grpc_status, GRPC_STATUS) or "use a name such as UNAVAILABLE"
        findings.error(codes.BAD_FAULT, f"{path}.grpcStatus", f'"{abort.grpc_status}" is no status of gRPC', hint=hint)
    if abort.percentage is not None:
        _check_share(abort.percentage, f"{path}.percentage.value", findings, least=_MIN_PERCENT)
    elif abort.http_status is not None or abort.grpc_status is not None:
        findings.warn(codes.BAD_FAULT, path, "has no percentage, so nothing is aborted", hint="add percentage: {value: 100}")


def _check_share(percent: Percent, path: str, findings: Findings, *, least: float = 0.0) -> None:
    if percent.value != 0 and not least <= percent.value <= _MAX_PERCENT:
        hint = f"give 0, or a value from {least:g} to 100" if least else "give a value from 0 to 100"
        findings.error(codes.BAD_PERCENT, path, f"{percent.value:g} is no percentage", hint=hint)


def check_mirrors(route: HttpRoute, path: str, findings: Findings) -> Iterator[tuple[str, Destination]]:
    """Check the mirrors of a rule, and yield (path, destination) of each for the check of destinations."""
    if route.mirror is not None and route.mirrors:
        report = findings.error if route.delegate is None else findings.warn  # of a rule that delegates Istio checks little
        report(codes.BAD_MIRROR, f"{path}.mirrors", "is not allowed beside mirror", hint="keep mirrors")
    if route.mirror is not None:
        yield f"{path}.mirror", route.mirror
    if route.mirror_percent is not None:
        findings.warn(codes.DEPRECATED, f"{path}.mirrorPercent", "is deprecated", hint="use mirrorPercentage.value")
        if route.mirror_percent > _MAX_PERCENT:
            findings.error(codes.BAD_PERCENT, f"{path}.mirrorPercent", f"{route.mirror_percent} is no percentage")
    if route.mirror_percentage is not None:
        _check_share(route.mirror_percentage, f"{path}.mirrorPercentage.value", findings)
    for index, policy in enumerate(route.mirrors):
        where = f"{path}.mirrors[{index}]"
        if policy.destination is None:
            findings.error(codes.BAD_MIRROR, f"{where}.destination", "is required")
        else:
            yield f"{where}.destination", policy.destination
        if policy.percentage is not None:
            _check_share(policy.percentage, f"{where}.percentage.value", findings)


def check_cors(cors: CorsPolicy, path: str, findings: Findings) -> None:
    """Check a CORS policy."""
    for index, origin in enumerate(cors.allow_origins):
        where = f"{path}.allowOrigins[{index}]"
        if not (origin.exact or origin.prefix or origin.regex):
            findings.error(codes.BAD_MATCH, where, "is compared with nothing", hint="give exact, prefix or regex")
        elif origin.regex is not None:
            check_regex(origin.regex, f"{where}.regex", findings)
    if cors.allow_origin:
        findings.warn(codes.DEPRECATED, f"{path}.allowOrigin", "is deprecated", hint="use allowOrigins")
    for index, method in enumerate(cors.allow_methods):
        if method not in _METHODS:
            hint = f'did you mean "{method.upper()}"?' if method.upper() in _METHODS else None
            findings.error(codes.BAD_CORS, f"{path}.allowMethods[{index}]", f'"{method}" is no method', hint=hint)
    for name, headers in (("allowHeaders", cors.allow_headers), ("exposeHeaders", cors.expose_headers)):
        for index, header in enumerate(headers):
            if not is_header_name(header):
                findings.error(codes.BAD_CORS, f"{path}.{name}[{index}]", f'"{header}" is not the name of a header')
    check_period(cors.max_age, f"{path}.maxAge", findings, whole_seconds=True)
