"""Findings about services, endpoints, policies and scopes."""

from __future__ import annotations

from typing import Final

from meshctl_operator.base.codes import define

DANGLING_ALIAS: Final = define(
    "MC2301",
    "An ExternalName service stands for an unknown host",
    cause=(
        "A Service of type ExternalName is an alias: proxies treat its name as one more name of the service that it stands for. No Service and "
        "no ServiceEntry declares that one, so the traffic is handled as traffic to an unknown host (outboundTrafficPolicy)."
    ),
    example="spec: {type: ExternalName, externalName: api.example.com}",
    fix="Declare the external host in a ServiceEntry, or leave it at that if unknown hosts are allowed.",
)
NO_ENDPOINTS_TO_RESOLVE: Final = define(
    "MC2303",
    "A DNS service has nothing to resolve",
    cause=(
        "A proxy resolves the endpoints of a DNS service itself, so without endpoints there is no cluster, and requests are answered 503. "
        "This happens for a wildcard host without endpoints, and for a subset whose labels no endpoint carries."
    ),
    example='spec: {hosts: ["*.example.com"], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}',
    fix="Name an exact host, give endpoints, or let the subset's labels match them.",
)
SELECTOR_MATCHES_NOTHING: Final = define(
    "MC2304",
    "A workload selector matches nothing",
    cause="No WorkloadEntry and no ready Pod in the namespace of the ServiceEntry carries all labels of its workloadSelector.",
    example="spec: {hosts: [db.example.com], resolution: STATIC, workloadSelector: {labels: {app: db}}}",
    fix="Create the workloads, or correct the labels.",
)
AUTOMATIC_ADDRESS: Final = define(
    "MC2306",
    "A ServiceEntry can have no automatic addresses",
    cause=(
        "The label asks for addresses that are allocated, one of each family per host. They are for hosts that have none and that a sidecar "
        "must tell apart: not where addresses are declared, not with resolution NONE, and not for wildcard hosts but those of DYNAMIC_DNS."
    ),
    example="metadata: {labels: {networking.istio.io/enable-autoallocate-ip: 'true'}}\nspec: {hosts: [a.example.com], resolution: NONE}",
    fix="Remove the label, or what stands against it.",
)
UNKNOWN_RULE_HOST: Final = define(
    "MC2310",
    "A DestinationRule is about no known service",
    cause="The host of the DestinationRule matches no Service and no ServiceEntry, so the rule has no effect.",
    example="spec: {host: reviewz}   # in a namespace that has a Service reviews",
    fix="Correct the host. A name without a dot is looked up in the namespace of the DestinationRule.",
    istio_code="IST0174",
)
DUPLICATE_SUBSET: Final = define(
    "MC2311",
    "Two DestinationRules define the same subset",
    cause="Rules for the same host are merged, the oldest first. A subset that an older rule defines already is ignored.",
    example="two DestinationRules for host reviews, both with a subset v1",
    fix="Keep the subset in one of the rules, or give it another name.",
)
IGNORED_POLICY: Final = define(
    "MC2312",
    "A second traffic policy for the same host is ignored",
    cause="Rules for the same host are merged, the oldest first. One trafficPolicy is used as a whole; policies are not mixed.",
    example="two DestinationRules for host reviews, both with a trafficPolicy",
    fix="Move the settings into the older rule.",
)
NARROWED_EXPORT: Final = define(
    "MC2316",
    "A DestinationRule is seen by fewer namespaces than it is exported to",
    cause=(
        "Rules for the same host are merged, the oldest first. A rule that is exported to more namespaces than an older one becomes part of"
        " that, and the namespaces to which only the younger one is exported see neither."
    ),
    example="two DestinationRules for host reviews, the older with exportTo: [shop], the younger with exportTo: [shop, bank]",
    fix="Export both rules to the same namespaces, or make them one rule.",
)
TLS_NOT_COMPILED: Final = define(
    "MC2313",
    "TLS to an upstream is asked for in a way that is not compiled",
    cause=(
        "The policy asks for TLS with a client certificate that proxies cannot be given. "
        "Nothing may be sent in plain text where TLS was asked for, so the cluster is left out and requests are answered 503."
    ),
    example="spec: {host: api.example.com, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}",
    fix="Use mode SIMPLE, or MUTUAL with clientCertificate and privateKey or a credentialName; DISABLE if plain text is meant.",
)
MESH_TLS_NOT_SERVED: Final = define(
    "MC2317",
    "Mutual TLS of the mesh is asked for and not served",
    cause=(
        "ISTIO_MUTUAL uses certificates that a mesh authority issues to every workload. None is issued yet, and sidecars accept plain text "
        "alone, so the traffic is not encrypted."
    ),
    example="spec: {host: reviews, trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}",
    fix="Nothing, if plain text within the mesh is acceptable. Otherwise use MUTUAL with certificates of your own.",
)
CREDENTIAL_NOT_FOR_SIDECARS: Final = define(
    "MC2318",
    "A credential is not handed to sidecars",
    cause=(
        "A DestinationRule without workloadSelector holds for every workload that sees it, and none of them is given the certificate of a "
        "credentialName. Gateways get it; sidecars speak plain text to the service, as with Istio."
    ),
    example="spec: {host: api.example.com, trafficPolicy: {tls: {mode: MUTUAL, credentialName: client}}}",
    fix="Add a workloadSelector for the workloads that may have the certificate, or send the traffic through an egress gateway.",
)
UPSTREAM_CREDENTIAL: Final = define(
    "MC2319",
    "A credential for an upstream cannot be served",
    cause="The Secret of a credentialName does not exist in the namespace of the proxy, or holds no usable certificate or authority.",
    example="spec: {host: api.example.com, trafficPolicy: {tls: {mode: SIMPLE, credentialName: nowhere}}}",
    fix="Create the Secret in the namespace of the gateway: tls.crt and tls.key, and ca.crt for the authorities.",
)
UNUSABLE_VALUE: Final = define(
    "MC2314",
    "A setting has a value that Envoy refuses",
    cause="The value lies outside of what Envoy accepts. Served as it is, the cluster would be refused, so the setting is left out.",
    example="spec: {host: reviews, trafficPolicy: {outlierDetection: {maxEjectionPercent: 150}}}",
    fix="Use a value within the range that the message names.",
)
PASSTHROUGH_WITHOUT_CAPTURE: Final = define(
    "MC2315",
    "Load balancer PASSTHROUGH needs captured traffic",
    cause="PASSTHROUGH sends a connection to the address that it was meant for. In the local mesh traffic is not captured and has none.",
    example="spec: {host: reviews, trafficPolicy: {loadBalancer: {simple: PASSTHROUGH}}}",
    fix="Nothing, if this is only tried out: the endpoints of the service are balanced with LEAST_REQUEST instead.",
)
SEVERAL_SIDECARS: Final = define(
    "MC2320",
    "Several Sidecars apply to the same workloads",
    cause="One Sidecar is used for a workload: of those with a selector that matches the oldest, else the oldest without a selector.",
    example="two Sidecars without workloadSelector in one namespace",
    fix="Keep one of them, or give them selectors that exclude each other.",
    istio_code="IST0111",
)
