"""What the API server holds is what the control plane has: from the start, and after every change."""

from __future__ import annotations

import pytest

from tests.support.api_server import ApiServer
from tests.support.kube_rig import kube_settings, telling
from tests.support.meshes import endpoints, istio, service, virtual_service

pytestmark = pytest.mark.apiserver


async def test_everything_is_told_before_the_source_is_in_sync(server: ApiServer) -> None:
    """Kubernetes' kinds and the routing kinds, with the namespaces."""
    server.apply(service("a"), endpoints("a", "10.1.0.1"), virtual_service("a", "a"))
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        assert told.names("VirtualService") == {"a"}
        assert told.names("Service") == {"a", "kubernetes"}
        assert "a-1" in told.names("EndpointSlice")
        assert "default" in told.names("Namespace")
        assert told.telemetry.kube_failures.total == 0


async def test_changes_and_deletions_of_routing_objects_are_told(server: ApiServer) -> None:
    """As Kopf's handlers hear of them."""
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        server.apply(virtual_service("a", "a"))
        await told.until(lambda: told.names("VirtualService") == {"a"})
        server.apply(virtual_service("a", "b"))

        def rerouted() -> bool:
            held = told.held("VirtualService", "a")
            return held is not None and held.object.spec.http[0].route[0].destination.host == "b"

        await told.until(rerouted)
        server.delete(virtual_service("a", "b"))
        await told.until(lambda: not told.names("VirtualService"))


async def test_status_and_foreign_metadata_are_no_changes(server: ApiServer) -> None:
    """Whoever writes a status, an annotation or a label that nothing is compiled from, sets nothing off."""
    given = virtual_service("a", "a")
    server.apply(given, service("a"))
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        before = len(told.sets)
        server.apply({**given, "status": {"conditions": [{"type": "Accepted", "status": "True"}]}})
        annotated = {**given, "metadata": {**given["metadata"], "annotations": {"example.com/a": "b"}, "labels": {"team": "a"}}}
        server.apply(annotated)
        server.apply(virtual_service("last", "a"))
        await told.until(lambda: "last" in told.names("VirtualService"))
        keys = [change.key.name for changes in told.sets[before:] for change in changes.changes]
        assert keys == ["last"]


async def test_objects_of_another_revision_are_left_alone(server: ApiServer) -> None:
    """One that changes its revision to ours appears, and the other way round disappears."""
    mine, other = virtual_service("mine", "a"), virtual_service("other", "a")
    other["metadata"]["labels"] = {"istio.io/rev": "canary"}
    server.apply(mine, other)
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        assert told.names("VirtualService") == {"mine"}
        other["metadata"]["labels"] = {"istio.io/rev": "default"}
        mine["metadata"]["labels"] = {"istio.io/rev": "canary"}
        server.apply(other, mine)
        await told.until(lambda: told.names("VirtualService") == {"other"})


async def test_an_unknown_field_of_a_stored_object_is_a_warning(server: ApiServer) -> None:
    """The rest of the object counts."""
    given = virtual_service("a", "a")
    given["spec"]["colour"] = "blue"
    server.apply(given)
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        assert told.names("VirtualService") == {"a"}
        assert ["spec.colour" in finding.path or "colour" in finding.message for finding in told.findings()] == [True]


async def test_secrets_are_read_only_where_a_gateway_needs_them(server: ApiServer) -> None:
    """Namespaces come and go with the Gateways."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cert", "namespace": "default"}, "data": {"tls.crt": "YQ=="}}
    port = {"number": 443, "name": "https", "protocol": "HTTPS"}
    tls = {"mode": "SIMPLE", "credentialName": "cert"}
    gateway = istio("Gateway", "gw", {"selector": {"app": "gw"}, "servers": [{"port": port, "hosts": ["*"], "tls": tls}]})
    server.apply(secret)
    async with telling(kube_settings(server.kubeconfig())) as told:
        await told.in_sync()
        assert not told.names("Secret")
        server.apply(gateway)
        await told.until(lambda: told.names("Secret") == {"cert"})
        server.delete(gateway)
        await told.until(lambda: not told.names("Secret"))


async def test_the_mesh_config_of_the_cluster_counts(server: ApiServer) -> None:
    """It is read from its ConfigMap, and followed."""
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "istio", "namespace": "default"}}
    server.apply({**config, "data": {"mesh": "connectTimeout: 3s\n"}})
    async with telling(kube_settings(server.kubeconfig(), system_namespace="default")) as told:
        await told.in_sync()

        def timeout() -> str:
            held = told.held("MeshConfig", "mesh", "")
            return str(held.object.spec.config.connect_timeout) if held is not None else ""

        assert timeout() == "3s"
        server.apply({**config, "data": {"mesh": "connectTimeout: 4s\n"}})
        await told.until(lambda: timeout() == "4s")
        server.delete(config)
        await told.until(lambda: timeout() == "")
