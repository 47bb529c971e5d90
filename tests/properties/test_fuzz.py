"""Anything at all may be written into an object: it is decoded, refused or compiled, in less than a second and without a crash."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from meshctl_operator.apis.changes import Upsert
from meshctl_operator.apis.decode import decode
from tests.support.strategies.meshes import MeshState
from tests.support.strategies.scenes import BASE, scene_rules
from tests.support.world import PROXIES, change_of, settings_change, world_of

pytestmark = pytest.mark.property

LIMIT = 1.0
NASTY = st.sampled_from(
    (
        "",
        "*",
        "\x00",
        "é",
        "%",
        "%FOO%",
        "(" * 60,
        "(a*)*b",
        "((a{1,30}){1,30}){1,30}",
        "[" * 500 + "a",
        "a" * 70_000,
        "1e999",
        "-1s",
        "~",
        "..",
        "::",
    )
)
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), NASTY, st.text(max_size=20))
TREES = st.recursive(LEAVES, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)))
KINDS = st.sampled_from(("VirtualService", "Gateway", "ServiceEntry", "DestinationRule", "Sidecar", "WorkloadEntry"))


def deep(depth: int) -> Any:
    """Return lists in maps in lists, so many levels deep."""
    tree: Any = "x"
    for level in range(depth):
        tree = [tree] if level % 2 else {"match": tree}
    return tree


@st.composite
def spoilt(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a VirtualService some of whose parts are replaced by something else."""
    document: dict[str, Any] = draw(scene_rules("spoilt"))
    for _ in range(draw(st.integers(1, 3))):
        holder: Any = document
        key: Any = "spec"
        while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 4)):
            holder = holder[key]
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else list(range(len(holder)))))
        repeats = draw(st.sampled_from((1, 1, 1, 3000)))
        if isinstance(holder, list) and repeats > 1:
            holder.extend([holder[key]] * repeats)
        else:
            holder[key] = draw(st.one_of(LEAVES, TREES, st.integers(0, 900).map(deep)))
    return document


def survives(document: Any, *, compiles: bool) -> None:
    """Decode with and without rules, and compile what was decoded, each within the limit of CPU time: other work beside it takes none."""
    for validate in (True, False):
        start = time.thread_time()
        decoded = decode(document, validate=validate)
        took = time.thread_time() - start
        assert took < LIMIT, f"decoding took {took:.1f} s"
        if not compiles or not isinstance(decoded, Upsert):
            continue
        world = world_of(MeshState(BASE), validate=validate)
        for proxy in PROXIES:
            world.compile(proxy)
        change = change_of(document, validate=validate)
        assert change is not None
        start = time.thread_time()
        world.apply(settings_change({}), change)
        for proxy in PROXIES:
            world.compile(proxy)
        world.findings()
        took = time.thread_time() - start
        assert took < LIMIT, f"compiling took {took:.1f} s"


def test_thousands_of_blocks() -> None:
    """Blocks under one path, all of them different, are not compared each with each."""
    blocks = [{"headers": {"x": {"regex": f"a{number}.*"}}} for number in range(3000)]
    spec = {"hosts": ["a.com"], "http": [{"match": blocks, "route": [{"destination": {"host": "cart"}}]}]}
    meta = {"name": "many", "namespace": "default"}
    survives({"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": meta, "spec": spec}, compiles=False)


@given(TREES)
def test_any_document(document: Any) -> None:
    """Something that is hardly an object is refused or passed over."""
    survives(document, compiles=False)


@given(KINDS, TREES)
def test_any_spec(kind: str, spec: Any) -> None:
    """An object with any spec is decoded or refused, and compiled if it can be read."""
    document = {"apiVersion": "networking.istio.io/v1", "kind": kind, "metadata": {"name": "a", "namespace": "default"}, "spec": spec}
    survives(document, compiles=True)


@pytest.mark.filterwarnings("ignore:Generating overly large repr")  # of a failing example, which would hide what failed
@settings(phases=[Phase.generate])  # making such documents smaller takes minutes
@given(spoilt())
def test_spoilt_rules(document: dict[str, Any]) -> None:
    """A VirtualService with a few wrong parts is decoded or refused, and compiled if it can be read."""
    survives(document, compiles=True)
