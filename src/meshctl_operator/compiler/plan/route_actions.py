"""What a rule does with a request, as far as no proxy is needed to know it: forward, redirect, answer directly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.networking.common import Destination
from meshctl_operator.apis.networking.virtual_service import DerivePort, HttpDirectResponse, HttpRedirect, HttpRewrite, HttpRoute
from meshctl_operator.base.diagnostics import Diagnostic
from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler import codes
from meshctl_operator.compiler.inputs.routes import (
    MAX_DIRECT_RESPONSE_BODY,
    NO_TIMEOUT,
    DirectResponseInput,
    FractionInput,
    RedirectCode,
    RedirectInput,
    RegexRewriteInput,
    RetryInput,
)
from meshctl_operator.compiler.plan.route_faults import MAX_STATUS, MIN_STATUS, plan_percentage
from meshctl_operator.compiler.plan.route_headers import HeaderPlan, plan_headers
from meshctl_operator.compiler.plan.route_regexes import regex_problem, substitution_problem
from meshctl_operator.compiler.plan.route_retries import plan_retries
from meshctl_operator.compiler.plan.route_texts import plain_text_problem
from meshctl_operator.model.virtual_services import HttpRule, Place

Report = Callable[[Diagnostic], None]

_ALL: Final = FractionInput(100)
_LAST_PORT: Final = 65535
_MAX_WEIGHT: Final = 2**32 - 1  # Envoy adds weights up in 32 bits
_REDIRECT_CODES: Final = {
    0: RedirectCode.MOVED_PERMANENTLY,
    301: RedirectCode.MOVED_PERMANENTLY,
    302: RedirectCode.FOUND,
    303: RedirectCode.SEE_OTHER,
    307: RedirectCode.TEMPORARY_REDIRECT,
    308: RedirectCode.PERMANENT_REDIRECT,
}


@dataclass(frozen=True, slots=True)
class DestinationPlan:
    """A destination as the user named it, the host complete; ``port`` 0 means that none was named."""

    host: str
    subset: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class WeightedPlan:
    """One weighted destination."""

    destination: DestinationPlan
    weight: int
    headers: HeaderPlan


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """One destination of mirrored requests."""

    destination: DestinationPlan
    fraction: FractionInput


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """Requests are sent on. ``keep_previous_hosts`` says that retries avoid hosts that failed even where requests are hashed."""

    destinations: tuple[WeightedPlan, ...]
    timeout: Duration
    retry: RetryInput | None
    keep_previous_hosts: bool
    host_rewrite: str
    has_rewrite: bool
    rewrite: str | RegexRewriteInput
    mirrors: tuple[MirrorPlan, ...]


@dataclass(frozen=True, slots=True)
class RedirectPlan:
    """Requests are redirected. ``port`` 0 sets none; ``derive_port`` takes the port that the request came in on."""

    redirect: RedirectInput
    port: int
    derive_port: bool


ActionPlan = ForwardPlan | RedirectPlan | DirectResponseInput


def plan_action(item: HttpRule, default_retry: RetryInput | None, headers: HeaderPlan, report: Report) -> ActionPlan | Diagnostic:
    """Return what the rule does, or why it has to be left out. A redirect beats a direct response, which beats a route."""
    rule = item.rule
    if rule.redirect is not None:
        return _redirect(rule.redirect, item.place_of("redirect", "redirect"))
    if rule.direct_response is not None:
        return _direct_response(rule.direct_response, item.place_of("direct_response", "directResponse"))
    if not rule.route:
        return _refusal(item.place, "says neither route nor redirect nor directResponse")
    return _forward(item, default_retry, headers, report)


def _forward(item: HttpRule, default_retry: RetryInput | None, headers: HeaderPlan, report: Report) -> ForwardPlan | Diagnostic:
    rule = item.rule
    if (refusal := _weights_problem(rule, item.place)) is not None:
        return refusal
    rewrite: str | RegexRewriteInput = ""
    authority = ""
    if rule.rewrite is not None:
        planned = _rewrite(rule.rewrite, item.place_of("rewrite", "rewrite"))
        if isinstance(planned, Diagnostic):
            return planned
        rewrite, authority = planned, rule.rewrite.authority
    retries_at = item.place_of("retries", "retries")
    return ForwardPlan(
        destinations=tuple(
            WeightedPlan(
                plan_destination(weighted.destination),
                weighted.weight,
                plan_headers(weighted.headers, item.place.at(f".route[{index}].headers"), report),
            )
            for index, weighted in enumerate(rule.route)
        ),
        timeout=_timeout(rule, item, report),
        retry=default_retry if rule.retries is None else plan_retries(rule.retries, retries_at, report),
        keep_previous_hosts=rule.retries is not None and rule.retries.retry_ignore_previous_hosts is True,
        host_rewrite=authority or headers.authority,
        has_rewrite=rule.rewrite is not None,
        rewrite=rewrite,
        mirrors=_mirrors(item, report),
    )


def plan_destination(destination: Destination) -> DestinationPlan:
    """Return the destination as a plain value."""
    return DestinationPlan(destination.host, destination.subset, destination.port.number if destination.port is not None else 0)


def _weights_problem(rule: HttpRoute, place: Place) -> Diagnostic | None:
    if len(rule.route) == 1:
        return None
    for index, weighted in enumerate(rule.route):
        if weighted.weight < 0:
            return _refusal(place.at(f".route[{index}].weight"), f"{weighted.weight} is negative")
    total = sum(weighted.weight for weighted in rule.route)
    if total == 0:
        return _refusal(place.at(".route"), "has weights that add up to 0, so no destination can be chosen")
    return _refusal(place.at(".route"), f"has weights that add up to {total}, more than {_MAX_WEIGHT}") if total > _MAX_WEIGHT else None


def _timeout(rule: HttpRoute, item: HttpRule, report: Report) -> Duration:
    if rule.timeout is None or rule.timeout.nanos >= 0:
        return rule.timeout or NO_TIMEOUT
    at = item.place_of("timeout", "timeout")
    report(codes.UNUSABLE_PART.error(at.subject, at.path, f"{rule.timeout} is negative; no timeout is set"))
    return NO_TIMEOUT


def _rewrite(rewrite: HttpRewrite, place: Place) -> str | RegexRewriteInput | Diagnostic:
    for text, field in ((rewrite.uri, "uri"), (rewrite.authority, "authority")):
        if problem := plain_text_problem(text):
            return _refusal(place.at(f".{field}"), f"{text[:80]!r} {problem}")
    regex = rewrite.uri_regex_rewrite
    if regex is None:
        return rewrite.uri
    at = place.at(".uriRegexRewrite")
    if problem := regex_problem(regex.match):
        return _refusal(at.at(".match"), f"{regex.match[:80]!r} {problem}")
    if problem := plain_text_problem(regex.rewrite) or substitution_problem(regex.match, regex.rewrite):
        return _refusal(at.at(".rewrite"), f"{regex.rewrite[:80]!r} {problem}")
    return RegexRewriteInput(regex.match, regex.rewrite)


def _mirrors(item: HttpRule, report: Report) -> tuple[MirrorPlan, ...]:
    rule, found = item.rule, []
    if rule.mirror is not None and (fraction := _mirror_fraction(rule)).numerator:
        found.append(MirrorPlan(plan_destination(rule.mirror), fraction))
    for index, mirror in enumerate(rule.mirrors):
        fraction = plan_percentage(mirror.percentage) if mirror.percentage is not None else _ALL
        if mirror.destination is None:
            at = item.place_of("mirrors", f"mirrors[{index}]")
            report(codes.UNUSABLE_PART.error(at.subject, f"{at.path}.destination", "is missing; the mirror is left out"))
        elif fraction.numerator:
            found.append(MirrorPlan(plan_destination(mirror.destination), fraction))
    return tuple(found)


def _mirror_fraction(rule: HttpRoute) -> FractionInput:
    if rule.mirror_percentage is not None:
        return plan_percentage(rule.mirror_percentage)
    return FractionInput(min(rule.mirror_percent, 100)) if rule.mirror_percent is not None else _ALL


def _redirect(redirect: HttpRedirect, place: Place) -> RedirectPlan | Diagnostic:
    texts = (
        (redirect.uri, "uri"),
        (redirect.prefix_rewrite, "prefixRewrite"),
        (redirect.authority, "authority"),
        (redirect.scheme, "scheme"),
    )
    for text, field in texts:
        if problem := plain_text_problem(text):
            return _refusal(place.at(f".{field}"), f"{text[:80]!r} {problem}")
    code = _REDIRECT_CODES.get(redirect.redirect_code)
    if code is None:
        return _refusal(place.at(".redirectCode"), f"{redirect.redirect_code} is not one of 301, 302, 303, 307 and 308")
    port = redirect.port or 0
    if port > _LAST_PORT:
        return _refusal(place.at(".port"), f"{port} is no port")
    return RedirectPlan(
        RedirectInput(code, redirect.uri, redirect.prefix_rewrite, redirect.authority, redirect.scheme),
        port,
        redirect.derive_port is DerivePort.FROM_REQUEST_PORT,
    )


def _direct_response(response: HttpDirectResponse, place: Place) -> DirectResponseInput | Diagnostic:
    if not MIN_STATUS <= response.status <= MAX_STATUS:
        return _refusal(place.at(".status"), f"{response.status} is no status from {MIN_STATUS} to {MAX_STATUS}")
    body: str | bytes | None = None
    if response.body is not None:
        body = response.body.bytes_ if response.body.bytes_ is not None else response.body.string
    size = len(body.encode(errors="replace") if isinstance(body, str) else body or b"")
    if size > MAX_DIRECT_RESPONSE_BODY:
        return _refusal(place.at(".body"), f"has {size} bytes, more than {MAX_DIRECT_RESPONSE_BODY}")
    return DirectResponseInput(response.status, body)


def _refusal(place: Place, message: str) -> Diagnostic:
    return codes.UNUSABLE_ACTION.error(place.subject, place.path, f"{message}; the rule is left out")
