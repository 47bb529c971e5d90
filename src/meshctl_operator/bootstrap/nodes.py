"""The identity under which an Envoy introduces itself to the control plane (``envoy.config.core.v3.Node``), in Istio's notation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshctl_operator.model.proxies import LocalBinding, Proxy, ProxyRole

LOCAL_KEY: Final = "MESHCTL_LOCAL"
"""Metadata key of our own, which says how a proxy of the local mesh is bound (``model.proxies.LocalBinding``):
``{"address": ..., "ports": {"80": 8080}, "app_ports": {"9080": 41001}}``."""

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


def node_id(proxy: Proxy) -> str:
    """Return ``<type>~<ip>~<name>.<namespace>~<dns domain>``."""
    domain = proxy.dns_domain or f"{proxy.namespace}.svc.cluster.local"
    return f"{proxy.role.value}~{proxy.ips[0]}~{proxy.id}~{domain}"


def node_cluster(proxy: Proxy) -> str:
    """Return the service cluster: ``<app label>.<namespace>``, or the workload's name where it has no such label."""
    return f"{dict(proxy.labels).get('app') or proxy.name}.{proxy.namespace}"


def node_metadata(proxy: Proxy, extra: Mapping[str, JsonValue] | None = None) -> dict[str, JsonValue]:
    """Return the node metadata of the proxy, keys in alphabetical order; ``extra`` wins over what the proxy says.

    Istio's legacy typing is kept: booleans and ports are text, INSTANCE_IPS is joined by commas.
    """
    facts: dict[str, JsonValue] = {
        "CLUSTER_ID": proxy.cluster_id,
        "INSTANCE_IPS": ",".join(proxy.ips),
        "LABELS": dict(proxy.labels),
        "NAME": proxy.name,
        "NAMESPACE": proxy.namespace,
        "NETWORK": proxy.network,
        "NODE_NAME": proxy.node_name,
        "SERVICE_ACCOUNT": proxy.service_account,
        "HTTP_PROXY_PORT": str(proxy.http_proxy_port) if proxy.http_proxy_port else "",
        "HTTP10": "1" if proxy.http10 else "",
        "UNPRIVILEGED_POD": "true" if proxy.unprivileged else "",
    }
    if proxy.role is ProxyRole.SIDECAR:
        facts["INTERCEPTION_MODE"] = proxy.interception.value
    if proxy.local is not None:
        facts[LOCAL_KEY] = _local(proxy.local)
    stated = {key: value for key, value in facts.items() if value not in ("", {})}
    return dict(sorted({**stated, **(extra or {})}.items()))


def _local(binding: LocalBinding) -> JsonValue:
    return {
        "address": binding.address,
        "ports": {str(declared): bound for declared, bound in binding.ports},
        "app_ports": {str(target): bound for target, bound in binding.app_ports},
    }
