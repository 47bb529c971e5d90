"""The table of rules: which check runs on which kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ConfigObject
from meshctl_operator.apis.validation.destination_rule import check_destination_rule
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.gateway import check_gateway
from meshctl_operator.apis.validation.service_entry import check_service_entry, check_service_entry_labels
from meshctl_operator.apis.validation.sidecar import check_sidecar
from meshctl_operator.apis.validation.virtual_service import check_virtual_service
from meshctl_operator.apis.validation.workload_entry import check_workload_entry
from meshctl_operator.apis.validation.workload_group import check_workload_group

RULES: Final[Mapping[Kind, Callable[[Any, Findings], None]]] = {
    Kind.GATEWAY: check_gateway,
    Kind.VIRTUAL_SERVICE: check_virtual_service,
    Kind.DESTINATION_RULE: check_destination_rule,
    Kind.SERVICE_ENTRY: check_service_entry,
    Kind.WORKLOAD_ENTRY: check_workload_entry,
    Kind.WORKLOAD_GROUP: check_workload_group,
    Kind.SIDECAR: check_sidecar,
}
"""The check of each routing kind; it takes the ``spec``."""


def check(obj: ConfigObject[Any], findings: Findings) -> None:
    """Run every rule that looks at an object of this kind alone."""
    rule = RULES.get(obj.kind)
    if rule is not None:
        rule(obj.spec, findings)
    if obj.kind is Kind.SERVICE_ENTRY:
        check_service_entry_labels(obj.spec, obj.meta.labels, findings)
