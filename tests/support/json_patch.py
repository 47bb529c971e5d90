"""JSON Patch (RFC 6902), as the API server applies it: an implementation of its own, to judge patches that ours has written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def apply_patch(document: Any, operations: Iterable[Any]) -> None:
    """Apply the operations to a document in place. Raises LookupError where there is nothing to change, ValueError for other operations."""
    for operation in operations:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        holder = document
        for part in parents:
            holder = holder[int(part) if isinstance(holder, list) else part]
        key: Any = last
        if isinstance(holder, list):
            key = len(holder) if last == "-" else int(last)
        match operation["op"]:
            case "add" if isinstance(holder, list):
                holder.insert(key, operation["value"])
            case "add":
                holder[key] = operation["value"]
            case "remove":
                del holder[key]
            case "replace":
                del holder[key]
                if isinstance(holder, list):
                    holder.insert(key, operation["value"])
                else:
                    holder[key] = operation["value"]
            case unknown:
                raise ValueError(f"operation {unknown}")
