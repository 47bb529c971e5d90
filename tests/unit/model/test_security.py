"""Tests of which inbound traffic is refused for the sake of policies that are not enforced."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.base.labels import freeze
from meshctl_operator.model.proxies import ProxyRole
from meshctl_operator.model.security import OPEN, Denial, denial
from tests.support.mesh_text import TextMesh

LABELS = freeze({"app": "a"})


def policy(kind: str, spec: str = "{}", namespace: str = "default", name: str = "p", annotations: str = "{}") -> str:
    """Return a policy."""
    meta = f"{{name: {name}, namespace: {namespace}, annotations: {annotations}}}"
    return f"---\napiVersion: security.istio.io/v1\nkind: {kind}\nmetadata: {meta}\nspec: {spec}\n"


def found(text: str, role: ProxyRole = ProxyRole.SIDECAR, **mesh: Any) -> Denial:
    """Return what is refused at a workload of namespace default."""
    return TextMesh(text, **mesh).evaluate(denial, "default", LABELS, role)


def is_shut(text: str, role: ProxyRole = ProxyRole.SIDECAR, port: int = 80, **mesh: Any) -> bool:
    """Tell whether a port of the workload is refused."""
    return bool(found(text, role, **mesh).of_port(port))


@pytest.mark.parametrize("kind", ["AuthorizationPolicy", "RequestAuthentication"])
@pytest.mark.parametrize(
    ("spec", "namespace", "expected"),
    [
        ("{}", "default", True),
        ("{selector: {matchLabels: {app: a}}}", "default", True),
        ("{selector: {matchLabels: {app: b}}}", "default", False),
        ("{}", "other", False),
        ("{}", "istio-system", True),
        ("{targetRefs: [{kind: Service, name: a}]}", "default", False),
    ],
)
def test_whom_a_policy_shuts(kind: str, spec: str, namespace: str, expected: bool) -> None:  # noqa: FBT001  (the expectation)
    """A policy is for workloads of its namespace, or of all from the root namespace, that carry its labels."""
    assert is_shut(policy(kind, spec, namespace)) is expected
    assert is_shut(policy(kind, spec, namespace), ProxyRole.ROUTER) is expected


def test_what_decides_nothing_shuts_nobody() -> None:
    """Auditing and dry runs let everything through, as with Istio."""
    assert found(policy("AuthorizationPolicy", "{action: AUDIT}")) == OPEN
    assert found(policy("AuthorizationPolicy", annotations='{istio.io/dry-run: "true"}')) == OPEN
    assert is_shut(policy("AuthorizationPolicy", "{action: DENY}"))


def test_ignored_by_setting() -> None:
    """The setting takes the responsibility."""
    assert found(policy("AuthorizationPolicy"), unsupportedPolicies="ignore") == OPEN


STRICT = "{mtls: {mode: STRICT}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (policy("PeerAuthentication", STRICT), True),
        (policy("PeerAuthentication", STRICT, "istio-system"), True),
        (policy("PeerAuthentication", "{mtls: {mode: PERMISSIVE}}"), False),
        (policy("PeerAuthentication", STRICT, "istio-system") + policy("PeerAuthentication", "{mtls: {mode: PERMISSIVE}}"), False),
        (policy("PeerAuthentication", STRICT, "istio-system") + policy("PeerAuthentication", "{mtls: {mode: UNSET}}"), True),
        (
            policy("PeerAuthentication", STRICT)
            + policy("PeerAuthentication", "{selector: {matchLabels: {app: a}}, mtls: {mode: DISABLE}}", name="q"),
            False,
        ),
    ],
)
def test_strict_mutual_tls(text: str, expected: bool) -> None:  # noqa: FBT001  (the expectation)
    """The most specific policy that says anything decides; gateways do not care."""
    assert is_shut(text) is expected
    assert not is_shut(text, ProxyRole.ROUTER)


def test_ports() -> None:
    """A port may be strict alone, or the only one that is not."""
    one = policy("PeerAuthentication", "{selector: {matchLabels: {app: a}}, portLevelMtls: {8080: {mode: STRICT}}}")
    assert (is_shut(one, port=8080), is_shut(one)) == (True, False)
    rest = policy("PeerAuthentication", "{selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}, portLevelMtls: {8080: {mode: DISABLE}}}")
    assert (is_shut(rest, port=8080), is_shut(rest), is_shut(rest, port=0)) == (False, True, True)
    assert is_shut(rest + policy("AuthorizationPolicy", name="q"), port=8080)
