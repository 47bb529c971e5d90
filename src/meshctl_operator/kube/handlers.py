"""The handlers of Kopf for the routing kinds. They return nothing: what a handler returns would land in the status of the object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from meshctl_operator.apis.kinds import KindInfo
from meshctl_operator.kube.connection import Connection
from meshctl_operator.kube.pauses import Pauses
from meshctl_operator.kube.scopes import ROUTING
from meshctl_operator.kube.settings import Timings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import kopf

EventTaker = Callable[[KindInfo, str | None, dict[str, Any]], None]
"""Takes the kind, the type of the event (None: seen in a list) and the raw document."""


class EndlessBackoffs:
    """The pauses of Kopf between attempts of a request: it never gives up, since giving up would end the application."""

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses

    def __iter__(self) -> Iterator[float]:
        """Yield growing pauses, from the shortest one for each request."""
        self._pauses.reset()
        while True:
            yield self._pauses.next()


def register(registry: kopf.OperatorRegistry, connect: Callable[[], Connection], take: EventTaker) -> None:
    """Add what the application does to a registry: log in, and take the events of the routing kinds."""
    import kopf

    async def log_in(**_: object) -> kopf.ConnectionInfo:
        return connection_info(connect())

    kopf.on.login(registry=registry, id="meshctl-login", errors=kopf.ErrorsMode.TEMPORARY)(log_in)
    for info in ROUTING:
        kopf.on.event(group=info.group, plural=info.plural, registry=registry, id=f"meshctl-{info.plural}")(_handler(info, take))


def _handler(info: KindInfo, take: EventTaker) -> Callable[..., Any]:
    async def handle(event: dict[str, Any], **_: object) -> None:
        take(info, event["type"], dict(event["object"]))

    return handle


def configure(settings: kopf.OperatorSettings, timings: Timings, pauses: Pauses) -> None:
    """Set what keeps Kopf quiet and persistent: it writes nothing, it ends no process, and it outlives an API server that is away."""
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.process.ultimate_exiting_timeout = None
    settings.networking.error_backoffs = EndlessBackoffs(pauses)
    settings.networking.connect_timeout = timings.connect
    settings.networking.request_timeout = timings.answer
    settings.watching.server_timeout = timings.watch_most
    settings.watching.connect_timeout = timings.connect
    settings.watching.inactivity_timeout = timings.inactivity
    settings.watching.chunk_size = timings.page
    settings.watching.reconnect_backoff = min(timings.backoff, 1.0)


def connection_info(connection: Connection) -> kopf.ConnectionInfo:
    """Return how Kopf reaches the same server in the same name."""
    import kopf

    given = connection.configuration
    scheme, _, token = (connection.authorization or "").rpartition(" ")
    return kopf.ConnectionInfo(
        server=given.host,
        ca_path=given.ssl_ca_cert,
        insecure=not given.verify_ssl,
        scheme=scheme or None,
        token=token or None,
        certificate_path=given.cert_file,
        private_key_path=given.key_file,
        proxy_url=given.proxy,
    )
