"""What route configurations are made of: virtual hosts, routes, their matchers and actions."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from meshctl_operator.base.durations import Duration

MAX_DIRECT_RESPONSE_BODY: Final = 1024 * 1024  # Istio's limit of a body; Envoy's own of 4096 would refuse the whole route configuration
NO_TIMEOUT: Final = Duration(0)


class MatchKind(StrEnum):
    """How a text is compared. A regular expression must match all of it; PRESENT asks only that the text is there."""

    EXACT = "exact"
    PREFIX = "prefix"
    REGEX = "regex"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class TextMatchInput:
    """One comparison of a text; ``text`` is empty for PRESENT."""

    kind: MatchKind
    text: str = ""


@dataclass(frozen=True, slots=True)
class HeaderMatchInput:
    """One ``HeaderMatcher``. ``invert`` asks that the header does not match, which a missing header satisfies."""

    name: str
    value: TextMatchInput
    invert: bool = False


@dataclass(frozen=True, slots=True)
class QueryMatchInput:
    """One ``QueryParameterMatcher``."""

    name: str
    value: TextMatchInput


@dataclass(frozen=True, slots=True)
class ClaimMatchInput:
    """One ``MetadataMatcher`` on the claims of a verified token; ``path`` leads to the claim. A request without token has no claims."""

    path: tuple[str, ...]
    value: TextMatchInput
    invert: bool = False


@dataclass(frozen=True, slots=True)
class RouteMatchInput:
    """``RouteMatch``: the path (never PRESENT), headers, query parameters and claims. ``case_sensitive`` None leaves Envoy's default."""

    path: TextMatchInput = TextMatchInput(MatchKind.PREFIX, "/")
    case_sensitive: bool | None = None
    headers: tuple[HeaderMatchInput, ...] = ()
    query: tuple[QueryMatchInput, ...] = ()
    claims: tuple[ClaimMatchInput, ...] = ()

    @property
    def is_catch_all(self) -> bool:
        """Whether every request matches, so that nothing behind this route is ever reached."""
        everything = self.path in {TextMatchInput(MatchKind.PREFIX, "/"), TextMatchInput(MatchKind.REGEX, ".*")}
        return everything and not self.headers and not self.query and not self.claims


@dataclass(frozen=True, slots=True)
class HeaderValueInput:
    """One ``HeaderValueOption``: a header that is appended, or overwritten where ``append`` is false."""

    name: str
    value: str
    append: bool


@dataclass(frozen=True, slots=True)
class HeaderOperationsInput:
    """The four header lists of a route or a weighted cluster."""

    request_add: tuple[HeaderValueInput, ...] = ()
    request_remove: tuple[str, ...] = ()
    response_add: tuple[HeaderValueInput, ...] = ()
    response_remove: tuple[str, ...] = ()

    def then(self, more: HeaderOperationsInput) -> HeaderOperationsInput:
        """Return these operations followed by others."""
        return HeaderOperationsInput(
            self.request_add + more.request_add,
            self.request_remove + more.request_remove,
            self.response_add + more.response_add,
            self.response_remove + more.response_remove,
        )


NO_HEADER_OPERATIONS: Final = HeaderOperationsInput()


class Denominator(StrEnum):
    """``FractionalPercent.DenominatorType``, the values in use."""

    HUNDRED = "HUNDRED"
    MILLION = "MILLION"


@dataclass(frozen=True, slots=True)
class FractionInput:
    """``FractionalPercent``."""

    numerator: int
    denominator: Denominator = Denominator.HUNDRED


@dataclass(frozen=True, slots=True)
class MirrorInput:
    """One ``RequestMirrorPolicy``."""

    cluster: str
    fraction: FractionInput


@dataclass(frozen=True, slots=True)
class RetryInput:
    """``RetryPolicy``. ``previous_hosts`` avoids hosts that failed already, ``previous_priorities`` moves on to other localities."""

    num_retries: int
    retry_on: str
    status_codes: tuple[int, ...] = ()
    per_try_timeout: Duration | None = None
    back_off: Duration | None = None
    previous_hosts: bool = True
    previous_priorities: bool = False


@dataclass(frozen=True, slots=True)
class HashHeaderInput:
    """Hash on a request header."""

    name: str


@dataclass(frozen=True, slots=True)
class HashCookieInput:
    """Hash on a cookie, which Envoy sets where it is missing if ``ttl`` is given (zero: a session cookie)."""

    name: str
    path: str = ""
    ttl: Duration | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HashQueryInput:
    """Hash on a query parameter."""

    name: str


@dataclass(frozen=True, slots=True)
class HashSourceIpInput:
    """Hash on the address of the client."""


HashPolicyInput = HashHeaderInput | HashCookieInput | HashQueryInput | HashSourceIpInput


@dataclass(frozen=True, slots=True)
class WeightedClusterInput:
    """One entry of ``WeightedCluster``; ``host_rewrite`` is empty where the authority stays."""

    name: str
    weight: int
    headers: HeaderOperationsInput = NO_HEADER_OPERATIONS
    host_rewrite: str = ""


