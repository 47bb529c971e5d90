"""Findings about pods that get a sidecar."""

from __future__ import annotations

from meshctl_operator.base.codes import define

BAD_ANNOTATION = define(
    "MC4301",
    "an annotation of a pod has a value that cannot be used",
    cause="The value of an annotation that says how a pod gets its sidecar is not of the form that it must have. The pod is not admitted: "
    "it would run otherwise than its author meant.",
    example='traffic.sidecar.istio.io/excludeOutboundPorts: "http"',
    fix="Correct the value, or remove the annotation.",
    istio_code="IST0125",
)
UNSUPPORTED_ANNOTATION = define(
    "MC4302",
    "an annotation of a pod asks for what is not there",
    cause="The annotation asks for something that the sidecar cannot do: it is a stock Envoy without an agent beside it. The pod is not "
    "admitted, since it counts on it.",
    example="inject.istio.io/templates: grpc-agent",
    fix='Remove the annotation, or keep the pod out of the mesh with sidecar.istio.io/inject: "false".',
)
NO_EFFECT = define(
    "MC4303",
    "an annotation of a pod has no effect",
    cause="The annotation is known, and what it tunes does not exist here: there is no agent beside Envoy, which has a log or merges metrics.",
    example="sidecar.istio.io/agentLogLevel: default:debug",
    fix="Remove the annotation; nothing else changes.",
)
UNKNOWN_ANNOTATION = define(
    "MC4304",
    "an annotation of a pod is not known",
    cause="The annotation is in the group of those that say how a pod gets its sidecar, but there is none of that name.",
    example='sidecar.istio.io/proxyCPUs: "2"',
    fix="Correct the name.",
    istio_code="IST0108",
)
NOT_INJECTED = define(
    "MC4305",
    "a pod does not get a sidecar",
    cause="Something about the pod or its namespace says that it is not part of the mesh: it uses the network of its node, or a label or "
    "annotation opts out.",
    example="hostNetwork: true",
    fix="Nothing, if that is what is meant.",
)
PORT_KEPT_OUT = define(
    "MC4306",
    "a port of a pod is not intercepted, because it is probed",
    cause="The kubelet probes the port with bare TCP, gRPC or a command of its own, which Envoy cannot pass on under another name. So that "
    "probes tell how the application is, and not how Envoy is, traffic to that port bypasses the sidecar.",
    example="readinessProbe: {tcpSocket: {port: 3306}}",
    fix="Probe by HTTP on another port, if the sidecar shall see all traffic of this one.",
)
