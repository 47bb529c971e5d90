"""What an installer applies."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from meshctl_operator.kube.admission.installation import webhook_configuration
from meshctl_operator.kube.admission.webhook import WebhookOptions
from meshctl_operator.kube.scopes import ROUTING


def test_defaults() -> None:
    """Routing objects of all versions are asked about, never their status; a webhook that is away stops nobody."""
    (hook,) = webhook_configuration("mesh")["webhooks"]
    (rule,) = hook["rules"]
    assert set(rule["resources"]) == {info.plural for info in ROUTING}
    assert (rule["apiVersions"], rule["operations"]) == (["*"], ["CREATE", "UPDATE", "DELETE"])
    assert hook["clientConfig"] == {"service": {"name": "meshctl", "namespace": "mesh", "path": "/validate", "port": 443}}
    assert (hook["failurePolicy"], hook["sideEffects"]) == ("Ignore", "None")
    assert "objectSelector" not in hook
    assert hook["name"].count(".") >= 2  # as API servers want it


def test_choices() -> None:
    """What an installer may choose; a revision of its own asks about its objects only."""
    made = webhook_configuration("mesh", name="mine", service="canary", port=8443, failure_policy="Fail", revision="canary")
    (hook,) = made["webhooks"]
    assert made["metadata"] == {"name": "mine"}
    assert (hook["failurePolicy"], hook["clientConfig"]["service"]["port"]) == ("Fail", 8443)
    assert hook["objectSelector"] == {"matchLabels": {"istio.io/rev": "canary"}}
    assert "objectSelector" not in webhook_configuration("mesh", revision="default")["webhooks"][0]


def test_the_manual_shows_what_is_made() -> None:
    """Who installs by hand copies it from there."""
    text = (Path(__file__).parents[4] / "docs" / "tasks" / "admission.md").read_text()
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    service, configuration = yaml.safe_load_all(block)
    assert configuration == webhook_configuration(service["metadata"]["namespace"])
    assert service["spec"]["ports"][0]["targetPort"] == WebhookOptions("", "").port
