"""Codes of findings about the structure of objects, Kubernetes kinds, MeshConfig, and what is not supported."""

from __future__ import annotations

from meshctl_operator.base.codes import define

NOT_AN_OBJECT = define(
    "MC1001",
    "not a config object",
    cause="The document is no mapping, or it lacks apiVersion or kind, so nobody can tell what it is.",
    example="a file that holds a list of hosts",
    fix="Start each document with apiVersion, kind and metadata.",
)
BAD_METADATA = define(
    "MC1002",
    "metadata is unusable",
    cause="The object has no name, or a name, namespace, label or time that Kubernetes would refuse.",
    example='metadata: {name: "my service"}',
    fix="Give a name of letters, digits, dashes and dots, and write label values as text.",
)
UNKNOWN_KIND = define(
    "MC1003",
    "unknown kind or version",
    cause="The group is Istio's, but it serves no such kind or version.",
    example="apiVersion: networking.istio.io/v2",
    fix="Use networking.istio.io/v1 (v1beta1 and v1alpha3 are the same) and one of its kinds.",
)
UNKNOWN_FIELD = define(
    "MC1004",
    "unknown field",
    cause="The object has a field that its kind does not have. An API server would drop it in silence and the rest would mean something else.",
    example="spec.http[0].timeuot: 5s",
    fix="Correct the spelling, or remove the field.",
)
BAD_VALUE = define(
    "MC1005",
    "a value of the wrong type",
    cause="The field wants another type, such as text, a whole number, a list or one of several names.",
    example='spec.http[0].route[0].weight: "many"',
    fix="Write the value in the type that the message names.",
)
BAD_DURATION = define(
    "MC1006",
    "not a duration",
    cause="A duration is written in Go notation: numbers with a unit each.",
    example="spec.http[0].timeout: 5",
    fix='Add the unit: "5s", "1h30m", "8ms".',
)
MISSING_FIELD = define(
    "MC1007",
    "a required field is missing",
    cause="The field around it has no meaning without it.",
    example="spec.http[0].route[0]: {weight: 10}",
    fix="Add the field.",
)
ONE_OF = define(
    "MC1008",
    "fields that exclude each other",
    cause="At most one of these fields may be set, since each is another answer to the same question.",
    example="uri: {exact: /a, prefix: /b}",
    fix="Keep one of them.",
)
RESERVED_ANNOTATION = define(
    "MC1009",
    "an annotation that may not be set",
    cause="The annotation is reserved for generated objects, or is known for another kind only.",
    example='istio.io/dry-run: "true" on a VirtualService',
    fix="Remove the annotation.",
)
BAD_KUBERNETES_OBJECT = define(
    "MC1701",
    "a Kubernetes object that cannot be read",
    cause="A field that we need has a type that the API server would not accept.",
    example='spec.ports[0].port: "http" on a Service',
    fix="Correct the object; its last good state stays in use.",
)
UNKNOWN_MESH_FIELD = define(
    "MC1710",
    "unknown or unused field of MeshConfig",
    cause="MeshConfig has many fields for other parts of Istio; this one is unknown here or has no effect here.",
    example="enableEnvoyAccessLogService: true",
    fix="Check the spelling; otherwise nothing is to be done.",
)
BAD_MESH_VALUE = define(
    "MC1711",
    "a value of MeshConfig that cannot be used",
    cause="The value has the wrong type or lies outside of its range.",
    example="connectTimeout: 10",
    fix="Correct the value; until then the last good settings stay in use.",
)
REFUSED_KIND = define(
    "MC1903",
    "An object of a kind that is not taken",
    cause=(
        "EnvoyFilter patches the configuration that a control plane generates and depends on how exactly istiod generates it; ProxyConfig "
        "says how istiod's agent starts a proxy. Neither is read here, and an object that would do nothing is refused rather than kept."
    ),
    example="kind: EnvoyFilter",
    fix="Say it with VirtualService, DestinationRule, Sidecar or MeshConfig; give settings of a proxy's start to its bootstrap.",
)
NOT_ENFORCED = define(
    "MC1901",
    "a kind that is not enforced",
    cause="istiod acts on objects of this kind; this control plane does not yet.",
    example="kind: AuthorizationPolicy",
    fix="Do not rely on the object: traffic flows as if it did not exist.",
)
POLICY_NOT_ENFORCED = define(
    "MC1904",
    "a security policy that is not enforced",
    cause=(
        "The policy would decide who may reach a workload, and nothing here can tell yet. Rather than let everybody in, proxies refuse all "
        "inbound traffic to the workloads that it selects: AuthorizationPolicy (except AUDIT and dry runs), RequestAuthentication, and "
        "PeerAuthentication where its mode is STRICT."
    ),
    example="kind: AuthorizationPolicy",
    fix="Remove the policy, or set unsupportedPolicies: ignore in the mesh config to have such policies ignored.",
)
NOT_COMPILED = define(
    "MC1902",
    "a field that is not compiled yet",
    cause="The field is read and checked, but no proxy config follows from it.",
    example="spec.trafficPolicy.retryBudget.budgetInterval of a DestinationRule",
    fix="Do not rely on the field; docs/reference/fields.md lists the state of each.",
)
