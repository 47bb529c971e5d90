"""Series that cost next to nothing to update: plain numbers of one thread, turned into Prometheus' families when somebody asks.

The client library of Prometheus locks and looks up labels at every update, some microseconds each; a stream of acknowledgements has a
handful of updates per message. Everything here is updated on the event loop only, and a family finds its child by one dictionary lookup.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from prometheus_client import Metric

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Buckets for times: from the change of one endpoint to the cold start of a large mesh."""


class Counter:
    """A number that grows."""

    __slots__ = ("value",)
    kind: Final = "counter"

    def __init__(self) -> None:
        self.value = 0.0

    def inc(self, amount: float = 1) -> None:
        """Add an amount."""
        self.value += amount


class Gauge:
    """A number that goes up and down."""

    __slots__ = ("value",)
    kind: Final = "gauge"

    def __init__(self) -> None:
        self.value = 0.0

    def set(self, value: float) -> None:
        """Replace the number."""
        self.value = value

    def inc(self, amount: float = 1) -> None:
        """Add an amount, which may be negative."""
        self.value += amount


class Histogram:
    """How many observations fell below each bound, and their sum."""

    __slots__ = ("_bounds", "_counts", "sum")
    kind: Final = "histogram"

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self._counts)

    def buckets(self) -> list[tuple[str, float]]:
        """Return (bound, number of observations up to it), as Prometheus writes them."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(float, self._bounds), float("inf")), self._counts, strict=True):
            total += count
            found.append(("+Inf" if bound == float("inf") else repr(bound), total))
        return found


Child = Counter | Gauge | Histogram
C = TypeVar("C", bound=Child)


class Family(Generic[C]):
    """One series for each value of a label; a family without a label has one child, ``only``."""

    __slots__ = ("_children", "_new", "help", "kind", "label", "name")

    def __init__(self, name: str, text: str, new: Callable[[], C], label: str = "") -> None:
        """Define a family.

        Args:
            name: without the suffix ``_total`` of counters.
            text: what it says, for people.
            new: makes a child.
            label: the name of the label, empty for none.
        """
        self.name = name
        self.help = text
        self.label = label
        self._new = new
        self._children: dict[str, C] = {}
        self.kind = (new() if label else self.of("")).kind

    def of(self, value: str) -> C:
        """Return the child with a value of the label."""
        child = self._children.get(value)
        if child is None:
            child = self._children[value] = self._new()
        return child

    @property
    def exposed_name(self) -> str:
        """The name that Prometheus sees."""
        return f"{self.name}_total" if self.kind == Counter.kind else self.name

    @property
    def only(self) -> C:
        """The child of a family without a label."""
        return self.of("")

    @property
    def total(self) -> float:
        """The sum over all children: of values, or of the numbers of observations."""
        return sum(number for _, number in self.values())

    def items(self) -> Iterator[tuple[str, C]]:
        """Yield the children by the value of their label, in order."""
        for value in sorted(self._children):
            yield value, self._children[value]

    def values(self) -> Iterator[tuple[str, float]]:
        """Yield the number of each child by the value of its label, in order."""
        for value, child in self.items():
            yield value, child.count if isinstance(child, Histogram) else child.value

    def metric(self) -> Metric:
        """Return the family as Prometheus' client library has it."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        labels = [self.label] if self.label else []
        if self.kind == Histogram.kind:
            histogram = HistogramMetricFamily(self.name, self.help, labels=labels)
            for value, child in self.items():
                if isinstance(child, Histogram):
                    histogram.add_metric([value] if labels else [], child.buckets(), child.sum)
            return histogram
        family: CounterMetricFamily | GaugeMetricFamily
        new = CounterMetricFamily if self.kind == Counter.kind else GaugeMetricFamily
        family = new(self.name, self.help, labels=labels)
        for value, child in self.items():
            if not isinstance(child, Histogram):
                family.add_metric([value] if labels else [], child.value)
        return family


AnyFamily = Family[Counter] | Family[Gauge] | Family[Histogram]
