"""ACK, NACK, nonces and the end of streams over a real socket, in both variants."""

from __future__ import annotations

import asyncio
import logging

import grpc
import pytest

from meshctl_operator.base.errors import MeshctlError
from meshctl_operator.xds.ads import AdsServer
from meshctl_operator.xds.discovery import XdsProtocol
from meshctl_operator.xds.resources import TypeUrl
from tests.support.xds_client import XdsClient
from tests.support.xds_rig import mark_of, sample, xds_rig

BOTH = pytest.mark.parametrize("protocol", ["sotw", "delta"])


@BOTH
async def test_ack_is_reported_with_what_changed(protocol: XdsProtocol) -> None:
    """An ACK is reported with the revision of the response and the versions that were new in it."""
    first, second = sample(TypeUrl.CLUSTER, "a"), sample(TypeUrl.CLUSTER, "b")
    async with xds_rig(first) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await rig.discovery.wait_for(lambda: len(rig.discovery.acks) == 1)
        revision = rig.serve(first, second)
        await rig.discovery.wait_for(lambda: len(rig.discovery.acks) == 2)
        assert rig.discovery.acks[0].changes == {"a": first.version}
        assert (rig.discovery.acks[1].revision, rig.discovery.acks[1].changes) == (revision, {"b": second.version})


@BOTH
@pytest.mark.parametrize("type_url", [t for t in TypeUrl if not t.delta_only], ids=lambda t: t.short)
async def test_rejected_response_is_reported_and_not_repeated(protocol: XdsProtocol, type_url: TypeUrl) -> None:
    """A NACK is reported with message and names; what was rejected is sent again only when its content changes."""
    bad = sample(type_url, "a", "bad")
    async with xds_rig(bad) as rig:
        client = await rig.connect(protocol)
        client.reject = lambda received: "a is bad" if any(mark_of(m) == "bad" for m in received.resources.values()) else None
        await client.subscribe(type_url, *(() if type_url.full_state else ("a",)))
        await rig.discovery.wait_for(lambda: rig.discovery.nacks)
        assert rig.discovery.nacks[0].message == "a is bad"
        assert rig.discovery.nacks[0].changes == {"a": bad.version}
        await rig.quiet(client)
        await rig.quiet(client)
        assert len([received for received in client.responses(type_url) if "a" in received.resources]) == 1
        rig.serve(sample(type_url, "a", "good"))
        await client.wait_for(lambda: "a" in client.names(type_url))
        assert len(rig.discovery.nacks) == 1


@BOTH
async def test_other_types_go_on_after_a_rejection(protocol: XdsProtocol) -> None:
    """A rejected listener does not keep routes from being updated."""
    async with xds_rig(sample(TypeUrl.LISTENER, "l", "bad"), sample(TypeUrl.ROUTE, "r")) as rig:
        client = await rig.connect(protocol)
        client.reject = lambda received: "bad" if received.type_url is TypeUrl.LISTENER else None
        await client.subscribe(TypeUrl.LISTENER)
        await client.subscribe(TypeUrl.ROUTE, "r")
        await rig.discovery.wait_for(lambda: rig.discovery.nacks)
        rig.serve(sample(TypeUrl.LISTENER, "l", "bad"), sample(TypeUrl.ROUTE, "r", "2"))
        await client.wait_for(lambda: client.names(TypeUrl.ROUTE) and mark_of(client.resources[TypeUrl.ROUTE]["r"]) == "2")


