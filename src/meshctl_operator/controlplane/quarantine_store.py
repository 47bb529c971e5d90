"""What is held in quarantine, in a file: so that a control plane that starts anew serves the last good versions, and not the rejected ones.

One file in the state folder, replaced as a whole, readable by its owner alone. Secrets are written without their bodies: a rejected one is
then left out after a restart, and no key lies on the disk.
"""

from __future__ import annotations

import base64
import json
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from meshctl_operator.xds.quarantine import ClientKind, Held, Rejection
from meshctl_operator.xds.resources import TypeUrl, XdsResource, make_resource

FILE: Final = "quarantine.json"
_FORMAT: Final = 1
_OWNER_ONLY: Final = 0o600

log = logging.getLogger("meshctl.controlplane")


class QuarantineStore:
    """The file of one control plane."""

    def __init__(self, folder: Path) -> None:
        """Take the state folder; it is made when there is something to write."""
        self._file = folder / FILE

    def load(self) -> tuple[Held, ...]:
        """Return what was saved; nothing, with a line in the log, where the file cannot be read."""
        try:
            raw = json.loads(self._file.read_text())
            if raw["format"] != _FORMAT:
                raise ValueError(f"format {raw['format']} is not known")  # noqa: TRY301  (told like any other damage of the file)
            return tuple(_decode(entry) for entry in raw["held"])
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("quarantine not read", extra={"file": str(self._file), "reason": str(error)})
            return ()

    def save(self, entries: Iterable[Held]) -> None:
        """Replace what was saved. What goes wrong is logged, for it must not end the serving."""
        body = json.dumps({"format": _FORMAT, "held": [_encode(held) for held in entries]})
        new = self._file.with_suffix(".new")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY), "w") as file:  # noqa: PTH123  (a mode from the start)
                file.write(body)
            new.replace(self._file)
        except OSError as error:
            log.warning("quarantine not written", extra={"file": str(self._file), "reason": str(error)})


def _encode(held: Held) -> dict[str, Any]:
    place = held.rejection
    return {
        "envoy": place.kind.version,
        "extensions": place.kind.extensions,
        "type": place.type_url,
        "name": place.name,
        "version": place.version,
        "message": held.message,
        "objects": held.objects,
        "digest": held.digest,
        "attempts": held.attempts,
        "instead": None if held.instead is None else _encode_resource(held.instead),
        "needs": [found for need in held.needs if (found := _encode_resource(need)) is not None],
    }


def _encode_resource(resource: XdsResource) -> dict[str, str] | None:
    if resource.type_url is TypeUrl.SECRET:
        return None
    body = base64.b64encode(resource.body).decode()
    return {"type": resource.type_url, "name": resource.name, "version": resource.version, "eds": resource.eds_name, "body": body}


def _decode(raw: Mapping[str, Any]) -> Held:
    kind = ClientKind(str(raw["envoy"]), str(raw["extensions"]))
    instead = raw["instead"]
    return Held(
        Rejection(kind, TypeUrl(raw["type"]), str(raw["name"]), str(raw["version"])),
        str(raw["message"]),
        tuple(map(str, raw["objects"])),
        str(raw["digest"]),
        None if instead is None else _decode_resource(instead),
        tuple(map(_decode_resource, raw["needs"])),
        attempts=int(raw["attempts"]),
    )


def _decode_resource(raw: Mapping[str, str]) -> XdsResource:
    body = base64.b64decode(raw["body"], validate=True)
    return make_resource(TypeUrl(raw["type"]), raw["name"], body, raw["version"], eds_name=raw["eds"])
