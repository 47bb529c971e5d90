"""Subscriptions over a real socket, in both variants: who asks for what gets exactly that, and no more often than necessary."""

from __future__ import annotations

import pytest

from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl
from tests.support.xds_client import XdsClient
from tests.support.xds_rig import XdsRig, mark_of, sample, xds_rig

BOTH = pytest.mark.parametrize("protocol", ["sotw", "delta"])
WILDCARD_TYPES = pytest.mark.parametrize("type_url", [TypeUrl.CLUSTER, TypeUrl.LISTENER], ids=lambda t: t.short)
NAMED_TYPES = pytest.mark.parametrize("type_url", [TypeUrl.ENDPOINT, TypeUrl.ROUTE, TypeUrl.SECRET], ids=lambda t: t.short)
ALL_TYPES = pytest.mark.parametrize("type_url", list(TypeUrl), ids=lambda t: t.short)
EVERY = pytest.mark.parametrize(
    ("protocol", "type_url"),
    [(protocol, type_url) for type_url in TypeUrl for protocol in ("sotw", "delta") if not (protocol == "sotw" and type_url.delta_only)],
    ids=lambda value: value.short if isinstance(value, TypeUrl) else value,
)


def marks(client: XdsClient, type_url: TypeUrl) -> dict[str, str]:
    """Return the mark of each resource that the client holds, without the barriers of the rig."""
    return {name: mark_of(message) for name, message in client.resources[type_url].items() if not name.startswith("barrier")}


def answers(client: XdsClient, type_url: TypeUrl) -> list[list[str]]:
    """Return the names in each response of the type, without the barriers of the rig."""
    found = [[name for name in received.names if not name.startswith("barrier")] for received in client.responses(type_url)]
    return [names for names in found if names or type_url is not TypeUrl.SECRET]


@BOTH
@WILDCARD_TYPES
async def test_wildcard_returns_everything_in_one_response(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """An empty first subscription to CDS or LDS means everything, and it comes in one response."""
    async with xds_rig(*[sample(type_url, name) for name in "abc"]) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.log)
        await rig.quiet(client)
        assert answers(client, type_url) == [["a", "b", "c"]]


@BOTH
@WILDCARD_TYPES
async def test_wildcard_is_answered_even_if_there_is_nothing(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """Envoy waits for the first CDS and LDS answer, so an empty one is sent, once."""
    async with xds_rig() as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.log)
        await rig.quiet(client)
        assert answers(client, type_url) == [[]]


