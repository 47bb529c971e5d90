"""Unit tests of resources: versions, frames and what is never shown."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, fields

import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource

BODY = b"\x0a\x01a"


def test_version_is_the_hash_of_the_content() -> None:
    """The version is 16 hexadecimal digits of the SHA-256 of the body, whatever the name."""
    resource = make_resource(TypeUrl.CLUSTER, "a", BODY)
    assert resource.version == hashlib.sha256(BODY).hexdigest()[:16]
    assert make_resource(TypeUrl.CLUSTER, "b", BODY).version == resource.version


def test_given_version_is_kept() -> None:
    """A caller that has hashed the parts of a large body gives the version itself."""
    assert make_resource(TypeUrl.ROUTE, "a", BODY, version="parts").version == "parts"


@pytest.mark.parametrize("body", [BODY, b"", b"x" * 1000])
def test_frames_are_what_protobuf_writes(body: bytes) -> None:
    """Each frame is byte for byte a response with that one resource, and parses to type, name, version and body."""
    resource = make_resource(TypeUrl.ROUTE, "routes", body)
    sotw = discovery_pb2.DiscoveryResponse.FromString(resource.sotw_frame)
    delta = discovery_pb2.DeltaDiscoveryResponse.FromString(resource.delta_frame)
    assert (sotw.resources[0].type_url, sotw.resources[0].value) == (TypeUrl.ROUTE, body)
    assert (delta.resources[0].name, delta.resources[0].version, delta.resources[0].resource.value) == ("routes", resource.version, body)
    assert sotw.SerializeToString() == resource.sotw_frame
    assert delta.SerializeToString() == resource.delta_frame
    assert resource.body == body


def test_body_is_held_once() -> None:
    """What is held besides the SotW frame is a few bytes, not a second copy of the body."""
    resource = make_resource(TypeUrl.ROUTE, "routes", b"x" * 100_000)
    rest = sys.getsizeof(resource.delta_head) + sys.getsizeof(resource.delta_tail)
    assert rest < 500


def test_equality_is_type_name_and_version() -> None:
    """Resources are equal when type, name and version are, and then hash alike."""
    one, same = make_resource(TypeUrl.ROUTE, "a", BODY), make_resource(TypeUrl.ROUTE, "a", BODY)
    assert one == same
    assert hash(one) == hash(same)
    others = [
        make_resource(TypeUrl.ROUTE, "b", BODY),
        make_resource(TypeUrl.SECRET, "a", BODY),
        make_resource(TypeUrl.ROUTE, "a", b""),
    ]
    assert one not in others
    assert one != "a"


def test_repr_has_no_body() -> None:
    """A secret in the body never shows in a repr."""
    assert "sentinel" not in repr(make_resource(TypeUrl.SECRET, "key", b"sentinel"))


def test_short_names_and_order() -> None:
    """The types are in the order in which additions are sent; CDS and LDS list everything in SotW, which does not have VHDS."""
    assert [type_url.short for type_url in TypeUrl] == ["CDS", "EDS", "LDS", "RDS", "VHDS", "SDS"]
    assert [type_url.short for type_url in TypeUrl if type_url.full_state] == ["CDS", "LDS"]
    assert [type_url.short for type_url in TypeUrl if type_url.legacy_wildcard] == ["CDS", "LDS", "VHDS"]
    assert [type_url.short for type_url in TypeUrl if type_url.delta_only] == ["VHDS"]


def test_other_kinds_of_resources_may_carry_more() -> None:
    """A subclass with further facts beside is a resource like any other."""

    @dataclass(frozen=True, slots=True, eq=False)
    class Annotated(XdsResource):
        origin: str = ""

    plain = make_resource(TypeUrl.CLUSTER, "a", BODY, eds_name="endpoints")
    facts = {entry.name: getattr(plain, entry.name) for entry in fields(XdsResource)}
    annotated = Annotated(**facts, origin="here")
    assert annotated == plain
    assert (annotated.eds_name, annotated.origin) == ("endpoints", "here")
