"""What each field of the routing kinds means, in a line or two: the texts that ``kubectl explain`` shows.

A module per kind, each a table from message to field (YAML name) to text; tables only, no code. A test holds them against the models:
no field without a text, no text without a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshctl_operator.apis.descriptions import (
    destination_rule,
    gateway,
    service_entry,
    shared,
    sidecar,
    virtual_service,
    workload_entry,
    workload_group,
)

DESCRIPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    **shared.FIELDS,
    **gateway.FIELDS,
    **virtual_service.FIELDS,
    **destination_rule.FIELDS,
    **service_entry.FIELDS,
    **workload_entry.FIELDS,
    **workload_group.FIELDS,
    **sidecar.FIELDS,
}
"""The text of each field, by message (the name of its model without ``Spec``) and YAML name."""
