"""The table of rules."""

from __future__ import annotations

from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.apis.meta import ConfigObject, ObjectMeta
from meshctl_operator.apis.networking.gateway import GatewaySpec
from meshctl_operator.apis.validation.findings import Findings
from meshctl_operator.apis.validation.rules import RULES, check
from meshctl_operator.base.objects import ObjectKey


def test_every_routing_kind_has_rules() -> None:
    """No routing kind goes unchecked."""
    assert set(RULES) == {kind for kind, info in KINDS.items() if info.is_routing}


def test_rules_are_found_by_kind() -> None:
    """An object is checked by the rules of its kind; Kubernetes kinds have none."""
    for kind, count in ((Kind.GATEWAY, 1), (Kind.SERVICE, 0)):
        findings = Findings(ObjectKey(kind, "shop", "a"))
        check(ConfigObject[object](key=findings.subject, api_version="v1", meta=ObjectMeta(), spec=GatewaySpec()), findings)
        assert len(findings.items) == count
