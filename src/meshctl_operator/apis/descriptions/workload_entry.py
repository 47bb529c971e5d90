"""Texts of WorkloadEntry, which are also those of a ServiceEntry's endpoints."""

from __future__ import annotations

from typing import Final

FIELDS: Final = {
    "WorkloadEntry": {
        "address": "IP address, host name, or unix:// and the path of a socket.",
        "ports": "Ports of the workload, by the name of the service port.",
        "labels": "Labels of the workload.",
        "network": "Network of the workload.",
        "locality": "Where it runs: region/zone/subzone.",
        "weight": "Share of the traffic, relative to the endpoints beside it.",
        "serviceAccount": "Service account that the workload runs as.",
    },
}
