"""Tests of the views of security policies."""

from __future__ import annotations

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from meshctl_operator.apis.security.policies import PeerAuthenticationSpec, PolicyTargetRef


def read(kind: str, spec: dict[str, object]) -> object:
    """Return the view of a policy."""
    decoded = decode({"apiVersion": "security.istio.io/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
    assert isinstance(decoded, Upsert)
    return decoded.object.spec


def test_modes_by_port() -> None:
    """Mutual TLS is read for the workload and for its ports."""
    found = read("PeerAuthentication", {"mtls": {"mode": "STRICT"}, "portLevelMtls": {"8080": {"mode": "DISABLE"}}})
    assert isinstance(found, PeerAuthenticationSpec)
    assert (found.mtls and found.mtls.mode, found.port_level_mtls["8080"].mode) == ("STRICT", "DISABLE")


def test_targets() -> None:
    """One target and several are the same to whoever reads them."""
    found = read("AuthorizationPolicy", {"targetRef": {"kind": "Gateway", "name": "a"}, "targetRefs": [{"kind": "Service", "name": "b"}]})
    assert found.targets == (PolicyTargetRef(kind="Service", name="b"), PolicyTargetRef(kind="Gateway", name="a"))  # type: ignore[attr-defined]  # the view
