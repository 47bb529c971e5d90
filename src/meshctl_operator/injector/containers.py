"""What a pod gets: the init container that sets up the interception, and the proxy with its bootstrap in its arguments.

The address and the name of a pod are not known yet when it is admitted. Kubernetes replaces ``$(NAME)`` in arguments by the variable of the
container, so the bootstrap has these in their place; every other dollar sign is doubled.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from meshctl_operator.base.labels import freeze
from meshctl_operator.bootstrap.nodes import node_cluster, node_id, node_metadata
from meshctl_operator.bootstrap.options import PROMETHEUS_PORT, STATUS_PORT, AppProbe, BootstrapOptions, StatsOptions
from meshctl_operator.injector.annotations import PodOptions
from meshctl_operator.injector.json_values import Json, JsonObject
from meshctl_operator.injector.settings import InjectorSettings, Resources
from meshctl_operator.interception.options import PROXY_ID
from meshctl_operator.model.proxies import InterceptionMode, Proxy, ProxyRole

PROXY_NAME: Final = "istio-proxy"
INIT_NAME: Final = "istio-init"
PROBERS_VARIABLE: Final = "ISTIO_KUBE_APP_PROBERS"
_READY_PATH: Final = "/healthz/ready"
_PLACEHOLDER: Final = re.compile("\ue000([A-Z_]+)\ue001")
_HASH_LABELS: Final = frozenset(
    {"pod-template-hash", "pod-template-generation", "controller-revision-hash", "statefulset.kubernetes.io/pod-name"}
)
_FIELDS: Final = {
    "POD_NAME": "metadata.name",
    "POD_NAMESPACE": "metadata.namespace",
    "INSTANCE_IP": "status.podIP",
    "INSTANCE_IPS": "status.podIPs",
    "SERVICE_ACCOUNT": "spec.serviceAccountName",
    "HOST_IP": "status.hostIP",
    "ISTIO_META_NODE_NAME": "spec.nodeName",
}


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the proxy tells the control plane about its pod: labels, the workload that it belongs to, ports and containers."""

    labels: Mapping[str, str]
    workload: str = ""
    owner: str = ""
    ports: tuple[JsonObject, ...] = ()
    containers: tuple[str, ...] = ()


def init_container(options: PodOptions, settings: InjectorSettings, kept_out: tuple[int, ...], uid: str = PROXY_ID) -> JsonObject:
    """Return the container that puts the rules in place. It needs NET_ADMIN, and nothing else."""
    words = ["iptables", "apply", "-p", "15001", "-z", "15006", "-u", uid, "-m", options.interception.value]
    if uid != PROXY_ID:
        words += ["-g", PROXY_ID]
    words += ["-i", str(options.include_outbound_ranges), "-x", ",".join(map(str, options.exclude_outbound_ranges))]
    words += ["-b", str(options.include_inbound_ports), "-d", ",".join(map(str, dict.fromkeys((*options.kept_out, *kept_out))))]
    optional: tuple[tuple[str, tuple[object, ...]], ...] = (
        ("-q", options.include_outbound_ports),
        ("-o", options.exclude_outbound_ports),
        ("-k", options.virtual_interfaces),
        ("-c", options.exclude_interfaces),
    )
    for flag, values in optional:
        words += [flag, ",".join(map(str, values))] if values else []
    words += ["--dual-stack"] if settings.dual_stack else []
    security: JsonObject = {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
        "readOnlyRootFilesystem": False,
        "runAsGroup": 0,
        "runAsNonRoot": False,
        "runAsUser": 0,
    }
    resources = _resources(options.resources)
    return {
        "name": INIT_NAME,
        "image": settings.init_image,
        "command": ["meshctl"],
        "args": [*words],
        **({"resources": resources} if resources else {}),
        "securityContext": security,
    }


