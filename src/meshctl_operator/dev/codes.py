"""Findings of the local mesh: what of the directory is not run on this machine."""

from __future__ import annotations

from meshctl_operator.base.codes import define

NOT_RUN = define(
    "MC4101",
    "a Deployment is not run",
    cause="meshctl dev runs a Deployment as a gateway, or as the process that meshctl-dev.yaml names for it. This one is neither.",
    example="a Deployment without an entry under workloads",
    fix="Add `- deployment: NAME` with a command under `workloads:` in meshctl-dev.yaml.",
)
NOT_A_DEPLOYMENT = define(
    "MC4102",
    "an entry runs no Deployment",
    cause="An entry under workloads names a Deployment that the config does not have, so it has no labels and belongs to no Service.",
    example="- deployment: review-v1",
    fix="Correct the name, or add the Deployment.",
)
NOT_HTTP = define(
    "MC4103",
    "a port is not HTTP",
    cause="In the local mesh outbound traffic passes the sidecar through an HTTP proxy port. There is no CONNECT and no TCP.",
    example="a Service port named tcp-redis",
    fix="Nothing to do for HTTP. To try TCP routing, run the mesh on a cluster.",
)
RESTART_TO_RUN = define(
    "MC4104",
    "a workload appeared after the start",
    cause="Workloads are started once, with the mesh. A Deployment that is added later is known to the control plane and runs nowhere.",
    example="a new Deployment reviews-v4 while meshctl dev runs",
    fix="Start meshctl dev again.",
)
