"""Rules of ``DestinationRule``: host, visibility, subsets. Traffic policies have a module of their own."""

from __future__ import annotations

from typing import Final

from meshctl_operator.apis.networking.destination_rule import DestinationRuleSpec
from meshctl_operator.apis.validation import codes
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.primitives import (
    check_export_to,
    check_labels,
    check_selector,
    is_dns_label,
    is_wildcard_domain,
)
from meshctl_operator.apis.validation.traffic_policy import check_traffic_policy

_MAX_SELECTOR: Final = 4096
_MAX_LABEL_VALUE: Final = 63


def check_destination_rule(spec: DestinationRuleSpec, findings: Findings) -> None:
    """Check a DestinationRule alone."""
    if not is_wildcard_domain(spec.host):
        message = f'"{spec.host}" is not a DNS name' if spec.host else "is required"
        findings.error(codes.BAD_NAME, "spec.host", message, hint="name the service, or *.suffix for several")
    check_export_to(spec.export_to, "spec.exportTo", findings)
    if spec.workload_selector is not None:
        path = "spec.workloadSelector.matchLabels"
        labels = spec.workload_selector.match_labels
        check_selector(labels, path, findings, max_value=_MAX_LABEL_VALUE)
        if len(labels) > _MAX_SELECTOR:
            findings.error(codes.BAD_SELECTOR, path, f"has {len(labels)} entries, at most {_MAX_SELECTOR} are allowed")
        if spec.export_to and (len(spec.export_to) > 1 or spec.export_to[0] not in {".", findings.subject.namespace}):
            message = "is wider than the namespace, but a workloadSelector counts there only"
            findings.error(codes.BAD_WORKLOAD_RULE, "spec.exportTo", message, hint='leave it out, or write ["."]')
    if spec.traffic_policy is not None:
        check_traffic_policy(spec.traffic_policy, "spec.trafficPolicy", findings)
    known: dict[str, str] = {}
    for index, subset in enumerate(spec.subsets):
        path = f"spec.subsets[{index}]"
        if not is_dns_label(subset.name):
            message = f'"{subset.name}" is not a DNS label' if subset.name else "is required"
            findings.error(codes.BAD_SUBSET, f"{path}.name", message)
        elif subset.name in known:
            findings.error(codes.BAD_SUBSET, f"{path}.name", f'"{subset.name}" is already the name of {known[subset.name]}')
        known.setdefault(subset.name, path)
        check_labels(subset.labels, f"{path}.labels", findings)
        if subset.traffic_policy is not None:
            check_traffic_policy(subset.traffic_policy, f"{path}.trafficPolicy", findings)
