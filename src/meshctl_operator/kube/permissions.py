"""What ``serve --kubernetes`` may do in an API server, as the rules of RBAC. Charts and tests take them from here.

Three roles, since they are bound in different ways: ``cluster_rules`` everywhere; ``secret_rules`` everywhere, or only in the namespaces that
have certificates for proxies; ``namespace_rules`` in the operator's own namespace alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.kube.settings import KubeSettings

WEBHOOK_CONFIGURATION: Final = "meshctl-validation"
"""Name of the ValidatingWebhookConfiguration whose trust is kept current."""

WEBHOOK_SECRET: Final = "meshctl-webhook"  # noqa: S105  (the name of a Secret)
"""Name of the Secret with the certificate of the webhook."""

FOLLOW: Final = ("list", "watch")


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on resources of one API group, narrowed to ``names`` where some are given; ``why`` says what for."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()

    def to_json(self) -> dict[str, list[str]]:
        """Return the rule as a ``PolicyRule``."""
        rule = {"apiGroups": [self.group], "resources": list(self.resources), "verbs": list(self.verbs)}
        return rule | ({"resourceNames": list(self.names)} if self.names else {})


def cluster_rules(webhook_configuration: str = WEBHOOK_CONFIGURATION) -> tuple[Rule, ...]:
    """Return what is done all over the cluster."""
    routing = [info for info in KINDS.values() if info.is_routing]
    plurals = tuple(info.plural for info in routing)
    churning = (Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.POD, Kind.NODE, Kind.NAMESPACE)
    groups: dict[str, list[str]] = {}
    for kind in churning:
        groups.setdefault(KINDS[kind].group, []).append(KINDS[kind].plural)
    return (
        Rule(routing[0].group, plurals, ("get", *FOLLOW), "what is compiled; get repairs a single object"),
        Rule(routing[0].group, tuple(f"{plural}/status" for plural in plurals), ("get", "patch", "update"), "conditions"),
        *(Rule(group, tuple(names), FOLLOW, "services, endpoints and workloads") for group, names in groups.items()),
        Rule("apiextensions.k8s.io", ("customresourcedefinitions",), ("get", *FOLLOW), "kinds that are installed later, or not at all"),
        Rule("", ("events",), ("create", "patch"), "what happened to an object"),
        Rule("events.k8s.io", ("events",), ("create", "patch"), "as above, in the newer group"),
        Rule(
            "admissionregistration.k8s.io",
            ("validatingwebhookconfigurations",),
            ("get", "patch"),
            "whom API servers trust when they ask the webhook",
            (webhook_configuration,),
        ),
    )


def secret_rules() -> tuple[Rule, ...]:
    """Return what is done in each namespace that has certificates of Gateways and DestinationRules."""
    return (Rule("", ("secrets",), FOLLOW, "certificates for proxies"),)


def namespace_rules(
    mesh_config_map: str = KubeSettings().mesh_config_map or "istio", webhook_secret: str = WEBHOOK_SECRET
) -> tuple[Rule, ...]:
    """Return what is done in the operator's own namespace."""
    return (
        Rule("", ("configmaps",), FOLLOW, "mesh-wide settings", (mesh_config_map,)),
        Rule(
            "coordination.k8s.io",
            ("leases",),
            ("get", "create", "update", "patch", *FOLLOW),
            "election of the replica that writes status, and which replicas there are",
        ),
        Rule("", ("secrets",), ("create",), "the first certificate of the webhook; a name cannot be asked for here"),
        Rule("", ("secrets",), ("get", "update"), "the certificate of the webhook", (webhook_secret,)),
    )
