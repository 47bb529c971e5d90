"""Codes of the rules that look at one object: shared rules first, then kind by kind."""

from __future__ import annotations

from meshctl_operator.base.codes import define

BAD_NAME = define(
    "MC1020",
    "not a DNS name",
    cause="The value must be a DNS name or label: letters, digits and dashes, not at the ends, at most 63 a label and 255 in all.",
    example="spec.host: my_service",
    fix="Write the name as DNS knows it.",
)
BAD_PORT = define(
    "MC1021",
    "a port out of range",
    cause="Ports lie between 1 and 65535.",
    example="spec.servers[0].port.number: 70000",
    fix="Give the number of the service port.",
)
BAD_PERIOD = define(
    "MC1022",
    "a duration out of range",
    cause="Envoy counts in milliseconds, so a duration is at least 1ms and a whole number of them.",
    example="spec.http[0].timeout: 0s",
    fix="Give 1ms or more, or leave the field out.",
)
BAD_REGEX = define(
    "MC1023",
    "not a regular expression of RE2",
    cause="Envoy runs RE2, which has no look-around and no back-references; at most 1024 characters.",
    example='uri: {regex: "/(?!admin).*"}',
    fix="Write it without what RE2 lacks, or use several rules.",
)
BAD_EXPORT_TO = define(
    "MC1024",
    "exportTo is contradictory",
    cause='exportTo lists namespaces, "." (the own one) or "*" (all), each once.',
    example='spec.exportTo: ["*", "shop"]',
    fix='Keep "*" alone, or the list of namespaces.',
)
BAD_LABELS = define(
    "MC1025",
    "not a label",
    cause="A label key or value breaks the syntax of Kubernetes, so that no workload can carry it.",
    example='sourceLabels: {app: "a b"}',
    fix="Use letters, digits, dashes, underscores and dots, at most 63 characters.",
)
BAD_MATCH = define(
    "MC1026",
    "a string match that Envoy refuses",
    cause="A prefix match must not be empty here, and an origin must be compared with something.",
    example='method: {prefix: ""}',
    fix="Write {} to ask for presence, or give the prefix.",
)
BAD_ADDRESS = define(
    "MC1027",
    "not an address",
    cause="The field wants an IP address, a range such as 10.0.0.0/8, or a Unix socket.",
    example="spec.servers[0].bind: localhost",
    fix="Write the address in numbers.",
)
UNKNOWN_PROTOCOL = define(
    "MC1028",
    "unknown protocol",
    cause="The protocol of a port is one of a fixed list.",
    example="spec.servers[0].port.protocol: HTTP3",
    fix="Use HTTP, HTTP2, GRPC, GRPC-WEB, HTTPS, TLS, TCP, MONGO, REDIS, MYSQL, HTTP_PROXY or UDP.",
)
BAD_PERCENT = define(
    "MC1029",
    "a percentage out of range",
    cause="Percentages lie between 0 and 100; shares of requests are counted in steps of 0.0001.",
    example="fault.delay.percentage.value: 120",
    fix="Give a value between 0 and 100.",
)
DEPRECATED = define(
    "MC1030",
    "a deprecated field",
    cause="Istio keeps the field for old objects only.",
    example="mirrorPercent: 30",
    fix="Use the field that the message names.",
)
BAD_SELECTOR = define(
    "MC1031",
    "a selector that is doubtful",
    cause="Selectors compare labels literally; a star selects nothing, and an empty selector selects everything.",
    example='workloadSelector: {labels: {app: "rev*"}}',
    fix="Name labels that the workloads carry.",
)

