"""Findings that come from proxies."""

from __future__ import annotations

from meshctl_operator.base.codes import define

REJECTED_BY_PROXY = define(
    "MC3001",
    "Rejected by a proxy",
    cause="A proxy refused configuration that was compiled from this object, and keeps what it had. What Envoy refuses should have been "
    "found before it was served, so this is also a defect of the control plane worth reporting.",
    example="an option that this version of Envoy does not know",
    fix="Read what the proxy says, and take back or change the object.",
)
