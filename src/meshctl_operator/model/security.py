"""Policies that are not enforced: which workloads they select, and so which inbound traffic is refused rather than let through unchecked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.mesh_config import UnsupportedPolicies
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.security.policies import AuthorizationPolicySpec, PeerAuthenticationSpec, Policy
from meshctl_operator.base.labels import Labels, selects
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.incremental.context import Context
from meshctl_operator.model.mesh import mesh_config
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.registry.cells import Cell, Table

_STRICT: Final = "STRICT"
_UNSET: Final = "UNSET"
_DISABLE: Final = "DISABLE"
_DRY_RUN: Final = "istio.io/dry-run"
_GATEWAY_NAME: Final = "gateway.networking.k8s.io/gateway-name"


@dataclass(frozen=True, slots=True)
class Denial:
    """Inbound traffic of a workload that is refused.

    ``policies`` are why all of it is; empty where it is not. ``ports`` are single ports of the workload that are refused (in addition),
    ``open_ports`` those that stay open although mutual TLS is demanded of the rest.
    """

    policies: tuple[ObjectKey, ...] = ()
    strict: tuple[ObjectKey, ...] = ()
    ports: tuple[tuple[int, ObjectKey], ...] = ()
    open_ports: frozenset[int] = frozenset()

    def of_port(self, port: int) -> tuple[ObjectKey, ...]:
        """Return the policies for whose sake a port of the workload is refused; none where it is open. Port 0 is any that no service has."""
        found = (*self.policies, *(() if port in self.open_ports else self.strict), *(key for number, key in self.ports if number == port))
        return tuple(sorted(set(found)))


OPEN: Final = Denial()


def denial(ctx: Context, namespace: str, labels: Labels, role: ProxyRole) -> Denial:
    """Return what is refused at a workload, since a policy that selects it cannot be enforced (tracked).

    A workload is selected by policies of its own namespace and, without selectors, of the root namespace. An AuthorizationPolicy (not of
    action AUDIT, and not as a dry run) and a RequestAuthentication shut it; a PeerAuthentication does where STRICT is what it comes to.
    """
    config = mesh_config(ctx)
    if config.unsupported_policies is UnsupportedPolicies.IGNORE:
        return OPEN
    own = ctx.fetch(Cell(Table.SECURITY_POLICIES, namespace))
    root = ctx.fetch(Cell(Table.SECURITY_POLICIES, config.root_namespace)) if namespace != config.root_namespace else ()
    selected = [obj for obj in (*own, *root) if _selects(obj, namespace, dict(labels))]
    shut = tuple(sorted(obj.key for obj in selected if _decides(obj)))
    if role is not ProxyRole.SIDECAR:
        return Denial(shut)
    return _with_mutual_tls(shut, [obj for obj in selected if obj.kind is Kind.PEER_AUTHENTICATION], namespace)


def accepts_mutual_tls(ctx: Context, namespace: str) -> bool:
    """Tell whether clients may take it that workloads of a namespace accept mutual TLS: unless its policy, else the mesh's, disables it.

    Policies with a selector do not count here: a cluster is for workloads of all kinds (tracked).
    """
    root = mesh_config(ctx).root_namespace
    for own in dict.fromkeys((namespace, root)):
        policies = (obj for obj in ctx.fetch(Cell(Table.SECURITY_POLICIES, own)) if obj.kind is Kind.PEER_AUTHENTICATION)
        mode = next((_mode(obj.spec) for obj in policies if not _has_selector(obj)), _UNSET)
        if mode != _UNSET:
            return mode != _DISABLE
    return True


def _selects(obj: ConfigObject[Any], namespace: str, labels: dict[str, str]) -> bool:
    policy: Policy = obj.spec
    if policy.targets:
        gateways = {target.name for target in policy.targets if target.kind == "Gateway"}
        return obj.key.namespace == namespace and labels.get(_GATEWAY_NAME, "") in gateways
    if policy.selector is None or not policy.selector.match_labels:
        return True
    return selects(policy.selector.match_labels, labels)


def _decides(obj: ConfigObject[Any]) -> bool:
    match obj.kind:
        case Kind.AUTHORIZATION_POLICY:
            spec: AuthorizationPolicySpec = obj.spec
            return spec.action != "AUDIT" and obj.meta.annotations.get(_DRY_RUN, "").lower() != "true"
        case Kind.REQUEST_AUTHENTICATION:
            return True
        case _:
            return False


def _with_mutual_tls(shut: tuple[ObjectKey, ...], policies: Iterable[ConfigObject[Any]], namespace: str) -> Denial:
    """Add what STRICT comes to: of the workload's policies the oldest, else of the namespace's, else of the mesh's."""
    found = list(policies)
    levels = (
        [obj for obj in found if obj.key.namespace == namespace and _has_selector(obj)],
        [obj for obj in found if obj.key.namespace == namespace and not _has_selector(obj)],
        [obj for obj in found if obj.key.namespace != namespace and not _has_selector(obj)],
    )
    deciding = next((obj for level in levels for obj in level[:1] if _mode(obj.spec) != _UNSET), None)
    strict = (deciding.key,) if deciding is not None and _mode(deciding.spec) == _STRICT else ()
    ports: list[tuple[int, ObjectKey]] = []
    open_ports: set[int] = set()
    for obj in levels[0][:1]:
        for port, mode in _port_modes(obj.spec):
            if mode == _STRICT:
                ports.append((port, obj.key))
            elif mode != _UNSET:
                open_ports.add(port)
    return Denial(shut, strict, tuple(sorted(ports)), frozenset(open_ports))


def _has_selector(obj: ConfigObject[Any]) -> bool:
    return obj.spec.selector is not None and bool(obj.spec.selector.match_labels)


def _mode(spec: PeerAuthenticationSpec) -> str:
    return spec.mtls.mode if spec.mtls is not None else _UNSET


def _port_modes(spec: PeerAuthenticationSpec) -> Iterator[tuple[int, str]]:
    for port, tls in spec.port_level_mtls.items():
        if port.isascii() and port.isdigit():
            yield int(port), tls.mode
