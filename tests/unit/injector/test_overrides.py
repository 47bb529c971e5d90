"""Containers of a pod laid over injected ones."""

from __future__ import annotations

from meshctl_operator.injector.json_values import JsonObject
from meshctl_operator.injector.overrides import lay_over

GIVEN: JsonObject = {
    "name": "istio-proxy",
    "image": "envoy:1",
    "args": ["a"],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "securityContext": {"runAsUser": 1337, "runAsGroup": 1337},
}


def test_what_is_said_wins() -> None:
    """Objects are merged, lists with names by these, other lists replaced."""
    wanted: JsonObject = {
        "name": "istio-proxy",
        "args": ["b"],
        "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "securityContext": {"runAsUser": 7},
        "tty": True,
    }
    assert lay_over(GIVEN, wanted) == {
        "name": "istio-proxy",
        "image": "envoy:1",
        "args": ["b"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "securityContext": {"runAsUser": 7, "runAsGroup": 1337},
        "tty": True,
    }
    assert GIVEN["args"] == ["a"]


def test_the_image_auto_is_ours() -> None:
    """Any other is that of the pod."""
    assert lay_over(GIVEN, {"image": "auto"}) == GIVEN
    assert lay_over(GIVEN, {"image": "mine"})["image"] == "mine"
