"""Settings of the xDS server, with the gRPC channel arguments they stand for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.xds.readiness import Timing

_TIMING: Final = Timing()
_MEGABYTE: Final = 1024 * 1024
_UNLIMITED: Final = -1


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the gRPC server of ``AdsServer`` behaves; times in seconds.

    Attributes:
        max_pending_requests: new streams that may wait to be accepted. The default of gRPC (1,000) sheds streams when a fleet reconnects.
        max_receive_bytes: size limit of a request; the first one of an Envoy has about 60 KB, one with 10,000 names some MB.
        min_client_ping: shortest interval of keepalive pings that is tolerated. The default of gRPC (5 minutes) ends connections of
            Envoys that ping more often.
        keepalive: interval of our own pings, so that a proxy that vanished is noticed.
        keepalive_timeout: how long such a ping may stay unanswered.
        max_connection_age: age at which connections are asked to reconnect, which spreads proxies over replicas; None: never.
        max_connection_grace: how long a connection past its age lives on.
        big_response: size of a response from which on it takes its turn; smaller ones are written at once.
        max_bytes_in_flight: how many bytes of big responses are handed to gRPC at a time; the streams take turns.
        write_patience: after this time a write that is not through, because the client does not read, no longer counts.
        write_deadline: after this time the stream of a client that does not read is ended; None: never.
        timing: how long removed resources stay, and how long what leads to new clusters waits for them.
    """

    max_pending_requests: int = 100_000
    max_receive_bytes: int = 64 * _MEGABYTE
    min_client_ping: float = 1.0
    keepalive: float = 30.0
    keepalive_timeout: float = 10.0
    max_connection_age: float | None = None
    max_connection_grace: float = 10.0
    big_response: int = 64 * 1024
    max_bytes_in_flight: int = 32 * _MEGABYTE
    write_patience: float = 1.0
    write_deadline: float | None = 60.0
    timing: Timing = _TIMING

    def channel_arguments(self) -> tuple[tuple[str, int], ...]:
        """Return the arguments of the gRPC core, whose times are milliseconds."""
        arguments = (
            ("grpc.so_reuseport", 0),  # or a second server on the same port would get half of the proxies instead of an error
            ("grpc.server.max_pending_requests", self.max_pending_requests),
            ("grpc.server.max_pending_requests_hard_limit", self.max_pending_requests),
            ("grpc.http2.min_ping_interval_without_data_ms", _milliseconds(self.min_client_ping)),
            ("grpc.http2.max_ping_strikes", 0),
            ("grpc.http2.bdp_probe", 0),  # or what a fleet that reconnects says it holds is read ahead, a megabyte for each client
            ("grpc.keepalive_time_ms", _milliseconds(self.keepalive)),
            ("grpc.keepalive_timeout_ms", _milliseconds(self.keepalive_timeout)),
            ("grpc.max_receive_message_length", self.max_receive_bytes),
            ("grpc.max_send_message_length", _UNLIMITED),
        )
        if self.max_connection_age is None:
            return arguments
        return (
            *arguments,
            ("grpc.max_connection_age_ms", _milliseconds(self.max_connection_age)),
            ("grpc.max_connection_age_grace_ms", _milliseconds(self.max_connection_grace)),
        )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
