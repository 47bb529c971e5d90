"""istiod's names for series that mean the same here, so that dashboards made for it show something.

A name is only given where the meaning is the same. Labels keep istiod's values (``cds``, not ``CDS``). istiod's counters have no suffix
``_total``, so they are exposed without a type. Aliases double the number of series and are therefore asked for by a switch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from meshctl_operator import __version__
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.controlplane.series import AnyFamily, Histogram

if TYPE_CHECKING:
    from prometheus_client import Metric

Sample = tuple[dict[str, str], float]

_ENDPOINT_KINDS: Final = frozenset({Kind.ENDPOINT_SLICE, Kind.ENDPOINTS, Kind.POD, Kind.WORKLOAD_ENTRY})


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of istiod's for the family ``ours``. ``samples`` reads that family; None: a histogram, taken as it is."""

    name: str
    text: str
    ours: str
    samples: Callable[[AnyFamily], Iterable[Sample]] | None = None
    gauge: bool = False


def _by_type(family: AnyFamily) -> Iterator[Sample]:
    """Yield one sample for each child, under the label that istiod has."""
    for value, number in family.values():
        yield {"type": value.lower()}, number


def _total(family: AnyFamily) -> Iterator[Sample]:
    """Yield the sum of all children."""
    yield {}, family.total


def _by_version(family: AnyFamily) -> Iterator[Sample]:
    """Yield the sum under the label with our version."""
    yield {"version": __version__}, family.total


def _only(*wanted: str) -> Callable[[AnyFamily], Iterator[Sample]]:
    """Return the reader that adds up the children with these values of the label."""

    def samples(family: AnyFamily) -> Iterator[Sample]:
        yield {}, sum(number for value, number in family.values() if value in wanted)

    return samples


def _updates(family: AnyFamily) -> Iterator[Sample]:
    """Yield changes of objects by istiod's sorts: services, endpoints and everything else."""
    totals = {"config": 0.0, "eds": 0.0, "svc": 0.0}
    for value, number in family.values():
        totals["svc" if value == Kind.SERVICE else "eds" if value in _ENDPOINT_KINDS else "config"] += number
    for name, number in totals.items():
        yield {"type": name}, number


ALIASES: Final = (
    Alias("pilot_xds", "Open streams of proxies", "meshctl_connected_proxies", _by_version, gauge=True),
    Alias("pilot_xds_pushes", "Responses written, by type", "meshctl_pushes", _by_type),
    Alias("pilot_total_xds_rejects", "Rejected responses, by type", "meshctl_nacks", _by_type),
    *(
        Alias(f"pilot_xds_{short.lower()}_reject", f"Rejected {short} responses", "meshctl_nacks", _only(short))
        for short in ("CDS", "EDS", "LDS", "RDS")
    ),
    Alias("pilot_xds_expired_nonce", "Requests that answer no response or an old one, by type", "meshctl_outdated_requests", _by_type),
    Alias("pilot_total_xds_internal_errors", "Compile steps that failed", "meshctl_compile_bugs", _total),
    Alias("pilot_push_triggers", "Batches, by cause", "meshctl_batches", _by_type),
    Alias("pilot_inbound_updates", "Objects that changed, by sort", "meshctl_changes", _updates),
    Alias("pilot_total_rejected_configs", "Objects that were rejected", "meshctl_rejected_objects", _total),
    Alias(
        "pilot_services",
        "Services and ServiceEntries held",
        "meshctl_objects_by_kind",
        _only(Kind.SERVICE, Kind.SERVICE_ENTRY),
        gauge=True,
    ),
    Alias("pilot_virt_services", "VirtualServices held", "meshctl_objects_by_kind", _only(Kind.VIRTUAL_SERVICE), gauge=True),
    Alias("pilot_xds_config_size_bytes", "Size of a response, by type", "meshctl_push_size_bytes"),
    Alias("pilot_xds_push_time", "Time until a response is handed to the transport, by type", "meshctl_push_seconds"),
    Alias("pilot_proxy_convergence_time", "Time from a change until a proxy has all of it", "meshctl_proxy_convergence_seconds"),
    Alias("pilot_proxy_queue_time", "Time that a proxy waits until it is compiled for", "meshctl_proxy_queue_seconds"),
    Alias("pilot_debounce_time", "Time from the first change of a batch until it is taken", "meshctl_batch_wait_seconds"),
)
"""istiod's names, with ours."""


def pilot_metrics(families: Mapping[str, AnyFamily]) -> Iterator[Metric]:
    """Yield the aliases of our families, given by name, as families of Prometheus' client library."""
    for alias in ALIASES:
        family = families[alias.ours]
        yield _histogram(alias, family) if alias.samples is None else _numbers(alias, alias.samples(family))


def _numbers(alias: Alias, samples: Iterable[Sample]) -> Metric:
    from prometheus_client import Metric

    metric = Metric(alias.name, alias.text, "gauge" if alias.gauge else "unknown")
    for labels, value in samples:
        metric.add_sample(alias.name, labels, value)
    return metric


def _histogram(alias: Alias, family: AnyFamily) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    metric = HistogramMetricFamily(alias.name, alias.text, labels=["type"] if family.label else [])
    for value, child in family.items():
        if isinstance(child, Histogram):
            metric.add_metric([value.lower()] if family.label else [], child.buckets(), child.sum)
    return metric
