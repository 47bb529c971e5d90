"""Texts of VirtualService."""

from __future__ import annotations

from typing import Final

_MATCH_GATEWAYS: Final = "Gateways for which the conditions hold, out of those of the VirtualService; mesh stands for sidecars."
_SOURCE_LABELS: Final = "Labels that the client's workload must carry."
_SOURCE_NAMESPACE: Final = "Namespace that the client's workload must be in."
_SUBNETS: Final = "IP addresses or CIDR ranges, one of which the connection must be going to."
_PORT: Final = "Port of the service or gateway on which the traffic came in."
_WEIGHT: Final = "Share of the traffic, relative to the weights beside it."

FIELDS: Final = {
    "VirtualService": {
        "hosts": "Hosts whose traffic is routed here: services of the mesh, or names that clients of a gateway use. A VirtualService "
        "without hosts is a delegate.",
        "gateways": "Gateways on which the rules hold, as name or namespace/name; mesh stands for every sidecar and is the default.",
        "http": "Rules for HTTP. The first one that matches is taken.",
        "tls": "Rules for TLS connections that are not terminated. The first one that matches is taken.",
        "tcp": "Rules for TCP connections. The first one that matches is taken.",
        "exportTo": "Namespaces that see the VirtualService: names, . for its own, or * for all, the default.",
    },
    "HttpRoute": {
        "name": "A name for logs and traces.",
        "match": "Blocks of conditions, any of which may hold. Without blocks every request matches.",
        "route": "Where requests go; several destinations share them by weight.",
        "redirect": "Answer with a redirect.",
        "directResponse": "Answer with a fixed response.",
        "delegate": "Take the rules of another VirtualService, which has no hosts.",
        "rewrite": "What to change in path and authority before a request is sent on.",
        "timeout": 'How long a request may take, such as "2s". Unset means no limit.',
        "retries": "When to try again. Unset means two retries of failures that are safe to repeat.",
        "fault": "Faults to inject.",
        "mirror": "Service that gets a copy of the requests; its answers are thrown away.",
        "mirrors": "Services that get copies of the requests; their answers are thrown away.",
        "mirrorPercent": "Deprecated: whole percentage of the requests that is mirrored.",
        "mirrorPercentage": "Percentage of the requests that is mirrored. Unset means all.",
        "corsPolicy": "Which other origins may call.",
        "headers": "Headers to set, add and remove.",
    },
    "HttpMatchRequest": {
        "name": "A name for logs and traces.",
        "uri": "The path, with its query where regex is used.",
        "scheme": "http or https.",
        "method": "The method, such as GET.",
        "authority": "The authority (Host header).",
        "headers": "Headers by lower-case name; an empty condition asks that the header is there.",
        "port": _PORT,
        "sourceLabels": _SOURCE_LABELS,
        "gateways": _MATCH_GATEWAYS,
        "queryParams": "Query parameters by name; an empty condition asks that the parameter is there.",
        "ignoreUriCase": "Compare exact and prefix of the path without regard to case.",
        "withoutHeaders": "Headers that must not match, by lower-case name; an empty condition asks that the header is absent.",
        "sourceNamespace": _SOURCE_NAMESPACE,
        "statPrefix": "Prefix of statistics of their own for this match.",
    },
    "HttpRouteDestination": {
        "destination": "The service.",
        "weight": _WEIGHT,
        "headers": "Headers to set, add and remove for this destination.",
    },
    "Headers": {
        "request": "Changes to the request.",
        "response": "Changes to the response.",
    },
    "HeaderOperations": {
        "set": "Headers to overwrite.",
        "add": "Headers to append to what is there.",
        "remove": "Names of headers to take away.",
    },
    "HttpRedirect": {
        "uri": "The new path.",
        "prefixRewrite": "What replaces the prefix that matched.",
        "authority": "The new authority.",
        "port": "The new port.",
        "derivePort": "Where the port is taken from.",
        "scheme": "The new scheme: http or https.",
        "redirectCode": "Status of the redirect: 301 (the default), 302, 303, 307 or 308.",
    },
    "HttpDirectResponse": {
        "status": "Status of the response, 200 to 599.",
        "body": "Body of the response, at most 1 MiB.",
    },
    "HttpBody": {
        "string": "The body as text.",
        "bytes": "The body in base64.",
    },
    "Delegate": {
        "name": "Name of the VirtualService.",
        "namespace": "Its namespace. Without it, the one of this object.",
    },
    "HttpRewrite": {
        "uri": "What replaces the path, or the prefix of it that matched.",
        "authority": "The new authority.",
        "uriRegexRewrite": "Rewrite the path by a regular expression.",
    },
    "RegexRewrite": {
        "match": "An RE2 expression; what it finds in the path is replaced.",
        "rewrite": "The replacement; \\1 stands for the first group.",
    },
    "HttpRetry": {
        "attempts": "How often to try again; 0 turns retries off.",
        "perTryTimeout": "How long each attempt may take.",
        "retryOn": "Conditions to try again on, with commas between: names such as 5xx or connect-failure, and status codes.",
        "retryRemoteLocalities": "Whether a retry may go to another locality.",
        "retryIgnorePreviousHosts": "Whether a retry avoids the endpoints that were tried. Unset means yes.",
        "backoff": "Shortest wait before a retry.",
    },
    "HttpFaultInjection": {
        "delay": "Hold requests back.",
        "abort": "Answer requests with an error.",
    },
    "FaultDelay": {
        "percent": "Deprecated: whole percentage of the requests.",
        "fixedDelay": "How long a request is held back.",
        "exponentialDelay": "Not supported.",
        "percentage": "Percentage of the requests.",
    },
    "FaultAbort": {
        "httpStatus": "HTTP status of the answer.",
        "grpcStatus": "gRPC status of the answer, such as UNAVAILABLE.",
        "http2Error": "Not supported.",
        "percentage": "Percentage of the requests.",
    },
    "HttpMirrorPolicy": {
        "destination": "The service that gets the copies.",
        "percentage": "Percentage of the requests. Unset means all.",
    },
    "CorsPolicy": {
        "allowOrigin": "Deprecated: origins that may call, exactly.",
        "allowOrigins": "Origins that may call.",
        "allowMethods": "Methods that may be used.",
        "allowHeaders": "Headers that may be sent.",
        "exposeHeaders": "Headers of the response that scripts may read.",
        "maxAge": "How long a browser may keep the answer to a preflight request.",
        "allowCredentials": "Whether cookies and other credentials may be sent.",
        "unmatchedPreflights": "Whether preflight requests of other origins are sent on. Unset means yes.",
    },
    "TcpRoute": {
        "match": "Blocks of conditions, any of which may hold. Without blocks every connection matches.",
        "route": "Where connections go; several destinations share them by weight.",
    },
    "L4MatchAttributes": {
        "destinationSubnets": _SUBNETS,
        "port": _PORT,
        "sourceSubnet": "Never acted on.",
        "sourceLabels": _SOURCE_LABELS,
        "gateways": _MATCH_GATEWAYS,
        "sourceNamespace": _SOURCE_NAMESPACE,
    },
    "TlsRoute": {
        "match": "Blocks of conditions, any of which may hold.",
        "route": "Where connections go; several destinations share them by weight.",
    },
    "TlsMatchAttributes": {
        "sniHosts": "Server names that clients ask for, within the hosts of the VirtualService.",
        "destinationSubnets": _SUBNETS,
        "port": _PORT,
        "sourceLabels": _SOURCE_LABELS,
        "gateways": _MATCH_GATEWAYS,
        "sourceNamespace": _SOURCE_NAMESPACE,
    },
    "RouteDestination": {
        "destination": "The service.",
        "weight": _WEIGHT,
    },
}