@BOTH
@WILDCARD_TYPES
async def test_update_and_add_under_wildcard(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A change under the wildcard brings the full list in SotW and only what changed in Delta."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.log)
        rig.serve(sample(type_url, "a"), sample(type_url, "b", "2"), sample(type_url, "c"))
        await client.wait_for(lambda: marks(client, type_url) == {"a": "1", "b": "2", "c": "1"})
        await rig.quiet(client)
        assert answers(client, type_url)[1:] == [["a", "b", "c"] if protocol == "sotw" else ["b", "c"]]


@BOTH
@WILDCARD_TYPES
async def test_removal_under_wildcard(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A removed resource is left out in SotW and named in Delta; removing the last one is told as well."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.log)
        rig.serve(sample(type_url, "a"))
        await client.wait_for(lambda: client.names(type_url) == ["a"])
        rig.serve()
        await client.wait_for(lambda: client.names(type_url) == [])
        if protocol == "delta":
            assert [received.removed for received in client.responses(type_url)] == [(), ("b",), ("a",)]


@EVERY
async def test_named_subscription_returns_only_that(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A subscription to some names returns exactly these, and only their changes."""
    async with xds_rig(*[sample(type_url, name) for name in "abc"]) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url, "a", "b")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        rig.serve(sample(type_url, "a"), sample(type_url, "b", "2"), sample(type_url, "c", "2"), sample(type_url, "d"))
        await client.wait_for(lambda: marks(client, type_url) == {"a": "1", "b": "2"})
        await rig.quiet(client)
        full = protocol == "sotw" and type_url.full_state
        assert answers(client, type_url) == [["a", "b"], ["a", "b"] if full else ["b"]]


@EVERY
async def test_missing_name_comes_when_it_is_created(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A subscription to a name that does not exist yet brings what exists, and the name as soon as it exists."""
    async with xds_rig(sample(type_url, "a")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url, "a", "later")
        await client.wait_for(lambda: client.names(type_url) == ["a"])
        rig.serve(sample(type_url, "a"), sample(type_url, "later"))
        await client.wait_for(lambda: client.names(type_url) == ["a", "later"])


@ALL_TYPES
async def test_delta_says_that_a_name_does_not_exist(type_url: TypeUrl) -> None:
    """In Delta a subscribed name that does not exist is answered as removed, once, so that a client need not wait for it."""
    async with xds_rig() as rig:
        client = await rig.connect("delta")
        await client.subscribe(type_url, "ghost")
        await client.wait_for(lambda: client.log)
        await rig.quiet(client)
        assert [received.removed for received in client.log if received.removed] == [("ghost",)]


@BOTH
async def test_two_types_on_one_stream(protocol: XdsProtocol) -> None:
    """Subscriptions of several types on one stream do not touch each other."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "x"), sample(TypeUrl.ROUTE, "x"), sample(TypeUrl.ROUTE, "y")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.subscribe(TypeUrl.ROUTE, "x")
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) and client.names(TypeUrl.ROUTE))
        rig.serve(sample(TypeUrl.CLUSTER, "x"), sample(TypeUrl.ROUTE, "x", "2"), sample(TypeUrl.ROUTE, "y"))
        await client.wait_for(lambda: marks(client, TypeUrl.ROUTE) == {"x": "2"})
        await rig.quiet(client)
        assert answers(client, TypeUrl.CLUSTER) == [["x"]]
        assert answers(client, TypeUrl.ROUTE) == [["x"], ["x"]]


@EVERY
async def test_further_name_is_answered_alone(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A name that is subscribed later is answered without the names before it, but for the full lists of SotW CDS and LDS."""
    async with xds_rig(*[sample(type_url, name) for name in "abc"]) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url, "a")
        await client.wait_for(lambda: client.names(type_url) == ["a"])
        await client.subscribe(type_url, "b")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        await rig.quiet(client)
        full = protocol == "sotw" and type_url.full_state
        assert answers(client, type_url) == [["a"], ["a", "b"] if full else ["b"]]


@EVERY
async def test_unsubscribed_names_are_not_updated(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """After unsubscribing some names, then all, nothing comes for them; the legacy wildcard does not revive."""
    async with xds_rig(*[sample(type_url, name) for name in "abc"]) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url, "a", "b")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        await client.unsubscribe(type_url, "b")
        await rig.quiet(client)
        rig.serve(*[sample(type_url, name, "2") for name in "abc"])
        await client.wait_for(lambda: marks(client, type_url) == {"a": "2"})
        await client.unsubscribe(type_url, "a")
        await rig.quiet(client)
        rig.serve(*[sample(type_url, name, "3") for name in "abc"])
        await rig.quiet(client)
        assert answers(client, type_url) == [["a", "b"], ["a"]]


@EVERY
async def test_resubscribed_name_is_sent_again(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A name that was unsubscribed and is subscribed again is sent again, equal or not: the client has forgotten it."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url, "a", "b")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        await client.unsubscribe(type_url, "b")
        await rig.quiet(client)
        await client.subscribe(type_url, "b")
        await client.wait_for(lambda: sorted(marks(client, type_url)) == ["a", "b"])


@ALL_TYPES
async def test_delta_repeated_subscription_is_answered(type_url: TypeUrl) -> None:
    """In Delta each subscription to a name is answered, also if the client holds it."""
    async with xds_rig(sample(type_url, "a")) as rig:
        client = await rig.connect("delta")
        await client.subscribe(type_url, "a")
        await client.wait_for(lambda: len(client.log) == 1)
        await client.subscribe(type_url, "a")
        await client.wait_for(lambda: len(client.log) == 2)
        assert [received.names for received in client.log] == [["a"], ["a"]]


@NAMED_TYPES
async def test_delta_remove_and_add_again(type_url: TypeUrl) -> None:
    """In Delta a removed name is told once, comes back when it exists again, and each response has a nonce of its own."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect("delta")
        await client.subscribe(type_url, "a", "b")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        rig.serve(sample(type_url, "a"))
        await client.wait_for(lambda: client.names(type_url) == ["a"])
        rig.serve(sample(type_url, "a"), sample(type_url, "b"))
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        assert [(received.names, received.removed) for received in client.log] == [(["a", "b"], ()), ([], ("b",)), (["b"], ())]
        assert len({received.nonce for received in client.log}) == 3


@NAMED_TYPES
async def test_sotw_does_not_tell_removals_of_named_types(type_url: TypeUrl) -> None:
    """In SotW a name that vanishes from EDS, RDS or SDS is not told, and is sent when it comes back."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect("sotw")
        await client.subscribe(type_url, "a", "b")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        rig.serve(sample(type_url, "a"))
        await rig.quiet(client)
        rig.serve(sample(type_url, "a"), sample(type_url, "b"))
        await client.wait_for(lambda: len(answers(client, type_url)) == 2)
        assert answers(client, type_url) == [["a", "b"], ["b"]]


@EVERY
async def test_star_is_the_wildcard_of_every_type(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """``*`` means everything, also beside names."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(type_url, "*", "a")
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])


@NAMED_TYPES
@BOTH
async def test_empty_subscription_is_no_wildcard_for_named_types(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """An empty list to EDS, RDS or SDS subscribes to nothing."""
    async with xds_rig(sample(type_url, "a")) as rig:
        client = await rig.connect(protocol)
        if protocol == "delta":
            await client.send_delta(type_url)
        else:
            await client.send_sotw(type_url, [])
        await rig.quiet(client)
        assert answers(client, type_url) == []


@WILDCARD_TYPES
async def test_delta_stays_wildcard_until_star_is_unsubscribed(type_url: TypeUrl) -> None:
    """In Delta names beside the legacy wildcard do not end it; unsubscribing ``*`` does, and leaves the names."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect("delta")
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        await client.subscribe(type_url, "a")
        rig.serve(sample(type_url, "a"), sample(type_url, "b", "2"))
        await client.wait_for(lambda: marks(client, type_url) == {"a": "1", "b": "2"})
        await client.unsubscribe(type_url, "*")
        await rig.quiet(client)
        rig.serve(sample(type_url, "a", "3"), sample(type_url, "b", "3"))
        await client.wait_for(lambda: marks(client, type_url) == {"a": "3"})


@WILDCARD_TYPES
async def test_delta_unsubscribed_name_under_wildcard_is_told_again(type_url: TypeUrl) -> None:
    """In Delta a name that is unsubscribed under the wildcard is sent again if it exists, and told as removed if it does not."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect("delta")
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        await client.send_delta(type_url, unsubscribe=["a", "ghost"])
        await client.wait_for(lambda: len(client.log) == 2)
        assert (client.log[1].names, client.log[1].removed) == (["a"], ("ghost",))


@WILDCARD_TYPES
async def test_sotw_naming_ends_the_legacy_wildcard_for_good(type_url: TypeUrl) -> None:
    """In SotW the legacy wildcard ends with the first name, and an empty list means nothing from then on."""
    async with xds_rig(sample(type_url, "a"), sample(type_url, "b")) as rig:
        client = await rig.connect("sotw")
        await client.subscribe(type_url)
        await client.wait_for(lambda: client.names(type_url) == ["a", "b"])
        await rig.quiet(client)
        await client.send_sotw(type_url, ["a"])
        await client.wait_for(lambda: len(client.responses(type_url)) == 2)
        assert client.responses(type_url)[1].names == ["a"]
        client.held[type_url].wildcard, client.held[type_url].names = False, set()
        await client.send_sotw(type_url, [])
        await rig.quiet(client)
        rig.serve(sample(type_url, "a", "2"), sample(type_url, "b", "2"))
        await rig.quiet(client)
        assert len(client.responses(type_url)) == 2


@BOTH
async def test_ack_is_never_answered(protocol: XdsProtocol) -> None:
    """There are more requests than responses for each type: what the client accepts is not answered, nor is an unchanged state."""
    types = [type_url for type_url in TypeUrl if not (protocol == "sotw" and type_url.delta_only)]
    resources = [sample(type_url, "a") for type_url in types]
    async with xds_rig(*resources) as rig:
        client = await rig.connect(protocol)
        for type_url in types:
            await client.subscribe(type_url, *(() if type_url.legacy_wildcard else ("a",)))
        await client.wait_for(lambda: all(client.names(type_url) for type_url in types))
        for _ in range(3):
            rig.serve(*resources)
            await rig.quiet(client)
        once = [type_url for type_url in types if type_url is not TypeUrl.ENDPOINT]
        assert {type_url: len(answers(client, type_url)) for type_url in once} == dict.fromkeys(once, 1)
        assert all(client.sent[type_url] > len(client.responses(type_url)) for type_url in types)


async def _drained(rig: XdsRig) -> None:
    await rig.discovery.wait_for(lambda: not any(session.open for session in rig.discovery.sessions))


async def test_delta_reconnect_with_equal_versions_is_silent() -> None:
    """After a reconnect nothing is sent that the client has, endpoints included: a client that asks for clusters first has none that warms."""
    async with xds_rig(*[sample(type_url, "a") for type_url in TypeUrl]) as rig:
        client = await rig.connect("delta")
        for type_url in TypeUrl:
            await client.subscribe(type_url, *(() if type_url.legacy_wildcard else ("a",)))
        await client.wait_for(lambda: all(client.names(type_url) for type_url in TypeUrl))
        await client.close()
        await _drained(rig)
        client.log.clear()
        await client.connect()
        await rig.quiet(client)
        assert [(received.type_url.short, received.names) for received in client.log] == [("SDS", ["barrier-1"])]


async def test_delta_reconnect_tells_what_changed_meanwhile() -> None:
    """After a reconnect the changes and removals of the time between are told, and nothing else."""
    async with xds_rig(*[sample(TypeUrl.CLUSTER, name) for name in "abc"]) as rig:
        client = await rig.connect("delta")
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.log)
        await client.close()
        await _drained(rig)
        rig.serve(sample(TypeUrl.CLUSTER, "a"), sample(TypeUrl.CLUSTER, "b", "2"), sample(TypeUrl.CLUSTER, "d"))
        await client.connect()
        await client.wait_for(lambda: len(client.log) == 2)
        assert (client.log[1].names, client.log[1].removed) == (["b", "d"], ("c",))


async def test_sotw_reconnect_is_answered_in_full() -> None:
    """In SotW the first request on a stream is answered in full, whatever version the client says it has."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a"), sample(TypeUrl.ROUTE, "r")) as rig:
        client = await rig.connect("sotw")
        await client.subscribe(TypeUrl.CLUSTER)
        await client.subscribe(TypeUrl.ROUTE, "r")
        await client.wait_for(lambda: len(client.log) == 2)
        await client.reconnect()
        await client.wait_for(lambda: len(client.log) == 4)
        assert sorted(received.type_url.short for received in client.log[2:]) == ["CDS", "RDS"]
