"""Texts of DestinationRule."""

from __future__ import annotations

from typing import Final

_LOAD_BALANCER: Final = "How endpoints are chosen."
_CONNECTION_POOL: Final = "Limits and time-outs of connections."
_OUTLIER_DETECTION: Final = "When an endpoint that fails is taken out for a while."
_TLS: Final = "How TLS is spoken to the service."
_FAILOVER: Final = "Which region takes over from another."
_FAILOVER_PRIORITY: Final = "Labels by which endpoints are ranked: the more of them agree with the client's, the earlier."

FIELDS: Final = {
    "DestinationRule": {
        "host": "The service: its full name, a short name, which is looked up in the namespace of this object, or a wildcard.",
        "trafficPolicy": "How connections to the service are made.",
        "subsets": "Named parts of the service's endpoints.",
        "exportTo": "Namespaces whose clients see the rule: names, . for its own, or * for all, the default.",
        "workloadSelector": "Clients of this namespace to which the rule applies. Without it, all of them.",
    },
    "Subset": {
        "name": "Name of the subset, as VirtualServices use it.",
        "labels": "Labels that the endpoints of the subset carry.",
        "trafficPolicy": "What differs from the policy of the service.",
    },
    "TrafficPolicy": {
        "loadBalancer": _LOAD_BALANCER,
        "connectionPool": _CONNECTION_POOL,
        "outlierDetection": _OUTLIER_DETECTION,
        "tls": _TLS,
        "portLevelSettings": "Policies of single ports. Each takes the place of the whole policy; nothing is inherited.",
        "tunnel": "Send TCP connections through HTTP.",
        "proxyProtocol": "Send a PROXY protocol header first.",
        "retryBudget": "Limit retries to a share of the requests.",
    },
    "PortTrafficPolicy": {
        "port": "The port of the service.",
        "loadBalancer": _LOAD_BALANCER,
        "connectionPool": _CONNECTION_POOL,
        "outlierDetection": _OUTLIER_DETECTION,
        "tls": _TLS,
    },
    "LoadBalancer": {
        "simple": "Without affinity: LEAST_REQUEST (the default), ROUND_ROBIN, RANDOM or PASSTHROUGH.",
        "consistentHash": "Requests that are alike go to the same endpoint.",
        "localityLbSetting": "How localities are preferred.",
        "zoneAwareLbSetting": "How zones are preferred.",
        "warmupDurationSecs": "Deprecated: how long a new endpoint gets less traffic; use warmup.",
        "warmup": "How a new endpoint gets its share of the traffic.",
    },
    "ConsistentHash": {
        "httpHeaderName": "Header that is hashed.",
        "httpCookie": "Cookie that is hashed.",
        "useSourceIp": "Hash the address of the client.",
        "httpQueryParameterName": "Query parameter that is hashed.",
        "ringHash": "Use a hash ring, the default.",
        "maglev": "Use Maglev hashing.",
        "minimumRingSize": "Deprecated: smallest size of the ring; use ringHash.",
    },
    "HttpCookie": {
        "name": "Name of the cookie.",
        "path": "Path of the cookie.",
        "ttl": "Lifetime of a cookie that the proxy makes where there is none; 0s for one of the session. Unset means none is made.",
        "attributes": "Further attributes of a cookie that the proxy makes.",
    },
    "CookieAttribute": {
        "name": "Name of the attribute.",
        "value": "Value of the attribute.",
    },
    "RingHash": {
        "minimumRingSize": "Smallest number of points on the ring.",
    },
    "Maglev": {
        "tableSize": "Size of the table, a prime.",
    },
    "LocalityLb": {
        "distribute": "Shares of the traffic by locality.",
        "failover": _FAILOVER,
        "failoverPriority": _FAILOVER_PRIORITY,
        "enabled": "Whether localities count at all.",
    },
    "Distribute": {
        "from": "Locality of the clients: region/zone/subzone, the last of them may be *.",
        "to": "Percentage of the traffic for each locality; in sum 100.",
    },
    "Failover": {
        "from": "The region.",
        "to": "The region that takes over.",
    },
    "ZoneAwareLb": {
        "enabled": "Whether zones count.",
        "minClusterSize": "Fewest endpoints for which zones count.",
        "failover": _FAILOVER,
        "failoverPriority": _FAILOVER_PRIORITY,
    },
    "Warmup": {
        "duration": "How long a new endpoint gets less traffic than others.",
        "minimumPercent": "Percentage of its share that it starts with.",
        "aggression": "How fast the share grows; 1 is linear.",
    },
    "ConnectionPool": {
        "tcp": "Settings of every protocol.",
        "http": "Settings of HTTP.",
    },
    "TcpSettings": {
        "maxConnections": "Most connections to the service from one proxy.",
        "connectTimeout": "How long a connection attempt may take.",
        "tcpKeepalive": "TCP keepalive.",
        "maxConnectionDuration": "Longest life of a connection.",
        "idleTimeout": "How long a connection may be idle.",
    },
    "TcpKeepalive": {
        "probes": "Unanswered probes after which the connection counts as dead.",
        "time": "Idle time before the first probe.",
        "interval": "Time between probes.",
    },
    "HttpSettings": {
        "http1MaxPendingRequests": "Most requests that wait for a connection.",
        "http2MaxRequests": "Most requests at a time.",
        "maxRequestsPerConnection": "Requests after which a connection is closed; 1 turns keep-alive off.",
        "maxRetries": "Most retries at a time.",
        "idleTimeout": "How long a connection may have no request.",
        "h2UpgradePolicy": "Whether HTTP/1.1 becomes HTTP/2 on the way to the service.",
        "useClientProtocol": "Speak to the service the version of HTTP that the client speaks.",
        "maxConcurrentStreams": "Most requests at a time on one HTTP/2 connection.",
        "http2KeepAlive": "HTTP/2 pings.",
    },
    "Http2KeepAlive": {
        "interval": "Time between pings.",
        "timeout": "How long an answer may take.",
    },
    "OutlierDetection": {
        "consecutiveErrors": "Deprecated and without effect; use consecutive5xxErrors.",
        "splitExternalLocalOriginErrors": "Count errors of the connection apart from those that the service answers.",
        "consecutiveLocalOriginFailures": "Errors of the connection in a row after which an endpoint is taken out.",
        "consecutiveGatewayErrors": "Answers 502, 503 or 504 in a row after which an endpoint is taken out; 0 turns this off.",
        "consecutive5xxErrors": "Answers 5xx in a row after which an endpoint is taken out; 0 turns this off, unset means 5.",
        "interval": "Time between looks at the counts.",
        "baseEjectionTime": "Shortest time that an endpoint is out; it grows each time.",
        "maxEjectionPercent": "Largest percentage of the endpoints that may be out.",
        "minHealthPercent": "Below this percentage of healthy endpoints all of them are used.",
        "outlierDetectionHttpErrorCodes": "Status codes that count as errors in place of 5xx.",
    },
    "ClientTls": {
        "mode": "Whether TLS is spoken, and whether a certificate is presented. Unset means DISABLE.",
        "clientCertificate": "File with the certificate chain to present.",
        "privateKey": "File with the private key.",
        "caCertificates": "File with the authorities to trust. Unset means those of the operating system.",
        "credentialName": "Secret with certificate, key and authorities.",
        "subjectAltNames": "Names, one of which the service's certificate must carry.",
        "sni": "Server name to ask for.",
        "insecureSkipVerify": "Accept the service's certificate without checking it.",
        "caCrl": "File with the revocation list.",
    },
    "Tunnel": {
        "protocol": "CONNECT (the default) or POST.",
        "targetHost": "Host to which the tunnel leads.",
        "targetPort": "Port to which the tunnel leads.",
    },
    "ProxyProtocol": {
        "version": "Version of the header.",
    },
    "RetryBudget": {
        "percent": "Percentage of the active requests that may be retries.",
        "minRetryConcurrency": "Retries that are always allowed.",
        "budgetInterval": "Time over which requests count.",
    },
}
