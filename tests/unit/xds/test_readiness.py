"""New clusters that cannot be used yet, and what leads to them."""

from __future__ import annotations

import pytest

from meshctl_operator.xds.readiness import FEW, Readiness, Waiting
from meshctl_operator.xds.resources import TypeUrl
from tests.support.xds_rig import sample


def waiting(readiness: Readiness, now: float = 0.0) -> tuple[str, ...] | None:
    """Return the clusters that are waited for."""
    found = readiness.waiting(now, 10)
    return found.clusters if found is not None else ()


def test_a_cluster_is_ready_with_its_endpoints() -> None:
    """Under the name that it discovers them by; one that discovers none is ready when everything is answered."""
    readiness = Readiness()
    assert waiting(readiness) == ()
    readiness.told({"a": "eds-a", "b": "b", "dns": ""}, now=1.0)
    assert waiting(readiness) == ("a", "b", "dns")
    readiness.endpoints(["eds-a", "other"])
    assert waiting(readiness) == ("b", "dns")
    readiness.answered()
    assert waiting(readiness) == ()


def test_each_cluster_has_its_own_deadline() -> None:
    """What takes too long is told once."""
    readiness = Readiness()
    readiness.told({"a": ""}, now=1.0)
    readiness.told({"b": ""}, now=3.0)
    assert readiness.until(2.0, 10) == 11
    assert readiness.expired(10.9, 10) == ()
    assert readiness.expired(11.0, 10) == ("a",)
    assert readiness.expired(11.0, 10) == ()
    assert (waiting(readiness, 11.0), readiness.until(11.0, 10)) == (("b",), 13)


def test_many_are_one() -> None:
    """Beyond some number they are waited for as one, which has a deadline as well."""
    readiness = Readiness()
    readiness.told({"first": ""}, now=1.0)
    readiness.told({str(number): "" for number in range(FEW)}, now=2.0)
    assert waiting(readiness) is None
    readiness.endpoints(["first"])
    assert waiting(readiness) is None
    assert readiness.until(2.0, 10) == 12
    assert waiting(readiness, 12.0) == ()
    assert readiness.expired(12.0, 10) == ("",)
    assert waiting(readiness) == ()


@pytest.mark.parametrize(
    ("cluster", "holds"),
    [("outbound|80||a.b", True), ("outbound|80||a.b.c", False), ("outbound|80||a", False), ("x", False)],
    ids=["the one", "a longer name", "a shorter name", "its own name"],
)
def test_a_resource_leads_to_the_clusters_that_it_names(cluster: str, holds: bool) -> None:  # noqa: FBT001  (a parameter of the case)
    """A name counts where it stands as a whole text; the name of the resource itself does not."""
    assert Waiting((cluster,)).holds(sample(TypeUrl.ROUTE, "x", "outbound|80||a.b")) is holds
    assert Waiting(None).holds(sample(TypeUrl.ROUTE, "x"))


def test_a_resource_may_name_a_cluster_that_is_called_like_it() -> None:
    """Then the name stands there twice."""
    assert Waiting(("x",)).holds(sample(TypeUrl.ROUTE, "x", "x"))
