"""A compiled resource is what travels, knows where it came from, and never shows its body."""

from __future__ import annotations

from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.resources import compiled_resource
from meshctl_operator.xds.resources import TypeUrl, content_hash, make_resource

SERVICE = ObjectKey("Service", "shop", "cart")
RULE = ObjectKey("DestinationRule", "shop", "cart")


def test_repr_has_no_body() -> None:
    """Logs may hold a resource; what is in a secret stays out of them."""
    shown = repr(compiled_resource(TypeUrl.SECRET, "kubernetes://x", b"PRIVATE"))
    assert shown == "CompiledResource(Secret 'kubernetes://x', 7 bytes)"


def test_it_travels_as_any_resource_does() -> None:
    """Frames, version and size are those that the xDS server gives the same message."""
    made, plain = compiled_resource(TypeUrl.CLUSTER, "c", b"body", (), "eds"), make_resource(TypeUrl.CLUSTER, "c", b"body", eds_name="eds")
    assert (made.version, made.sotw_frame, made.delta_head, made.delta_tail) == (
        plain.version,
        plain.sotw_frame,
        plain.delta_head,
        plain.delta_tail,
    )
    assert (made.body, made.body_size, made.eds_name) == (b"body", 4, "eds")


def test_provenance_is_gathered_from_the_parts() -> None:
    """Each object once, in the order of the keys, whatever parts it stands in."""
    made = compiled_resource(TypeUrl.ROUTE, "80", b"", ((SERVICE, RULE), (), (SERVICE,)))
    assert made.provenance == (RULE, SERVICE)


def test_equal_are_content_and_sources() -> None:
    """What came out the same from the same objects is equal; from other objects, or under another name, it is not."""
    made = compiled_resource(TypeUrl.CLUSTER, "c", b"body", ((SERVICE,),))
    assert made == compiled_resource(TypeUrl.CLUSTER, "c", b"body", ((SERVICE,),))
    assert hash(made) == hash(compiled_resource(TypeUrl.CLUSTER, "c", b"body", ((SERVICE,),)))
    assert made != compiled_resource(TypeUrl.CLUSTER, "c", b"body", ((RULE,),))
    assert made != compiled_resource(TypeUrl.CLUSTER, "c", b"other", ((SERVICE,),))
    assert made != compiled_resource(TypeUrl.CLUSTER, "d", b"body", ((SERVICE,),))
    assert made != compiled_resource(TypeUrl.ENDPOINT, "c", b"body", ((SERVICE,),))
    assert made != "c"


def test_a_version_may_be_given() -> None:
    """A message that was joined from parts has the hash of their versions, since hashing all of it costs more."""
    version = content_hash(b"parts")
    assert compiled_resource(TypeUrl.ROUTE, "80", b"joined", version=version).version == version
    assert compiled_resource(TypeUrl.ROUTE, "80", b"joined").version == content_hash(b"joined")
