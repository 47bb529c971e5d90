"""The views of ``AuthorizationPolicy``, ``PeerAuthentication`` and ``RequestAuthentication`` (``security.istio.io``)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from meshctl_operator.apis.core.views import FrozenMap, KubernetesView


class PolicySelector(KubernetesView):
    """The workloads that carry all these labels."""

    match_labels: FrozenMap[str, str] = Field(default_factory=dict)


class PolicyTargetRef(KubernetesView):
    """The object that a policy is attached to (Istio ``PolicyTargetReference``)."""

    group: str = ""
    kind: str = ""
    name: str = ""


class Policy(KubernetesView):
    """What all policies say: whom they are for. Neither selector nor target means every workload of the namespace."""

    selector: PolicySelector | None = None
    target_ref: PolicyTargetRef | None = None
    target_refs: tuple[PolicyTargetRef, ...] = ()

    @property
    def targets(self) -> tuple[PolicyTargetRef, ...]:
        """The objects that the policy is attached to."""
        return (*self.target_refs, *((self.target_ref,) if self.target_ref is not None else ()))


class AuthorizationPolicySpec(Policy):
    """The ``spec`` of an AuthorizationPolicy. ``action`` AUDIT decides nothing."""

    action: str = "ALLOW"


class RequestAuthenticationSpec(Policy):
    """The ``spec`` of a RequestAuthentication."""


class MutualTls(KubernetesView):
    """Mutual TLS of a workload or port; UNSET means as the next wider policy says."""

    mode: str = "UNSET"


class PeerAuthenticationSpec(Policy):
    """The ``spec`` of a PeerAuthentication. ``port_level_mtls`` is by the port of the workload."""

    mtls: MutualTls | None = None
    port_level_mtls: FrozenMap[str, MutualTls] = Field(default_factory=dict)

    @field_validator("port_level_mtls", mode="before")
    @classmethod
    def _ports_as_text(cls, value: object) -> object:
        return {str(port): tls for port, tls in value.items()} if isinstance(value, Mapping) else value  # YAML reads 8080: as a number
