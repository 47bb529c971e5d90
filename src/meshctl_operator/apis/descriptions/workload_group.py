"""Texts of WorkloadGroup."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "WorkloadGroup": {
        "metadata": "Labels and annotations of the WorkloadEntries.",
        "template": "The spec of the WorkloadEntries.",
        "probe": "How the readiness of a workload is found out.",
    },
    "GroupMeta": {
        "labels": "Labels to copy.",
        "annotations": "Annotations to copy.",
    },
    "ReadinessProbe": {
        "initialDelaySeconds": "Seconds before the first probe.",
        "timeoutSeconds": "Seconds that a probe may take.",
        "periodSeconds": "Seconds between probes.",
        "successThreshold": "Successes in a row that make a workload ready.",
        "failureThreshold": "Failures in a row that make a workload unready.",
        "httpGet": "Probe by an HTTP request.",
        "tcpSocket": "Probe by opening a connection.",
        "exec": "Probe by a command.",
        "grpc": "Probe by the gRPC health protocol.",
    },
    "HttpProbe": {
        "path": "Path of the request.",
        "port": "Port of the request.",
        "host": "Host of the request. Unset means the workload itself.",
        "scheme": "HTTP (the default) or HTTPS.",
        "httpHeaders": "Headers of the request.",
    },
    "HttpHeader": {
        "name": "Name of the header.",
        "value": "Value of the header.",
    },
    "TcpProbe": {
        "host": "Host to connect to. Unset means the workload itself.",
        "port": "Port to connect to.",
    },
    "ExecProbe": {
        "command": "Command with its arguments; exit status 0 means ready.",
    },
    "GrpcProbe": {
        "port": "Port of the request.",
        "service": "Service to ask about.",
    },
}
