"""Tests of patterns for statistics names."""

from __future__ import annotations

import pytest

from meshctl_operator.apis.kinds import Kind
from meshctl_operator.base.objects import ObjectKey
from meshctl_operator.compiler.plan.stat_names import fill_stat_pattern
from meshctl_operator.model.services import Protocol, Resolution, Service, ServicePort, ServiceRegistry

KEY = ObjectKey(Kind.SERVICE, "default", "web")
PORT = ServicePort(80, "http", Protocol.HTTP, 8080)
WEB = Service("web.default.svc.cluster.local", "web", "default", ServiceRegistry.KUBERNETES, Resolution.CLIENT_SIDE_LB, (PORT,), KEY)
EXT = Service("a.example.com", "a.example.com", "default", ServiceRegistry.EXTERNAL, Resolution.DNS_LB, (PORT,), KEY)


@pytest.mark.parametrize(
    ("service", "pattern", "expected"),
    [
        (WEB, "%SERVICE%_%SERVICE_NAME%", "web.default_web"),
        (EXT, "%SERVICE%", "a.example.com"),
        (WEB, "%SERVICE_FQDN%:%SERVICE_PORT%", "web.default.svc.cluster.local:80"),
        (WEB, "%SERVICE_PORT_NAME%.%TARGET_PORT%.%SUBSET_NAME%", "http.8080.v1"),
        (WEB, "fixed", "fixed"),
    ],
)
def test_placeholders(service: Service, pattern: str, expected: str) -> None:
    """Each placeholder of Istio is filled in; everything else stays."""
    assert fill_stat_pattern(pattern, service, PORT, "v1", 8080) == expected