async def test_delta_name_out_of_a_rejected_response_is_removed_later() -> None:
    """Envoy keeps the good part of a rejected response, so its names get their removal when they vanish."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "good"), sample(TypeUrl.CLUSTER, "bad")) as rig:
        client = await rig.connect("delta")
        client.reject = lambda received: "Error adding/updating cluster(s) bad: no" if "bad" in received.resources else None
        await client.subscribe(TypeUrl.CLUSTER)
        await rig.discovery.wait_for(lambda: rig.discovery.nacks)
        rig.serve(sample(TypeUrl.CLUSTER, "bad"))
        await client.wait_for(lambda: len(client.log) == 2)
        assert (client.log[1].names, client.log[1].removed) == ([], ("good",))


@BOTH
async def test_idle_is_reported_when_everything_is_answered(protocol: XdsProtocol) -> None:
    """A session learns that its client is through with a revision, also one that brought it nothing, but not before the last answer."""
    async with xds_rig(sample(TypeUrl.ROUTE, "r")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.ROUTE, "r")
        await rig.discovery.wait_for(lambda: rig.discovery.sessions and rig.discovery.sessions[0].idle_revision == 1)
        revision = rig.serve(sample(TypeUrl.ROUTE, "r"), sample(TypeUrl.ROUTE, "other"))
        await rig.discovery.wait_for(lambda: rig.discovery.sessions[0].idle_revision == revision)
        client.hold.add(TypeUrl.ROUTE)
        last = rig.serve(sample(TypeUrl.ROUTE, "r", "2"))
        await client.wait_for(lambda: client.unanswered)
        assert rig.discovery.sessions[0].idle_revision == revision
        await client.ack(client.unanswered[0])
        await rig.discovery.wait_for(lambda: rig.discovery.sessions[0].idle_revision == last)


@BOTH
async def test_stale_nonce_is_ignored(protocol: XdsProtocol) -> None:
    """A request with the nonce of nobody neither ACKs nor NACKs and is not answered."""
    async with xds_rig(sample(TypeUrl.ROUTE, "r")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.ROUTE, "r")
        await rig.discovery.wait_for(lambda: rig.discovery.acks)
        if protocol == "delta":
            await client.send_delta(TypeUrl.ROUTE, nonce="no-such", error="old")
        else:
            await client.send_sotw(TypeUrl.ROUTE, ["r"], nonce="no-such", error="old")
        await rig.quiet(client)
        assert rig.discovery.nacks == []
        assert rig.discovery.outdated == [TypeUrl.ROUTE]
        assert len(client.responses(TypeUrl.ROUTE)) == 1


@BOTH
async def test_newest_state_wins_while_an_answer_is_awaited(protocol: XdsProtocol) -> None:
    """While a response waits for its ACK no other of its type is sent; ten changes meanwhile are one response."""
    async with xds_rig(sample(TypeUrl.ROUTE, "r", "0")) as rig:
        client = await rig.connect(protocol)
        client.hold.add(TypeUrl.ROUTE)
        await client.subscribe(TypeUrl.ROUTE, "r")
        await client.wait_for(lambda: client.unanswered)
        for mark in range(1, 11):
            rig.serve(sample(TypeUrl.ROUTE, "r", str(mark)))
            await rig.quiet(client)
        assert len(client.responses(TypeUrl.ROUTE)) == 1
        await client.ack(client.unanswered[0])
        await client.wait_for(lambda: len(client.responses(TypeUrl.ROUTE)) == 2)
        assert mark_of(client.resources[TypeUrl.ROUTE]["r"]) == "10"


@BOTH
async def test_clusters_may_be_superseded_before_their_ack(protocol: XdsProtocol) -> None:
    """A second CDS response does not wait for the ACK of the first, which Envoy withholds while clusters warm; both ACKs count."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a", "0")) as rig:
        client = await rig.connect(protocol)
        client.hold.add(TypeUrl.CLUSTER)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: len(client.unanswered) == 1)
        rig.serve(sample(TypeUrl.CLUSTER, "a", "1"))
        await client.wait_for(lambda: len(client.unanswered) == 2)
        for received in list(client.unanswered):
            await client.ack(received)
        await rig.discovery.wait_for(lambda: len(rig.discovery.acks) == 2)
        assert [ack.revision for ack in rig.discovery.acks] == [1, 2]


@BOTH
async def test_nothing_is_served_before_the_session_is_ready(protocol: XdsProtocol) -> None:
    """While the session has no state, nothing is answered; then everything that was asked for is."""
    async with xds_rig() as rig:
        rig.discovery.state = None
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await rig.discovery.wait_for(lambda: rig.discovery.sessions)
        assert client.log == []
        rig.serve(sample(TypeUrl.CLUSTER, "a"))
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["a"])


@BOTH
async def test_stream_without_node_is_refused(protocol: XdsProtocol) -> None:
    """A first request without node.id ends the stream with INVALID_ARGUMENT and says what to do."""
    async with xds_rig() as rig:
        client = await rig.connect(protocol, node_id="")
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.status)
        assert client.status is grpc.StatusCode.INVALID_ARGUMENT
        assert "node.id" in client.details


@BOTH
async def test_an_agent_may_report_before_the_proxy_says_anything(protocol: XdsProtocol) -> None:
    """Health of a workload is no request for anything: it is ignored, and the first request after it says who the client is."""
    health = "type.googleapis.com/istio.v1.HealthInformation"
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        client = await rig.connect(protocol)
        await client.send_without_node(health)
        await client.send_without_node(health)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["a"])
        await client.send_without_node(health)
        await rig.quiet(client)
        assert [received.type_url.short for received in client.log] == ["CDS", "SDS"]


