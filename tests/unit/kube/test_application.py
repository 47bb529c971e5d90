"""The operator as an application of Kopf."""

from __future__ import annotations

import kopf

from meshctl_operator.kube.application import install
from meshctl_operator.kube.settings import KubeSettings


def test_the_application_has_everything_that_kopf_runs() -> None:
    """Start, end, login, and the seven kinds."""
    registry = kopf.OperatorRegistry()
    install(registry, KubeSettings())
    assert {handler.id for handler in registry._activities.get_all_handlers()} == {"meshctl-login", "meshctl-start", "meshctl-end"}
    assert len(registry._watching.get_all_handlers()) == 7
