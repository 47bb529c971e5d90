"""The virtual hosts of a whole route configuration as pieces."""

from __future__ import annotations

from envoy.config.route.v3 import route_components_pb2, route_pb2

from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource
from meshctl_operator.xds.route_pieces import pieces, shell, with_pieces


def routes(**domains: str) -> XdsResource:
    """Return a route configuration with virtual hosts of these names and domains, and fields around them."""
    hosts = [route_components_pb2.VirtualHost(name=name.replace("_", "/"), domains=[domain]) for name, domain in domains.items()]
    message = route_pb2.RouteConfiguration(
        name="80", virtual_hosts=hosts, validate_clusters={"value": False}, max_direct_response_body_size_bytes={"value": 700}
    )
    return make_resource(TypeUrl.ROUTE, "80", message.SerializeToString(deterministic=True))


def domains_of(route: XdsResource) -> dict[str, str]:
    """Return the domain of each virtual host, which must be in order of the names."""
    message = route_pb2.RouteConfiguration.FromString(route.body)
    assert message.max_direct_response_body_size_bytes.value == 700
    return {host.name: host.domains[0] for host in message.virtual_hosts}


def test_pieces_are_the_virtual_hosts() -> None:
    """By the names that they would have as resources, with a slash escaped; what is left is the shell."""
    found = pieces(routes(a="1", b_c="2"))
    assert list(found) == ["80/a", "80/b%2Fc"]
    assert all(piece.type_url is TypeUrl.VIRTUAL_HOST for piece in found.values())
    assert route_components_pb2.VirtualHost.FromString(found["80/a"].body).domains == ["1"]
    assert shell(routes(a="1")) == shell(routes(b="2")) == routes().body


def test_pieces_are_replaced_or_left_out() -> None:
    """Known by their versions; the others and everything around stay as they are, and the version is another one."""
    old, new = routes(a="1", b="1", c="1"), routes(a="2", b="2", c="2")
    had, has = pieces(old), pieces(new)
    made = with_pieces(new, {has["80/a"].version: had["80/a"], has["80/b"].version: None})
    assert domains_of(made) == {"a": "1", "c": "2"}
    assert made.version not in {old.version, new.version}
    assert made == with_pieces(new, {has["80/a"].version: had["80/a"], has["80/b"].version: None})
    assert with_pieces(new, {had["80/a"].version: None}) is new
