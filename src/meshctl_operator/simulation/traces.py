"""What a simulation tells: each thing that was tried and why it did not fit, and what becomes of the request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meshctl_operator.base.durations import Duration
from meshctl_operator.simulation.headers import AUTHORITY, PATH, Headers


class Stage(StrEnum):
    """Where in a proxy something was tried."""

    LISTENER = "listener"
    FILTER_CHAIN = "filter chain"
    REQUEST = "request"
    VIRTUAL_HOST = "virtual host"
    ROUTE = "route"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True)
class Trial:
    """One thing that was tried. ``reason`` says why it did not fit, and is empty where it did; ``note`` says what else is to know."""

    stage: Stage
    name: str
    reason: str = ""
    note: str = ""

    @property
    def matched(self) -> bool:
        """Whether it fitted."""
        return not self.reason


class Answerer(StrEnum):
    """Which part of a proxy answers without any upstream."""

    CONNECTION_MANAGER = "connection manager"
    NO_ROUTE = "no route"
    FAULT = "fault"
    CORS = "cors"
    DIRECT_RESPONSE = "direct response"


@dataclass(frozen=True, slots=True)
class Forwarded:
    """An HTTP request is sent to a cluster with these headers. Of an unknown cluster the proxy answers 503 (``known`` false)."""

    cluster: str
    headers: Headers
    known: bool = True

    @property
    def path(self) -> str:
        """The path that the upstream sees, with the query."""
        return self.headers.text(PATH)

    @property
    def authority(self) -> str:
        """The host that the upstream sees."""
        return self.headers.text(AUTHORITY)


@dataclass(frozen=True, slots=True)
class Redirected:
    """The client is sent elsewhere."""

    status: int
    location: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The proxy answers by itself. A gRPC status comes with HTTP status 200."""

    status: int
    by: Answerer
    body: bytes = b""
    grpc_status: int | None = None


@dataclass(frozen=True, slots=True)
class Proxied:
    """The bytes of the connection are passed to a cluster. Where it is unknown the proxy closes the connection."""

    cluster: str
    known: bool = True


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection is refused or closed."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotSimulated:
    """The configuration asks for something that is not simulated."""

    what: str


Outcome = Forwarded | Redirected | Answered | Proxied | Closed | NotSimulated


@dataclass(frozen=True, slots=True)
class Share:
    """A share of requests (``FractionalPercent``)."""

    numerator: int
    denominator: int

    def contains(self, draw: int) -> bool:
        """Tell whether a random number falls into the share."""
        return draw % self.denominator < self.numerator

    @property
    def percent(self) -> float:
        """The share in percent."""
        return 100 * self.numerator / self.denominator


@dataclass(frozen=True, slots=True)
class Mirror:
    """A copy of the request goes to another cluster."""

    cluster: str
    share: Share
    known: bool = True


@dataclass(frozen=True, slots=True)
class Fault:
    """What the fault filter does on the route."""

    delay: Duration | None = None
    delay_share: Share | None = None
    abort_status: int | None = None
    abort_grpc_status: int | None = None
    abort_share: Share | None = None


@dataclass(frozen=True, slots=True)
class Cors:
    """The CORS policy of the route: its origins in words, and the rest as it is sent to browsers."""

    origins: tuple[str, ...] = ()
    methods: str = ""
    allow_headers: str = ""
    expose_headers: str = ""
    max_age: str = ""
    credentials: bool = False
    forwards_unmatched_preflights: bool = True
    allowed_origin: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """The retry policy of the route."""

    attempts: int
    on: str
    status_codes: tuple[int, ...] = ()
    per_try_timeout: Duration | None = None
    back_off: Duration | None = None


@dataclass(frozen=True, slots=True)
class HeaderChange:
    """What happens to the headers of the response: first ``removed``, then ``overwritten``, then ``added``."""

    removed: tuple[str, ...] = ()
    overwritten: tuple[tuple[str, str], ...] = ()
    added: tuple[tuple[str, str], ...] = ()

    def applied(self, headers: Headers) -> Headers:
        """Return the headers after the change."""
        headers = headers.without(*self.removed)
        for name, value in self.overwritten:
            headers = headers.having(name, value)
        for name, value in self.added:
            headers = headers.adding(name, value)
        return headers


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """The route that was taken.

    ``config`` is the path of the VirtualService in Istio's metadata form; ``index`` the place in the virtual host. ``timeout`` None is
    Envoy's default of 15 seconds, zero is none. ``weights`` are those of weighted clusters.
    """

    configuration: str
    virtual_host: str
    domain: str
    index: int
    name: str
    config: str = ""
    timeout: Duration | None = None
    retry: Retry | None = None
    weights: tuple[tuple[str, int], ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    fault: Fault | None = None
    cors: Cors | None = None
    response: HeaderChange = HeaderChange()


@dataclass(frozen=True, slots=True)
class Trace:
    """The way of one connection or request through a proxy, in the order of what was tried, and its end.

    ``listener`` and ``filter_chain`` are those that serve the connection; ``delayed`` is the delay that a fault puts before the end.
    """

    trials: tuple[Trial, ...]
    outcome: Outcome
    listener: str = ""
    filter_chain: str = ""
    route: RouteFacts | None = None
    delayed: Duration | None = None