NO_SERVERS = define(
    "MC1101",
    "a Gateway without servers",
    cause="A Gateway opens a port for each server; without any it does nothing.",
    example="spec: {selector: {istio: ingressgateway}}",
    fix="Add servers with port and hosts.",
)
BAD_SERVER_HOST = define(
    "MC1102",
    "a host that a server cannot have",
    cause='Hosts of a server are "*", names with a dot, "*.suffix" or IPv4 addresses, with an optional "namespace/" in front.',
    example="spec.servers[0].hosts: [reviews]",
    fix="Write the full name that clients ask for.",
)
BAD_SERVER_TLS = define(
    "MC1103",
    "tls does not fit the protocol of the server",
    cause="HTTPS and TLS servers need tls; HTTP servers may only redirect; others have none.",
    example="port: {number: 443, protocol: HTTPS, name: https} without tls",
    fix="Add tls, or change the protocol.",
)
BAD_CERTIFICATES = define(
    "MC1104",
    "certificates do not fit the TLS mode",
    cause="Terminating TLS needs one source of certificates: credentialName, or files. Other modes take none.",
    example="tls: {mode: SIMPLE}",
    fix="Set credentialName to the name of a Secret in the namespace of the gateway's pods.",
)
BAD_PORT_NAME = define(
    "MC1105",
    "a port name that is missing or used twice",
    cause="Port names tell the servers of a Gateway (or the ports of a service) apart.",
    example="two servers with port.name: http",
    fix="Give each port a name of its own.",
)
IGNORED_TLS_FIELD = define(
    "MC1106",
    "a TLS field without effect",
    cause="The mode or protocol of the server makes the field meaningless.",
    example="tls: {mode: PASSTHROUGH, credentialName: bookinfo-cert}",
    fix="Remove the field, or change the mode.",
)
WEAK_TLS = define(
    "MC1107",
    "doubtful TLS parameters",
    cause="An old protocol version without cipher suites for it, or a cipher suite that Envoy does not know.",
    example="tls: {minProtocolVersion: TLSV1_0}",
    fix="Require TLS 1.2 or later, and list suites that Envoy has.",
)
SERVER_CONFLICT = define(
    "MC1108",
    "servers of a Gateway that conflict",
    cause="Servers that share port and bind share a listener; only HTTP beside HTTP, and TLS beside TLS with other hosts, can do so.",
    example="two HTTPS servers on port 443 with hosts: [a.com]",
    fix="Merge the servers, or give them different hosts, ports or binds.",
    istio_code="IST0145",
)

BAD_VS_HOSTS = define(
    "MC1201",
    "hosts of a VirtualService",
    cause='Hosts are DNS names, "*.suffix" or IP addresses that do not overlap; "*" is for gateways alone.',
    example='spec.hosts: ["*"] without gateways',
    fix="Name the hosts, or bind the VirtualService to a gateway.",
)
BAD_VS_GATEWAYS = define(
    "MC1202",
    "gateways of a VirtualService",
    cause='Each entry is "mesh", a name, or namespace/name.',
    example='gateways: ["./gw"]',
    fix="Write namespace/name.",
)
BAD_WEIGHT = define(
    "MC1203",
    "weights that cannot be used",
    cause="Weights are 0 or more, and of several destinations at least one has more than 0.",
    example="spec.http[1].route[0].weight: -1",
    fix="Give weights whose sum is positive.",
)
NO_ROUTES = define(
    "MC1204",
    "a VirtualService or rule without routes",
    cause="A VirtualService has http, tls or tcp rules, and a rule says what happens: route, redirect, directResponse or delegate.",
    example="spec.http[0]: {timeout: 5s}",
    fix="Add what shall happen.",
)
ACTION_CONFLICT = define(
    "MC1205",
    "actions that exclude each other",
    cause="A rule has one of route, redirect and directResponse; rewrite and fault belong to a route alone.",
    example="spec.http[0]: {redirect: {uri: /x}, route: [...]}",
    fix="Keep one action.",
)
BAD_DESTINATION = define(
    "MC1206",
    "a destination that names no service",
    cause="A destination is the host name of a service, with an optional subset and a port number from 1 on.",
    example="destination: {host: 10.0.0.1}",
    fix="Name the service; for an address make a ServiceEntry first.",
)
BAD_HTTP_MATCH = define(
    "MC1207",
    "a match that cannot be used",
    cause="A header name is not one that HTTP allows, or a claim of a token is matched where tokens are not checked.",
    example='headers: {"a b": {exact: c}}',
    fix="Correct the name; match claims in a VirtualService of gateways only.",
)
BAD_HEADER_OPERATION = define(
    "MC1208",
    "a header operation that Envoy refuses",
    cause="Host and names with a colon can be changed in requests by set alone; values use % only for Envoy's command operators.",
    example='headers: {response: {set: {x-share: "50%"}}}',
    fix='Write "%%" for a percent sign, and check the name of the operator.',
)
BAD_REWRITE = define(
    "MC1209",
    "a rewrite that cannot be done",
    cause="A rewrite has uri or uriRegexRewrite (not both) or authority.",
    example="rewrite: {}",
    fix="Say what is rewritten, once.",
)
BAD_REDIRECT = define(
    "MC1210",
    "a redirect that cannot be done",
    cause="A redirect changes uri, authority, scheme or port, and answers 301, 302, 303, 307 or 308.",
    example="redirect: {redirectCode: 304}",
    fix="Say where the client shall go.",
)
BAD_DIRECT_RESPONSE = define(
    "MC1211",
    "a direct response that Envoy refuses",
    cause="The status lies between 200 and 599, and the body has at most 1 MiB.",
    example="directResponse: {status: 600}",
    fix="Give a status of HTTP and a shorter body.",
)
BAD_RETRIES = define(
    "MC1212",
    "retries that contradict themselves",
    cause="Attempts are 0 or more; with 0 nothing else may be set; retryOn lists Envoy's policies and HTTP status codes.",
    example='retries: {attempts: 0, retryOn: "5xx"}',
    fix="Set attempts, and use the names of Envoy's retry policies.",
)
BAD_FAULT = define(
    "MC1213",
    "a fault that cannot be injected",
    cause="A fault has a delay with fixedDelay or an abort with httpStatus or grpcStatus.",
    example="fault: {}",
    fix="Say which fault shall happen.",
)
BAD_MIRROR = define(
    "MC1214",
    "a mirror that cannot be used",
    cause="mirror and mirrors exclude each other, and each has a destination.",
    example="mirrors: [{percentage: {value: 10}}]",
    fix="Use mirrors with a destination each.",
)
BAD_CORS = define(
    "MC1215",
    "a CORS policy that cannot be used",
    cause="Methods are those of HTTP in capitals, headers are header names, maxAge is in whole seconds.",
    example="corsPolicy: {allowMethods: [get]}",
    fix="Correct the value that the message names.",
)
BAD_L4_MATCH = define(
    "MC1216",
    "a match of a TLS or TCP rule that cannot be used",
    cause="A TLS rule matches on server names that its VirtualService has among its hosts.",
    example="tls[0].match[0].sniHosts: [other.example.com]",
    fix="Add the name to spec.hosts, or correct it.",
)
UNREACHABLE = define(
    "MC1217",
    "a rule that is never reached",
    cause="Rules are tried in order, and an earlier one already takes everything that this one matches.",
    example="a rule behind one without match",
    fix="Move the rule up, or remove it.",
    istio_code="IST0130",
)
BAD_DELEGATE = define(
    "MC1218",
    "a delegate that is misused",
    cause="A rule that delegates has no route or redirect of its own; a delegate has no hosts, gateways, tls, tcp or delegates.",
    example="spec.http[0]: {delegate: {name: x}, route: [...]}",
    fix="Keep the delegate or the action.",
)