def proxy_container(
    options: PodOptions, settings: InjectorSettings, facts: PodFacts, probes: tuple[AppProbe, ...], originals: JsonObject
) -> JsonObject:
    """Return the proxy: a stock Envoy that has its whole bootstrap in its arguments."""
    native = options.native_sidecar and not options.is_gateway
    drain = settings.drain_seconds if options.config.drain_seconds is None else int(options.config.drain_seconds)
    concurrency = settings.concurrency if options.config.concurrency is None else options.config.concurrency
    arguments = ["--config-yaml", bootstrap_text(options, settings, facts, probes), "--disable-hot-restart"]
    arguments += ["--concurrency", str(concurrency)] if concurrency else []  # none: as many workers as there are processors
    arguments += ["--drain-time-s", str(drain), "--drain-strategy", "immediate", "--log-level", options.log_level]
    arguments += ["--component-log-level", options.component_log_level] if options.component_log_level else []
    metadata = {**settings.proxy_metadata, **options.config.proxy_metadata}
    variables: list[Json] = [{"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in _FIELDS.items()]
    variables += [{"name": name, "value": value} for name, value in sorted(metadata.items()) if name not in _FIELDS]
    if originals:
        variables.append(
            {"name": PROBERS_VARIABLE, "value": json.dumps(originals, separators=(",", ":"), sort_keys=True).replace("$", "$$")}
        )
    container: JsonObject = {
        "name": PROXY_NAME,
        "image": options.image,
        "command": ["envoy"],
        "args": [*arguments],
        "env": variables,
        "ports": [{"name": "http-envoy-prom", "containerPort": PROMETHEUS_PORT, "protocol": "TCP"}],
        "securityContext": _security(options),
        **_lifecycle(options, settings, native=native),
    }
    resources = _resources(options.resources)
    if resources:
        container["resources"] = resources
    if options.volume_mounts:
        container["volumeMounts"] = [*options.volume_mounts]
    if native:
        container["restartPolicy"] = "Always"
    return container


def bootstrap_text(options: PodOptions, settings: InjectorSettings, facts: PodFacts, probes: tuple[AppProbe, ...]) -> str:
    """Return the bootstrap as one line of JSON for an argument of a container."""
    address = options.config.discovery_address
    host, _, port = address.rpartition(":")
    namespace = _variable("POD_NAMESPACE")
    labels = {key: value for key, value in facts.labels.items() if key not in _HASH_LABELS}
    proxy = replace(
        _placeholder(ProxyRole.ROUTER if options.is_gateway else ProxyRole.SIDECAR),
        labels=freeze(labels),
        dns_domain=f"{namespace}.svc.{settings.cluster_domain}",
        cluster_id=settings.cluster_id,
        network=facts.labels.get("topology.istio.io/network", settings.network),
        interception=options.interception,
    )
    node: JsonObject = {
        "id": node_id(proxy),
        "cluster": node_cluster(proxy) if labels.get("app") else f"{facts.workload or PROXY_NAME}.{namespace}",
        "metadata": node_metadata(proxy, {**_metadata(settings, facts), **options.config.node_metadata}),
    }
    rest = _all_but_node(
        proxy.role,
        host.removeprefix("[").removesuffix("]") if address else settings.xds_host,
        int(port) if address else settings.xds_port,
        options.probes_port,
        probes,
        options.stats,
        tuple(sorted(options.config.runtime.items())),
        ipv6=settings.ipv6,
    )
    text = json.dumps({"node": node, **rest}, separators=(",", ":"), ensure_ascii=False).replace("$", "$$")
    return _PLACEHOLDER.sub(r"$(\1)", text)


def _placeholder(role: ProxyRole) -> Proxy:
    """Return the proxy of a pod that is not there yet."""
    return Proxy(
        role=role,
        name=_variable("POD_NAME"),
        namespace=_variable("POD_NAMESPACE"),
        ips=(_variable("INSTANCE_IP"),),
        service_account=_variable("SERVICE_ACCOUNT"),
        node_name=_variable("ISTIO_META_NODE_NAME"),
    )


@lru_cache(maxsize=256)
def _all_but_node(
    role: ProxyRole,
    xds_host: str,
    xds_port: int,
    probes_port: int,
    probes: tuple[AppProbe, ...],
    stats: StatsOptions,
    runtime: tuple[tuple[str, str], ...],
    *,
    ipv6: bool,
) -> JsonObject:
    """Return what the bootstraps of most pods have in common. Writing it takes a tenth of a second, and a webhook is asked by many at once."""
    from meshctl_operator.bootstrap.bootstrap import bootstrap, to_dict

    options = BootstrapOptions(
        _placeholder(role),
        xds_host=xds_host,
        xds_port=xds_port,
        status_port=STATUS_PORT,
        prometheus_port=PROMETHEUS_PORT,
        probes_port=probes_port,
        probes=probes,
        stats=stats,
        runtime=dict(runtime),
        ipv6=ipv6,
    )
    return {key: value for key, value in to_dict(bootstrap(options)).items() if key != "node"}


def _variable(name: str) -> str:
    """Return what stands for a variable until the text is written: characters that no one uses, so that nothing else is taken for one."""
    return f"\ue000{name}\ue001"


def _metadata(settings: InjectorSettings, facts: PodFacts) -> dict[str, Json]:
    found: dict[str, Json] = {
        "APP_CONTAINERS": ",".join(facts.containers),
        "ENVOY_PROMETHEUS_PORT": str(PROMETHEUS_PORT),
        "ENVOY_STATUS_PORT": str(STATUS_PORT),
        "INSTANCE_IPS": _variable("INSTANCE_IPS"),
        "ISTIO_REVISION": settings.revision,
        "MESH_ID": settings.mesh_id,
        "OWNER": facts.owner,
        "POD_PORTS": json.dumps(facts.ports, separators=(",", ":")) if facts.ports else "",
        "WORKLOAD_NAME": facts.workload,
    }
    return {key: value for key, value in found.items() if value}


def _resources(resources: Resources) -> JsonObject:
    parts = {
        "requests": {"cpu": resources.cpu, "memory": resources.memory},
        "limits": {"cpu": resources.cpu_limit, "memory": resources.memory_limit},
    }
    found: JsonObject = {}
    for kind, part in parts.items():
        stated: JsonObject = {name: value for name, value in part.items() if value}
        if stated:
            found[kind] = stated
    return found


def _security(options: PodOptions) -> JsonObject:
    """Return the privileges of the proxy: none, but for transparent proxying and low ports."""
    added = ["NET_ADMIN"] if options.interception is InterceptionMode.TPROXY and not options.is_gateway else []
    added += ["NET_BIND_SERVICE"] if options.bind_low_ports else []
    return {
        "allowPrivilegeEscalation": bool(added),
        "privileged": False,
        "capabilities": {**({"add": [*added]} if added else {}), "drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
        "runAsGroup": int(PROXY_ID),
        "runAsNonRoot": not added,
        "runAsUser": 0 if added else int(PROXY_ID),
    }


def _lifecycle(options: PodOptions, settings: InjectorSettings, *, native: bool) -> JsonObject:
    """Return probes and hooks. Before it is told to end, a proxy goes on for a while: clients learn a moment later that it leaves."""
    stated = options.config.termination_drain_seconds
    drain = settings.termination_drain_seconds if stated is None else int(stated)
    found: JsonObject = {"lifecycle": {"preStop": {"sleep": {"seconds": drain}}}} if drain else {}
    if not options.probes_port:
        return found
    asked: JsonObject = {"path": _READY_PATH, "port": STATUS_PORT}
    readiness: JsonObject = {
        "httpGet": asked,
        "periodSeconds": options.readiness_period,
        "timeoutSeconds": 3,
        "failureThreshold": options.readiness_failures,
    }
    if options.readiness_delay:
        readiness["initialDelaySeconds"] = options.readiness_delay
    startup: JsonObject = {"httpGet": {**asked}, "periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": 600}
    return (
        {**found, "startupProbe": startup, "readinessProbe": readiness}
        if native or not options.is_gateway
        else {**found, "readinessProbe": readiness}
    )
