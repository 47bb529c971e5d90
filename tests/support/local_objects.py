"""Decoded objects for the tests of the local mesh."""

from __future__ import annotations

from typing import Any

import yaml

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.meta import ConfigObject


def decoded(text: str) -> list[ConfigObject[Any]]:
    """Return the objects of some YAML documents."""
    found = []
    for raw in yaml.safe_load_all(text):
        result = decode(raw)
        assert isinstance(result, Upsert), result
        found.append(result.object)
    return found


def deployment(
    name: str, *, labels: str = "{app: reviews}", annotations: str = "{}", ports: str = "[{name: http, containerPort: 9080}]"
) -> str:
    """Return a Deployment."""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  template:
    metadata: {{labels: {labels}, annotations: {annotations}}}
    spec: {{serviceAccountName: sa, containers: [{{name: main, ports: {ports}}}]}}
"""


def service(name: str, *, selector: str = "{app: reviews}", ports: str = "[{name: http, port: 9080}]", namespace: str = "default") -> str:
    """Return a Service."""
    return f"""
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{selector: {selector}, ports: {ports}}}
"""


def gateway(name: str, *, selector: str = "{role: edge}", port: int = 80) -> str:
    """Return a Gateway."""
    return f"""
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec:
  selector: {selector}
  servers: [{{port: {{number: {port}, name: http, protocol: HTTP}}, hosts: ["*"]}}]
"""