BAD_SUBSET = define(
    "MC1301",
    "a subset that cannot be used",
    cause="A subset has a name of its own, a DNS label, since the name becomes part of the name of a cluster.",
    example="two subsets with name: v1",
    fix="Give each subset another name.",
)
BAD_LOAD_BALANCER = define(
    "MC1302",
    "a load balancer that cannot be used",
    cause="A Maglev table has a prime size below 5000011, a cookie has a name, a warm-up has a duration.",
    example="consistentHash: {maglev: {tableSize: 1000}}",
    fix="Correct the value that the message names.",
)
BAD_CONNECTION_POOL = define(
    "MC1303",
    "a connection pool that cannot be used",
    cause="A pool has tcp or http; limits are 0 (unset) or more.",
    example="connectionPool: {tcp: {maxConnections: -1}}",
    fix="Correct the value that the message names.",
)
BAD_OUTLIER_DETECTION = define(
    "MC1304",
    "an outlier detection that cannot be used",
    cause="Percentages lie between 0 and 100, status codes between 100 and 599; local errors count only when they are split off.",
    example="outlierDetection: {maxEjectionPercent: 150}",
    fix="Correct the value that the message names.",
)
BAD_CLIENT_TLS = define(
    "MC1305",
    "client TLS settings that contradict themselves",
    cause="MUTUAL needs a certificate and its key; a credentialName excludes files; skipping verification excludes what is verified.",
    example="tls: {mode: MUTUAL}",
    fix="Set credentialName, or clientCertificate and privateKey.",
)
BAD_PORT_POLICY = define(
    "MC1306",
    "a port-level setting that cannot be used",
    cause="An entry names a port and at least one of loadBalancer, connectionPool, outlierDetection and tls.",
    example="portLevelSettings: [{port: {number: 80}}]",
    fix="Say what is different for that port.",
)
BAD_LOCALITY = define(
    "MC1307",
    "a locality setting that cannot be used",
    cause="Shares of a locality sum up to 100; failover goes from one region to another.",
    example='distribute: [{from: "r1/*", to: {"r1/*": 80}}]',
    fix="Correct the value that the message names.",
)
EMPTY_POLICY = define(
    "MC1308",
    "an empty or contradictory traffic policy",
    cause="A trafficPolicy says at least one thing; tunnel and proxyProtocol exclude each other.",
    example="trafficPolicy: {}",
    fix="Remove the policy, or say something in it.",
)
BAD_WORKLOAD_RULE = define(
    "MC1309",
    "a workload selector with a wider visibility",
    cause="A DestinationRule with a workloadSelector is for its own namespace alone.",
    example='workloadSelector with exportTo: ["*"]',
    fix='Leave exportTo out, or write ["."].',
)

