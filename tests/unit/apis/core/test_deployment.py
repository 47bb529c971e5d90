"""The view of Deployment."""

from __future__ import annotations

from meshctl_operator.apis.core.deployment import DeploymentSpec


def test_template() -> None:
    """Labels, service account and ports of the pods to come."""
    spec = DeploymentSpec.model_validate(
        {
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"serviceAccountName": "sa", "containers": [{"name": "c", "ports": [{"containerPort": 9080, "name": "http"}]}]},
            }
        }
    )
    assert (spec.replicas, spec.template.metadata.labels, spec.template.spec.service_account_name) == (1, {"app": "x"}, "sa")
    assert [(p.name, p.container_port) for p in spec.template.spec.containers[0].ports] == [("http", 9080)]
