"""Patches of a status."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from meshctl_operator.apis.crds import crd
from meshctl_operator.apis.kinds import Kind
from meshctl_operator.status.patches import ListStyle, Stored, dated, is_current, list_style, status_patch
from tests.support.conditions import condition

NOW, THEN = "2026-02-02T00:00:00Z", "2026-01-01T00:00:00Z"
HEALTHY = {"type": "Healthy", "status": "True", "lastProbeTime": THEN, "custom": [1]}
STORED = Stored("networking.istio.io/v1", "WorkloadEntry", "shop", "vm", "uid-1", "77")
WANTED = (condition("Accepted"), condition("Programmed", "False", "Pending", "1/2 proxies", 2))


def status(*conditions: object) -> dict[str, object]:
    """Return a status with conditions."""
    return {"conditions": list(conditions), "addresses": []}


def test_server_side_apply_on_our_crds() -> None:
    """Only our conditions are sent, all of them, for the object that was seen."""
    patch = status_patch(replace(STORED, status=status(HEALTHY)), WANTED, ListStyle.MAP, NOW)
    assert patch is not None
    assert patch.is_apply
    assert json.loads(patch.encoded()) == {
        "apiVersion": "networking.istio.io/v1",
        "kind": "WorkloadEntry",
        "metadata": {"name": "vm", "namespace": "shop", "uid": "uid-1"},
        "status": {"conditions": [replace(wanted, last_transition=NOW).to_json() for wanted in WANTED]},
    }


def test_merge_on_the_crds_of_istio() -> None:
    """The whole list is written: others' entries untouched and in place, ours in their places, those that no longer hold gone."""
    old = condition("Accepted", at=THEN)
    stored = replace(STORED, status=status(condition("Conflicted").to_json(), HEALTHY, old.to_json()))
    patch = status_patch(stored, WANTED, ListStyle.ATOMIC, NOW)
    assert patch is not None
    assert not patch.is_apply
    assert patch.body == {
        "metadata": {"resourceVersion": "77"},
        "status": {"conditions": [HEALTHY, old.to_json(), replace(WANTED[1], last_transition=NOW).to_json()]},
    }


@pytest.mark.parametrize("style", ListStyle)
def test_nothing_to_say(style: ListStyle) -> None:
    """A status that says what it should is not written; the times and the order do not count."""
    stored = replace(STORED, status=status(HEALTHY, *(replace(wanted, last_transition=THEN).to_json() for wanted in reversed(WANTED))))
    assert status_patch(stored, WANTED, style, NOW) is None
    assert is_current(stored.conditions, WANTED)


def test_time_of_the_last_transition() -> None:
    """The time changes with the status, not with reason, message or generation."""
    stored = (condition("Accepted", at=THEN), condition("Programmed", at=THEN))
    wanted = (condition("Accepted", reason="Other", generation=2), condition("Programmed", "False"))
    assert [found.last_transition for found in dated(stored, wanted, NOW)] == [THEN, NOW]


def test_without_uid() -> None:
    """An object whose identity is not known is patched by its name."""
    patch = status_patch(replace(STORED, uid=""), WANTED, ListStyle.MAP, NOW)
    assert patch is not None
    assert patch.body["metadata"] == {"name": "vm", "namespace": "shop"}


def test_style_of_a_crd() -> None:
    """On our CRDs conditions are a map; on any other they are taken to be one value."""
    assert list_style(crd(Kind.GATEWAY)) is ListStyle.MAP
    foreign: Any = crd(Kind.GATEWAY)
    for version in foreign["spec"]["versions"]:
        conditions = version["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]["conditions"]
        del conditions["x-kubernetes-list-type"]
    assert list_style(foreign) is ListStyle.ATOMIC
    odds: tuple[dict[str, object], ...] = ({}, {"spec": None}, {"spec": {"versions": [{}]}})
    for odd in odds:
        assert list_style(odd) is ListStyle.ATOMIC
