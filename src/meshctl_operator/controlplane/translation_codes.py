"""Findings of ``meshctl translate`` and ``meshctl bootstrap``: what had to be assumed about a proxy."""

from __future__ import annotations

from meshctl_operator.base.codes import define

UNKNOWN_WORKLOAD = define(
    "MC4201",
    "no such workload among the inputs",
    cause="The proxy was named by --proxy, but the inputs hold no Pod, WorkloadEntry or Deployment of that name, so it has no labels and no address of its own.",
    example="--proxy sidecar:reviews.default, while the Deployment is called reviews-v1",
    fix="Correct the name, add the object to the inputs, or describe the proxy by --proxy-file.",
)
THROW_AWAY_CERTIFICATE = define(
    "MC4202",
    "a throw-away certificate stands in for a secret",
    cause="A static bootstrap cannot fetch secrets, and key material of the inputs is never written out.",
    example="credentialName: bookinfo-cert",
    fix="Replace the certificate and the key in the file by real ones before anybody has to trust them.",
)
