"""Texts of ServiceEntry."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "ServiceEntry": {
        "hosts": "Names of the service; each is a service of its own.",
        "addresses": "Virtual addresses of the service: IPs, or CIDR ranges with the resolutions NONE and STATIC.",
        "ports": "Ports of the service.",
        "location": "Whether the service is part of the mesh.",
        "resolution": "How the addresses of the endpoints are found.",
        "endpoints": "The endpoints.",
        "workloadSelector": "WorkloadEntries and Pods of this namespace that are the endpoints.",
        "exportTo": "Namespaces that see the service: names, . for its own, * for all (the default), or ~ for none.",
        "subjectAltNames": "Names, one of which the endpoints' certificates must carry.",
    },
    "ServicePort": {
        "number": "Number of the port.",
        "protocol": "HTTP, HTTPS, HTTP2, GRPC, GRPC-WEB, TLS, TCP, MONGO, MYSQL, REDIS or UDP. Unset means that it is detected.",
        "name": "Name of the port, once in a service.",
        "targetPort": "Port of the endpoints. Unset means the same number.",
    },
}
