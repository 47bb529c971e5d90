"""The identity of a proxy, as it introduces itself to the control plane."""

from __future__ import annotations

import pytest

from meshctl_operator.bootstrap.nodes import LOCAL_KEY, node_cluster, node_id, node_metadata
from meshctl_operator.model.proxies import InterceptionMode, LocalBinding, Proxy, ProxyRole

SIDECAR = Proxy(ProxyRole.SIDECAR, "reviews-v1", "shop", ("10.1.0.7", "fd00::7"), (("app", "reviews"), ("version", "v1")))
ROUTER = Proxy(ProxyRole.ROUTER, "gw", "istio-system", ("10.1.0.9",))


def test_id_has_four_parts() -> None:
    """The node id is type, first address, name.namespace and DNS domain."""
    assert node_id(SIDECAR) == "sidecar~10.1.0.7~reviews-v1.shop~shop.svc.cluster.local"


def test_id_takes_the_domain_of_the_proxy() -> None:
    """A DNS domain that the proxy states is kept."""
    proxy = Proxy(ProxyRole.ROUTER, "gw", "edge", dns_domain="edge.svc.example.org")
    assert node_id(proxy) == "router~127.0.0.1~gw.edge~edge.svc.example.org"


@pytest.mark.parametrize(("proxy", "cluster"), [(SIDECAR, "reviews.shop"), (ROUTER, "gw.istio-system")], ids=["app label", "no label"])
def test_service_cluster(proxy: Proxy, cluster: str) -> None:
    """The service cluster is named by the label ``app``, else by the workload."""
    assert node_cluster(proxy) == cluster


def test_metadata_of_a_sidecar() -> None:
    """Addresses are joined by commas, labels are a map, what is unknown is left out."""
    assert node_metadata(SIDECAR) == {
        "CLUSTER_ID": "Kubernetes",
        "INSTANCE_IPS": "10.1.0.7,fd00::7",
        "INTERCEPTION_MODE": "REDIRECT",
        "LABELS": {"app": "reviews", "version": "v1"},
        "NAME": "reviews-v1",
        "NAMESPACE": "shop",
    }


def test_a_router_has_no_interception_mode() -> None:
    """Nothing intercepts the traffic of a gateway."""
    assert "INTERCEPTION_MODE" not in node_metadata(ROUTER)


def test_switches_are_text() -> None:
    """Flags and ports follow Istio's legacy typing."""
    proxy = Proxy(
        ProxyRole.SIDECAR, "a", "b", interception=InterceptionMode.NONE, http_proxy_port=15007, unprivileged=True, http10=True, network="n1"
    )
    metadata = node_metadata(proxy)
    assert (metadata["HTTP_PROXY_PORT"], metadata["UNPRIVILEGED_POD"], metadata["HTTP10"]) == ("15007", "true", "1")
    assert (metadata["INTERCEPTION_MODE"], metadata["NETWORK"]) == ("NONE", "n1")


def test_local_binding_is_stated() -> None:
    """A proxy of the local mesh says where it is bound, ports as text because keys of a Struct are text."""
    proxy = Proxy(ProxyRole.ROUTER, "gw", "edge", local=LocalBinding("127.0.0.1", ((80, 8080),), ((9080, 41234),)))
    assert node_metadata(proxy)[LOCAL_KEY] == {"address": "127.0.0.1", "ports": {"80": 8080}, "app_ports": {"9080": 41234}}


def test_extra_metadata_wins() -> None:
    """Metadata given by hand replaces what would be said otherwise, and keys stay in order."""
    metadata = node_metadata(ROUTER, {"NAME": "other", "AAA": [1]})
    assert metadata["NAME"] == "other"
    assert list(metadata) == sorted(metadata)