BAD_SE_HOSTS = define(
    "MC1401",
    "hosts of a ServiceEntry",
    cause='A ServiceEntry has 1 to 256 hosts, DNS names or "*.suffix"; several hosts can share HTTP and TLS ports only.',
    example='spec.hosts: ["*"]',
    fix="Name the hosts.",
)
BAD_SE_ADDRESSES = define(
    "MC1402",
    "addresses of a ServiceEntry",
    cause="Addresses are IPs; ranges only with resolution NONE or STATIC.",
    example='resolution: DNS with addresses: ["10.0.0.0/8"]',
    fix="Give single addresses.",
)
BAD_SE_PORTS = define(
    "MC1403",
    "ports of a ServiceEntry",
    cause="Each port has a number and a name, both used once.",
    example="two ports with number: 443",
    fix="Correct the port that the message names.",
)
BAD_SE_ENDPOINTS = define(
    "MC1404",
    "endpoints of a ServiceEntry",
    cause="Endpoints fit the resolution: IPs or sockets for STATIC, names or IPs for DNS, none for NONE and DYNAMIC_DNS.",
    example="resolution: STATIC with an endpoint of address db.example.com",
    fix="Change the resolution or the address.",
)
BAD_RESOLUTION = define(
    "MC1405",
    "a resolution that does not fit",
    cause="What is resolved must be resolvable: DNS cannot look up a wildcard, DYNAMIC_DNS is for wildcards.",
    example='resolution: DNS with hosts: ["*.example.com"] and no endpoints',
    fix="Use NONE for wildcards, or list endpoints.",
)
DOUBTFUL_SE = define(
    "MC1406",
    "a ServiceEntry that may do less than it seems",
    cause="The entry is legal, but TCP traffic cannot be told apart without addresses, or a selector selects nothing.",
    example="a TCP port without addresses",
    fix="Add addresses, or use a protocol that carries the host name.",
)

BAD_WE_ADDRESS = define(
    "MC1501",
    "address of a workload",
    cause="A workload has an IP address, a DNS name, or a Unix socket (unix:///path or unix://@name), which has no ports.",
    example="spec.address: http://db",
    fix="Write the address alone.",
)
BAD_WE_PORTS = define(
    "MC1502",
    "ports of a workload",
    cause="Port names are DNS labels and ports lie between 1 and 65535.",
    example="ports: {http: 0}",
    fix="Correct the port that the message names.",
)
BAD_GROUP = define(
    "MC1510",
    "a WorkloadGroup that cannot be used",
    cause="A group has a template.",
    example="spec: {}",
    fix="Add template.",
)
BAD_PROBE = define(
    "MC1511",
    "a probe that cannot be used",
    cause="A probe has one of httpGet, tcpSocket and exec, times of 0 or more, and a port in range.",
    example="probe: {periodSeconds: 5}",
    fix="Say how the workload is probed.",
)

EMPTY_SIDECAR = define(
    "MC1601",
    "an empty Sidecar",
    cause="A Sidecar says at least one thing about the workloads that it selects.",
    example="spec: {}",
    fix="Add egress, ingress or outboundTrafficPolicy.",
)
BAD_INGRESS = define(
    "MC1602",
    "an ingress listener that cannot be used",
    cause="A listener has a port of its own, an IP to bind to, and forwards to the workload itself.",
    example="defaultEndpoint: 10.0.0.1:80",
    fix="Correct the value that the message names.",
)
BAD_EGRESS_HOST = define(
    "MC1603",
    "an egress host that cannot be imported",
    cause='Hosts are written namespace/name; the namespace is "*", ".", "~" or a name; the name is "*", a name with a dot or "*.suffix".',
    example="egress[0].hosts: [reviews]",
    fix='Write "./*", "*/*" or "shop/reviews.shop.svc.cluster.local".',
)
BAD_EGRESS = define(
    "MC1604",
    "an egress listener that cannot be used",
    cause="The listener without a port is the last one and the only one of its kind; each other has a port of its own.",
    example="two egress entries without port",
    fix="Merge the entries, or give each a port.",
)
BAD_OUTBOUND_POLICY = define(
    "MC1605",
    "an outbound traffic policy that cannot be used",
    cause="The mode is REGISTRY_ONLY or ALLOW_ANY; an egressProxy needs ALLOW_ANY, a host name and a port.",
    example="outboundTrafficPolicy: {mode: ALLOW_ANY_DYNAMIC_DNS}",
    fix="Correct the value that the message names.",
)
