"""Which version of a resource a kind of client is served after a rejection."""

from __future__ import annotations

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3 import route_pb2

from meshctl_operator.xds.nodes import NodeInfo
from meshctl_operator.xds.quarantine import FIRST_WAIT, ClientKind, Held, Quarantine, Rejection, kind_of
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.route_pieces import pieces
from meshctl_operator.xds.state import ViewState, view_state
from meshctl_operator.xds.virtual_hosts import shell_version
from tests.support.xds_rig import sample
from tests.unit.xds.test_route_pieces import domains_of, routes

CDS = TypeUrl.CLUSTER
OLD, NEW = ClientKind("1.37.0", "a"), ClientKind("1.40.0", "b")
NOTHING = view_state(0, [])


def state(revision: int, **versions: str) -> ViewState:
    """Return a state of clusters, given their versions."""
    return view_state(revision, [make_resource(CDS, name, b"", version) for name, version in versions.items()])


def versions(served: ViewState) -> dict[str, str]:
    """Return the version of each cluster."""
    return {name: resource.version for name, resource in served.of(CDS).items()}


def reject(quarantine: Quarantine, name: str, version: str, good: ViewState = NOTHING, *, now: float = 0.0, by: int = 1) -> Held | None:
    """Note that a new client rejects a cluster."""
    place = Rejection(NEW, CDS, name, version)
    return quarantine.reject(by, Held(place, "no", (f"VirtualService/shop/{name}",)), good, now)


def test_a_kind_is_a_version_and_a_set_of_extensions() -> None:
    """The order of extensions does not matter, and who the client is neither."""
    one = NodeInfo("a", version=(1, 40, 0), extensions=frozenset({"x", "y"}))
    assert kind_of(one) == kind_of(NodeInfo("b", version=(1, 40, 0), extensions=frozenset({"y", "x"})))
    assert kind_of(one) != kind_of(NodeInfo("a", version=(1, 40, 0), extensions=frozenset({"x"})))
    assert kind_of(one) != kind_of(NodeInfo("a", version=(1, 39, 0), extensions=frozenset({"x", "y"})))


def test_the_last_good_version_is_served() -> None:
    """To that kind alone; everything else is as it is, and a state without it is the very same."""
    quarantine, good, bad = Quarantine(), state(1, a="1", b="1"), state(2, a="2", b="2")
    assert quarantine.serve(NEW, bad) is bad
    held = reject(quarantine, "a", "2", good)
    assert held is not None
    assert held.instead == good.of(CDS)["a"]
    assert versions(quarantine.serve(NEW, bad)) == {"a": "1", "b": "2"}
    assert quarantine.serve(NEW, bad) is quarantine.serve(NEW, bad)
    assert quarantine.serve(OLD, bad) is bad
    mended = state(3, a="3", b="2")
    assert quarantine.serve(NEW, mended) is mended
    quarantine.forget([mended])
    assert versions(quarantine.serve(NEW, bad)) == {"a": "1", "b": "2"}


def test_what_the_last_good_version_refers_to_is_served_as_well() -> None:
    """As far as the state does not have it, in its own newer version."""
    route = route_pb2.RouteConfiguration(name="80")
    host = route.virtual_hosts.add(name="x", domains=["*"])
    for cluster in ("gone", "stays"):
        host.routes.add().route.cluster = cluster
    clusters = {name: make_resource(CDS, name, cluster_pb2.Cluster(name=name).SerializeToString()) for name in ("gone", "stays", "other")}
    good = view_state(1, [make_resource(TypeUrl.ROUTE, "80", route.SerializeToString()), *clusters.values()])
    quarantine, newer = Quarantine(), make_resource(CDS, "stays", b"", "newer")
    bad = view_state(2, [make_resource(TypeUrl.ROUTE, "80", b"", "bad"), newer])
    quarantine.reject(1, Held(Rejection(NEW, TypeUrl.ROUTE, "80", "bad"), "no"), good, 0.0)
    served = quarantine.serve(NEW, bad)
    assert served.of(TypeUrl.ROUTE)["80"] == good.of(TypeUrl.ROUTE)["80"]
    assert versions(served) == {"gone": clusters["gone"].version, "stays": "newer"}


def test_without_a_good_version_as_little_as_possible_is_served() -> None:
    """Nothing, but an empty message of what Envoy waits for."""
    quarantine = Quarantine()
    bad = view_state(1, [sample(type_url, "x") for type_url in TypeUrl])
    for type_url in TypeUrl:
        quarantine.reject(1, Held(Rejection(NEW, type_url, "x", bad.of(type_url)["x"].version), "no"), NOTHING, 0.0)
    served = quarantine.serve(NEW, bad)
    assert {type_url.short for type_url in TypeUrl if served.of(type_url)} == {"EDS", "RDS"}
    assert route_pb2.RouteConfiguration.FromString(served.of(TypeUrl.ROUTE)["x"].body) == route_pb2.RouteConfiguration(name="x")