@dataclass(frozen=True, slots=True)
class RegexRewriteInput:
    """``RegexMatchAndSubstitute`` of the path."""

    pattern: str
    substitution: str


@dataclass(frozen=True, slots=True)
class ForwardInput:
    """``RouteAction``: send the request to one cluster, or to several by weight.

    ``timeout`` zero means none. ``grpc_timeout`` is ``max_grpc_timeout`` and ``stream_duration`` fills both fields of
    ``max_stream_duration``; None leaves them out. ``rewrite`` is a prefix (text) or a regular expression. With ``forwarded_host`` a request
    whose authority is rewritten carries the one that it had.
    """

    clusters: str | tuple[WeightedClusterInput, ...]
    timeout: Duration | None = NO_TIMEOUT
    grpc_timeout: Duration | None = NO_TIMEOUT
    stream_duration: Duration | None = None
    retry: RetryInput | None = None
    host_rewrite: str = ""
    forwarded_host: bool = False
    rewrite: str | RegexRewriteInput = ""
    mirrors: tuple[MirrorInput, ...] = ()
    hash_policies: tuple[HashPolicyInput, ...] = ()


class RedirectCode(StrEnum):
    """``RedirectAction.RedirectResponseCode``; its JSON names."""

    MOVED_PERMANENTLY = "MOVED_PERMANENTLY"
    FOUND = "FOUND"
    SEE_OTHER = "SEE_OTHER"
    TEMPORARY_REDIRECT = "TEMPORARY_REDIRECT"
    PERMANENT_REDIRECT = "PERMANENT_REDIRECT"


@dataclass(frozen=True, slots=True)
class RedirectInput:
    """``RedirectAction``. ``prefix_rewrite`` empty means that ``path`` is used, which may be empty as well; ``port`` 0 sets none."""

    code: RedirectCode = RedirectCode.MOVED_PERMANENTLY
    path: str = ""
    prefix_rewrite: str = ""
    host: str = ""
    scheme: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class DirectResponseInput:
    """``DirectResponseAction``; the body as text, as bytes, or none."""

    status: int
    body: str | bytes | None = None


@dataclass(frozen=True, slots=True)
class FaultDelayInput:
    """``FaultDelay``. Without a percentage no request is delayed."""

    duration: Duration
    percentage: FractionInput | None = None


@dataclass(frozen=True, slots=True)
class FaultAbortInput:
    """``FaultAbort`` with an HTTP or a gRPC status. Without a percentage no request is aborted."""

    http_status: int | None = None
    grpc_status: int | None = None
    percentage: FractionInput | None = None


@dataclass(frozen=True, slots=True)
class FaultInput:
    """``HTTPFault`` of one route; at least one part is set."""

    delay: FaultDelayInput | None = None
    abort: FaultAbortInput | None = None


@dataclass(frozen=True, slots=True)
class CorsInput:
    """``CorsPolicy`` of one route; lists are joined already."""

    origins: tuple[TextMatchInput, ...] = ()
    methods: str = ""
    allow_headers: str = ""
    expose_headers: str = ""
    max_age: str = ""
    credentials: bool | None = None
    forward_not_matching_preflights: bool = True


ActionInput = ForwardInput | RedirectInput | DirectResponseInput


@dataclass(frozen=True, slots=True)
class RouteInput:
    """One ``Route``. ``config`` names the VirtualService in Istio's metadata form; empty texts are left out."""

    match: RouteMatchInput
    action: ActionInput
    name: str = ""
    config: str = ""
    decorator: str = ""
    stat_prefix: str = ""
    headers: HeaderOperationsInput = NO_HEADER_OPERATIONS
    fault: FaultInput | None = None
    cors: CorsInput | None = None


@dataclass(frozen=True, slots=True)
class VirtualHostInput:
    """One ``VirtualHost``. ``require_tls`` redirects every plain-text request to https.

    The hash is kept: a route configuration of a thousand virtual hosts is a key of the memo as a whole.
    """

    name: str
    domains: tuple[str, ...]
    routes: tuple[RouteInput, ...]
    require_tls: bool = False
    attempt_count: bool = True
    _hash: int = field(default=0, init=False, compare=False, repr=False)

    def __hash__(self) -> int:
        """Return the hash of all fields, computed once."""
        if not self._hash:
            object.__setattr__(self, "_hash", hash((self.name, self.domains, self.routes, self.require_tls, self.attempt_count)) or 1)
        return self._hash


@dataclass(frozen=True, slots=True)
class RouteConfigurationInput:
    """One ``RouteConfiguration``. ``max_direct_response_body`` None leaves Envoy's default of 4096 bytes."""

    name: str
    virtual_hosts: tuple[VirtualHostInput, ...] = ()
    ignore_port_in_host_matching: bool = True
    max_direct_response_body: int | None = MAX_DIRECT_RESPONSE_BODY
