"""A Node message becomes a proxy, completed by its workload."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.changes import ChangeSet, Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.base.errors import ProtocolViolation
from meshctl_operator.controlplane.nodes import read_proxy, resolve_proxy
from meshctl_operator.incremental.engine import Engine
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding, Locality, Proxy, ProxyRole
from meshctl_operator.registry.registry import Registry
from meshctl_operator.xds.nodes import Locality as NodeLocality
from meshctl_operator.xds.nodes import NodeInfo

ID = "sidecar~10.0.0.7~reviews-v1.shop~shop.svc.cluster.local"


def resolve(node: NodeInfo, *raw: dict[str, Any]) -> Proxy:
    """Return the proxy of a node among some objects."""
    registry = Registry()
    upserts = []
    for document in raw:
        decoded = decode(document)
        assert isinstance(decoded, Upsert), decoded
        upserts.append(decoded)
    registry.apply(ChangeSet(tuple(upserts), "test"))
    return Engine(registry.snapshot).evaluate(resolve_proxy, read_proxy(node))


def pod(labels: dict[str, str], **spec: object) -> dict[str, Any]:
    """Return the Pod of the node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "reviews-v1", "namespace": "shop", "labels": labels},
        "spec": {"serviceAccountName": "from-pod", **spec},
        "status": {"podIP": "10.0.0.7"},
    }


def test_the_id_alone_says_who_it_is() -> None:
    """Type, address, name, namespace and DNS domain."""
    proxy = read_proxy(NodeInfo(ID)).proxy
    assert (proxy.role, proxy.name, proxy.namespace, proxy.ips) == (ProxyRole.SIDECAR, "reviews-v1", "shop", ("10.0.0.7",))
    assert proxy.dns_domain == "shop.svc.cluster.local"
    assert proxy.id == "reviews-v1.shop"


def test_metadata_is_read_with_istios_types() -> None:
    """Booleans are strings there, ports may be numbers or strings, addresses are joined by commas."""
    metadata: dict[str, Any] = {
        "NAMESPACE": "other",
        "NAME": "pod-1",
        "INSTANCE_IPS": "10.0.0.7, fd00::7",
        "LABELS": {"app": "reviews", "bad": 5.0},
        "SERVICE_ACCOUNT": "sa",
        "NODE_NAME": "n1",
        "CLUSTER_ID": "c1",
        "NETWORK": "net",
        "REQUESTED_NETWORK_VIEW": "net,  far",
        "INTERCEPTION_MODE": "NONE",
        "HTTP_PROXY_PORT": 15007.0,
        "UNPRIVILEGED_POD": "true",
        "HTTP10": "1",
        "MESHCTL_LOCAL": {"address": "127.0.1.2", "ports": {"80": 8080.0}, "app_ports": {"9080": "41001"}},
    }
    proxy = read_proxy(NodeInfo(ID, metadata=metadata, locality=NodeLocality("r", "z", "s"))).proxy
    assert proxy == Proxy(
        ProxyRole.SIDECAR,
        "pod-1",
        "other",
        ips=("10.0.0.7", "fd00::7"),
        labels=(("app", "reviews"),),
        service_account="sa",
        dns_domain="shop.svc.cluster.local",
        locality=Locality("r", "z", "s"),
        node_name="n1",
        cluster_id="c1",
        network="net",
        interception=InterceptionMode.NONE,
        http_proxy_port=15007,
        unprivileged=True,
        http10=True,
        local=LocalBinding("127.0.1.2", ((80, 8080),), ((9080, 41001),)),
        network_view=("far", "net"),
    )


@pytest.mark.parametrize(
    "node",
    [
        NodeInfo("sidecar~10.0.0.7~x"),
        NodeInfo("waypoint~10.0.0.7~x.y~d"),
        NodeInfo("sidecar~nowhere~x.y~d"),
        NodeInfo(ID, metadata={"HTTP_PROXY_PORT": "99999"}),
        NodeInfo(ID, metadata={"HTTP_PROXY_PORT": True}),
        NodeInfo(ID, metadata={"HTTP_PROXY_PORT": "many"}),
        NodeInfo(ID, metadata={"MESHCTL_LOCAL": {"address": "here"}}),
        NodeInfo(ID, metadata={"MESHCTL_LOCAL": "127.0.0.1"}),
    ],
)
def test_nodes_that_cannot_be_served_are_refused(node: NodeInfo) -> None:
    """The stream ends with the reason."""
    with pytest.raises(ProtocolViolation):
        read_proxy(node)


def test_odd_values_fall_back() -> None:
    """One bad address makes INSTANCE_IPS void; what is no text is absent; without a dotted domain the namespace is ``default``."""
    metadata: dict[str, Any] = {"INSTANCE_IPS": "10.0.0.8,x", "NETWORK": None, "INTERCEPTION_MODE": True, "NODE_NAME": 7.0, "LABELS": "no"}
    proxy = read_proxy(NodeInfo("router~10.0.0.7~gw~local", metadata=metadata)).proxy
    assert (proxy.ips, proxy.network, proxy.interception, proxy.node_name) == (("10.0.0.7",), "", InterceptionMode.REDIRECT, "7")
    assert (proxy.namespace, proxy.name, proxy.labels) == ("default", "gw", ())


def test_labels_of_an_unknown_workload_are_those_it_declares() -> None:
    """Static labels give way to them; where it stands is added as labels."""
    node = NodeInfo(ID, metadata={"LABELS": {"a": "1"}, "STATIC_LABELS": {"a": "0", "b": "2"}}, locality=NodeLocality("r", "z", ""))
    assert dict(resolve(node).labels) == {
        "a": "1",
        "b": "2",
        "topology.kubernetes.io/region": "r",
        "topology.kubernetes.io/zone": "z",
    }


def test_labels_of_a_known_workload_are_its_own() -> None:
    """They may have changed since the proxy started; what the proxy declares otherwise stays."""
    node = NodeInfo(ID, metadata={"LABELS": {"a": "old"}, "STATIC_LABELS": {"b": "2"}, "SERVICE_ACCOUNT": "declared"})
    proxy = resolve(node, pod({"a": "new", "topology.kubernetes.io/region": "r1"}))
    assert dict(proxy.labels) == {"a": "new", "b": "2", "topology.kubernetes.io/region": "r1"}
    assert proxy.service_account == "declared"
    assert proxy.locality == Locality("r1")


def test_a_workload_completes_what_the_proxy_leaves_open() -> None:
    """Service account and node come from the Pod."""
    proxy = resolve(NodeInfo(ID), pod({"a": "1"}, nodeName="n7"))
    assert (proxy.service_account, proxy.node_name) == ("from-pod", "n7")
    assert dict(proxy.labels)["kubernetes.io/hostname"] == "n7"
