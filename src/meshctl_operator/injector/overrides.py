"""What a pod says of the injected containers by having containers of their names: laid over what the installation gives them."""

from __future__ import annotations

from typing import Final

from meshctl_operator.injector.json_values import Json, JsonObject, as_objects, copied

_MERGE_KEYS: Final = {"env": "name", "volumeMounts": "mountPath", "ports": "containerPort"}
_AUTO: Final = "auto"
"""The image of a container that wants the injected one."""


def lay_over(given: JsonObject, wanted: JsonObject) -> JsonObject:
    """Return a container with what the pod wants of it: objects are merged, lists with names by these, anything else is replaced."""
    result = _merged(given, {key: value for key, value in wanted.items() if not (key == "image" and value == _AUTO)})
    for key, name in _MERGE_KEYS.items():
        if key in wanted and key in given:
            result[key] = _merged_list(as_objects(given[key]), as_objects(wanted[key]), name)
    return result


def _merged(given: JsonObject, wanted: JsonObject) -> JsonObject:
    result = copied(given)
    for key, value in wanted.items():
        before = result.get(key)
        result[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else copied(value)
    return result


def _merged_list(given: list[JsonObject], wanted: list[JsonObject], name: str) -> list[Json]:
    found = {str(each.get(name)): each for each in given}
    for each in wanted:
        found[str(each.get(name))] = _merged(found.get(str(each.get(name)), {}), each)
    return list(found.values())