def test_the_good_version_survives_several_bad_ones() -> None:
    """What a later client is served that had none: the version that was good before the first of two rejected ones."""
    quarantine = Quarantine()
    reject(quarantine, "a", "2", state(1, a="1"))
    reject(quarantine, "a", "3")
    assert versions(quarantine.serve(NEW, state(3, a="3"))) == {"a": "1"}


def test_many_that_reject_the_same_are_one_entry() -> None:
    """One that knows a good version adds it; otherwise nothing changes, nor does the time to wait."""
    quarantine = Quarantine()
    assert reject(quarantine, "a", "2") is not None
    epoch = quarantine.epoch
    assert reject(quarantine, "a", "2", by=2) is None
    assert quarantine.epoch == epoch
    assert reject(quarantine, "a", "2", state(1, a="1"), by=3) is None
    (held,) = quarantine.entries()
    assert (held.instead is not None, held.attempts) == (True, 1)


def test_a_change_of_an_object_releases_what_came_from_it() -> None:
    """At once for the first time, later only after a wait that grows, so that a loop of rejections costs little."""
    quarantine, good, bad = Quarantine(), state(1, a="1"), state(2, a="2")
    reject(quarantine, "a", "2", good)
    assert quarantine.release(["VirtualService/shop/b"], 0.0) == ()
    assert [held.rejection.name for held in quarantine.release(["VirtualService/shop/a"], 0.0)] == ["a"]
    assert quarantine.serve(NEW, bad) is bad
    assert not quarantine
    for wait in (FIRST_WAIT, 2 * FIRST_WAIT):
        reject(quarantine, "a", "2", good, now=10.0)
        assert quarantine.release(["VirtualService/shop/a"], 10.0) == ()
        assert quarantine.next_due() == 10.0 + wait
        assert quarantine.due(10.0 + wait / 2) == ()
        assert len(quarantine.due(10.0 + wait)) == 1
        assert quarantine.next_due() is None


def test_what_came_from_no_object_is_tried_again_after_any_change() -> None:
    """Or it would be held for good."""
    quarantine = Quarantine()
    quarantine.reject(1, Held(Rejection(NEW, CDS, "a", "1"), "no"), NOTHING, 0.0)
    assert len(quarantine.release(["Service/x/y"], 0.0)) == 1


def test_what_another_client_accepts_is_trusted() -> None:
    """From then on nobody's rejection counts."""
    quarantine = Quarantine()
    reject(quarantine, "a", "2")
    assert quarantine.accept(OLD, CDS, {"a": "2"}) == ()
    assert len(quarantine.accept(NEW, CDS, {"a": "2", "b": "1", "c": None})) == 1
    assert not quarantine
    assert reject(quarantine, "a", "2") is None
    assert not quarantine


def test_what_only_an_unbelievable_client_rejects_is_not_held() -> None:
    """Unless somebody else rejects it, too, or it is known from before."""
    quarantine, before = Quarantine(), Quarantine()
    reject(before, "z", "1")
    quarantine.restore(before.entries())
    reject(quarantine, "a", "2", by=1)
    reject(quarantine, "b", "2", by=1)
    reject(quarantine, "b", "2", by=2)
    assert [held.rejection.name for held in quarantine.disbelieve(1)] == ["a"]
    assert [held.rejection.name for held in quarantine.entries()] == ["b", "z"]


def test_what_is_held_can_be_restored() -> None:
    """Another control plane that is given the entries serves the same."""
    first, second = Quarantine(), Quarantine()
    reject(first, "a", "2", state(1, a="1"))
    second.restore(first.entries())
    assert versions(second.serve(NEW, state(5, a="2"))) == {"a": "1"}
    assert second.entries() == first.entries()


def test_one_virtual_host_of_a_whole_route_configuration() -> None:
    """Is replaced in it; the form with virtual hosts of their own does not have that version, and is the same."""
    old, new = routes(a="1", b="1"), routes(a="2", b="2")
    split: list[XdsResource] = [make_resource(TypeUrl.ROUTE, "80", b"", shell_version(b""))]
    both = ViewState(2, view_state(2, split).resources, lambda: view_state(2, [new]).resources)
    quarantine = Quarantine()
    good = view_state(1, pieces(old).values())
    quarantine.reject(1, Held(Rejection(NEW, TypeUrl.VIRTUAL_HOST, "80/a", pieces(new)["80/a"].version), "no"), good, 0.0)
    served = quarantine.serve(NEW, both)
    assert set(quarantine.names(NEW, TypeUrl.ROUTE)) == {"80"}
    assert set(quarantine.names(NEW, TypeUrl.VIRTUAL_HOST)) == {"80/a"}
    assert not quarantine.names(NEW, CDS) | quarantine.names(OLD, TypeUrl.ROUTE)
    assert domains_of(served.whole.of(TypeUrl.ROUTE)["80"]) == {"a": "1", "b": "2"}
    assert served.of(TypeUrl.ROUTE) is both.of(TypeUrl.ROUTE)
