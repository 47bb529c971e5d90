"""Merging rules of a delegate into the rule that names it."""

from __future__ import annotations

from typing import Any

import pytest

from meshctl_operator.apis.networking.virtual_service import HttpMatchRequest, HttpRoute
from meshctl_operator.model.delegates import inherited_fields, merged_blocks, merged_rule

Block = dict[str, Any]


def block(text: Block) -> HttpMatchRequest:
    """Return a match block from its YAML form."""
    return HttpMatchRequest.model_validate(text)


@pytest.mark.parametrize(
    ("root", "leaf", "fits"),
    [
        ({}, {"uri": {"exact": "/a"}}, True),
        ({"uri": {"exact": "/a"}}, {}, True),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/a"}}, True),
        ({"uri": {"exact": "/a"}}, {"uri": {"exact": "/b"}}, False),
        ({"uri": {"exact": "/a"}}, {"uri": {"prefix": "/a"}}, False),
        ({"uri": {"prefix": "/a"}}, {"uri": {"exact": "/ab"}}, True),
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/a/b"}}, True),
        ({"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/"}}, False),
        ({"uri": {"prefix": "/a"}}, {"uri": {"regex": "/a"}}, False),
        ({"uri": {"regex": "/a"}}, {"uri": {"regex": "/a"}}, False),
        ({"uri": {}}, {"uri": {"exact": "/a"}}, False),
        ({"method": {"exact": "GET"}}, {"method": {"exact": "PUT"}}, False),
        ({"scheme": {"exact": "http"}}, {"authority": {"exact": "a"}}, True),
        ({"headers": {"x": {"exact": "1"}}}, {"headers": {"x": {"exact": "2"}}}, False),
        ({"headers": {"x": {"exact": "1"}}}, {"headers": {"y": {"exact": "2"}}}, True),
        ({"withoutHeaders": {"x": {"exact": "1"}}}, {"withoutHeaders": {"x": {}}}, False),
        ({"queryParams": {"q": {"prefix": "a"}}}, {"queryParams": {"q": {"exact": "ab"}}}, True),
        ({"ignoreUriCase": True}, {}, False),
        ({"port": 80}, {"port": 90}, False),
        ({"port": 80}, {}, True),
        ({"sourceNamespace": "a"}, {}, False),
        ({"sourceNamespace": "a"}, {"sourceNamespace": "a"}, True),
        ({}, {"sourceNamespace": "a"}, True),
        ({"sourceLabels": {"app": "a"}}, {"sourceLabels": {"app": "b"}}, False),
        ({"sourceLabels": {"app": "a"}}, {"sourceLabels": {"v": "1"}}, True),
        ({"gateways": ["mesh"]}, {"gateways": ["default/gw"]}, False),
        ({"gateways": ["mesh", "default/gw"]}, {"gateways": ["mesh"]}, True),
        ({}, {"gateways": ["mesh"]}, True),
    ],
)
def test_conflicts(root: Block, leaf: Block, fits: bool) -> None:  # noqa: FBT001  (a column of the table)
    """Two blocks go together where the leaf's conditions lie inside the root's."""
    assert (merged_blocks((block(root),), (block(leaf),)) is not None) == fits


def test_cross_product() -> None:
    """Every block of the leaf goes with each block of the root that it does not conflict with."""
    roots = (block({"uri": {"prefix": "/a"}, "name": "a"}), block({"headers": {"x": {}}, "name": "x"}))
    leaves = (block({"uri": {"prefix": "/a/1"}, "name": "l"}), block({"uri": {"prefix": "/b"}}))
    found = merged_blocks(roots, leaves) or ()
    assert [(i, j) for i, j, _ in found] == [(0, 0), (1, 0), (1, 1)]
    assert [merged.name for _, _, merged in found] == ["a-l", "x-l", "x"]
    assert [merged.uri.prefix for _, _, merged in found if merged.uri] == ["/a/1", "/a/1", "/b"]


def test_empty_sides() -> None:
    """Where one side has no blocks the other's hold."""
    some = (block({"port": 80}),)
    assert merged_blocks((), ()) == ()
    assert merged_blocks(some, ()) == ((0, -1, some[0]),)
    assert merged_blocks((), some) == ((-1, 0, some[0]),)


def test_gaps_are_filled() -> None:
    """The leaf's conditions win, the root fills the gaps, maps are united."""
    root = block(
        {"port": 80, "headers": {"a": {"prefix": "x"}, "b": {}}, "statPrefix": "root", "gateways": ["mesh"], "sourceLabels": {"app": "a"}}
    )
    leaf = block({"headers": {"a": {"exact": "xy"}}, "gateways": ["mesh"], "sourceLabels": {"v": "1"}})
    ((_, _, merged),) = merged_blocks((root,), (leaf,)) or ()
    assert (merged.port, merged.stat_prefix, merged.gateways) == (80, "root", ("mesh",))
    assert merged.headers["a"].exact == "xy"
    assert sorted(merged.headers) == ["a", "b"]
    assert dict(merged.source_labels) == {"app": "a", "v": "1"}


def test_inheritance() -> None:
    """What the leaf lacks comes from the root, but for route and redirect."""
    root = HttpRoute.model_validate(
        {
            "name": "r",
            "timeout": "1s",
            "retries": {"attempts": 1},
            "headers": {},
            "mirrors": [{"destination": {"host": "m"}}],
            "redirect": {"uri": "/x"},
            "route": [{"destination": {"host": "r"}}],
        }
    )
    leaf = HttpRoute.model_validate({"timeout": "2s", "route": [{"destination": {"host": "l"}}]})
    merged = merged_rule(root, leaf, ())
    assert inherited_fields(root, leaf) == {"retries", "headers", "mirrors"}
    assert (merged.name, str(merged.timeout), merged.redirect, merged.route[0].destination.host) == ("r", "2s", None, "l")
    assert merged.mirrors == root.mirrors


@pytest.mark.parametrize(("root", "leaf", "name"), [("r", "l", "r-l"), ("r", "", "r"), ("", "l", "l"), ("", "", "")])
def test_name(root: str, leaf: str, name: str) -> None:
    """Names are joined with a dash."""
    assert merged_rule(HttpRoute(name=root), HttpRoute(name=leaf), ()).name == name
