"""What listeners are made of: filter chains, connection managers, TCP proxies and TLS contexts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meshctl_operator.base.durations import Duration
from meshctl_operator.compiler.inputs.clusters import DnsCacheInput
from meshctl_operator.compiler.inputs.http_limits import NO_LIMITS, HttpLimitsInput
from meshctl_operator.compiler.inputs.routes import RouteConfigurationInput
from meshctl_operator.compiler.ordering import HttpFilterName


class Direction(StrEnum):
    """``Listener.traffic_direction``; gateways count as outbound."""

    INBOUND = "INBOUND"
    OUTBOUND = "OUTBOUND"


class ClientCertForwarding(StrEnum):
    """``HttpConnectionManager.forward_client_cert_details``: what becomes of ``x-forwarded-client-cert``."""

    SANITIZE = "SANITIZE"
    FORWARD_ONLY = "FORWARD_ONLY"
    APPEND_FORWARD = "APPEND_FORWARD"
    SANITIZE_SET = "SANITIZE_SET"
    ALWAYS_FORWARD_ONLY = "ALWAYS_FORWARD_ONLY"


class EscapedSlashes(StrEnum):
    """``HttpConnectionManager.path_with_escaped_slashes_action``, the values in use."""

    DEFAULT = "IMPLEMENTATION_SPECIFIC_DEFAULT"
    KEEP_UNCHANGED = "KEEP_UNCHANGED"
    REJECT_REQUEST = "REJECT_REQUEST"
    UNESCAPE_AND_REDIRECT = "UNESCAPE_AND_REDIRECT"
    UNESCAPE_AND_FORWARD = "UNESCAPE_AND_FORWARD"


class TlsVersion(StrEnum):
    """``TlsParameters.TlsProtocol``."""

    TLS_AUTO = "TLS_AUTO"
    TLSV1_0 = "TLSv1_0"
    TLSV1_1 = "TLSv1_1"
    TLSV1_2 = "TLSv1_2"
    TLSV1_3 = "TLSv1_3"


@dataclass(frozen=True, slots=True)
class AccessLogInput:
    """A file access log. Exactly one of ``text`` (one line) and ``fields`` (JSON keys with their operators) is set."""

    path: str
    text: str = ""
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class HttpConnectionManagerInput:
    """One connection manager. ``route`` is the name of an RDS resource, or the routes themselves (inbound).

    ``server_name`` None passes the upstream's header on. Without ``request_ids`` a request without one gets none, without
    ``debug_headers`` nobody learns of Envoy's own headers. ``certificate_details`` are the fields of ``set_current_client_cert_details``. ``dns_caches`` are those of the clusters whose hosts are
    resolved while a request is there.
    """

    stat_prefix: str
    route: str | RouteConfigurationInput
    http_filters: tuple[HttpFilterName, ...]
    server_name: str | None = ""
    request_ids: bool = True
    debug_headers: bool = True
    forwarded_port: bool = False
    use_remote_address: bool = False
    trusted_hops: int = 0
    client_cert: ClientCertForwarding | None = None
    certificate_details: tuple[str, ...] = ()
    normalize_path: bool = True
    merge_slashes: bool = False
    escaped_slashes: EscapedSlashes = EscapedSlashes.DEFAULT
    accept_http10: bool = False
    allow_absolute_url: bool = False
    http2_options: bool = False
    websocket: bool = True
    dns_caches: tuple[DnsCacheInput, ...] = ()
    limits: HttpLimitsInput = NO_LIMITS
    access_log: AccessLogInput | None = None


@dataclass(frozen=True, slots=True)
class TcpProxyInput:
    """One TCP proxy: a single cluster, or clusters with positive weights. ``mongo`` puts Envoy's Mongo sniffer before it.

    ``denied`` closes every connection before it. ``tunnel`` is where an HTTP CONNECT (POST with ``tunnel_by_post``) opens a way to.
    ``dns_cache`` is that of a cluster whose host is the server name of each connection, resolved for ``dns_port``.
    """

    stat_prefix: str
    clusters: tuple[tuple[str, int], ...]
    idle_timeout: Duration | None = None
    max_connection_duration: Duration | None = None
    hash_source_ip: bool = False
    mongo: bool = False
    denied: bool = False
    tunnel: str = ""
    tunnel_by_post: bool = False
    dns_cache: DnsCacheInput | None = None
    dns_port: int = 0
    access_log: AccessLogInput | None = None


@dataclass(frozen=True, slots=True)
class ClientTrustInput:
    """Which certificates of clients are trusted: those of the authority (its SDS name) that also satisfy every other list with entries.

    ``spki`` and ``hashes`` pin public keys (base64) and certificates (hex), ``revoked_file`` is a path of the proxy. With
    ``accept_untrusted`` a certificate that fails is let in, and only marked as not validated.
    """

    authority: str
    subject_alt_names: tuple[str, ...] = ()
    spki: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    revoked_file: str = ""
    accept_untrusted: bool = False


@dataclass(frozen=True, slots=True)
class DownstreamTlsInput:
    """TLS that the listener terminates: SDS names of the certificates, and what is offered to clients.

    With ``clients`` they are asked for a certificate; those that have none are turned away only where ``client_required`` says so.
    """

    certificates: tuple[str, ...]
    alpn: tuple[str, ...]
    minimum_version: TlsVersion = TlsVersion.TLS_AUTO
    maximum_version: TlsVersion = TlsVersion.TLS_AUTO
    cipher_suites: tuple[str, ...] = ()
    curves: tuple[str, ...] = ()
    clients: ClientTrustInput | None = None
    client_required: bool = False


@dataclass(frozen=True, slots=True)
class ChainMatchInput:
    """``FilterChainMatch``. Nothing set means that every connection matches. ``prefix_ranges`` are CIDRs of the destination."""

    destination_port: int = 0
    prefix_ranges: tuple[str, ...] = ()
    server_names: tuple[str, ...] = ()
    transport_protocol: str = ""
    application_protocols: tuple[str, ...] = ()


MATCH_ALL = ChainMatchInput()


@dataclass(frozen=True, slots=True)
class FilterChainInput:
    """One filter chain. ``virtual_service`` is the ``(namespace, name)`` that decided it, for the metadata that Istio's tools read."""

    network: HttpConnectionManagerInput | TcpProxyInput
    match: ChainMatchInput = MATCH_ALL
    name: str = ""
    tls: DownstreamTlsInput | None = None
    virtual_service: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class ListenerInput:
    """One listener.

    ``bind_to_port`` None leaves Envoy's default (it binds). ``detection_timeout`` is the time that the listener filters get, after which
    the connection goes on without their findings; None leaves Envoy's own rule. ``uninspected_ports`` are original destination ports
    whose protocol is declared, so that HTTP is not sniffed there. ``reuse_port`` False makes a second binder of the port fail. ``address``
    may be ``unix://`` and a path, with port 0 then; ``extra_addresses`` are those of the other family. With ``proxy_protocol`` clients begin
    with a PROXY header. ``buffer_limit`` (bytes for each connection) None leaves Envoy's own.
    """

    name: str
    address: str
    port: int
    direction: Direction
    filter_chains: tuple[FilterChainInput, ...]
    default_chain: FilterChainInput | None = None
    extra_addresses: tuple[str, ...] = ()
    bind_to_port: bool | None = None
    reuse_port: bool = True
    use_original_dst: bool = False
    transparent: bool = False
    original_dst_filter: bool = False
    original_src_mark: int = 0
    tls_inspector: bool = False
    http_inspector: bool = False
    uninspected_ports: tuple[int, ...] = ()
    detection_timeout: Duration | None = None
    max_accepts_per_event: int = 0
    proxy_protocol: bool = False
    buffer_limit: int | None = None
    access_log: AccessLogInput | None = None


def rds_names(listener: ListenerInput) -> tuple[str, ...]:
    """Return the names of the route configurations that the listener asks for, sorted."""
    return tuple(
        sorted(
            {
                chain.network.route
                for chain in _chains(listener)
                if isinstance(chain.network, HttpConnectionManagerInput) and isinstance(chain.network.route, str)
            }
        )
    )


def key_pair_names(listener: ListenerInput) -> tuple[str, ...]:
    """Return the names of the secrets that the listener asks for as its certificates, sorted."""
    return tuple(sorted({name for chain in _chains(listener) if chain.tls for name in chain.tls.certificates}))


def authority_names(listener: ListenerInput) -> tuple[str, ...]:
    """Return the names of the secrets that the listener asks for to judge certificates of clients, sorted."""
    return tuple(sorted({chain.tls.clients.authority for chain in _chains(listener) if chain.tls and chain.tls.clients}))


def _chains(listener: ListenerInput) -> tuple[FilterChainInput, ...]:
    return listener.filter_chains if listener.default_chain is None else (*listener.filter_chains, listener.default_chain)
