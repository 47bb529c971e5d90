"""The CustomResourceDefinitions of the routing kinds under ``crds/``, one file a kind, generated from the models.

Run ``python -m meshctl_operator.apis.crds crds``; a test fails when a committed file differs. Names, versions, short names and categories
are Istio's, so that objects, tools and habits carry over; the columns Accepted and Programmed show the conditions that we write.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from meshctl_operator.apis.crd_schema import Schema, message_schema
from meshctl_operator.apis.decode import ROUTING_SPECS
from meshctl_operator.apis.kinds import KINDS, Kind
from meshctl_operator.apis.schema import node_of

MOST_BYTES: Final = 262_144
"""The largest object that client-side ``kubectl apply`` takes: it keeps a copy in an annotation, and these are limited."""

_CATEGORIES: Final = ("istio-io", "networking-istio-io")
_HEADER: Final = "# Generated from the models by make generate; do not edit.\n"

_WHAT: Final[Mapping[Kind, str]] = {
    Kind.GATEWAY: "Ports that gateway proxies open, and the hosts that they serve there.",
    Kind.VIRTUAL_SERVICE: "How requests and connections for some hosts are routed.",
    Kind.DESTINATION_RULE: "How connections to a service are made once routing has chosen it, and the subsets of its endpoints.",
    Kind.SERVICE_ENTRY: "Services that Kubernetes does not know, such as those outside the cluster.",
    Kind.WORKLOAD_ENTRY: "One workload outside Kubernetes, which a ServiceEntry or Service can select.",
    Kind.WORKLOAD_GROUP: "The blueprint of WorkloadEntries.",
    Kind.SIDECAR: "What workloads of a namespace can reach, and how they are reached.",
}

Column = tuple[str, str, str, str]
"""Name, type, path and description of a printer column."""

_COLUMNS: Final[Mapping[Kind, tuple[Column, ...]]] = {
    Kind.VIRTUAL_SERVICE: (
        ("Gateways", "string", ".spec.gateways", "Gateways on which the rules hold"),
        ("Hosts", "string", ".spec.hosts", "Hosts whose traffic is routed"),
    ),
    Kind.DESTINATION_RULE: (("Host", "string", ".spec.host", "The service"),),
    Kind.SERVICE_ENTRY: (
        ("Hosts", "string", ".spec.hosts", "Names of the service"),
        ("Location", "string", ".spec.location", "Whether the service is part of the mesh"),
        ("Resolution", "string", ".spec.resolution", "How the addresses of the endpoints are found"),
    ),
    Kind.WORKLOAD_ENTRY: (("Address", "string", ".spec.address", "Address of the workload"),),
}
_STATE_COLUMNS: Final[tuple[Column, ...]] = (
    ("Accepted", "string", '.status.conditions[?(@.type=="Accepted")].status', "Whether the object is valid"),
    ("Programmed", "string", '.status.conditions[?(@.type=="Programmed")].status', "Whether every proxy that should have it has it"),
    ("Age", "date", ".metadata.creationTimestamp", "Time since the object was made"),
)

_SPEC_REQUIRED: Final = frozenset({Kind.SERVICE_ENTRY, Kind.WORKLOAD_ENTRY, Kind.WORKLOAD_GROUP})


def crd(kind: Kind) -> Schema:
    """Return the CustomResourceDefinition of a routing kind."""
    info = KINDS[kind]
    names: Schema = {"kind": kind.value, "listKind": f"{kind.value}List", "plural": info.plural, "singular": kind.value.lower()}
    names["categories"] = list(_CATEGORIES)
    if info.short_names:
        names["shortNames"] = list(info.short_names)
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{info.plural}.{info.group}",
            "annotations": {"helm.sh/resource-policy": "keep"},
            "labels": {"app.kubernetes.io/part-of": "meshctl"},
        },
        "spec": {
            "group": info.group,
            "names": names,
            "scope": "Namespaced",
            "versions": [_version(kind, version, stored=version == info.versions[0]) for version in info.versions],
        },
    }


def _version(kind: Kind, version: str, *, stored: bool) -> Schema:
    return {
        "name": version,
        "served": True,
        "storage": stored,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            {"name": name, "type": of, "jsonPath": path, "description": text}
            for name, of, path, text in (*_COLUMNS.get(kind, ()), *_STATE_COLUMNS)
        ],
        "schema": {"openAPIV3Schema": root_schema(kind)},
    }


def root_schema(kind: Kind) -> Schema:
    """Return the schema of a whole object of a routing kind, the same in every version."""
    schema: Schema = {
        "description": _WHAT[kind],
        "type": "object",
        "properties": {
            "apiVersion": {"description": "Group and version of this representation.", "type": "string"},
            "kind": {"description": "Kind of the object.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": {"description": "What is wanted.", **message_schema(node_of(ROUTING_SPECS[kind]))},
            "status": _status(kind),
        },
    }
    if kind in _SPEC_REQUIRED:
        schema["required"] = ["spec"]
    return schema


def _status(kind: Kind) -> Schema:
    """Return the schema of ``status``. Unknown fields stay: other controllers write there as well."""
    either: Schema = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
    time: Schema = {"type": "string", "format": "date-time"}
    condition: Schema = {
        "type": "object",
        "properties": {
            "type": {"description": "What the condition is about.", "type": "string"},
            "status": {"description": "True, False or Unknown.", "type": "string"},
            "reason": {"description": "Why, in one word.", "type": "string"},
            "message": {"description": "Why, for people.", "type": "string"},
            "lastTransitionTime": {"description": "When the status changed.", **time},
            "lastProbeTime": {"description": "When it was last looked at.", **time},
            "observedGeneration": {"description": "Generation of the spec that this is about.", **either},
        },
        "required": ["type"],
    }
    finding: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    properties: Schema = {
        "conditions": {
            "description": "What is true of the object now.",
            "type": "array",
            "items": condition,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        },
        "observedGeneration": {"description": "Generation of the spec that the status is about.", **either},
        "validationMessages": {"description": "Findings of an analysis.", "type": "array", "items": finding},
    }
    if kind is Kind.SERVICE_ENTRY:
        text: Schema = {"type": "string"}
        address: Schema = {
            "type": "object",
            "properties": {"value": {"description": "The address.", **text}, "host": {"description": "Its host.", **text}},
        }
        properties["addresses"] = {"description": "Addresses that were given to the hosts.", "type": "array", "items": address}
    return {
        "description": "What has become of it.",
        "type": "object",
        "properties": properties,
        "x-kubernetes-preserve-unknown-fields": True,
    }


def render(kind: Kind) -> str:
    """Return the file of a kind, as YAML without anchors."""
    import yaml

    class Plain(yaml.SafeDumper):
        def ignore_aliases(self, _data: object) -> bool:
            return True

    return _HEADER + yaml.dump(crd(kind), Dumper=Plain, sort_keys=False, allow_unicode=True, width=140, default_flow_style=None)


def file_name(kind: Kind) -> str:
    """Return the name of the file of a kind."""
    return f"{KINDS[kind].plural}.yaml"


def main(folder: Path) -> None:
    """Write the files of all kinds into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in ROUTING_SPECS:
        (folder / file_name(kind)).write_text(render(kind))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "crds"))