@BOTH
async def test_refused_node_ends_its_stream_only(protocol: XdsProtocol) -> None:
    """A node that the discovery refuses gets its reason as status; other streams go on."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        rig.discovery.refused.add("stranger")
        good, stranger = await rig.connect(protocol), await rig.connect(protocol, node_id="stranger")
        await good.subscribe(TypeUrl.CLUSTER)
        await stranger.subscribe(TypeUrl.CLUSTER)
        await stranger.wait_for(lambda: stranger.status)
        assert (stranger.status, stranger.details) == (grpc.StatusCode.INVALID_ARGUMENT, "node stranger is not known here")
        await good.wait_for(lambda: good.names(TypeUrl.CLUSTER) == ["a"])


@BOTH
async def test_request_without_type_is_refused(protocol: XdsProtocol) -> None:
    """A later request without a type_url ends the stream, and the session is closed."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.log)
        await (client.send_delta("") if protocol == "delta" else client.send_sotw("", []))
        await client.wait_for(lambda: client.status)
        assert client.status is grpc.StatusCode.INVALID_ARGUMENT
        await rig.discovery.wait_for(lambda: not rig.discovery.sessions[0].open)


@BOTH
async def test_unknown_type_is_not_answered(protocol: XdsProtocol, caplog: pytest.LogCaptureFixture) -> None:
    """A type that is not served is logged once and otherwise ignored: the types that are served go on."""
    caplog.set_level(logging.WARNING, "meshctl.xds")
    unknown = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        client = await rig.connect(protocol)
        for _ in range(2):
            await (client.send_delta(unknown) if protocol == "delta" else client.send_sotw(unknown, []))
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.names(TypeUrl.CLUSTER) == ["a"])
    assert [(record.getMessage(), getattr(record, "type", "")) for record in caplog.records] == [("unsupported", unknown)]


@BOTH
async def test_bytes_that_are_no_request_are_refused(protocol: XdsProtocol) -> None:
    """Bytes that do not parse end the stream with INVALID_ARGUMENT."""
    async with xds_rig() as rig:
        client = await rig.connect(protocol)
        await client._call.write(b"\xff\xff\xff")
        await client.wait_for(lambda: client.status)
        assert client.status is grpc.StatusCode.INVALID_ARGUMENT


@BOTH
async def test_half_closed_stream_ends_well(protocol: XdsProtocol, caplog: pytest.LogCaptureFixture) -> None:
    """A client that is through gets status OK, its session is closed, and nothing is logged above INFO."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.log)
        await client.finish()
        await client.wait_for(lambda: client.status)
        assert client.status is grpc.StatusCode.OK
        await rig.discovery.wait_for(lambda: not rig.discovery.sessions[0].open)
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@BOTH
async def test_clients_that_break_off_leave_no_trace(protocol: XdsProtocol, caplog: pytest.LogCaptureFixture) -> None:
    """Clients that vanish amid pushes have their sessions closed, log no error and disturb nobody."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        steady = await rig.connect(protocol, node_id="steady")
        await steady.subscribe(TypeUrl.CLUSTER)
        await steady.wait_for(lambda: steady.log)
        for round_number in range(5):
            clients = [XdsClient(rig.address, protocol, node_id=f"brief-{index}") for index in range(5)]
            for client in clients:
                await client.connect()
                await client.subscribe(TypeUrl.CLUSTER)
            rig.serve(*[sample(TypeUrl.CLUSTER, f"c{index}", str(round_number)) for index in range(200)])
            await asyncio.gather(*[client.close() for client in clients])
        rig.serve(sample(TypeUrl.CLUSTER, "last"))
        await steady.wait_for(lambda: steady.names(TypeUrl.CLUSTER) == ["last"])
        await rig.discovery.wait_for(lambda: [session.node.id for session in rig.discovery.sessions if session.open] == ["steady"])
        assert rig.server.streams == 1
    assert [record.getMessage() for record in caplog.records if record.levelno > logging.INFO] == []


@BOTH
async def test_stopping_the_server_ends_streams_in_order(protocol: XdsProtocol) -> None:
    """Stopping ends each stream with status OK and closes its session, so that proxies reconnect elsewhere."""
    async with xds_rig(sample(TypeUrl.CLUSTER, "a")) as rig:
        client = await rig.connect(protocol)
        await client.subscribe(TypeUrl.CLUSTER)
        await client.wait_for(lambda: client.log)
        await rig.server.stop(5)
        await client.wait_for(lambda: client.status)
        assert client.status is grpc.StatusCode.OK
        assert [session.open for session in rig.discovery.sessions] == [False]


async def test_taken_port_is_an_error_with_a_hint() -> None:
    """Two servers cannot share a port; the error names the address and the way out."""
    async with xds_rig() as rig:
        with pytest.raises(MeshctlError, match=rig.address) as caught:
            await AdsServer(rig.discovery).start(rig.address)
        assert "port 0" in str(caught.value.hint)
