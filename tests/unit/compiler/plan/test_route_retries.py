"""Retry policies."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.compiler.inputs.routes import RetryInput
from meshctl_operator.compiler.plan.route_retries import DEFAULT_RETRY, default_retries
from tests.support.mesh_text import TextMesh
from tests.support.route_mesh import BUILT_IN_RETRY, gateway_findings, gateway_routes, shown

ROUTE = "route: [{destination: {host: details}}]"


def policy(retries: str) -> dict[str, Any] | None:
    """Return the retry policy that a rule gives, None for none."""
    (route,) = gateway_routes(f"[{{retries: {retries}, {ROUTE}}}]")
    found: dict[str, Any] | None = route["route"].get("retry_policy")
    return found


@pytest.mark.parametrize(
    ("retries", "changed"),
    [
        ("{attempts: 3}", {"num_retries": 3}),
        ("{attempts: 3, perTryTimeout: 2s}", {"num_retries": 3, "per_try_timeout": "2s"}),
        ("{attempts: 3, retryOn: gateway-error}", {"num_retries": 3, "retry_on": "gateway-error"}),
        (
            '{attempts: 3, retryOn: "5xx,503"}',
            {"num_retries": 3, "retry_on": "5xx,retriable-status-codes", "retriable_status_codes": [503]},
        ),
        (
            '{attempts: 1, retryOn: "503, 504"}',
            {"num_retries": 1, "retry_on": "retriable-status-codes", "retriable_status_codes": [503, 504]},
        ),
        (
            '{attempts: 1, retryOn: "retriable-status-codes,503"}',
            {"num_retries": 1, "retry_on": "retriable-status-codes", "retriable_status_codes": [503]},
        ),
        ("{attempts: 1, backoff: 10ms}", {"num_retries": 1, "retry_back_off": {"base_interval": "0.010s"}}),
    ],
)
def test_policy(retries: str, changed: dict[str, Any]) -> None:
    """What a rule does not say is as in the built-in policy; numbers in retryOn are status codes."""
    assert policy(retries) == {**BUILT_IN_RETRY, **changed}


def test_previous_hosts_may_be_tried_again() -> None:
    """retryIgnorePreviousHosts: false drops the predicate."""
    assert "retry_host_predicate" not in (policy("{attempts: 1, retryIgnorePreviousHosts: false}") or {})


def test_remote_localities() -> None:
    """With retryRemoteLocalities, retries move on to other localities every second try."""
    config = {
        "@type": "type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
        "update_frequency": 2,
    }
    found = policy("{attempts: 1, retryRemoteLocalities: true}") or {}
    assert found["retry_priority"] == {"name": "envoy.retry_priorities.previous_priorities", "typed_config": config}


@pytest.mark.parametrize("retries", ["{}", "{attempts: 0}", "{attempts: -1}"])
def test_no_attempts_no_policy(retries: str) -> None:
    """Without attempts there are no retries, not even the mesh's."""
    assert policy(retries) is None


@pytest.mark.parametrize(("field", "value"), [("perTryTimeout", "-1s"), ("backoff", "0s"), ("backoff", "1us")])
def test_refused_values(field: str, value: str) -> None:
    """A time that Envoy refuses is left out with a finding, the retries are served."""
    rules = f"[{{retries: {{attempts: 2, {field}: {value}}}, {ROUTE}}}]"
    assert gateway_routes(rules)[0]["route"]["retry_policy"] == BUILT_IN_RETRY
    assert shown(gateway_findings(rules)) == [("MC2213", f"spec.http[0].retries.{field}")]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, DEFAULT_RETRY),
        ({"defaultHttpRetryPolicy": {"attempts": 5, "retryOn": "reset"}}, RetryInput(5, "reset")),
        ({"defaultHttpRetryPolicy": {"attempts": 1, "backoff": "0s"}}, RetryInput(1, DEFAULT_RETRY.retry_on)),
        ({"defaultHttpRetryPolicy": {"attempts": 0}}, None),
    ],
)
def test_default_of_the_mesh(settings: dict[str, Any], expected: RetryInput | None) -> None:
    """The mesh may change the default, or turn it off."""
    assert TextMesh("", **settings).evaluate(default_retries) == expected
