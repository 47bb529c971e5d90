"""Metrics of the control plane, in a registry of their own so that two control planes of one process do not mix."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from meshctl_operator import __version__

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Telemetry:
    """The series, named ``meshctl_...``. Labels are types and causes, never proxies: their number must not grow with the mesh."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.changes = Counter("meshctl_changes", "Objects that changed, by kind", ["kind"], registry=self.registry)
        self.rejected = Counter("meshctl_rejected_objects", "Objects that were rejected, by kind", ["kind"], registry=self.registry)
        self.pushes = Counter("meshctl_pushes", "States of a type handed to streams", ["type"], registry=self.registry)
        self.acks = Counter("meshctl_acks", "Responses that proxies accepted", ["type"], registry=self.registry)
        self.nacks = Counter("meshctl_nacks", "Responses that proxies rejected", ["type"], registry=self.registry)
        self.proxies = Gauge("meshctl_connected_proxies", "Open streams of proxies", registry=self.registry)
        self.objects = Gauge("meshctl_objects", "Config objects held", registry=self.registry)
        self.revision = Gauge("meshctl_revision", "Number of the newest state", registry=self.registry)
        self.ready = Gauge("meshctl_ready", "1 when every source is in sync", registry=self.registry)
        self.compile_bugs = Counter("meshctl_compile_bugs", "Compile steps that failed; the last good state stays", registry=self.registry)
        self.source_failures = Counter("meshctl_source_failures", "Failed runs of a source", ["source"], registry=self.registry)
        self.compile_seconds = Histogram("meshctl_compile_seconds", "Time to compile one proxy", buckets=_SECONDS, registry=self.registry)
        self.apply_seconds = Histogram(
            "meshctl_apply_seconds", "Time from the first change of a batch until it is compiled", buckets=_SECONDS, registry=self.registry
        )
        self.ack_seconds = Histogram(
            "meshctl_convergence_seconds",
            "Time from a change until a proxy accepted it",
            ["type"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        Info("meshctl_build", "Version of the control plane", registry=self.registry).info({"version": __version__})

    def exposition(self) -> bytes:
        """Return all series in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
