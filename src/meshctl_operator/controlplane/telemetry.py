"""What the control plane measures about itself, under names that Prometheus understands.

Labels are types, kinds and causes, never proxies: the number of series must not grow with the mesh. Each control plane has series of its
own, so that two of one process do not mix. ``docs/reference/metrics.md`` is generated from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from meshctl_operator import __version__
from meshctl_operator.controlplane.series import SECONDS, AnyFamily, Counter, Family, Gauge, Histogram

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

C = TypeVar("C", Counter, Gauge, Histogram)

BYTES: Final = (1.0, 10_000.0, 1_000_000.0, 4_000_000.0, 10_000_000.0, 40_000_000.0)
"""Istio's buckets of ``pilot_xds_config_size_bytes``: gRPC's default limit is 4 MB."""

SHORT_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Buckets for pauses of the event loop, which should stay below 50 ms."""

_seconds: Callable[[], Histogram] = partial(Histogram, SECONDS)
_pauses: Callable[[], Histogram] = partial(Histogram, SHORT_SECONDS)
_sizes: Callable[[], Histogram] = partial(Histogram, BYTES)


class Telemetry:
    """The series of one control plane."""

    def __init__(self, *, pilot_metrics: bool = False) -> None:
        """Start at zero; ``pilot_metrics`` adds the names that dashboards of Istio ask for."""
        self._families: dict[str, AnyFamily] = {}
        self._pilot_metrics = pilot_metrics
        self._refreshers: list[Callable[[], None]] = []
        # what came in
        self.changes = self._new("meshctl_changes", "Objects that changed, by kind", Counter, "kind")
        self.rejected = self._new("meshctl_rejected_objects", "Objects that were rejected, by kind", Counter, "kind")
        self.batches = self._new("meshctl_batches", "Batches of changes: endpoints alone, or config", Counter, "cause")
        self.objects = self._new("meshctl_objects", "Config objects held", Gauge).only
        self.kinds = self._new("meshctl_objects_by_kind", "Config objects held, by kind", Gauge, "kind")
        self.findings = self._new("meshctl_findings", "Findings that hold now, by severity", Gauge, "severity")
        self.source_failures = self._new("meshctl_source_failures", "Failed runs of a source", Counter, "source")
        self.kube_relists = self._new("meshctl_kube_relists", "Lists after a watch that could not go on, by kind", Counter, "kind")
        self.kube_restarts = self._new("meshctl_kube_watch_restarts", "Watches that broke off and went on, by kind", Counter, "kind")
        self.kube_failures = self._new("meshctl_kube_failures", "Failed requests to the API server, by kind", Counter, "kind")
        self.kube_drift = self._new("meshctl_kube_drift", "Objects that lists had to put right, by kind", Counter, "kind")
        # what was made of it
        self.revision = self._new("meshctl_revision", "Number of the newest state", Gauge).only
        self.ready = self._new("meshctl_ready", "1 while proxies may rely on what is served", Gauge).only
        self.recomputed = self._new("meshctl_recomputed_nodes", "Derivations that ran, by function", Counter, "node")
        self.dropped = self._new("meshctl_dropped_nodes", "Derivations dropped because nobody asks for them any more", Counter).only
        self.compile_bugs = self._new("meshctl_compile_bugs", "Compile steps that failed; the last good state stays", Counter).only
        self.batch_wait = self._new("meshctl_batch_wait_seconds", "Time from the first change of a batch until it is taken", _seconds).only
        self.compile_seconds = self._new(
            "meshctl_compile_seconds", "Time of computing for one proxy that something changed for", _seconds
        ).only
        self.apply_seconds = self._new(
            "meshctl_apply_seconds", "Time from the first change of a batch until it is compiled for every proxy", _seconds
        ).only
        self.queue_seconds = self._new("meshctl_proxy_queue_seconds", "Time that a proxy waits until it is compiled for", _seconds).only
        # what went out, and what came back
        self.proxies = self._new("meshctl_connected_proxies", "Open streams of proxies, by xDS protocol", Gauge, "protocol")
        self.pushes = self._new("meshctl_pushes", "Responses written, by xDS type", Counter, "type")
        self.push_bytes = self._new("meshctl_push_bytes", "Bytes of responses written, by xDS type", Counter, "type")
        self.push_sizes = self._new("meshctl_push_size_bytes", "Size of a response, by xDS type", _sizes, "type")
        self.push_seconds = self._new(
            "meshctl_push_seconds",
            "Time from a new state for a proxy until a response of it is handed to the transport, by xDS type",
            _seconds,
            "type",
        )
        self.acks = self._new("meshctl_acks", "Responses that proxies accepted, by xDS type", Counter, "type")
        self.nacks = self._new("meshctl_nacks", "Responses that proxies rejected, by xDS type", Counter, "type")
        self.outdated = self._new(
            "meshctl_outdated_requests", "Requests of proxies that answer no response or an old one, by xDS type", Counter, "type"
        )
        self.quarantined = self._new(
            "meshctl_quarantined_resources",
            "Versions of resources that are held back because proxies reject them, by xDS type",
            Gauge,
            "type",
        )
        self.overdue = self._new(
            "meshctl_overdue_resources",
            "New resources that a proxy did not get ready in time, so that nothing waits for them, by xDS type",
            Counter,
            "type",
        )
        self.ack_seconds = self._new("meshctl_ack_seconds", "Time from a change until a proxy accepted it, by xDS type", _seconds, "type")
        self.proxy_convergence = self._new(
            "meshctl_proxy_convergence_seconds", "Time from a change until one proxy accepted all of it", _seconds
        ).only
        self.convergence = self._new(
            "meshctl_convergence_seconds", "Time from a change until the last of the proxies that it reaches accepted it", _seconds
        ).only
        # how the process does
        self.loop_lag = self._new("meshctl_loop_lag_seconds", "How late the event loop is for a timer, sampled", _pauses).only
        self.loop_lag_max = self._new("meshctl_loop_lag_max_seconds", "Largest lag of the event loop since the start", Gauge).only
        self.gc_pauses = self._new("meshctl_gc_pause_seconds", "Pauses by the garbage collector, by generation", _pauses, "generation")

    def _new(self, name: str, text: str, new: Callable[[], C], label: str = "") -> Family[C]:
        family = Family(name, text, new, label)
        self._families[name] = family
        return family

    def refresh_with(self, refresher: Callable[[], None]) -> None:
        """Have this called before each look, for numbers that nobody keeps."""
        self._refreshers.append(refresher)

    def families(self) -> tuple[AnyFamily, ...]:
        """Return every family, in the order of their definition."""
        return tuple(self._families.values())

    def collect(self) -> Iterator[Metric]:
        """Yield every family (``prometheus_client.registry.Collector``)."""
        from prometheus_client.core import InfoMetricFamily

        for refresher in self._refreshers:
            refresher()
        for family in self.families():
            yield family.metric()
        yield InfoMetricFamily("meshctl_build", "Version of the control plane", value={"version": __version__})
        if self._pilot_metrics:
            from meshctl_operator.controlplane.pilot_metrics import pilot_metrics

            yield from pilot_metrics(self._families)

    def registry(self) -> CollectorRegistry:
        """Return a registry with these series, and memory and CPU of the process."""
        from prometheus_client import CollectorRegistry, ProcessCollector

        registry = CollectorRegistry()
        registry.register(self)
        ProcessCollector(registry=registry)
        return registry

    def exposition(self) -> bytes:
        """Return all series in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry())
