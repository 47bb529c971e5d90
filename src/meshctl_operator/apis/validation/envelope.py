"""Rules on the metadata of routing objects."""

from __future__ import annotations

import re
from typing import Final

from meshctl_operator.apis import codes
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.apis.meta import ObjectMeta
from meshctl_operator.apis.paths import child
from meshctl_operator.apis.validation.findings import Findings

_NAME: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9.]{0,251}[A-Za-z0-9])?")
_LABEL: Final = re.compile(r"[A-Za-z0-9](?:[-A-Za-z0-9]{0,61}[A-Za-z0-9])?")
_RESERVED: Final = {
    "istio.io/dry-run": "only an AuthorizationPolicy can be tried out",
    "internal.istio.io/webhook-always-reject": "it asks for the object to be refused",
    "internal.istio.io/parents": "it marks objects that a controller generates",
    "internal.istio.io/parent-namespace": "it marks objects that a controller generates",
}


def check_metadata(kind: Kind, meta: ObjectMeta, findings: Findings) -> None:
    """Check names and annotations. A Gateway's name is one DNS label, since it becomes part of the names of route configurations."""
    if meta.name:
        pattern, wanted = (_LABEL, "a DNS label without dots") if kind is Kind.GATEWAY else (_NAME, "a DNS name")
        if not pattern.fullmatch(meta.name):
            findings.error(codes.BAD_METADATA, "metadata.name", f'"{meta.name}" is not {wanted}')
    if not _LABEL.fullmatch(meta.namespace):
        findings.error(codes.BAD_METADATA, "metadata.namespace", f'"{meta.namespace}" is not a DNS label')
    for name, reason in _RESERVED.items():
        if name in meta.annotations:
            findings.error(codes.RESERVED_ANNOTATION, child("metadata.annotations", name), f"may not be set here: {reason}")
