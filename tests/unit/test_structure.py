"""The house stays as it is drawn: every module has its test, and is no larger than one feature."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "meshctl_operator"
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py") if path.name != "__init__.py")
MOST_LINES = 600
WITHOUT_LOGIC = {
    "apis/descriptions/destination_rule.py",
    "apis/descriptions/gateway.py",
    "apis/descriptions/service_entry.py",
    "apis/descriptions/shared.py",
    "apis/descriptions/sidecar.py",
    "apis/descriptions/virtual_service.py",
    "apis/descriptions/workload_entry.py",
    "apis/descriptions/workload_group.py",
    "compiler/inputs/planned.py",
    "incremental/context.py",
    "model/views.py",
    "xds/discovery.py",
    "xds/events.py",
}
"""Protocols, plain values and texts: there is nothing in them that a test of their own could break."""


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_twin(module: Path) -> None:
    """``tests/unit`` mirrors ``src``, so that one finds the test of what one reads."""
    twin = ROOT / "tests" / "unit" / module.parent / f"test_{module.name}"
    assert twin.exists() != (str(module) in WITHOUT_LOGIC), f"{twin.relative_to(ROOT)} is missing, or {module} has logic now"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_are_small_and_explained(module: Path) -> None:
    """A module over the limit has to be split by feature; each says in its first line what it is for."""
    text = (SOURCE / module).read_text()
    assert text.count("\n") <= MOST_LINES
    assert text.startswith('"""')
