"""Series count, and become families of Prometheus' client library."""

from __future__ import annotations

import pytest

from meshctl_operator.controlplane.series import Counter, Family, Gauge, Histogram


def test_counters_by_label() -> None:
    """In the order of the label's values."""
    family = Family("x", "What it is", Counter, "type")
    family.of("LDS").inc()
    family.of("CDS").inc(2)
    assert list(family.values()) == [("CDS", 2), ("LDS", 1)]
    assert family.total == 3
    assert [(sample.name, sample.labels, sample.value) for sample in family.metric().samples] == [
        ("x_total", {"type": "CDS"}, 2),
        ("x_total", {"type": "LDS"}, 1),
    ]


def test_a_family_without_label_has_one_child_from_the_start() -> None:
    """So that the series is there before anything happened."""
    family = Family("x", "What it is", Gauge)
    assert [(sample.name, sample.labels, sample.value) for sample in family.metric().samples] == [("x", {}, 0)]
    family.only.set(4)
    family.only.inc(-1)
    assert family.total == 3


def test_histograms_are_cumulative() -> None:
    """A value on a bound is within it."""
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 7.0):
        histogram.observe(value)
    assert histogram.buckets() == [("0.1", 2), ("1.0", 3), ("+Inf", 4)]
    assert histogram.count == 4
    assert histogram.sum == pytest.approx(7.65)


def test_a_histogram_as_a_family() -> None:
    """With count and sum."""
    family = Family("x", "What it is", lambda: Histogram((1,)), "type")
    family.of("CDS").observe(3)
    assert {(sample.name, sample.labels.get("le"), sample.value) for sample in family.metric().samples} == {
        ("x_bucket", "1.0", 0),
        ("x_bucket", "+Inf", 1),
        ("x_count", None, 1),
        ("x_sum", None, 3),
    }
    assert list(family.values()) == [("CDS", 1)]
